#version 460
// Products of many columns by cooperative matrices, for prefill: bound by the GPU's
// matrix units. A workgroup makes a tile of TILE_ROWS rows of the matrix by
// TILE_COLS columns, DEPTH groups of k at a time: weights are unpacked to f16 and
// lie in shared memory beside the columns' halves, each subgroup adds up its part of
// the tile in f32, and meanwhile the next groups are on their way to registers. With
// several splits of k each leaves its sums, (splits, cols, rows), to norm.comp.
// GATED: silu(gate) * up; half of each subgroup's rows are the gate's, the other
// half the same rows of up.
#include "base.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#include "weights.glsl"
#include "halves.glsl"
#include "finish.glsl"

layout(constant_id = 2) const uint TYPE = Q4_0;
layout(constant_id = 3) const uint UP_TYPE = Q4_0;
layout(constant_id = 4) const bool GATED = false;
layout(constant_id = 5) const uint TILE_ROWS = 128;
layout(constant_id = 6) const uint TILE_COLS = 128;
layout(constant_id = 7) const uint PART_ROWS = 64; // of a subgroup
layout(constant_id = 8) const uint PART_COLS = 32;
layout(constant_id = 9) const uint M = 16; // a cooperative matrix is (M, K) times (K, N)
layout(constant_id = 10) const uint N = 16;
layout(constant_id = 11) const uint K = 16;

layout(push_constant) uniform Push {
	uint64_t weight, up;     // up: GATED
	uint64_t halves, scales; // of the columns
	uint64_t to, bias, residual;
	uint rows, groups, cols;
	uint split_groups; // of a row's that a workgroup adds up, a multiple of DEPTH
};

const uint DEPTH = 2; // neighbours, so that whole sectors are read
// Lines of shared memory, in words of 8 halves: a row's or a column's values of k, and
// a word more, so that neighbours begin in other banks.
const uint LINE = DEPTH * 4 + 1;
const uint PARTS = TILE_ROWS / PART_ROWS; // one above the other
// Where a subgroup leaves finished sums: (N, PART_ROWS) of f32 with a word more a column.
const uint OUT_LINE = PART_ROWS / 4 + 1, OUT = THREADS / SUBGROUP * N * OUT_LINE, TILE = (TILE_ROWS + TILE_COLS) * LINE;
shared uvec4 tile[OUT > TILE ? OUT : TILE];

const uint ROW_TURNS = (TILE_ROWS * DEPTH + THREADS - 1) / THREADS, COL_TURNS = (TILE_COLS * DEPTH * 4 + THREADS - 1) / THREADS;
Packed packed[ROW_TURNS];
uvec4 columns[COL_TURNS];

const uint HEIGHT = PART_ROWS / M, WIDTH = PART_COLS / N;
const uint KEPT = GATED ? PART_ROWS / 2 : PART_ROWS; // rows of a subgroup's results

bool of_up(uint line) { return GATED && line % PART_ROWS >= KEPT; }

// row_of is the row of the matrix that a line of the tile is.
uint row_of(uint line)
{
	return min(gl_WorkGroupID.y * PARTS * KEPT + line / PART_ROWS * KEPT + line % KEPT, rows - 1);
}

// fetch starts to read groups g to g + DEPTH. What is beyond the matrix is read of its
// last group and counted 0.
void fetch(uint g)
{
	[[unroll]] for (uint t = 0; t < ROW_TURNS; t++) {
		uint i = t * THREADS + thread(), line = i / DEPTH, at = min(g + i % DEPTH, groups - 1);
		if (TILE_ROWS * DEPTH % THREADS != 0 && line >= TILE_ROWS) break;
		Weight matrix = Weight(of_up(line) ? up : weight, rows, groups);
		if (UP_TYPE != TYPE && of_up(line)) packed[t] = load_packed(UP_TYPE, matrix, row_of(line), at);
		else packed[t] = load_packed(TYPE, matrix, row_of(line), at);
	}
	[[unroll]] for (uint t = 0; t < COL_TURNS; t++) {
		uint i = t * THREADS + thread(), line = i / (DEPTH * 4);
		if (TILE_COLS * DEPTH * 4 % THREADS != 0 && line >= TILE_COLS) break;
		uint column = min(gl_WorkGroupID.x * TILE_COLS + line, cols - 1);
		columns[t] = Quads(halves).at[column * groups * 4 + min(g * 4 + i % (DEPTH * 4), groups * 4 - 1)];
	}
}

// place puts what was fetched of groups g to g + DEPTH into shared memory.
void place(uint g)
{
	[[unroll]] for (uint t = 0; t < ROW_TURNS; t++) {
		uint i = t * THREADS + thread(), line = i / DEPTH;
		if (TILE_ROWS * DEPTH % THREADS != 0 && line >= TILE_ROWS) break;
		bool inside = g + i % DEPTH < groups;
		uvec4 values[4];
		if (UP_TYPE != TYPE && of_up(line)) unpack(UP_TYPE, packed[t], inside, values);
		else unpack(TYPE, packed[t], inside, values);
		[[unroll]] for (uint j = 0; j < 4; j++) tile[line * LINE + i % DEPTH * 4 + j] = values[j];
	}
	[[unroll]] for (uint t = 0; t < COL_TURNS; t++) {
		uint i = t * THREADS + thread(), line = i / (DEPTH * 4);
		if (TILE_COLS * DEPTH * 4 % THREADS != 0 && line >= TILE_COLS) break;
		tile[(TILE_ROWS + line) * LINE + i % (DEPTH * 4)] = columns[t];
	}
}

void main()
{
	uint part_row = gl_SubgroupID % PARTS, part_col = gl_SubgroupID / PARTS;
	coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sums[HEIGHT * WIDTH];
	[[unroll]] for (uint i = 0; i < HEIGHT * WIDTH; i++) sums[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0);
	uint g = gl_WorkGroupID.z * split_groups, end = min(g + split_groups, groups);
	fetch(g);
	for (; g < end; g += DEPTH) {
		barrier(); // the tile before has been read
		place(g);
		barrier();
		if (g + DEPTH < end) fetch(g + DEPTH);
		[[unroll]] for (uint k = 0; k < DEPTH * 32; k += K) {
			coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a[HEIGHT];
			[[unroll]] for (uint h = 0; h < HEIGHT; h++)
				coopMatLoad(a[h], tile, (part_row * PART_ROWS + h * M) * LINE + k / 8, LINE, gl_CooperativeMatrixLayoutRowMajor);
			[[unroll]] for (uint w = 0; w < WIDTH; w++) {
				coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
				coopMatLoad(b, tile, (TILE_ROWS + part_col * PART_COLS + w * N) * LINE + k / 8, LINE, gl_CooperativeMatrixLayoutColumnMajor);
				[[unroll]] for (uint h = 0; h < HEIGHT; h++) sums[h * WIDTH + w] = coopMatMulAdd(a[h], b, sums[h * WIDTH + w]);
			}
		}
	}
	uint64_t part = to + uint64_t(gl_WorkGroupID.z) * cols * rows * 4;
	uint out_base = gl_SubgroupID * N * OUT_LINE, first = (gl_WorkGroupID.y * PARTS + part_row) * KEPT;
	barrier(); // the tile has been read
	[[unroll]] for (uint w = 0; w < WIDTH; w++) {
		subgroupBarrier(); // the columns before have been read
		[[unroll]] for (uint h = 0; h < HEIGHT; h++)
			coopMatStore(sums[h * WIDTH + w], tile, out_base + h * M / 4, OUT_LINE, gl_CooperativeMatrixLayoutColumnMajor);
		subgroupBarrier();
		for (uint i = gl_SubgroupInvocationID; i < N * (KEPT / 4); i += SUBGROUP) {
			uint in_part = i / (KEPT / 4), at = out_base + in_part * OUT_LINE + i % (KEPT / 4);
			uint row = first + i % (KEPT / 4) * 4, col = gl_WorkGroupID.x * TILE_COLS + part_col * PART_COLS + w * N + in_part;
			if (row >= rows || col >= cols) continue;
			float scale = Floats(scales).at[col];
			vec4 sum = scale * uintBitsToFloat(tile[at]);
			if (GATED) {
				vec4 other = scale * uintBitsToFloat(tile[at + KEPT / 4]);
				[[unroll]] for (uint j = 0; j < 4; j++) sum[j] = silu(sum[j]) * other[j];
			}
			finish4(part, bias, residual, rows, row, col, sum);
		}
	}
}
