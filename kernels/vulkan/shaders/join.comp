#version 460
// Joins the splits of the keys of many rows: a thread takes 4 values of a row.
#include "base.glsl"

layout(constant_id = 2) const uint DIM = 64;
layout(constant_id = 3) const uint Q_HEADS = 14;

layout(push_constant) uniform Push {
	uint64_t partials; // (rows, Q_HEADS, splits): maximum, as a power of 2, and total; behind all of them sums of DIM
	uint64_t to;       // (rows, Q_HEADS * DIM)
	uint rows, splits;
};

void main()
{
	const uint dim4 = DIM / 4;
	uint i = gl_WorkGroupID.x * THREADS + thread();
	if (i >= rows * Q_HEADS * dim4) return;
	uint at = i / dim4 * splits;
	Vectors sums = Vectors(partials + uint64_t(rows) * Q_HEADS * splits * 8);
	float top = -1e38, total = 0;
	for (uint s = 0; s < splits; s++) top = max(top, uintBitsToFloat(Pairs(partials).at[at + s].x));
	vec4 v = vec4(0);
	for (uint s = 0; s < splits; s++) {
		vec2 part = uintBitsToFloat(Pairs(partials).at[at + s]);
		float weight = exp2(part.x - top);
		total += weight * part.y;
		v += weight * sums.at[(at + s) * dim4 + i % dim4];
	}
	Vectors(to).at[i] = v / total;
}
