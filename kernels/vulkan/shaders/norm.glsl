// RMSNorm (Zhang and Sennrich 2019) of a row by a whole workgroup.
shared float norm_sums[THREADS / 8]; // by subgroup

// norm_scale is what the row's values are multiplied with.
float norm_scale(Vectors x, uint width, float eps)
{
	float sum = 0;
	for (uint i = thread(); i < width / 4; i += THREADS) sum += dot(x.at[i], x.at[i]);
	sum = subgroupAdd(sum);
	barrier(); // the sums of the row before have been read
	if (gl_SubgroupInvocationID == 0) norm_sums[gl_SubgroupID] = sum;
	barrier();
	float all = 0;
	for (uint i = 0; i < THREADS / SUBGROUP; i++) all += norm_sums[i];
	return 1 / sqrt(all / float(width) + eps);
}
