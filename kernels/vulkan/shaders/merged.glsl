// Joins what attend_few.comp left. The includer declares FOURS, as quantise.glsl has it.
#include "attention.glsl"

// merged is the i-th part of a row's attention: its splits joined in
// their order. rows are those of the batch, which attend_few.comp wrote partials for,
// with stride splits each.
Part merged(uint64_t partials, uint rows, uint row, uint position, uint q_heads, uint dim, uint stride, uint i)
{
	uint splits = position / split_keys(position) + 1, at = (row * q_heads + 4 * FOURS * i / dim) * stride;
	uint64_t sums = partials + uint64_t(rows) * q_heads * stride * 8;
	float top = uintBitsToFloat(0xff800000u), total = 0;
	Part v;
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = vec4(0);
	// In one pass, with the next split on its way, for each look at memory takes long.
	uint from = (at * dim + 4 * FOURS * i % dim) / 4;
	uvec2 next = look_pair(partials, at);
	uvec4 next_sum[4];
	[[unroll]] for (uint f = 0; f < FOURS; f++) next_sum[f] = look_quad(sums, from + f);
	[[dont_unroll]] for (uint s = 0; s < splits; s++, from += dim / 4) {
		uvec2 bits = next;
		uvec4 sum[4] = next_sum;
		uint step = s + 1 < splits ? 1 : 0;
		next = look_pair(partials, at + s + step);
		[[unroll]] for (uint f = 0; f < FOURS; f++) next_sum[f] = look_quad(sums, from + step * dim / 4 + f);
		vec2 ml = uintBitsToFloat(settled_pair(bits, partials, at + s));
		float highest = max(top, ml.x), before = exp(top - highest), weight = exp(ml.x - highest);
		total = total * before + weight * ml.y;
		[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = v.at[f] * before + weight * uintBitsToFloat(settled_quad(sum[f], sums, from + f));
		top = highest;
	}
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] /= total;
	return v;
}
