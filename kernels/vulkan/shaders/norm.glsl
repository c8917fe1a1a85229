// RMSNorm (Zhang and Sennrich 2019) of rows by a whole workgroup. The includer
// declares COLS, rows at a time. All who norm the same row must have as many threads,
// for then they add in the same order.

const uint NORM_SUBGROUPS = THREADS / SUBGROUP;

shared float norm_sums[COLS * NORM_SUBGROUPS];

// norm_add adds up the c-th row; a barrier must come before norm_scale.
void norm_add(uint c, Vectors x, uint width)
{
	float sum = 0;
	for (uint i = thread(); i < width / 4; i += THREADS) sum += dot(x.at[i], x.at[i]);
	sum = subgroupAdd(sum);
	if (gl_SubgroupInvocationID == 0) norm_sums[c * NORM_SUBGROUPS + gl_SubgroupID] = sum;
}

// norm_scale is what the c-th row's values are multiplied with.
float norm_scale(uint c, uint width, float eps)
{
	float all = 0;
	[[dont_unroll]] for (uint i = 0; i < NORM_SUBGROUPS; i++) all += norm_sums[c * NORM_SUBGROUPS + i];
	return 1 / sqrt(all / float(width) + eps);
}
