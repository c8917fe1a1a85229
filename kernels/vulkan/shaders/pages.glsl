// KV pages of 32 positions. A layer in a page holds K, then V, each as (position,
// head, dim), which is the hand-over form; for Q8_0 the quants of K and of V are
// followed by their scales, f32 that f16 holds, (position, head, dim / 32).

const uint PAGE_TOKENS = 32;

layout(constant_id = 2) const uint KV = F16; // storage
layout(constant_id = 3) const uint DIM = 64; // of a head
layout(constant_id = 4) const uint HEADS = 2; // that keys have

struct Pool {
	uint64_t pages;     // of this layer
	uint64_t table;     // page tables, one behind the other
	uint64_t starts;    // where in them each row's begins
	uint64_t positions; // of the rows
};

// half_bytes is the size of K or of V of a layer in a page, without scales.
uint half_bytes() { return PAGE_TOKENS * HEADS * DIM * (KV == F32 ? 4 : KV == F16 ? 2 : 1); }
uint scale_bytes() { return KV == Q8_0 ? PAGE_TOKENS * HEADS * DIM / 32 * 4 : 0; }

// page_of is where the layer's part of the page that holds a row's position begins.
uint64_t page_of(Pool p, uint page_bytes, uint row, uint position)
{
	uint page = Words(p.table).at[Words(p.starts).at[row] + position / PAGE_TOKENS];
	return p.pages + uint64_t(page) * page_bytes;
}

// load4 is 4 values of a head from dim d on; half: where K or V begins, in_page: its
// position's number; late: it was written in this run, so that no cache may have it.
vec4 load4(uint64_t half_base, uint in_page, uint head, uint d, bool late)
{
	uint i = (in_page * HEADS + head) * DIM + d;
	if (KV == F32) return late ? uintBitsToFloat(LateQuads(half_base).at[i / 4]) : Vectors(half_base).at[i / 4];
	if (KV == F16) {
		uvec2 bits;
		if (late) bits = LatePairs(half_base).at[i / 4];
		else bits = Pairs(half_base).at[i / 4];
		return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y));
	}
	int bits = int(Words(half_base).at[i / 4]);
	float scale = Floats(half_base + half_bytes()).at[i / 32];
	return scale * vec4(bitfieldExtract(bits, 0, 8), bitfieldExtract(bits, 8, 8), bitfieldExtract(bits, 16, 8), bitfieldExtract(bits, 24, 8));
}

struct Eight { vec4 low, high; };

// load8 is 8 values.
Eight load8(uint64_t half_base, uint in_page, uint head, uint d, bool late)
{
	if (KV != F16) return Eight(load4(half_base, in_page, head, d, late), load4(half_base, in_page, head, d + 4, late));
	uint i = (in_page * HEADS + head) * DIM + d;
	uvec4 bits;
	if (late) bits = LateQuads(half_base).at[i / 8];
	else bits = Quads(half_base).at[i / 8];
	return Eight(vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y)), vec4(unpackHalf2x16(bits.z), unpackHalf2x16(bits.w)));
}
