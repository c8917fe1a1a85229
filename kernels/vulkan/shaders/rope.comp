#version 460
// Rotates pairs of each head in place (Su et al. 2021): a thread takes a pair.
#include "base.glsl"

layout(push_constant) uniform Push {
	uint64_t x;
	uint64_t table; // cos and sin of (row, pair)
	uint pairs;     // of a head
	uint head_dim, heads, rows;
	uint adjacent;
};

void main()
{
	uint item = gl_GlobalInvocationID.x;
	if (item >= rows * heads * pairs) return;
	uint pair = item % pairs, head = item / pairs; // head: of all rows
	vec2 turn = uintBitsToFloat(Pairs(table).at[head / heads * pairs + pair]);
	uint first = head * head_dim + (adjacent != 0 ? 2 * pair : pair), second = first + (adjacent != 0 ? 1 : pairs);
	float a = Floats(x).at[first], b = Floats(x).at[second];
	Floats(x).at[first] = a * turn.x - b * turn.y;
	Floats(x).at[second] = b * turn.x + a * turn.y;
}
