#version 460
// Attention of many rows by cooperative matrices: f16 with sums of f32. A subgroup has
// M lines of the tile and their sums; K and V of a block are staged for all as f16.
// What needs to know a matrix's rows goes through shared memory.
#include "base.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "pages.glsl"
#include "flash.glsl"

layout(constant_id = 8) const uint M = 16;
layout(constant_id = 9) const uint N = 16;
layout(constant_id = 10) const uint K = 16;

#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUM coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

// Rows in shared memory are 16 bytes longer than they need be, so that those side by
// side lie in different banks. Strides count fours of values.
const uint SUBGROUPS = THREADS / SUBGROUP, DIM8 = DIM / 8, STRIDE = DIM / 4 + 2, SCORES = KEYS / 4 + 1, WEIGHTS = KEYS / 4 + 2;
const uint FETCHES = (KEYS * DIM8 + THREADS - 1) / THREADS;
// Threads for a line's scores, lines at a time, and times.
const uint WIDE = SUBGROUP > M ? SUBGROUP / M : 1, TEAM = WIDE < KEYS / 4 ? WIDE : KEYS / 4;
const uint AT_ONCE = SUBGROUP / TEAM, TIMES = (M + AT_ONCE - 1) / AT_ONCE;
const uint FOURS = KEYS / 4 / TEAM; // of a thread and line: 4 scores each

shared f16vec4 keys[KEYS * STRIDE], values[KEYS * STRIDE]; // (KEYS, DIM)
shared vec4 scores[SUBGROUPS * M * SCORES];                // (lines, KEYS)
shared f16vec4 weights[SUBGROUPS * M * WEIGHTS];           // (lines, KEYS)
shared float factors[SUBGROUPS * M];                       // of lines

f16vec4 four(uint low, uint high) { return f16vec4(unpackFloat2x16(low), unpackFloat2x16(high)); }

// fetch8 is 8 values of a head from dim d on as halves; 0 behind the tile's last key.
uvec4 fetch8(Tile t, uint position, uint d, bool is_value)
{
	if (position > t.last) return uvec4(0);
	uint64_t from = half_of(t, position, is_value);
	uint i = (position % PAGE_TOKENS * HEADS + t.kv_head) * DIM + d;
	if (KV == F16) return Quads(from).at[i / 8];
	ivec2 bits = ivec2(Pairs(from).at[i / 8]);
	float scale = Floats(from + half_bytes()).at[i / 32];
	uvec4 eight;
	[[unroll]] for (uint j = 0; j < 4; j++) {
		int low = int(j % 2) * 16;
		eight[j] = packHalf2x16(scale * vec2(bitfieldExtract(bits[j / 2], low, 8), bitfieldExtract(bits[j / 2], low + 8, 8)));
	}
	return eight;
}

bool all_finite(uvec4 halves)
{
	uvec4 low = halves & 0x7c00u, high = halves & 0x7c000000u;
	return all(notEqual(low, uvec4(0x7c00u))) && all(notEqual(high, uvec4(0x7c000000u)));
}

void settle() // what a subgroup wrote for itself can be read by all its threads
{
	subgroupMemoryBarrierShared();
	subgroupBarrier();
}

void main()
{
	Tile t = this_tile();
	if (t.rows == 0) return;
	const uint lane = gl_SubgroupInvocationID, first = gl_SubgroupID * M; // line
	for (uint i = thread(); i < KEYS; i += THREADS) marks[i] = 0;

	// Queries: as many dims at a time as fit where the weights will be.
	const uint chunk = DIM < KEYS ? DIM : KEYS, chunk4 = chunk / 4;
	LEFT queries[DIM / K];
	[[unroll]] for (uint d = 0; d < DIM; d += chunk) {
		for (uint i = lane; i < M * chunk4; i += SUBGROUP) {
			uint line = i / chunk4, j = i % chunk4;
			bool has = is_line(t, first + line) && d + 4 * j < DIM;
			vec4 x = has ? Vectors(q).at[vector_of(t, first + line) * (DIM / 4) + d / 4 + j] : vec4(0);
			weights[(first + line) * WEIGHTS + j] = f16vec4(x * scale);
		}
		settle();
		[[unroll]] for (uint k = 0; k < chunk / K; k++)
			if (d / K + k < DIM / K) coopMatLoad(queries[d / K + k], weights, first * WEIGHTS + k * K / 4, WEIGHTS, gl_CooperativeMatrixLayoutRowMajor);
		settle();
	}

	SUM sums[DIM / N];
	[[unroll]] for (uint i = 0; i < DIM / N; i++) sums[i] = SUM(0);
	float top[TIMES], total[TIMES];
	[[unroll]] for (uint i = 0; i < TIMES; i++) {
		top[i] = -1e38; // finite, so that there is a distance to it
		total[i] = 0;
	}
	// This thread's part of the next block. What fetches it stands here twice: as a function
	// it made everything 13 % slower on an H200.
	uvec4 next_keys[FETCHES], next_values[FETCHES];
	[[unroll]] for (uint i = 0; i < FETCHES; i++) {
		uint item = thread() + i * THREADS, position = t.begin + item / DIM8, d = item % DIM8 * 8;
		next_keys[i] = fetch8(t, position, d, false);
		next_values[i] = fetch8(t, position, d, true);
	}
	for (uint from = t.begin; from < t.end; from += KEYS) {
		bool masked = masks(t, from);
		barrier();
		[[unroll]] for (uint i = 0; i < FETCHES; i++) {
			uint item = thread() + i * THREADS, key = item / DIM8;
			if (key >= KEYS) break;
			if (masked && !all_finite(next_values[i])) {
				marks[key] = from + 1;
				next_values[i] = uvec4(0);
			}
			uint at = key * STRIDE + item % DIM8 * 2;
			keys[at] = four(next_keys[i].x, next_keys[i].y);
			keys[at + 1] = four(next_keys[i].z, next_keys[i].w);
			values[at] = four(next_values[i].x, next_values[i].y);
			values[at + 1] = four(next_values[i].z, next_values[i].w);
		}
		barrier();
		if (from + KEYS < t.end) // it arrives while this block is computed
			[[unroll]] for (uint i = 0; i < FETCHES; i++) {
				uint item = thread() + i * THREADS, position = from + KEYS + item / DIM8, d = item % DIM8 * 8;
				next_keys[i] = fetch8(t, position, d, false);
				next_values[i] = fetch8(t, position, d, true);
			}

		// Scores.
		[[unroll]] for (uint n = 0; n < KEYS / N; n++) {
			SUM products = SUM(0);
			[[unroll]] for (uint k = 0; k < DIM / K; k++) {
				RIGHT right;
				coopMatLoad(right, keys, n * N * STRIDE + k * K / 4, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
				products = coopMatMulAdd(queries[k], right, products);
			}
			coopMatStore(products, scores, first * SCORES + n * N / 4, SCORES, gl_CooperativeMatrixLayoutRowMajor);
		}
		settle();

		// Weights: powers of 2, as halves where the scores were.
		[[unroll]] for (uint i = 0; i < TIMES; i++) {
			uint line = lane / TEAM + i * AT_ONCE, part = lane % TEAM;
			if (line >= M) break;
			vec4 s[FOURS];
			float highest = top[i];
			[[unroll]] for (uint f = 0; f < FOURS; f++) {
				uint at = part + f * TEAM;
				s[f] = scores[(first + line) * SCORES + at];
				if (masked) {
					uint end = seen(t, from, first + line);
					[[unroll]] for (uint c = 0; c < 4; c++) {
						if (marks[4 * at + c] == from + 1) s[f][c] = NO_NUMBER;
						if (4 * at + c >= end) s[f][c] = MINUS_INFINITY;
					}
				}
				highest = max(highest, max(max(s[f].x, s[f].y), max(s[f].z, s[f].w)));
			}
			[[unroll]] for (uint m = 1; m < TEAM; m *= 2) highest = max(highest, subgroupShuffleXor(highest, m));
			vec4 sum = vec4(0);
			[[unroll]] for (uint f = 0; f < FOURS; f++) {
				s[f] = exp2(s[f] - highest);
				sum += s[f];
				weights[(first + line) * WEIGHTS + part + f * TEAM] = f16vec4(s[f]);
			}
			float all = sum.x + sum.y + sum.z + sum.w;
			[[unroll]] for (uint m = 1; m < TEAM; m *= 2) all += subgroupShuffleXor(all, m);
			float factor = exp2(top[i] - highest);
			total[i] = total[i] * factor + all;
			top[i] = highest;
			if (part == 0) factors[first + line] = factor;
		}
		settle();

		SUM factor; // every column is the lines' factors
		coopMatLoad(factor, factors, first, 0, gl_CooperativeMatrixLayoutColumnMajor);
		[[unroll]] for (uint d = 0; d < DIM / N; d++) sums[d] *= factor;
		[[unroll]] for (uint k = 0; k < KEYS / K; k++) {
			LEFT left;
			coopMatLoad(left, weights, first * WEIGHTS + k * K / 4, WEIGHTS, gl_CooperativeMatrixLayoutRowMajor);
			[[unroll]] for (uint d = 0; d < DIM / N; d++) {
				RIGHT right;
				coopMatLoad(right, values, k * K * STRIDE + d * N / 4, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
				sums[d] = coopMatMulAdd(left, right, sums[d]);
			}
		}
		settle();
	}

	[[unroll]] for (uint i = 0; i < TIMES; i++) {
		uint line = lane / TEAM + i * AT_ONCE;
		if (line >= M || lane % TEAM != 0) break;
		factors[first + line] = has_all() ? 1 / total[i] : 1;
		leave(t, first + line, top[i], total[i]);
	}
	settle();
	SUM factor;
	coopMatLoad(factor, factors, first, 0, gl_CooperativeMatrixLayoutColumnMajor);
	[[unroll]] for (uint d = 0; d < DIM; d += chunk) {
		[[unroll]] for (uint n = 0; n < chunk / N; n++)
			if (d / N + n < DIM / N) coopMatStore(sums[d / N + n] * factor, scores, first * SCORES + n * N / 4, SCORES, gl_CooperativeMatrixLayoutRowMajor);
		settle();
		for (uint i = lane; i < M * chunk4; i += SUBGROUP) {
			uint line = i / chunk4, j = i % chunk4;
			if (d + 4 * j < DIM) leave4(t, first + line, d / 4 + j, scores[(first + line) * SCORES + j]);
		}
		settle();
	}
}
