// Makes the quantised twin that twin.glsl reads.

// LEVELS whole numbers of steps, from 127 down, are tried for a group's largest
// value, as kernels/cpu does.
const int LEVELS = 3;

struct Quantised {
	uint word;  // 4 quants
	uvec2 meta; // scale and sums of the group, in the first of its threads
	vec4 left;  // what the quants leave over
};

// quantise takes a group: 8 neighbours in a subgroup hold 4 values each. A value
// that is not finite makes the scale not finite.
Quantised quantise(vec4 v)
{
	Quantised r;
	vec4 size = abs(v);
	float largest = max(max(size.x, size.y), max(size.z, size.w));
	uint bad = is_finite(v.x) && is_finite(v.y) && is_finite(v.z) && is_finite(v.w) ? 0 : 1;
	[[unroll]] for (uint m = 1; m < 8; m *= 2) {
		largest = max(largest, subgroupShuffleXor(largest, m));
		bad |= subgroupShuffleXor(bad, m);
	}
	bool some = largest > 1e-30; // else 1 / step is not finite, and the group as good as 0
	float best = 0, step = 0, inverse = 0;
	[[dont_unroll]] for (int level = 0; level < LEVELS; level++) {
		float s = some ? largest / float(127 - level) : 0, inv = some ? float(127 - level) / largest : 0;
		vec4 left = v - roundEven(v * inv) * s;
		float error = dot(left, left);
		[[unroll]] for (uint m = 1; m < 8; m *= 2) error += subgroupShuffleXor(error, m);
		if (level == 0 || error < best) {
			best = error;
			step = s;
			inverse = inv;
		}
	}
	vec4 rounded = bad != 0 ? vec4(0) : roundEven(v * inverse);
	ivec4 q = clamp(ivec4(rounded), -127, 127);
	r.word = uint(q.x & 255) | uint(q.y & 255) << 8 | uint(q.z & 255) << 16 | uint(q.w & 255) << 24;
	int sum = q.x + q.y + q.z + q.w;
	sum += subgroupShuffleXor(sum, 1);
	sum += subgroupShuffleXor(sum, 2);
	int other = subgroupShuffleXor(sum, 4);
	r.meta = uvec2(bad != 0 ? NOT_A_NUMBER : floatBitsToUint(step), uint(sum & 0xffff) | uint(other) << 16);
	r.left = v - rounded * step;
	return r;
}

// write_twins quantises 4 values of a row as so many columns: i is their number in
// the row, and the second column is what the first left over.
void write_twins(vec4 v, uint64_t quants, uint64_t meta, uint row, uint twins, uint groups, uint i)
{
	for (uint twin = 0; twin < twins; twin++) {
		Quantised q = quantise(v);
		uint column = (row * twins + twin) * groups;
		Words(quants).at[8 * column + i] = q.word;
		if (i % 8 == 0) Pairs(meta).at[column + i / 8] = q.meta;
		v = q.left;
	}
}
