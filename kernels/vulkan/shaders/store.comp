#version 460
// Writes the rows' keys and values to their pages: a thread takes 16 values, or
// the 32 that share a scale.
#include "base.glsl"
#include "pages.glsl"

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t k, v; // (rows, HEADS * DIM)
	uint page_bytes;
	uint rows;
};

const uint BLOCK = 16;

void store_floats(Floats x, uint64_t half_base, uint i)
{
	for (uint j = 0; j < BLOCK; j++)
		if (KV == F32) Floats(half_base).at[i + j] = x.at[j];
		else if (j % 2 == 0) Words(half_base).at[(i + j) / 2] = round_half(x.at[j]) | round_half(x.at[j + 1]) << 16;
}

void store_quants(Floats x, uint64_t half_base, uint i)
{
	float largest = 0;
	bool bad = false;
	for (uint j = 0; j < 32; j++) {
		largest = max(largest, abs(x.at[j]));
		bad = bad || !is_finite(x.at[j]);
	}
	float scale = half_value(round_half(largest / 127));
	if (bad) scale = uintBitsToFloat(NOT_A_NUMBER);
	Floats(half_base + half_bytes()).at[i / 32] = scale;
	for (uint w = 0; w < 8; w++) {
		uint word = 0;
		for (uint b = 0; b < 4; b++) {
			float level = scale > 0 ? x.at[4 * w + b] / scale : 0; // ties away from 0, as the format's encoder
			int q = clamp(int(sign(level) * floor(abs(level) + 0.5)), -127, 127);
			word |= uint(q & 255) << 8 * b;
		}
		Words(half_base).at[i / 4 + w] = word;
	}
}

void main()
{
	const uint block = KV == Q8_0 ? 32 : BLOCK, blocks = HEADS * DIM / block;
	uint item = gl_GlobalInvocationID.x;
	if (item >= rows * 2 * blocks) return;
	uint b = item % blocks, value = item / blocks % 2, row = item / blocks / 2;
	uint position = Words(pool.positions).at[row];
	uint64_t to = page_of(pool, page_bytes, row, position) + value * (half_bytes() + scale_bytes());
	Floats x = Floats((value == 0 ? k : v) + uint64_t(row * HEADS * DIM + b * block) * 4);
	uint i = position % PAGE_TOKENS * HEADS * DIM + b * block;
	if (KV == Q8_0) store_quants(x, to, i);
	else store_floats(x, to, i);
}
