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
