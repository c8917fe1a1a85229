#version 460
// Out = the rows of In that want logits: a thread takes 4 values.
#include "base.glsl"

layout(push_constant) uniform Push {
	uint64_t from, to, rows;
	uint width4, n;
};

void main()
{
	uint i = gl_GlobalInvocationID.x;
	if (i >= n * width4) return;
	Vectors(to).at[i] = Vectors(from).at[Words(rows).at[i / width4] * width4 + i % width4];
}
