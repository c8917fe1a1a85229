#version 460
// Joins the splits of a row's attention in their order; a thread takes 4 values of
// the row. KEEP and TWINS as in norm.comp.
#include "base.glsl"
layout(constant_id = 6) const bool AWAITS = false;
#include "await.glsl"
const uint FOURS = 1;
#include "quantise.glsl"
#include "merged.glsl"

layout(constant_id = 2) const bool KEEP = true;
layout(constant_id = 3) const uint TWINS = 0;
layout(constant_id = 4) const uint DIM = 64;
layout(constant_id = 5) const uint Q_HEADS = 14;

layout(push_constant) uniform Push {
	uint64_t partials, positions, to, quants, meta;
	uint rows, splits;
	uint64_t late;
};

void main()
{
	late_at = late;
	uint row = gl_WorkGroupID.y, i = gl_WorkGroupID.x * THREADS + thread();
	const uint width = Q_HEADS * DIM;
	if (i >= width / 4 / FOURS) return; // all threads of a group go on together
	Part v = merged(partials, rows, row, Words(positions).at[row], Q_HEADS, DIM, splits, i);
	if (KEEP)
		[[unroll]] for (uint f = 0; f < FOURS; f++) Vectors(to).at[row * width / 4 + FOURS * i + f] = v.at[f];
	write_twins(v, quants, meta, row, TWINS, width / 32, i);
}
