#version 460
// A workgroup takes a row of many, which its threads hold in registers: joins the
// splits of the product that makes it, RMSNorm (Zhang and Sennrich 2019), and writes
// its floats and its half twin; each of these if it is wanted.
#include "base.glsl"

layout(constant_id = 2) const uint HELD = 2;   // fours of a thread
layout(constant_id = 3) const uint SPLITS = 0; // that are added to the row first; 0: it is complete
layout(constant_id = 4) const bool NORM = true;
layout(constant_id = 5) const bool KEEP = true; // write the normed floats
layout(constant_id = 6) const bool HALF = true; // write the twin that halves.glsl describes

layout(push_constant) uniform Push {
	uint64_t from, to, weight, halves, scales;
	uint64_t splits, sums; // SPLITS: (SPLITS, rows, width), and where their sum with from goes
	uint rows, width;
	float eps;
};

shared float sum_of[THREADS / 8], largest_of[THREADS / 8]; // by subgroup
shared uint bad_of[THREADS / 8];
vec4 held[HELD];

// all_sum is the sum of the threads' values.
float all_sum(float sum)
{
	sum = subgroupAdd(sum);
	if (gl_SubgroupInvocationID == 0) sum_of[gl_SubgroupID] = sum;
	barrier();
	sum = 0;
	for (uint i = 0; i < THREADS / SUBGROUP; i++) sum += sum_of[i];
	return sum;
}

// exponent_of is the exponent, as f32 has it, of what the row's halves are multiplied
// with to give its values; 255, an infinity's, if one of these is not finite.
uint exponent_of()
{
	float largest = 0;
	uint bad = 0;
	[[unroll]] for (uint j = 0; j < HELD; j++) {
		vec4 v = held[j], size = abs(v);
		largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
		if (!is_finite(v.x) || !is_finite(v.y) || !is_finite(v.z) || !is_finite(v.w)) bad = 1;
	}
	largest = subgroupMax(largest);
	bad = subgroupMax(bad);
	if (gl_SubgroupInvocationID == 0) {
		largest_of[gl_SubgroupID] = largest;
		bad_of[gl_SubgroupID] = bad;
	}
	barrier();
	for (uint i = 0; i < THREADS / SUBGROUP; i++) {
		largest = max(largest, largest_of[i]);
		bad |= bad_of[i];
	}
	if (bad != 0) return 255;
	// 2^14 below the largest's exponent. Below 2^-112 the inverse would be no number;
	// such a row is as good as 0.
	return max(floatBitsToUint(largest) >> 23, 15u) - 14;
}

void main()
{
	uint row = gl_WorkGroupID.x;
	uint64_t offset = uint64_t(row) * width * 4;
	float sum = 0;
	[[unroll]] for (uint j = 0; j < HELD; j++) {
		uint i = j * THREADS + thread();
		held[j] = vec4(0);
		if (i >= width / 4) break;
		vec4 v = Vectors(from + offset).at[i];
		[[unroll]] for (uint s = 0; s < SPLITS; s++) v += Vectors(splits + uint64_t(s * rows) * width * 4 + offset).at[i];
		if (SPLITS > 0) Vectors(sums + offset).at[i] = v;
		sum += dot(v, v);
		held[j] = v;
	}
	if (NORM) {
		float scale = 1 / sqrt(all_sum(sum) / float(width) + eps);
		[[unroll]] for (uint j = 0; j < HELD; j++) {
			uint i = j * THREADS + thread();
			if (i >= width / 4) break;
			held[j] = held[j] * scale * Vectors(weight).at[i];
			if (KEEP) Vectors(to + offset).at[i] = held[j];
		}
	}
	if (!HALF) return;
	uint exponent = exponent_of();
	float inverse = uintBitsToFloat(254 - min(exponent, 254u) << 23);
	if (thread() == 0) Floats(scales).at[row] = uintBitsToFloat(exponent == 255 ? NOT_A_NUMBER : exponent << 23);
	[[unroll]] for (uint j = 0; j < HELD; j++) {
		uint i = j * THREADS + thread();
		if (i >= width / 4) break;
		vec4 v = exponent == 255 ? vec4(0) : held[j] * inverse;
		Pairs(halves).at[row * (width / 4) + i] = uvec2(round_half(v.x) | round_half(v.z) << 16, round_half(v.y) | round_half(v.w) << 16); // in halves.glsl's order
	}
}
