#version 460
// Rotates queries in place and keys on their way to the pages (Su et al. 2021), where
// it also takes the values: for many rows. A thread takes two dimensions of a head
// that are rotated together. Pages of F16 and F32.
#include "base.glsl"
#include "pages.glsl"

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint PAIRS = 32; // rotated in a head
layout(constant_id = 7) const bool ADJACENT = false;

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t q, k, v; // (rows, heads * DIM)
	uint64_t turns;   // cos and sin of (row, pair)
	uint page_bytes;
};

// keep writes a value of a row's key or value.
void keep(uint64_t half_base, uint i, float value)
{
	if (KV == F32) Floats(half_base).at[i] = value;
	else Halves(half_base).at[i] = uint16_t(round_half(value));
}

void main()
{
	uint row = gl_WorkGroupID.y, pair = gl_GlobalInvocationID.x, head = pair / (DIM / 2);
	pair %= DIM / 2;
	if (head >= Q_HEADS + 2 * HEADS) return;
	uint part = head < Q_HEADS ? 0 : head < Q_HEADS + HEADS ? 1 : 2; // q, k, v
	head -= part == 0 ? 0 : part == 1 ? Q_HEADS : Q_HEADS + HEADS;
	bool turns_it = part < 2 && pair < PAIRS;
	uvec2 dim = turns_it && !ADJACENT ? uvec2(pair, pair + PAIRS) : uvec2(2 * pair, 2 * pair + 1);
	uint heads = part == 0 ? Q_HEADS : HEADS;
	uvec2 at = (row * heads + head) * DIM + dim;
	Floats x = Floats(part == 0 ? q : part == 1 ? k : v);
	vec2 value = vec2(x.at[at.x], x.at[at.y]);
	if (turns_it) {
		vec2 turn = uintBitsToFloat(Pairs(turns).at[row * PAIRS + pair]);
		value = vec2(value.x * turn.x - value.y * turn.y, value.y * turn.x + value.x * turn.y);
	}
	if (part == 0) {
		x.at[at.x] = value.x;
		x.at[at.y] = value.y;
		return;
	}
	uint position = Words(pool.positions).at[row];
	uint64_t half_base = page_of(pool, page_bytes, row, position) + (part == 2 ? half_bytes() : 0);
	uvec2 i = (position % PAGE_TOKENS * HEADS + head) * DIM + dim;
	keep(half_base, i.x, value.x);
	keep(half_base, i.y, value.y);
}
