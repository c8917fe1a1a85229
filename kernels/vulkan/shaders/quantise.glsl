// Makes the quantised twin that twin.glsl reads. The includer declares FOURS, 1 or 4:
// 4 values each that a thread takes. More of them are fewer instructions in all, and
// take longer where there is no more than one for each thread; the bits are the same.

// LEVELS whole numbers of steps, from 127 down, are tried for a group's largest
// value, as kernels/cpu does.
const int LEVELS = 3;

const uint MATES = 8 / FOURS;

// Conversions go at a quarter of the rate of additions, so whole numbers are taken from
// where the last place of a sum is one: of |x| < 2^22.
const float ONES = 12582912.0; // 1.5 * 2^23

// whole is roundEven(x).
vec4 whole(vec4 x)
{
	precise vec4 sum = x + ONES, rounded = sum - ONES;
	return rounded;
}

// integers is ivec4(x) of whole numbers.
ivec4 integers(vec4 x) { return floatBitsToInt(x + ONES) - floatBitsToInt(ONES); }

// part_of is a thread's i-th part of a row that is there, awaited_part of one that may come.
Part part_of(uint64_t floats, uint i)
{
	Part v;
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = Vectors(floats).at[FOURS * i + f];
	return v;
}

Part awaited_part(uint64_t floats, uint i)
{
	Part v;
	uvec4 bits[4];
	[[unroll]] for (uint f = 0; f < FOURS; f++) bits[f] = look_quad(floats, FOURS * i + f);
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = uintBitsToFloat(settled_quad(bits[f], floats, FOURS * i + f));
	return v;
}

struct Quantised {
	uvec4 words;  // 16 quants, in the first of the threads that hold them
	uvec2 meta;   // scale and sums of the group, in the first of its threads
	Part left;    // what the quants leave over
};

// quantise takes a group: MATES neighbours in a subgroup hold FOURS times 4 values each.
// A value that is not finite makes the scale not finite.
Quantised quantise(Part x)
{
	Quantised r;
	// As integers the sizes order alike, and what is not finite is above all that is.
	uint bits = 0;
	[[unroll]] for (uint f = 0; f < FOURS; f++) {
		uvec4 size = floatBitsToUint(x.at[f]) & 0x7fffffffu;
		bits = max(bits, max(max(size.x, size.y), max(size.z, size.w)));
	}
	[[unroll]] for (uint m = 1; m < MATES; m *= 2) bits = max(bits, subgroupShuffleXor(bits, m));
	bool bad = bits >= 0x7f800000u;
	float largest = uintBitsToFloat(bits);
	bool some = largest > 1e-30; // else 1 / step is not finite, and the group as good as 0
	// All levels side by side: who waits for this waits for divisions.
	float steps[LEVELS], inverses[LEVELS], errors[LEVELS];
	[[unroll]] for (int level = 0; level < LEVELS; level++) {
		steps[level] = some ? largest / float(127 - level) : 0;
		inverses[level] = some ? float(127 - level) / largest : 0;
		vec4 error = vec4(0);
		[[unroll]] for (uint f = 0; f < FOURS; f++) {
			vec4 left = x.at[f] - whole(x.at[f] * inverses[level]) * steps[level];
			error[f] = dot(left, left);
		}
		errors[level] = FOURS == 1 ? error.x : error.x + error.y + (error.z + error.w);
	}
	[[unroll]] for (uint m = 1; m < MATES; m *= 2)
		[[unroll]] for (int level = 0; level < LEVELS; level++) errors[level] += subgroupShuffleXor(errors[level], m);
	float best = errors[0], step = steps[0], inverse = inverses[0];
	[[unroll]] for (int level = 1; level < LEVELS; level++) {
		bool better = errors[level] < best;
		best = better ? errors[level] : best;
		step = better ? steps[level] : step;
		inverse = better ? inverses[level] : inverse;
	}
	int sum = 0;
	[[unroll]] for (uint f = 0; f < FOURS; f++) {
		// At most 127 in size: Vulkan's division is exact to 2.5 units in the last place, by
		// up to 2^126.
		vec4 rounded = bad ? vec4(0) : whole(x.at[f] * inverse);
		ivec4 q = integers(rounded);
		r.words[f] = uint(q.x & 255) | uint(q.y & 255) << 8 | uint(q.z & 255) << 16 | uint(q.w & 255) << 24;
		sum += q.x + q.y + q.z + q.w;
		r.left.at[f] = x.at[f] - rounded * step;
	}
	if (FOURS == 1) { // one of four threads has 16
		uint word = r.words.x;
		r.words = uvec4(word, subgroupShuffleXor(word, 1), subgroupShuffleXor(word, 2), subgroupShuffleXor(word, 3));
		sum += subgroupShuffleXor(sum, 1);
		sum += subgroupShuffleXor(sum, 2);
	}
	int other = subgroupShuffleXor(sum, MATES / 2);
	r.meta = uvec2(bad ? NOT_A_NUMBER : floatBitsToUint(step), uint(sum & 0xffff) | uint(other) << 16);
	return r;
}

// write_twins quantises a thread's values of a row as so many columns: i is their
// number in the row, and the second column is what the first left over.
void write_twins(Part v, uint64_t quants, uint64_t meta, uint row, uint twins, uint groups, uint i)
{
	for (uint twin = 0; twin < twins; twin++) {
		Quantised q = quantise(v);
		uint column = row * twins + twin, sixteen = i * FOURS / 4;
		if (i * FOURS % 4 == 0) LateQuads(quants).at[quad_of(column, groups, sixteen / 2, sixteen % 2)] = q.words;
		if (i % MATES == 0) Pairs(meta).at[column * groups + sixteen / 2] = q.meta;
		v = q.left;
	}
}
