// Matrices as kernels/vulkan/repack.go lays them out: for n groups of 32 values of
// k, row by row, one plane after the other (repack.go draws them).

struct Weight {
	uint64_t base;
	uint rows;
	uint groups; // of a row
};

// Group is 32 values: q as signed bytes, four in a word, in order of k. A value of
// the first half is scale * (q - zero) - offset, of the second with scale2.
struct Group {
	uint q[8];
	float scale, scale2, offset;
};

int zero_of(uint type)
{
	switch (type) {
	case Q4_0: return 8;
	case Q5_0: return 16;
	case Q6_K: return 32;
	}
	return 0;
}

bool has_offset(uint type) { return type == Q4_1 || type == Q5_1 || type == Q4_K || type == Q5_K; }
bool is_float(uint type) { return type == F32 || type == F16 || type == BF16; }

// high_bytes is the size of a group in the plane behind the nibbles.
uint high_bytes(uint type)
{
	switch (type) {
	case Q8_0: return 16;
	case Q6_K: return 8;
	case Q5_0: case Q5_1: case Q5_K: return 4;
	}
	return 0;
}

// Raw is a group as it lies in memory, so that many can be on their way at once.
struct Raw {
	uvec4 low;     // nibbles, or the first 16 bytes of Q8_0
	uvec4 high;    // the plane behind them, as far as the type has one
	uint d, scale; // of the planes of scales
};

bool has_super(uint type) { return type == Q4_K || type == Q5_K || type == Q6_K; }

Raw load_raw(uint type, Weight w, uint row, uint g)
{
	Raw r;
	uint i = row * w.groups + g;
	uint64_t n = uint64_t(w.rows) * w.groups, high = w.base + n * 16, scales = high + n * high_bytes(type);
	r.low = Quads(w.base).at[i];
	r.high = uvec4(0);
	if (high_bytes(type) == 16) r.high = Quads(high).at[i];
	if (high_bytes(type) == 8) r.high.xy = Pairs(high).at[i];
	if (high_bytes(type) == 4) r.high.x = Words(high).at[i];
	if (has_super(type)) {
		r.d = Words(scales).at[i >> 3]; // of 8 groups
		r.scale = Words(scales + n / 8 * 4).at[i >> 1];
	} else {
		r.d = 0;
		r.scale = Words(scales).at[has_offset(type) ? i : i >> 1];
	}
	return r;
}

// unpacked is raw group g of a row of groups.
Group unpacked(uint type, Raw raw, uint row, uint groups, uint g)
{
	bool second = ((has_super(type) ? g : row * groups + g) & 1) != 0; // of the two whose scales share a word
	Group r;
	if (type == Q8_0) {
		[[unroll]] for (int j = 0; j < 4; j++) {
			r.q[j] = raw.low[j];
			r.q[4 + j] = raw.high[j];
		}
	} else {
		[[unroll]] for (int j = 0; j < 4; j++) {
			r.q[j] = raw.low[j] & 0x0f0f0f0fu;
			r.q[4 + j] = raw.low[j] >> 4 & 0x0f0f0f0fu;
		}
	}
	if (high_bytes(type) == 4)
		[[unroll]] for (int j = 0; j < 8; j++) r.q[j] |= (raw.high.x >> j & 0x01010101u) << 4;
	if (high_bytes(type) == 8)
		[[unroll]] for (int j = 0; j < 8; j++) r.q[j] |= (raw.high[j / 4] >> 2 * (j % 4) & 0x03030303u) << 4;
	r.offset = 0;
	vec2 d = unpackHalf2x16(has_super(type) ? raw.d : raw.scale);
	if (has_super(type)) {
		uint s = second ? raw.scale >> 16 : raw.scale;
		if (type == Q6_K) {
			r.scale = d.x * float(bitfieldExtract(int(s), 0, 8));
			r.scale2 = d.x * float(bitfieldExtract(int(s), 8, 8));
		} else {
			r.scale = r.scale2 = d.x * float(s & 255u);
			r.offset = d.y * float(s >> 8 & 255u);
		}
	} else if (has_offset(type)) {
		r.scale = r.scale2 = d.x;
		r.offset = -d.y;
	} else {
		r.scale = r.scale2 = second ? d.y : d.x;
	}
	return r;
}

Group load_group(uint type, Weight w, uint row, uint g) { return unpacked(type, load_raw(type, w, row, g), row, w.groups, g); }

// float_pair is values 2i and 2i+1 of a float matrix.
vec2 float_pair(uint type, uint64_t base, uint i)
{
	if (type == F32) return uintBitsToFloat(Pairs(base).at[i]);
	uint pair = Words(base).at[i];
	if (type == F16) return unpackHalf2x16(pair);
	return uintBitsToFloat(uvec2(pair << 16, pair & 0xffff0000u));
}
