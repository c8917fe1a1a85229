// The quantised twin of activations: per column and group of 32 values of k, 32
// signed bytes (8 words), and apart from them their scale and the sums of the
// first and the second 16 quants, two 16-bit numbers. x = scale * q.
#extension GL_EXT_integer_dot_product : require

struct Twin {
	uint q[8];
	float scale;
	int low, high; // sums of quants
};

void set_meta(inout Twin t, uvec2 meta)
{
	t.scale = uintBitsToFloat(meta.x);
	t.low = bitfieldExtract(int(meta.y), 0, 16);
	t.high = bitfieldExtract(int(meta.y), 16, 16);
}

Twin load_twin(uint64_t quants, uint64_t meta, uint i)
{
	Twin t;
	uvec4 a = look_quad(quants, 2 * i), b = look_quad(quants, 2 * i + 1);
	uvec2 m = look_pair(meta, i);
	a = settled_quad(a, quants, 2 * i);
	b = settled_quad(b, quants, 2 * i + 1);
	[[unroll]] for (int j = 0; j < 4; j++) {
		t.q[j] = a[j];
		t.q[4 + j] = b[j];
	}
	set_meta(t, settled_pair(m, meta, i));
	return t;
}

int dot4(uint a, uint b) { return dotPacked4x8EXT(int(a), int(b)); }

// add_group adds the product of a group of weights with one of a column to sum.
// Integers are exact; what the floats do does not depend on anything else.
float add_group(uint type, Group w, Twin x, float sum)
{
	int low = 0, high = 0;
	[[unroll]] for (int j = 0; j < 4; j++) {
		low += dot4(w.q[j], x.q[j]);
		high += dot4(w.q[4 + j], x.q[4 + j]);
	}
	int zero = zero_of(type);
	precise float part;
	if (type == Q6_K) {
		part = w.scale2 * float(high - zero * x.high);
		part = fma(w.scale, float(low - zero * x.low), part);
	} else {
		int sums = x.low + x.high;
		part = w.scale * float(low + high - zero * sums);
		if (has_offset(type)) part = fma(-w.offset, float(sums), part);
	}
	precise float total = fma(x.scale, part, sum);
	return total;
}
