// Weights in tiles. A tile holds 16 rows over all of k, interleaved so that one
// 64-byte load carries 4 consecutive k of every row (byte 4r+i of quad j is row
// r, k = 4j+i of the group) and a dot product needs no horizontal sum. Packing
// moves bits and never changes a value: tile_row gives exactly what the file
// holds. Layout per group of 32 k, sizes in bytes:
//
//	Q8_0  quads 512 (q + 128), d 32                             Q4_0  nibbles 256, d 32
//	Q5_0  nibbles 256, bit plane 64, d 32                       Q4_1, Q5_1  the same, then m 32
//	Q4_K  per 256: d 32, dmin 32, then 8 x (scales 16, minimums 16, nibbles 256)
//	Q5_K  the same with a bit plane 64 behind the nibbles
//	Q6_K  per 256: d 32, then 8 x (scales 2 x 16, nibbles 256, bit-pair planes 2 x 64)
//	F32, F16, BF16  per k: the values of the 16 rows
//
// Nibble byte b of quads j and j+4 share byte j*64+b, the lower quad in the low
// half. Bit j of a bit plane's byte b is bit 4 of quad j's byte b; plane p of
// Q6_K holds bits 4-5 of quads 4p..4p+3, two bits each.
#include "cpu.h"

#include <string.h>

enum { QUADS = 8, QUAD_BYTES = 64, K_GROUPS = 8 };

// format describes how a quantised type's groups lie in a tile.
struct format {
	int bits;        // 4, 5, 6 or 8
	int minimums;    // w = d*q + m instead of d*(q - zero)
	int super;       // groups that share a K super-block header, 1 for none
	int zero;        // zero point of the file's unsigned quants
};

static struct format format_of(int type)
{
	switch (type) {
	case Q4_0: return (struct format){4, 0, 1, 8};
	case Q4_1: return (struct format){4, 1, 1, 0};
	case Q5_0: return (struct format){5, 0, 1, 16};
	case Q5_1: return (struct format){5, 1, 1, 0};
	case Q8_0: return (struct format){8, 0, 1, 128};
	case Q4_K: return (struct format){4, 1, K_GROUPS, 0};
	case Q5_K: return (struct format){5, 1, K_GROUPS, 0};
	case Q6_K: return (struct format){6, 0, K_GROUPS, 32};
	}
	return (struct format){0};
}

static size_t quant_bytes(int bits)
{
	return bits == 8 ? 512 : 256 + (size_t)(bits - 4) * 64;
}

static size_t group_bytes(struct format f)
{
	if (f.super > 1) return 32 + quant_bytes(f.bits); // two byte scales per row
	return quant_bytes(f.bits) + (f.minimums ? 64 : 32);
}

static size_t header_bytes(struct format f)
{
	if (f.super == 1) return 0;
	return f.minimums ? 64 : 32;
}

size_t tile_bytes(int type, int cols)
{
	if (type == F32) return (size_t)cols * TILE_ROWS * 4;
	if (type == F16 || type == BF16) return (size_t)cols * TILE_ROWS * 2;
	struct format f = format_of(type);
	size_t groups = cols / GROUP;
	return groups / f.super * header_bytes(f) + groups * group_bytes(f);
}

// group_at is where group g of a tile begins; header receives its super-block's.
static uint8_t *group_at(struct format f, const uint8_t *tile, int g, uint8_t **header)
{
	size_t block = header_bytes(f) + f.super * group_bytes(f);
	*header = (uint8_t *)tile + g / f.super * block;
	return *header + header_bytes(f) + g % f.super * group_bytes(f);
}

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }


// q4k_scales unpacks the 6-bit scale and minimum of group j of 8 from the 12
// bytes of a Q4_K or Q5_K block (format: ggml block_q4_K): four groups hold
// theirs in the low 6 bits, the other four are split over nibbles and the top bits.
static void q4k_scales(const uint8_t *s, int j, uint8_t *scale, uint8_t *min)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
		return;
	}
	*scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
	*min = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
}

// add_fifth_bits gives 8 quants their fifth bits, lowest first: all at once, for
// a loop over single bits took most of the time of loading a model.
static void add_fifth_bits(uint8_t *q, uint8_t bits)
{
	const uint64_t ones = 0x0101010101010101, low7 = 0x7f * ones;
	uint64_t fifth = bits * ones & 0x8040201008040201, quants; // byte i keeps bit i
	fifth = ((fifth & low7) + low7) | fifth;                    // its top bit: whether it kept one
	memcpy(&quants, q, 8);
	quants |= (fifth >> 7 & ones) << 4;
	memcpy(q, &quants, 8);
}

// read_group takes the 32 unsigned quants of group g of a row in file order and
// stores the row's scales at lane r of the tile.
static void read_group(int type, struct format f, const uint8_t *row, int g, uint8_t q[GROUP],
	uint8_t *header, uint8_t *group, int r)
{
	uint8_t *tail = group + quant_bytes(f.bits); // legacy formats: d, then m
	uint8_t *k_scales = group;                   // K formats: byte scales come first
	const uint8_t *b;
	switch (type) {
	case Q4_0: case Q4_1: case Q5_0: case Q5_1: {
		int fixed = f.minimums ? 4 : 2, plane = f.bits == 5 ? 4 : 0;
		b = row + (size_t)g * (fixed + plane + 16);
		memcpy(tail + 2 * r, b, 2);
		if (f.minimums) memcpy(tail + 32 + 2 * r, b + 2, 2);
		const uint8_t *low = b + fixed + plane;
		for (int i = 0; i < 16; i++) {
			q[i] = low[i] & 15;
			q[i + 16] = low[i] >> 4;
		}
		for (int i = 0; i < plane; i++) add_fifth_bits(q + 8 * i, b[fixed + i]);
		return;
	}
	case Q8_0:
		b = row + (size_t)g * 34;
		memcpy(tail + 2 * r, b, 2);
		for (int i = 0; i < GROUP; i++) q[i] = b[2 + i] ^ 0x80;
		return;
	case Q4_K: case Q5_K: {
		int sub = g % 8, plane = type == Q5_K ? 32 : 0;
		b = row + (size_t)(g / 8) * (16 + plane + 128);
		memcpy(header + 2 * r, b, 2);
		memcpy(header + 32 + 2 * r, b + 2, 2);
		q4k_scales(b + 4, sub, &k_scales[r], &k_scales[16 + r]);
		const uint8_t *low = b + 16 + plane + sub / 2 * 32;
		for (int i = 0; i < GROUP; i++) {
			q[i] = sub % 2 ? low[i] >> 4 : low[i] & 15;
			if (plane) q[i] |= (b[16 + i] >> sub & 1) << 4;
		}
		return;
	}
	case Q6_K: {
		// A block is two halves of 128; in each, 64 bytes of nibbles and 32 of
		// bit pairs serve four groups of 32.
		int half = g % 8 / 4, sub = g % 4;
		b = row + (size_t)(g / 8) * 210;
		memcpy(header + 2 * r, b + 208, 2);
		k_scales[r] = b[192 + g % 8 * 2];
		k_scales[16 + r] = b[192 + g % 8 * 2 + 1];
		const uint8_t *low = b + half * 64 + sub % 2 * 32, *high = b + 128 + half * 32;
		for (int i = 0; i < GROUP; i++)
			q[i] = (sub < 2 ? low[i] & 15 : low[i] >> 4) | (high[i] >> 2 * sub & 3) << 4;
		return;
	}
	}
}

static void pack_group(struct format f, uint8_t q[TILE_ROWS][GROUP], uint8_t *dst)
{
	uint8_t quads[QUADS][QUAD_BYTES];
	for (int r = 0; r < TILE_ROWS; r++)
		for (int j = 0; j < QUADS; j++) memcpy(&quads[j][4 * r], &q[r][4 * j], 4);
	if (f.bits == 8) {
		memcpy(dst, quads, sizeof quads);
		return;
	}
	for (int j = 0; j < 4; j++)
		for (int b = 0; b < QUAD_BYTES; b++)
			dst[j * QUAD_BYTES + b] = (quads[j][b] & 15) | (quads[j + 4][b] & 15) << 4;
	uint8_t *plane = dst + 256;
	if (f.bits == 5)
		for (int b = 0; b < QUAD_BYTES; b++) {
			uint8_t v = 0;
			for (int j = 0; j < QUADS; j++) v |= (quads[j][b] >> 4) << j;
			plane[b] = v;
		}
	if (f.bits == 6)
		for (int p = 0; p < 2; p++)
			for (int b = 0; b < QUAD_BYTES; b++) {
				uint8_t v = 0;
				for (int j = 0; j < 4; j++) v |= (quads[4 * p + j][b] >> 4) << 2 * j;
				plane[p * QUAD_BYTES + b] = v;
			}
}

// tile_pack makes one tile of up to 16 rows in file order, each row_bytes(cols)
// long; missing rows become zeros.
void tile_pack(int type, int cols, int rows, const uint8_t *src, uint8_t *tile)
{
	memset(tile, 0, tile_bytes(type, cols));
	if (type == F32 || type == F16 || type == BF16) {
		int size = type == F32 ? 4 : 2;
		for (int r = 0; r < rows; r++)
			for (int k = 0; k < cols; k++)
				memcpy(tile + ((size_t)k * TILE_ROWS + r) * size, src + ((size_t)r * cols + k) * size, size);
		return;
	}
	static const int block_bytes[] = {[Q4_0] = 18, [Q4_1] = 20, [Q5_0] = 22, [Q5_1] = 24, [Q8_0] = 34,
		[Q4_K] = 144, [Q5_K] = 176, [Q6_K] = 210};
	struct format f = format_of(type);
	size_t row_bytes = (size_t)cols / (f.super * GROUP) * block_bytes[type];
	for (int g = 0; g < cols / GROUP; g++) {
		uint8_t *header, *group = group_at(f, tile, g, &header);
		uint8_t q[TILE_ROWS][GROUP] = {{0}};
		for (int r = 0; r < rows; r++) read_group(type, f, src + r * row_bytes, g, q[r], header, group, r);
		pack_group(f, q, group + (f.super > 1 ? 32 : 0));
	}
}

static float f32_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
	if (e == 31) return f32_bits(sign | 0x7f800000 | m << 13);
	if (e) return f32_bits(sign | (e + 112) << 23 | m << 13);
	float f = (float)m * 0x1p-24f;
	return sign ? -f : f;
}

static int quant_at(struct format f, const uint8_t *quants, int r, int k)
{
	int j = k / 4, b = 4 * r + k % 4;
	if (f.bits == 8) return quants[j * QUAD_BYTES + b];
	int q = quants[j % 4 * QUAD_BYTES + b] >> (j / 4 * 4) & 15;
	if (f.bits == 5) q |= (quants[256 + b] >> j & 1) << 4;
	if (f.bits == 6) q |= (quants[256 + j / 4 * QUAD_BYTES + b] >> j % 4 * 2 & 3) << 4;
	return q;
}

// tile_row dequantises one row: the embedding's lookup, and the proof that
// packing kept every value.
void tile_row(const struct weight *w, int row, float *out)
{
	const uint8_t *tile = w->data + (size_t)(row / TILE_ROWS) * w->tile_stride;
	int r = row % TILE_ROWS, type = w->type;
	if (type == F32 || type == F16 || type == BF16) {
		for (int k = 0; k < w->cols; k++) {
			const uint8_t *p = tile + ((size_t)k * TILE_ROWS + r) * (type == F32 ? 4 : 2);
			if (type == F32) memcpy(&out[k], p, 4);
			else out[k] = type == F16 ? half_to_float(load16(p)) : f32_bits((uint32_t)load16(p) << 16);
		}
		return;
	}
	struct format f = format_of(type);
	for (int g = 0; g < w->cols / GROUP; g++) {
		uint8_t *header, *group = group_at(f, tile, g, &header), *quants = group + (f.super > 1 ? 32 : 0);
		const uint8_t *scales = f.super > 1 ? header : group + quant_bytes(f.bits);
		float d = half_to_float(load16(scales + 2 * r));
		float m = f.minimums ? half_to_float(load16(scales + 32 + 2 * r)) : 0;
		float low = d, high = d;
		if (type == Q6_K) {
			low = d * (int8_t)group[r];
			high = d * (int8_t)group[16 + r];
		} else if (f.super > 1) {
			low = high = d * group[r];
			m = -m * group[16 + r];
		}
		for (int k = 0; k < GROUP; k++)
			out[g * GROUP + k] = (k < 16 ? low : high) * (quant_at(f, quants, r, k) - f.zero) + m;
	}
}
