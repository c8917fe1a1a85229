#version 460
// Queries, keys and values of a few rows in one go: three products as in few.comp,
// their biases, the rotation of queries and keys (Su et al. 2021), and the keys'
// and values' way to their pages. A span, a subgroup or half of one, takes two
// dimensions of a head that are rotated together. Pages of F16 and F32; a block of Q8_0 needs 32 dimensions.
#include "base.glsl"
layout(constant_id = 14) const bool AWAITS = false;
layout(constant_id = 16) const uint FOURS = 1;
#include "await.glsl"
#include "weights.glsl"
#include "twin.glsl"
#include "pages.glsl"

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint Q_TYPE = Q4_0;
layout(constant_id = 7) const uint K_TYPE = Q4_0;
layout(constant_id = 8) const uint V_TYPE = Q4_0;
layout(constant_id = 9) const uint COLS = 1;
layout(constant_id = 10) const uint PROLOGUE = 0;
layout(constant_id = 11) const uint OWN = 1;
layout(constant_id = 12) const uint PAIRS = 32; // rotated in a head
layout(constant_id = 13) const bool ADJACENT = false;
layout(constant_id = 15) const uint groups = 28; // of a row
layout(constant_id = 17) const uint SPAN = 32; // threads, at least COLS
const uint ROW_HEADS = 1; // of JOINED, which queries never have
#include "columns.glsl"

layout(push_constant) uniform Push {
	uint64_t weights[3], biases[3]; // of q, k, v; a bias may be 0
	uint64_t x, y;                  // as in few.comp
	uint64_t to;                    // queries, (rows, Q_HEADS * DIM); AWAITS: and marks, see mark
	uint64_t turns;                 // cos and sin of (row, pair)
	Pool pool;
	uint page_bytes;
	float eps;
	uint64_t late;
};

const uint SUMS = COLS, SHARED = COLS; // of a column: its sum with either row
#include "sums.glsl"

// dims are the two dimensions of a head that pair p of it is.
uvec2 dims(uint p, uint part)
{
	if (part == 2 || p >= PAIRS || ADJACENT) return uvec2(2 * p, 2 * p + 1);
	return uvec2(p, p + PAIRS);
}

Raw[2] fetch(uint type, Weight w, uvec2 row, uint g)
{
	return Raw[2](load_raw(type, w, row.x, min(g, groups - 1)), load_raw(type, w, row.y, min(g, groups - 1)));
}

void add(uint type, uvec2 row, uint g, Raw raw[2])
{
	Group a = unpacked(type, raw[0], row.x, groups, g), b = unpacked(type, raw[1], row.y, groups, g);
	[[unroll]] for (uint c = 0; c < COLS; c++) {
		Twin t = column_group(x, y, 0, c, COLS, groups, g);
		sums[c].x = add_group(type, a, t, sums[c].x);
		sums[c].y = add_group(type, b, t, sums[c].y);
	}
}

// Finish is what finishing a row's two values needs, which is on its way early too.
struct Finish {
	vec2 bias, turn;
	uint64_t half_base; // of keys or values in the row's page
	uint in_page;       // where the head begins there
};

Finish fetch_finish(uint row, uint part, uint head, uint pair, uvec2 at)
{
	Finish f;
	f.bias = vec2(0);
	if (biases[part] != 0) f.bias = vec2(Floats(biases[part]).at[at.x], Floats(biases[part]).at[at.y]);
	f.turn = vec2(1, 0);
	if (part < 2 && pair < PAIRS) f.turn = uintBitsToFloat(Pairs(turns).at[row * PAIRS + pair]);
	if (part == 0) return f;
	uint position = Words(pool.positions).at[row];
	f.half_base = page_of(pool, page_bytes, row, position) + (part == 2 ? half_bytes() : 0);
	f.in_page = (position % PAGE_TOKENS * HEADS + head) * DIM;
	return f;
}

void finish(Finish f, uint row, uint part, uvec2 at, uvec2 dim, vec2 v)
{
	v += f.bias;
	if (part < 2) v = vec2(v.x * f.turn.x - v.y * f.turn.y, v.y * f.turn.x + v.x * f.turn.y);
	[[unroll]] for (uint i = 0; i < 2; i++)
		if (part == 0) Floats(to).at[row * Q_HEADS * DIM + at[i]] = v[i];
		else if (KV == F32) Floats(f.half_base).at[f.in_page + dim[i]] = v[i];
		else Halves(f.half_base).at[f.in_page + dim[i]] = uint16_t(round_half(v[i]));
}

// mark tells attention that a pair of dimensions is in the rows' pages, which hold
// anything before.
void mark(uint part, uint head, uint p)
{
	memoryBarrierBuffer();
	subgroupBarrier();
	if (gl_SubgroupInvocationID % SPAN == 0) Words(to).at[COLS * Q_HEADS * DIM + (head * 2 + part - 1) * (DIM / 2) + p] = 0;
}

Raw[2] fetch_part(uint part, uint rows, uvec2 row, uint g)
{
	Weight w = Weight(weights[part], rows, groups);
	if (part == 0 || Q_TYPE == K_TYPE && (part == 1 || Q_TYPE == V_TYPE)) return fetch(Q_TYPE, w, row, g);
	if (part == 1) return fetch(K_TYPE, w, row, g);
	return fetch(V_TYPE, w, row, g);
}

void add_part(uint part, uvec2 row, uint g, Raw raw[2])
{
	if (part == 0 || Q_TYPE == K_TYPE && (part == 1 || Q_TYPE == V_TYPE)) add(Q_TYPE, row, g, raw);
	else if (part == 1) add(K_TYPE, row, g, raw);
	else add(V_TYPE, row, g, raw);
}

void main()
{
	late_at = late;
	uint lane = gl_SubgroupInvocationID % SPAN, span = gl_SubgroupID * (SUBGROUP / SPAN) + gl_SubgroupInvocationID / SPAN;
	uint pair = gl_WorkGroupID.x * (THREADS / SPAN) + span, head = pair / (DIM / 2);
	bool some = head < Q_HEADS + 2 * HEADS;
	uint part = head < Q_HEADS ? 0 : head < Q_HEADS + HEADS ? 1 : 2;
	head -= part == 0 ? 0 : part == 1 ? Q_HEADS : Q_HEADS + HEADS;
	uvec2 dim = dims(pair % (DIM / 2), part), row = head * DIM + dim;
	uint rows = (part == 0 ? Q_HEADS : HEADS) * DIM;
	if (!some) part = head = 0; // it goes along, and writes nothing
	row = some ? row : uvec2(0);
	Finish f = fetch_finish(min(lane, COLS - 1), part, head, pair % (DIM / 2), row);
	clear_sums();
	Raw raw[2] = fetch_part(part, rows, row, lane);
	make_columns(x, y, eps, groups, 0);
	[[dont_unroll]] for (uint g = lane; g - lane < groups; g += SPAN) {
		Raw next[2] = fetch_part(part, rows, row, g + SPAN);
		if (g < groups) add_part(part, row, g, raw);
		raw = next;
	}
	share_sums();
	if (some && lane < COLS) finish(f, lane, part, row, dim, sums[0]);
	if (AWAITS && some && part > 0) mark(part, head, pair % (DIM / 2));
}
