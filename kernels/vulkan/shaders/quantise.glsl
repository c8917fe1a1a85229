// Makes the quantised twin that twin.glsl reads.

// LEVELS whole numbers of steps, from 127 down, are tried for a group's largest
// value, as kernels/cpu does.
const int LEVELS = 3;

// quantise writes a group of column and group number i: 8 threads of a subgroup,
// numbered by part, hold 4 values each. It returns what the quants leave over.
// A value that is not finite makes the scale not finite.
vec4 quantise(vec4 v, uint64_t quants, uint64_t meta, uint i, uint part)
{
	vec4 size = abs(v);
	float largest = max(max(size.x, size.y), max(size.z, size.w));
	uint bad = is_finite(v.x) && is_finite(v.y) && is_finite(v.z) && is_finite(v.w) ? 0 : 1;
	[[unroll]] for (uint m = 1; m < 8; m *= 2) {
		largest = max(largest, subgroupShuffleXor(largest, m));
		bad |= subgroupShuffleXor(bad, m);
	}
	bool some = largest > 1e-30; // else 1 / step is not finite, and the group as good as 0
	float best = 0, step = 0, inverse = 0;
	[[unroll]] for (int level = 0; level < LEVELS; level++) {
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
	Words(quants).at[8 * i + part] = uint(q.x & 255) | uint(q.y & 255) << 8 | uint(q.z & 255) << 16 | uint(q.w & 255) << 24;
	int sum = q.x + q.y + q.z + q.w;
	sum += subgroupShuffleXor(sum, 1);
	sum += subgroupShuffleXor(sum, 2);
	int other = subgroupShuffleXor(sum, 4);
	if (part == 0) Pairs(meta).at[i] = uvec2(bad != 0 ? NOT_A_NUMBER : floatBitsToUint(step), uint(sum & 0xffff) | uint(other) << 16);
	return v - rounded * step;
}
