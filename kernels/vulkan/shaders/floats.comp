#version 460
// Products of float weights with float activations, any number of columns: as
// few.comp, with pairs of values of k in place of groups.
#include "base.glsl"
#include "weights.glsl"
#include "finish.glsl"

layout(constant_id = 2) const uint TYPE = F16;
layout(constant_id = 3) const uint UP_TYPE = F16;
layout(constant_id = 4) const uint COLS = 1; // at a time
layout(constant_id = 5) const bool GATED = false;

layout(push_constant) uniform Push {
	uint64_t weight, up; // up: GATED
	uint64_t x;          // (cols, pairs * 2)
	uint64_t to, bias, residual;
	uint rows, pairs, cols;
};

void main()
{
	uint row = gl_WorkGroupID.x * (THREADS / SUBGROUP) + gl_SubgroupID, col = gl_WorkGroupID.y * COLS;
	if (row >= rows) return;
	precise float sums[COLS], ups[COLS];
	[[unroll]] for (uint c = 0; c < COLS; c++) sums[c] = ups[c] = 0;
	for (uint i = gl_SubgroupInvocationID; i < pairs; i += SUBGROUP) {
		vec2 w = float_pair(TYPE, weight, row * pairs + i), u = vec2(0);
		if (GATED) u = float_pair(UP_TYPE, up, row * pairs + i);
		[[unroll]] for (uint c = 0; c < COLS; c++) {
			vec2 v = uintBitsToFloat(Pairs(x).at[min(col + c, cols - 1) * pairs + i]);
			sums[c] = fma(w.y, v.y, fma(w.x, v.x, sums[c]));
			if (GATED) ups[c] = fma(u.y, v.y, fma(u.x, v.x, ups[c]));
		}
	}
	[[unroll]] for (uint c = 0; c < COLS; c++) {
		float sum = subgroupAdd(sums[c]);
		if (GATED) sum = silu(sum) * subgroupAdd(ups[c]);
		if (gl_SubgroupInvocationID == 0 && col + c < cols) finish(to, bias, residual, rows, row, col + c, sum);
	}
}
