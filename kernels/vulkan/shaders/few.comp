#version 460
// Products of quantised weights with a few columns, for decode: bound by how fast
// weights are read. A team takes ROWS rows of the matrix, TURNS times: TEAM spans, each a
// subgroup or half of one. Its threads take groups of k in turn, so that they read 16
// consecutive bytes each, and add up what they have at the end. The next group of each
// row is on its way while one is used, the first while the columns are made; it is
// fetched whether it is needed or not, which was faster than behind a branch
// (docs/bench.md). GATED: silu(gate) * up of two matrices. FINE: two columns of the twin
// make one. TWIN: what comes out is written quantised; a workgroup's turns make whole
// groups of 32 rows then.
#include "base.glsl"
layout(constant_id = 15) const bool AWAITS = false;
layout(constant_id = 16) const uint FOURS = 1;
#include "await.glsl"
#include "weights.glsl"
#include "twin.glsl"
#include "finish.glsl"

layout(constant_id = 2) const uint TYPE = Q4_0;
layout(constant_id = 3) const uint UP_TYPE = Q4_0;
layout(constant_id = 4) const uint COLS = 1; // at a time
layout(constant_id = 5) const uint ROWS = 2;
layout(constant_id = 6) const uint TURNS = 1;
layout(constant_id = 7) const bool GATED = false;
layout(constant_id = 8) const bool FINE = false;
layout(constant_id = 9) const uint PROLOGUE = 0; // see columns.glsl
layout(constant_id = 10) const uint OWN = 1;
layout(constant_id = 11) const uint ROW_HEADS = 14;
layout(constant_id = 12) const uint TEAM = 1;
layout(constant_id = 13) const bool TWIN = false;
layout(constant_id = 14) const bool ONCE = false; // a thread has one group of each row, and one turn
layout(constant_id = 17) const uint SPAN = 32; // threads
#include "columns.glsl"

layout(push_constant) uniform Push {
	uint64_t weight, up; // up: GATED
	uint64_t x, y;       // quants and meta, or what make_columns quantises
	uint64_t to, bias, residual; // TWIN: to and bias are quants and meta
	uint rows, groups, cols; // cols: of the twin
	float eps;
	uint64_t late;
	uint splits; // JOINED: of each head
};

const uint SPANS = THREADS / SPAN, LANES = TEAM * SPAN;
const uint OUTPUTS = ROWS * COLS;
const uint COLUMNS = FINE ? 2 : 1; // of the twin for each output
const uint HELD = (OUTPUTS / COLUMNS + SPAN - 1) / SPAN; // outputs of a thread

const uint SUMS = OUTPUTS, SHARED = OUTPUTS / COLUMNS;
#include "sums.glsl"

shared vec2 team_sums[TEAM > 1 ? SPANS * OUTPUTS : 1];
shared float outputs[TWIN ? 32 * COLS : 1];

// Place is a team's first row and a thread's group in a turn.
struct Place { uint first, g; };

Raw raw[2 * ROWS], next[2 * ROWS]; // of a group rows of weight, and then of up

void fetch(Place p)
{
	uint g = min(p.g, groups - 1);
	[[unroll]] for (uint r = 0; r < ROWS; r++) {
		uint row = min(p.first + r, rows - 1);
		next[r] = load_raw(TYPE, Weight(weight, rows, groups), row, g);
		if (GATED) next[ROWS + r] = load_raw(UP_TYPE, Weight(up, rows, groups), row, g);
	}
}

void add(uint first, uint col, uint g)
{
	if (g >= groups) return;
	Group of[ROWS], from_up[ROWS];
	[[unroll]] for (uint r = 0; r < ROWS; r++) {
		uint row = min(first + r, rows - 1);
		of[r] = unpacked(TYPE, raw[r], row, groups, g);
		if (GATED) from_up[r] = unpacked(UP_TYPE, raw[ROWS + r], row, groups, g);
	}
	[[unroll]] for (uint c = 0; c < COLS; c++) {
		Twin t = column_group(x, y, col, c, cols, groups, g);
		[[unroll]] for (uint r = 0; r < ROWS; r++) {
			uint at = r * COLS + c;
			sums[at].x = add_group(TYPE, of[r], t, sums[at].x);
			if (GATED) sums[at].y = add_group(UP_TYPE, from_up[r], t, sums[at].y);
		}
	}
}

// Terms is what is added to an output.
struct Terms { float bias, residual; };

Terms terms; // of the thread's first output, on its way before its sum is made; with one turn only

Terms terms_of(uint first, uint col, uint i)
{
	uint row = min(first + i / COLS, rows - 1), column = min(col + i % COLS, cols - 1) / COLUMNS;
	Terms t = Terms(0, 0);
	if (bias != 0) t.bias = Floats(bias).at[row];
	if (residual != 0) t.residual = uintBitsToFloat(await_word(residual, column * rows + row));
	return t;
}

// put writes output i of a team: sum is that of weight and of up.
void put(uint first, uint col, uint i, vec2 sum)
{
	uint row = first + i / COLS, c = i % COLS;
	float value = GATED ? silu(sum.x) * sum.y : sum.x;
	if (TWIN) outputs[c * 32 + row % 32] = row < rows ? value : 0;
	if (TWIN || row >= rows || col + c >= cols) return;
	Terms t = terms;
	if (TURNS > 1 || i >= SPAN * COLUMNS) t = terms_of(first, col, i);
	if (bias != 0) value += t.bias;
	if (residual != 0) value += t.residual;
	Floats(to).at[(col + c) / COLUMNS * rows + row] = value;
}

// write finishes a turn.
void write(uint first, uint col, uint span)
{
	uint lane = gl_SubgroupInvocationID % SPAN;
	if (FINE) {
		[[unroll]] for (uint i = 0; i < OUTPUTS / 2; i++) sums[i] = sums[2 * i] + sums[2 * i + 1];
	}
	share_sums();
	[[unroll]] for (uint h = 0; h < HELD; h++) {
		uint i = (h * SPAN + lane) * COLUMNS;
		if (i >= OUTPUTS) continue;
		if (TEAM == 1) put(first, col, i, sums[h * SPAN]);
		else team_sums[span * OUTPUTS + i] = sums[h * SPAN];
	}
	if (TEAM > 1) {
		barrier();
		for (uint i = lane * COLUMNS; i < OUTPUTS && span % TEAM == 0; i += SPAN * COLUMNS) {
			vec2 sum = vec2(0);
			for (uint s = 0; s < TEAM; s++) sum += team_sums[(span + s) * OUTPUTS + i];
			put(first, col, i, sum);
		}
		barrier(); // they have been read
	}
	if (!TWIN || (first + ROWS * (SPANS - span)) % 32 != 0) return; // a group is complete after all teams' rows
	barrier();
	[[dont_unroll]] for (uint i = thread(); i < COLS * MATES; i += THREADS) {
		Part v;
		[[unroll]] for (uint f = 0; f < FOURS; f++) {
			uint from = 4 * (i * FOURS + f);
			v.at[f] = vec4(outputs[from], outputs[from + 1], outputs[from + 2], outputs[from + 3]);
		}
		Quantised q = quantise(v);
		uint column = min(col + i / MATES, cols - 1), out_groups = (rows + 31) / 32;
		if (i * FOURS % 4 == 0) LateQuads(to).at[quad_of(column, out_groups, first / 32, i * FOURS / 4 % 2)] = q.words;
		if (i % MATES == 0) Pairs(bias).at[column * out_groups + first / 32] = q.meta;
	}
	barrier();
}

void advance(inout Place p, uint lane)
{
	p.g += LANES;
	if (p.g - lane < groups) return;
	p.g = lane;
	p.first += SPANS / TEAM * ROWS;
}

void main()
{
	uint span = gl_SubgroupID * (SUBGROUP / SPAN) + gl_SubgroupInvocationID / SPAN;
	uint lane = span % TEAM * SPAN + gl_SubgroupInvocationID % SPAN, col = gl_WorkGroupID.y * COLS;
	// Turns follow each other, so that those of a TWIN make groups.
	Place ahead = Place((gl_WorkGroupID.x * TURNS * SPANS + span) / TEAM * ROWS, lane);
	uint first = ahead.first;
	fetch(ahead);
	late_at = late;
	uint own = gl_SubgroupInvocationID % SPAN * COLUMNS;
	if (TURNS == 1 && !TWIN && own < OUTPUTS && span % TEAM == 0) terms = terms_of(first, col, own);
	make_columns(x, y, eps, groups, splits);
	[[dont_unroll]] for (uint t = 0; t < TURNS; t++) {
		clear_sums();
		if (ONCE) {
			[[unroll]] for (uint i = 0; i < 2 * ROWS; i++) raw[i] = next[i];
			add(first, col, lane);
		} else [[dont_unroll]] for (uint g = lane; g - lane < groups; g += LANES) {
			[[unroll]] for (uint i = 0; i < 2 * ROWS; i++) raw[i] = next[i];
			advance(ahead, lane);
			fetch(ahead);
			add(first, col, g);
		}
		write(first, col, span);
		first += SPANS / TEAM * ROWS;
	}
}
