#version 460
// Measures arithmetic: each thread makes ROUNDS * CHAINS packed products of bytes
// from registers, 8 operations each.
#include "base.glsl"
#extension GL_EXT_integer_dot_product : require

layout(push_constant) uniform Push {
	uint64_t to;
	uint rounds;
};

const uint CHAINS = 8;

void main()
{
	int sums[CHAINS];
	int x = int(gl_GlobalInvocationID.x * 0x01030507u);
	[[unroll]] for (uint c = 0; c < CHAINS; c++) sums[c] = int(c);
	for (uint i = 0; i < rounds; i++)
		[[unroll]] for (uint c = 0; c < CHAINS; c++) sums[c] += dotPacked4x8EXT(x, sums[c]);
	int sum = 0;
	[[unroll]] for (uint c = 0; c < CHAINS; c++) sum ^= sums[c];
	if (sum == 0x12345678) Words(to).at[0] = uint(sum); // so that nothing is left out
}
