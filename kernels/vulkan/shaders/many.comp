#version 460
// Products of quantised weights with many columns, for prefill: bound by
// arithmetic. A workgroup of 256 threads makes a tile of 64 rows by 16, 32 or 64
// columns; 4 groups of k at a time are unpacked into shared memory, and each
// thread adds up 4 rows by 1, 2 or 4 columns. GATED: rows of the tile are 32 of
// the gate and the same 32 of up.
#include "base.glsl"
const bool AWAITS = false; // of batches of many rows
#include "await.glsl"
#include "weights.glsl"
#include "twin.glsl"
#include "finish.glsl"

layout(constant_id = 2) const uint TYPE = Q4_0;
layout(constant_id = 3) const uint UP_TYPE = Q4_0;
layout(constant_id = 4) const bool GATED = false;
layout(constant_id = 5) const uint COLS = 4; // of a thread

layout(push_constant) uniform Push {
	uint64_t weight, up; // up: GATED
	uint64_t quants, meta;
	uint64_t to, bias, residual;
	uint rows, groups, cols;
};

const uint TILE = 64, DEPTH = 4, SIDE = 16, ROWS = 4; // ROWS: of a thread; THREADS is SIDE * SIDE
const uint TILE_COLS = SIDE * COLS;

// Words of 16 bytes by half and row, so that neighbours read neighbours.
shared uvec4 weights[DEPTH * 2 * TILE];
shared vec3 scales[DEPTH * TILE]; // scale, scale2, offset
shared uvec4 columns[DEPTH * 2 * TILE_COLS];
shared float column_scales[DEPTH * TILE_COLS];
shared ivec2 column_sums[DEPTH * TILE_COLS];

void stage(uint first, uint col, uint g)
{
	uint line = thread() / DEPTH, depth = thread() % DEPTH;
	Group w;
	if (GATED && line >= TILE / 2) w = load_group(UP_TYPE, Weight(up, rows, groups), min(first + line - TILE / 2, rows - 1), min(g + depth, groups - 1));
	else w = load_group(TYPE, Weight(weight, rows, groups), min(first + line, rows - 1), min(g + depth, groups - 1));
	[[unroll]] for (uint half_group = 0; half_group < 2; half_group++) {
		uint j = half_group * 4;
		weights[(depth * 2 + half_group) * TILE + line] = uvec4(w.q[j], w.q[j + 1], w.q[j + 2], w.q[j + 3]);
	}
	scales[depth * TILE + line] = vec3(w.scale, w.scale2, w.offset);
	if (line >= TILE_COLS) return;
	Twin x = load_twin(quants, meta, min(col + line, cols - 1), groups, min(g + depth, groups - 1));
	[[unroll]] for (uint half_group = 0; half_group < 2; half_group++) {
		uint j = half_group * 4;
		columns[(depth * 2 + half_group) * TILE_COLS + line] = uvec4(x.q[j], x.q[j + 1], x.q[j + 2], x.q[j + 3]);
	}
	column_scales[depth * TILE_COLS + line] = x.scale;
	column_sums[depth * TILE_COLS + line] = ivec2(x.low, x.high);
}

Group staged_group(uint depth, uint line)
{
	Group w;
	[[unroll]] for (uint j = 0; j < 8; j++) w.q[j] = weights[(depth * 2 + j / 4) * TILE + line][j % 4];
	vec3 s = scales[depth * TILE + line];
	w.scale = s.x;
	w.scale2 = s.y;
	w.offset = s.z;
	return w;
}

Twin staged_twin(uint depth, uint line)
{
	Twin x;
	[[unroll]] for (uint j = 0; j < 8; j++) x.q[j] = columns[(depth * 2 + j / 4) * TILE_COLS + line][j % 4];
	x.scale = column_scales[depth * TILE_COLS + line];
	x.low = column_sums[depth * TILE_COLS + line].x;
	x.high = column_sums[depth * TILE_COLS + line].y;
	return x;
}

void main()
{
	const uint tile_rows = GATED ? TILE / 2 : TILE;
	uint first = gl_WorkGroupID.x * tile_rows, col = gl_WorkGroupID.y * TILE_COLS;
	uint side = thread() / SIDE, place = thread() % SIDE;
	float sums[ROWS * COLS];
	[[unroll]] for (uint i = 0; i < ROWS * COLS; i++) sums[i] = 0;
	for (uint g = 0; g < groups; g += DEPTH) {
		stage(first, col, g);
		barrier();
		for (uint depth = 0; depth < min(DEPTH, groups - g); depth++) {
			Twin x[COLS];
			[[unroll]] for (uint c = 0; c < COLS; c++) x[c] = staged_twin(depth, place + SIDE * c);
			[[unroll]] for (uint r = 0; r < ROWS; r++) {
				Group w = staged_group(depth, side + SIDE * r);
				[[unroll]] for (uint c = 0; c < COLS; c++) {
					uint i = r * COLS + c;
					if (GATED && r >= ROWS / 2) sums[i] = add_group(UP_TYPE, w, x[c], sums[i]);
					else sums[i] = add_group(TYPE, w, x[c], sums[i]);
				}
			}
		}
		barrier();
	}
	[[unroll]] for (uint r = 0; r < (GATED ? ROWS / 2 : ROWS); r++)
		[[unroll]] for (uint c = 0; c < COLS; c++) {
			uint row = first + side + SIDE * r, column = col + place + SIDE * c;
			if (row >= rows || column >= cols) continue;
			float sum = sums[r * COLS + c];
			if (GATED) sum = silu(sum) * sums[(r + ROWS / 2) * COLS + c];
			finish(to, bias, residual, rows, row, column, sum);
		}
}
