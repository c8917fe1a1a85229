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

void load_quants(uint type, uint64_t base, uint64_t n, uint i, out uint q[8])
{
	uvec4 low = Quads(base).at[i];
	uint64_t high = base + n * 16;
	if (type == Q8_0) {
		uvec4 rest = Quads(high).at[i];
		[[unroll]] for (int j = 0; j < 4; j++) {
			q[j] = low[j];
			q[4 + j] = rest[j];
		}
		return;
	}
	[[unroll]] for (int j = 0; j < 4; j++) {
		q[j] = low[j] & 0x0f0f0f0fu;
		q[4 + j] = low[j] >> 4 & 0x0f0f0f0fu;
	}
	if (type == Q5_0 || type == Q5_1 || type == Q5_K) {
		uint bits = Words(high).at[i];
		[[unroll]] for (int j = 0; j < 8; j++) q[j] |= (bits >> j & 0x01010101u) << 4;
	}
	if (type == Q6_K) {
		uvec2 bits = Pairs(high).at[i];
		[[unroll]] for (int j = 0; j < 8; j++) q[j] |= (bits[j / 4] >> 2 * (j % 4) & 0x03030303u) << 4;
	}
}

Group load_group(uint type, Weight w, uint row, uint g)
{
	Group r;
	uint i = row * w.groups + g;
	uint64_t n = uint64_t(w.rows) * w.groups;
	load_quants(type, w.base, n, i, r.q);
	uint64_t scales = w.base + n * (16 + high_bytes(type));
	r.offset = 0;
	if (type == Q4_K || type == Q5_K || type == Q6_K) {
		vec2 d = unpackHalf2x16(Words(scales).at[i >> 3]); // of 8 groups
		uint s = Words(scales + n / 8 * 4).at[i >> 1] >> 16 * (i & 1);
		if (type == Q6_K) {
			r.scale = d.x * float(bitfieldExtract(int(s), 0, 8));
			r.scale2 = d.x * float(bitfieldExtract(int(s), 8, 8));
		} else {
			r.scale = r.scale2 = d.x * float(s & 255u);
			r.offset = d.y * float(s >> 8 & 255u);
		}
	} else if (has_offset(type)) {
		vec2 d = unpackHalf2x16(Words(scales).at[i]);
		r.scale = r.scale2 = d.x;
		r.offset = -d.y;
	} else {
		r.scale = r.scale2 = half_value(Words(scales).at[i >> 1] >> 16 * (i & 1));
	}
	return r;
}

// float_pair is values 2i and 2i+1 of a float matrix.
vec2 float_pair(uint type, uint64_t base, uint i)
{
	if (type == F32) return uintBitsToFloat(Pairs(base).at[i]);
	uint pair = Words(base).at[i];
	if (type == F16) return unpackHalf2x16(pair);
	return uintBitsToFloat(uvec2(pair << 16, pair & 0xffff0000u));
}
