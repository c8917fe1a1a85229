#version 460
// Attention of many rows in plain f32, where matrices are missing or would round too
// much. K and V of a block take turns in shared memory; a thread makes scores of 2
// lines by 4 keys, then sums 4 dims of some lines.
#include "base.glsl"
#include "pages.glsl"
#include "flash.glsl"

const uint LINES = 32, TEAM = THREADS / LINES; // TEAM: threads for a line's scores
const uint DIM4 = DIM / 4, STRIDE = DIM4 + 1, ROW = KEYS + 1; // longer by one against bank conflicts
const uint PARTS = THREADS / DIM4, EACH = (LINES + PARTS - 1) / PARTS; // lines of a thread that sums

shared vec4 staged[KEYS * STRIDE];
shared float scores[LINES * ROW];
shared float factors[LINES];

void stage(Tile t, uint from, bool is_value)
{
	bool masked = masks(t, from);
	for (uint i = thread(); i < KEYS * DIM4; i += THREADS) {
		uint key = i / DIM4, position = from + key;
		vec4 v = vec4(0); // behind the last key may be anything
		if (position <= t.last) v = load4(half_of(t, position, is_value), position % PAGE_TOKENS, t.kv_head, i % DIM4 * 4, false);
		if (is_value && masked && !(is_finite(v.x) && is_finite(v.y) && is_finite(v.z) && is_finite(v.w))) {
			marks[key] = from + 1;
			v = vec4(0);
		}
		staged[key * STRIDE + i % DIM4] = v;
	}
}

void score(Tile t)
{
	const uint quarter = KEYS / 4, half_lines = LINES / 2;
	for (uint i = thread(); i < quarter * half_lines; i += THREADS) {
		uint key = i % quarter, line = i / quarter;
		bool has[2] = {is_line(t, line), is_line(t, line + half_lines)};
		uint at[2] = {vector_of(t, line) * DIM4, vector_of(t, line + half_lines) * DIM4};
		vec4 sums[2] = {vec4(0), vec4(0)};
		for (uint d = 0; d < DIM4; d++) {
			vec4 q0 = has[0] ? Vectors(q).at[at[0] + d] : vec4(0), q1 = has[1] ? Vectors(q).at[at[1] + d] : vec4(0);
			[[unroll]] for (uint k = 0; k < 4; k++) {
				vec4 x = staged[(key + k * quarter) * STRIDE + d];
				sums[0][k] += dot(q0, x);
				sums[1][k] += dot(q1, x);
			}
		}
		[[unroll]] for (uint k = 0; k < 4; k++) {
			scores[line * ROW + key + k * quarter] = sums[0][k] * scale;
			scores[(line + half_lines) * ROW + key + k * quarter] = sums[1][k] * scale;
		}
	}
}

void main()
{
	Tile t = this_tile();
	if (t.rows == 0) return;
	for (uint i = thread(); i < KEYS; i += THREADS) marks[i] = 0;
	float top = -1e38, total = 0; // of the line whose scores are this thread's; top is finite, so that there is a distance to it
	uint own = thread() / TEAM, member = thread() % TEAM;
	uint d = thread() % DIM4, part = thread() / DIM4;
	vec4 sums[EACH];
	[[unroll]] for (uint i = 0; i < EACH; i++) sums[i] = vec4(0);
	for (uint from = t.begin; from < t.end; from += KEYS) {
		barrier();
		stage(t, from, false);
		barrier();
		score(t);
		barrier();
		stage(t, from, true);
		barrier();
		uint end = seen(t, from, own);
		float highest = top;
		for (uint k = member; k < end; k += TEAM) highest = max(highest, scores[own * ROW + k]);
		[[unroll]] for (uint m = 1; m < TEAM; m *= 2) highest = max(highest, subgroupShuffleXor(highest, m));
		float sum = 0;
		for (uint k = member; k < KEYS; k += TEAM) {
			float weight = k < end ? exp2(scores[own * ROW + k] - highest) : 0;
			if (k < end && marks[k] == from + 1) weight = NO_NUMBER;
			scores[own * ROW + k] = weight;
			sum += weight;
		}
		[[unroll]] for (uint m = 1; m < TEAM; m *= 2) sum += subgroupShuffleXor(sum, m);
		float factor = exp2(top - highest);
		total = total * factor + sum;
		top = highest;
		if (member == 0) factors[own] = factor;
		barrier();
		vec4 block[EACH]; // apart, for a sum of sums rounds less
		[[unroll]] for (uint i = 0; i < EACH; i++) block[i] = vec4(0);
		for (uint k = 0; k < KEYS && part < PARTS; k++) {
			vec4 v = staged[k * STRIDE + d];
			[[unroll]] for (uint i = 0; i < EACH; i++) block[i] += scores[min(part + i * PARTS, LINES - 1) * ROW + k] * v;
		}
		[[unroll]] for (uint i = 0; i < EACH; i++) sums[i] = sums[i] * factors[min(part + i * PARTS, LINES - 1)] + block[i];
	}
	barrier();
	if (member == 0) {
		factors[own] = has_all() ? 1 / total : 1;
		leave(t, own, top, total);
	}
	barrier();
	[[unroll]] for (uint i = 0; i < EACH; i++) {
		uint line = part + i * PARTS;
		if (part < PARTS && line < LINES) leave4(t, line, d, sums[i] * factors[line]);
	}
}
