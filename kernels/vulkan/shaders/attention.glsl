// How a row's keys are split. A split is a power of two times 64 keys, counted from
// the sequence's start, so that there are at most 32; it follows from the row's
// position alone, so that a row's sums do not depend on its batch.
const uint CHUNK = 64, SPLITS_MAX = 32;

// split_keys is how many keys a split of a row at that position has.
uint split_keys(uint position)
{
	uint keys = CHUNK;
	while (keys * SPLITS_MAX <= position) keys *= 2;
	return keys;
}

// merged is 4 values of a row's attention, the i-th four: its splits joined in
// their order. rows are those of the batch, which attend_few.comp wrote partials for.
vec4 merged(uint64_t partials, uint rows, uint row, uint position, uint q_heads, uint dim4, uint i)
{
	uint splits = position / split_keys(position) + 1, at = (row * q_heads + i / dim4) * SPLITS_MAX;
	Vectors sums = Vectors(partials + uint64_t(rows) * q_heads * SPLITS_MAX * 8);
	float top = uintBitsToFloat(0xff800000u), total = 0;
	vec4 v = vec4(0);
	for (uint s = 0; s < splits; s++) { // in one pass, for each look at memory takes long
		vec2 ml = uintBitsToFloat(Pairs(partials).at[at + s]);
		vec4 sum = sums.at[(at + s) * dim4 + i % dim4];
		float highest = max(top, ml.x), before = exp(top - highest), weight = exp(ml.x - highest);
		total = total * before + weight * ml.y;
		v = v * before + weight * sum;
		top = highest;
	}
	return v / total;
}
