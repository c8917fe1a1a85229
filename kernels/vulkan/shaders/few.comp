#version 460
// Products of quantised weights with a few columns, for decode: bound by how fast
// weights are read. A subgroup takes ROWS rows of the matrix, TURNS times; its
// threads take groups of k in turn, so that they read 16 consecutive bytes each,
// and add up what they have at the end. GATED: silu(gate) * up of two matrices.
// FINE: two columns of the twin make one.
#include "base.glsl"
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
layout(constant_id = 9) const uint PROLOGUE = 0;
layout(constant_id = 10) const uint OWN = 1;
layout(constant_id = 11) const uint HEAD_DIM = 64;
layout(constant_id = 12) const uint ROW_HEADS = 14;
#include "columns.glsl"

layout(push_constant) uniform Push {
	uint64_t weight, up; // up: GATED
	uint64_t x, y;       // quants and meta; PROLOGUE: what make_columns takes
	uint64_t to, bias, residual;
	uint rows, groups, cols; // cols: of the twin
	float eps;
};

// sums is for each row and column, of weight and then of up.
const uint OUTPUTS = ROWS * COLS;
float sums[2 * OUTPUTS];

void add(uint type, Weight w, uint at, uint first, uint g, Twin x[COLS])
{
	Group group[ROWS];
	[[unroll]] for (uint r = 0; r < ROWS; r++) group[r] = load_group(type, w, min(first + r, rows - 1), g);
	[[unroll]] for (uint r = 0; r < ROWS; r++)
		[[unroll]] for (uint c = 0; c < COLS; c++) {
			uint i = at + r * COLS + c;
			sums[i] = add_group(type, group[r], x[c], sums[i]);
		}
}

void turn(uint first, uint col)
{
	[[unroll]] for (uint i = 0; i < 2 * OUTPUTS; i++) sums[i] = 0;
	for (uint g = gl_SubgroupInvocationID; g < groups; g += SUBGROUP) {
		Twin t[COLS];
		[[unroll]] for (uint c = 0; c < COLS; c++) t[c] = column_group(x, y, col, c, cols, groups, g);
		add(TYPE, Weight(weight, rows, groups), 0, first, g, t);
		if (GATED) add(UP_TYPE, Weight(up, rows, groups), OUTPUTS, first, g, t);
	}
	const uint columns = FINE ? 2 : 1;
	[[unroll]] for (uint r = 0; r < ROWS; r++)
		[[unroll]] for (uint c = 0; c < COLS; c += columns) {
			uint i = r * COLS + c;
			float sum = sums[i];
			if (FINE) sum += sums[i + columns - 1];
			sum = subgroupAdd(sum);
			if (GATED) sum = silu(sum) * subgroupAdd(sums[OUTPUTS + i]);
			if (gl_SubgroupInvocationID == 0 && first + r < rows && col + c < cols)
				finish(to, bias, residual, rows, first + r, (col + c) / columns, sum);
		}
}

void main()
{
	uint first = (gl_WorkGroupID.x * (THREADS / SUBGROUP) + gl_SubgroupID) * ROWS * TURNS, col = gl_WorkGroupID.y * COLS;
	if (PROLOGUE != 0) make_columns(x, y, eps, col, cols, groups);
	for (uint t = 0; t < TURNS && first < rows; t++, first += ROWS) turn(first, col);
}
