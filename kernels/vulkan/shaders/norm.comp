#version 460
// A workgroup takes a row, perhaps a selected one: RMSNorm (Zhang and Sennrich
// 2019), the quantised twin, both, or neither.
#include "base.glsl"
layout(constant_id = 2) const bool NORM = true;
layout(constant_id = 3) const bool KEEP = true; // write the floats
layout(constant_id = 4) const uint TWINS = 0;   // columns of the twin for each row; 2: the second is what the first left over
layout(constant_id = 5) const bool SELECTS = false;
layout(constant_id = 6) const bool AWAITS = false;
layout(constant_id = 7) const uint WIDTH = 32;
layout(constant_id = 8) const uint FOURS = 1;
#include "await.glsl"
#include "quantise.glsl"
const uint KEPT_MAX = 6144; // values in shared memory
const uint KEPT = NORM && WIDTH <= KEPT_MAX ? WIDTH / 4 : 1;
const uint AHEAD = WIDTH / 4 <= THREADS ? 1 : WIDTH / 4 <= 2 * THREADS ? 2 : 4;
#include "norm.glsl"

layout(push_constant) uniform Push {
	uint64_t from, to, weight, quants, meta;
	uint64_t rows; // SELECTS: which row of from is meant by each row
	uint64_t late;
	float eps;
};

void main()
{
	const uint PARTS = WIDTH / 4 / FOURS;
	uint row = gl_WorkGroupID.x;
	Part weights; // the norm's, on their way early
	float scale;
	if (NORM) weights = part_of(weight, min(thread(), PARTS - 1));
	late_at = late;
	uint64_t x = from + uint64_t(SELECTS ? Words(rows).at[row] : row) * WIDTH * 4;
	Vectors y = Vectors(to + uint64_t(row) * WIDTH * 4);
	if (NORM) {
		norm_add(x, WIDTH);
		barrier();
		scale = norm_scale(WIDTH, eps);
	}
	// All threads of a group go on or none: WIDTH is a multiple of 32.
	for (uint i = thread(); i < PARTS; i += THREADS) {
		Part v;
		if (NORM) {
			v = normed_part(x, scale, weights, i);
			if (PARTS > THREADS) weights = part_of(weight, min(i + THREADS, PARTS - 1));
		} else v = awaited_part(x, i);
		if (KEEP)
			[[unroll]] for (uint f = 0; f < FOURS; f++) y.at[FOURS * i + f] = v.at[f];
		write_twins(v, quants, meta, row, TWINS, WIDTH / 32, i);
	}
}
