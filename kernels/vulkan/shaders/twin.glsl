// The quantised twin of activations: per column and group of 32 values of k, 32
// signed bytes, as quad_of says, and apart from them their scale and the sums of the
// first and the second 16 quants, two 16-bit numbers. x = scale * q.
#extension GL_EXT_integer_dot_product : require

struct Twin {
	uint q[8];
	float scale;
	int low, high; // sums of quants
};

Twin twin_of(uvec4 low, uvec4 high, uvec2 meta)
{
	Twin t;
	[[unroll]] for (int j = 0; j < 4; j++) {
		t.q[j] = low[j];
		t.q[4 + j] = high[j];
	}
	t.scale = uintBitsToFloat(meta.x);
	t.low = bitfieldExtract(int(meta.y), 0, 16);
	t.high = bitfieldExtract(int(meta.y), 16, 16);
	return t;
}

Twin load_twin(uint64_t quants, uint64_t meta, uint column, uint groups, uint g)
{
	uint low = quad_of(column, groups, g, 0), high = quad_of(column, groups, g, 1), i = column * groups + g;
	uvec4 a = look_quad(quants, low), b = look_quad(quants, high);
	uvec2 m = look_pair(meta, i);
	a = settled_quad(a, quants, low);
	b = settled_quad(b, quants, high);
	return twin_of(a, b, settled_pair(m, meta, i));
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
