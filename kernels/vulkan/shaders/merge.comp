#version 460
// Joins the splits of a row's attention in their order; a thread takes 4 values of
// the row. KEEP and TWINS as in norm.comp.
#include "base.glsl"
#include "quantise.glsl"
#include "attention.glsl"

layout(constant_id = 2) const bool KEEP = true;
layout(constant_id = 3) const uint TWINS = 0;
layout(constant_id = 4) const uint DIM = 64;
layout(constant_id = 5) const uint Q_HEADS = 14;

layout(push_constant) uniform Push {
	uint64_t partials, positions, to, quants, meta;
	uint rows;
};

void main()
{
	uint row = gl_WorkGroupID.y, i = gl_WorkGroupID.x * THREADS + thread();
	const uint dim4 = DIM / 4, width4 = Q_HEADS * dim4;
	if (i >= width4) return; // the 8 threads of a group go on together
	vec4 v = merged(partials, rows, row, Words(positions).at[row], Q_HEADS, dim4, i);
	if (KEEP) Vectors(to).at[row * width4 + i] = v;
	write_twins(v, quants, meta, row, TWINS, width4 / 8, i);
}
