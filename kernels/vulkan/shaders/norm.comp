#version 460
// A workgroup takes a row, perhaps a selected one: RMSNorm (Zhang and Sennrich
// 2019), the quantised twin, both, or neither.
#include "base.glsl"
layout(constant_id = 6) const bool AWAITS = false;
#include "await.glsl"
const uint FOURS = 4;
#include "quantise.glsl"
const uint COLS = 1, KEPT = 1, AHEAD = 2;
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
	uint64_t late;
};

void main()
{
	uint row = gl_WorkGroupID.x, source = SELECTS ? Words(rows).at[row] : row;
	late_at = late;
	uint64_t x = from + uint64_t(source) * width * 4;
	Vectors y = Vectors(to + uint64_t(row) * width * 4);
	if (NORM) {
		norm_add(0, x, width);
		barrier();
	}
	float scale = NORM ? norm_scale(0, width, eps) : 1;
	// All threads of a group go on or none: width is a multiple of 32.
	for (uint i = thread(); i < width / 16; i += THREADS) {
		Part v;
		[[unroll]] for (uint f = 0; f < 4; f++) {
			v.at[f] = await_vector(x, 4 * i + f);
			if (NORM) v.at[f] = v.at[f] * scale * Vectors(weight).at[4 * i + f];
			if (KEEP) y.at[4 * i + f] = v.at[f];
		}
		write_twins(v, quants, meta, row, TWINS, width / 32, i);
	}
}
