#version 460
// Measures memory: copies 16 bytes at a time, THREADS * ITEMS of them a workgroup,
// each thread with all its loads under way before the first store.
#include "base.glsl"

layout(constant_id = 2) const uint ITEMS = 2; // of a thread

layout(buffer_reference, std430, buffer_reference_align = 16) writeonly buffer Copies { uvec4 at[]; };

layout(push_constant) uniform Push {
	uint64_t from, to;
};

void main()
{
	uint first = gl_WorkGroupID.x * THREADS * ITEMS + gl_LocalInvocationIndex;
	uvec4 items[ITEMS];
	[[unroll]] for (uint i = 0; i < ITEMS; i++) items[i] = Quads(from).at[first + i * THREADS];
	[[unroll]] for (uint i = 0; i < ITEMS; i++) Copies(to).at[first + i * THREADS] = items[i];
}
