// Matrices and activations in f16, for cooperative matrices.
//
// The half twin of activations: (rows, width) of f16, each row scaled by a power of
// two that brings its largest value to 2^14 or just above, so that none overflows and
// small ones keep their digits; behind them the rows' scales, f32: x = scale * half.
// Each four values of k stand in the order 0, 2, 1, 3, here as in the matrices, whose
// bytes come out of their words in that order most cheaply.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

// Packed is a group of 32 values as it lies in memory.
struct Packed {
	uvec4 quads, high;
	uint super, scales;
};

Packed load_packed(uint type, Weight w, uint row, uint g)
{
	Packed p;
	uint i = row * w.groups + g;
	uint64_t n = uint64_t(w.rows) * w.groups, high = w.base + n * 16, scales = high + n * high_bytes(type);
	p.quads = Quads(w.base).at[i];
	switch (type) {
	case Q8_0: p.high = Quads(high).at[i]; break;
	case Q6_K: p.high.xy = Pairs(high).at[i]; break;
	case Q5_0: case Q5_1: case Q5_K: p.high.x = Words(high).at[i]; break;
	}
	if (type == Q4_K || type == Q5_K || type == Q6_K) {
		p.super = Words(scales).at[i >> 3];
		scales += n / 8 * 4;
	}
	if (type == Q4_1 || type == Q5_1) p.scales = Words(scales).at[i];
	else p.scales = uint(Halves(scales).at[i]);
	return p;
}

// centre_of is taken off the quants before they are scaled: the zero point, or with
// minimums about the middle, so that rounding the scale costs less.
int centre_of(uint type)
{
	switch (type) {
	case Q4_0: case Q4_1: case Q4_K: return 8;
	case Q5_0: case Q5_1: case Q5_K: return 16;
	case Q6_K: return 32;
	}
	return 0;
}

// whole_halves are the numbers in bytes 0 and 2 of a word, less off. An f16 with
// exponent 10 has 1 as its last place, so that a byte in it is the number 1024 + byte.
f16vec2 whole_halves(uint word, uint off) { return unpackFloat2x16(word & 0x00ff00ffu | 0x64006400u) - float16_t(1024 + off); }

// unpack makes f16 of a group, two in each number; zeros if it is not wanted.
void unpack(uint type, Packed p, bool wanted, out uvec4 values[4])
{
	vec2 scale; // of the first and of the second half
	float offset = 0;
	vec2 d = unpackHalf2x16(type == Q4_K || type == Q5_K || type == Q6_K ? p.super : p.scales);
	if (type == Q6_K) scale = d.x * vec2(bitfieldExtract(int(p.scales), 0, 8), bitfieldExtract(int(p.scales), 8, 8));
	else if (type == Q4_K || type == Q5_K) {
		scale = vec2(d.x * float(p.scales & 255u));
		offset = d.y * float(p.scales >> 8);
	} else {
		scale = vec2(d.x);
		if (has_offset(type)) offset = -d.y;
	}
	uint off = type == Q8_0 ? 128 : centre_of(type);
	if (has_offset(type)) offset -= float(off) * scale.x;
	if (!wanted) {
		scale = vec2(0);
		offset = 0;
	}
	f16vec2 by[2] = f16vec2[](f16vec2(float16_t(scale.x)), f16vec2(float16_t(scale.y))), less = f16vec2(float16_t(-offset));
	[[unroll]] for (uint j = 0; j < 8; j++) {
		uint q = type == Q8_0 ? (j < 4 ? p.quads : p.high)[j % 4] ^ 0x80808080u : p.quads[j % 4] >> j / 4 * 4 & 0x0f0f0f0fu;
		if (type == Q5_0 || type == Q5_1 || type == Q5_K) q |= (p.high.x >> j & 0x01010101u) << 4;
		if (type == Q6_K) q |= (p.high[j / 4] >> 2 * (j % 4) & 0x03030303u) << 4;
		[[unroll]] for (uint odd = 0; odd < 2; odd++) {
			f16vec2 two = whole_halves(q >> 8 * odd, off);
			two = has_offset(type) ? fma(two, by[j / 4], less) : two * by[j / 4];
			values[j / 2][j % 2 * 2 + odd] = packFloat2x16(two);
		}
	}
}
