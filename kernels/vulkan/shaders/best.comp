#version 460
// The N best logits of a row, in order. A workgroup ranks a part of the row: N times
// its threads agree on their highest key, and the thread that had it takes its next.
// JOIN: a workgroup ranks a whole row, each thread with the ranked keys of a part.
#include "base.glsl"
layout(constant_id = 5) const bool AWAITS = false;
#include "await.glsl"

layout(constant_id = 2) const uint N = 1;
layout(constant_id = 3) const uint EACH = 1; // logits of a thread
layout(constant_id = 4) const bool JOIN = false;

layout(buffer_reference, std430, buffer_reference_align = 8) buffer Keys { uint64_t at[]; };

layout(push_constant) uniform Push {
	uint64_t logits; // (rows, vocab)
	uint64_t masked; // a bit for each token, or 0
	uint64_t keys;   // (rows, parts, N)
	uint64_t to;     // (rows, N) tokens and logits
	uint vocab, parts;
	uint64_t late;
};

// key orders tokens by what is better as integers do: the highest logit, then the
// lowest token. It is 0 for one that may not be chosen. There is no arithmetic with
// floats, so that NaN, infinities and subnormals are what they are.
uint64_t key(uint row, uint token)
{
	if (token >= vocab) return 0;
	if (masked != 0 && (Words(masked).at[token / 32] >> token % 32 & 1u) != 0) return 0;
	uint bits = await_word(logits, row * vocab + token);
	if ((bits & 0x7fffffffu) > 0x7f800000u || bits == 0xff800000u) return 0; // NaN, -Inf
	if (bits == 0x80000000u) bits = 0; // -0 is no less than 0
	bits ^= (bits & 0x80000000u) != 0 ? 0xffffffffu : 0x80000000u;
	return packUint2x32(uvec2(~token, bits));
}

// Of each subgroup, in turns of two: so that one barrier for each is enough.
shared uvec2 tops[2][THREADS / 8];

uint64_t highest(uint64_t mine, uint turn)
{
	uvec2 halves = unpackUint2x32(mine);
	uint high = subgroupMax(halves.y), low = subgroupMax(halves.y == high ? halves.x : 0);
	if (gl_SubgroupInvocationID == 0) tops[turn % 2][gl_SubgroupID] = uvec2(low, high);
	barrier();
	uint64_t top = 0;
	for (uint i = 0; i < THREADS / SUBGROUP; i++) top = max(top, packUint2x32(tops[turn % 2][i]));
	return top;
}

// write puts out the i-th best.
void write(uint row, uint i, uint64_t top)
{
	uint token = ~unpackUint2x32(top).x;
	Pairs(to).at[row * N + i] = top == 0 ? uvec2(~0u, 0xff800000u) : uvec2(token, Words(logits).at[row * vocab + token]);
}

void rank(uint row, uint part)
{
	uint64_t own[EACH];
	[[unroll]] for (uint e = 0; e < EACH; e++) own[e] = key(row, (part * EACH + e) * THREADS + thread());
	uint64_t below = ~uint64_t(0);
	for (uint i = 0; i < N; i++) {
		uint64_t mine = 0; // the highest of its own that has not come
		[[unroll]] for (uint e = 0; e < EACH; e++)
			if (own[e] < below) mine = max(mine, own[e]);
		below = highest(mine, i);
		if (thread() == 0) Keys(keys).at[(row * parts + part) * N + i] = below;
	}
}

void join(uint row)
{
	uint next = 0; // of the part's keys
	uint64_t own = keys + uint64_t(row * parts + min(thread(), parts - 1)) * N * 8;
	uint64_t mine = thread() < parts ? packUint2x32(await_pair(own, 0)) : 0;
	for (uint i = 0; i < N; i++) {
		uint64_t top = highest(mine, i);
		if (thread() == 0) write(row, i, top);
		if (top == mine && top != 0) mine = ++next < N ? packUint2x32(await_pair(own, next)) : 0;
	}
}

void main()
{
	late_at = late;
	if (JOIN) join(gl_WorkGroupID.y);
	else rank(gl_WorkGroupID.y, gl_WorkGroupID.x);
}
