// RMSNorm (Zhang and Sennrich 2019) of a row by a whole workgroup. The includer declares
// KEPT, values in shared memory, 4 each, or 1 for none, and AHEAD, looks at memory at
// once. All who norm the same row must have as many threads, for then they add in the
// same order.

const uint NORM_SUBGROUPS = THREADS / SUBGROUP;

shared float norm_sums[NORM_SUBGROUPS];
shared vec4 kept[KEPT];

// norm_add adds up the row; a barrier must come before norm_scale.
void norm_add(uint64_t x, uint width)
{
	float sum = 0;
	uint last = width / 4 - 1;
	[[dont_unroll]] for (uint from = thread(); from <= last; from += THREADS * AHEAD) {
		uvec4 bits[AHEAD];
		[[unroll]] for (uint j = 0; j < AHEAD; j++) bits[j] = look_quad(x, min(from + j * THREADS, last));
		[[unroll]] for (uint j = 0; j < AHEAD; j++) {
			uint i = from + j * THREADS;
			if (i > last) continue;
			vec4 v = uintBitsToFloat(settled_quad(bits[j], x, i));
			if (KEPT > 1) kept[i] = v;
			sum += dot(v, v);
		}
	}
	sum = subgroupAdd(sum);
	if (gl_SubgroupInvocationID == 0) norm_sums[gl_SubgroupID] = sum;
}

// norm_scale is what the row's values are multiplied with.
float norm_scale(uint width, float eps)
{
	float all = 0;
	[[unroll]] for (uint i = 0; i < NORM_SUBGROUPS; i++) all += norm_sums[i];
	return 1 / sqrt(all / float(width) + eps);
}

// normed_part is the i-th part of the row, times norm_scale and the norm's weight.
Part normed_part(uint64_t x, float scale, Part weight, uint i)
{
	Part v;
	if (KEPT > 1) {
		[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = kept[FOURS * i + f];
	} else v = awaited_part(x, i);
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = v.at[f] * scale * weight.at[f];
	return v;
}
