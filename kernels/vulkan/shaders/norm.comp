#version 460
// A workgroup takes a row, perhaps a selected one: RMSNorm (Zhang and Sennrich
// 2019), the quantised twin, both, or neither.
#include "base.glsl"
#include "quantise.glsl"
const uint COLS = 1;
#include "norm.glsl"

layout(constant_id = 2) const bool NORM = true;
layout(constant_id = 3) const bool KEEP = true; // write the floats
layout(constant_id = 4) const uint TWINS = 0;   // columns of the twin for each row; 2: the second is what the first left over
layout(constant_id = 5) const bool SELECTS = false;

layout(push_constant) uniform Push {
	uint64_t from, to, weight, quants, meta;
	uint64_t rows; // SELECTS: which row of from is meant by each row
	uint width;
	float eps;
};

void main()
{
	uint row = gl_WorkGroupID.x, source = SELECTS ? Words(rows).at[row] : row;
	Vectors x = Vectors(from + uint64_t(source) * width * 4), y = Vectors(to + uint64_t(row) * width * 4);
	if (NORM) {
		norm_add(0, x, width);
		barrier();
	}
	float scale = NORM ? norm_scale(0, width, eps) : 1;
	// All 8 threads of a group go on or none: width is a multiple of 32.
	for (uint i = thread(); i < width / 4; i += THREADS) {
		vec4 v = x.at[i];
		if (NORM) v = v * scale * Vectors(weight).at[i];
		if (KEEP) y.at[i] = v;
		write_twins(v, quants, meta, row, TWINS, width / 32, i);
	}
}
