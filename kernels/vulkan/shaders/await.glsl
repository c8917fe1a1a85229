// Waiting for what a step before this one writes, with no barrier between the two:
// the memory is filled with ABSENT before, and who reads it looks again until it has
// come (docs/kernels.md). ABSENT is a NaN that no arithmetic makes, four bytes that no
// quants are and sums that no group has. The includer declares
//   AWAITS  whether there is no barrier; false: the values are there
const uint ABSENT = 0xff808080u;

// A GPU that ran the later step first would wait for ever. A look takes some 100 ns, a
// step 50 us; Mesa's software driver leaves a loop after 65,535 rounds.
const uint LOOKS_MAX = 50000;

uint64_t late_at; // where the host is told that something did not come; main sets it

bool patient(uint looks)
{
	if (looks < LOOKS_MAX) return true;
	Words(late_at).at[0] = 1;
	return false;
}

// look_quad is what is there now, settled_quad what comes: v if that is it. Looks go
// ahead of where values are needed, as other loads do.
uvec4 look_quad(uint64_t base, uint i)
{
	if (!AWAITS) return Quads(base).at[i];
	return LateQuads(base).at[i];
}

uvec4 settled_quad(uvec4 v, uint64_t base, uint i)
{
	if (!AWAITS) return v;
	[[dont_unroll]] for (uint n = 0; any(equal(v, uvec4(ABSENT))) && patient(n); n++) v = LateQuads(base).at[i];
	return v;
}

uvec2 look_pair(uint64_t base, uint i)
{
	if (!AWAITS) return Pairs(base).at[i];
	return LatePairs(base).at[i];
}

uvec2 settled_pair(uvec2 v, uint64_t base, uint i)
{
	if (!AWAITS) return v;
	[[dont_unroll]] for (uint n = 0; any(equal(v, uvec2(ABSENT))) && patient(n); n++) v = LatePairs(base).at[i];
	return v;
}

uvec4 await_quad(uint64_t base, uint i) { return settled_quad(look_quad(base, i), base, i); }

vec4 await_vector(uint64_t base, uint i) { return uintBitsToFloat(await_quad(base, i)); }

uvec2 await_pair(uint64_t base, uint i) { return settled_pair(look_pair(base, i), base, i); }

uint await_word(uint64_t base, uint i)
{
	if (!AWAITS) return Words(base).at[i];
	uint v = LateWords(base).at[i];
	[[dont_unroll]] for (uint n = 0; v == ABSENT && patient(n); n++) v = LateWords(base).at[i];
	return v;
}
