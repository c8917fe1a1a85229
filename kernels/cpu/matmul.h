// Matrix products over weight tiles (tile.c draws them): 16 weight rows by up to
// 12 activation rows in registers, k in groups of 32.
//
// Bytes stay packed in memory. With up to DIRECT_COLS activation rows (decode) a
// group is unpacked in registers and used at once: one pass over the weights at
// the speed of memory. With more (prefill) a chunk of groups is unpacked once
// into a panel that stays in the first cache levels and serves every column
// block. Both do the same operations on an output in the same order (integers
// within a group, then floats group by group), so that a row's result does not
// depend on its company.

// REGISTER_COLS is how many columns' sums, integers and floats, registers hold;
// DIRECT_COLS of them leave room for 8 vectors of unpacked weights.
#if defined(RUNG_IS_AVX512VNNI) || defined(RUNG_IS_NEONDOT)
enum { REGISTER_COLS = 12, DIRECT_COLS = 10 }; // of 32 registers
#else
enum { REGISTER_COLS = 4, DIRECT_COLS = 4 };
#endif

// A tile's 16 rows are PARTS vectors.
enum { PARTS = TILE_ROWS / LANES };

// kind is how a format's group is multiplied.
enum kind {
	SYMMETRIC_4, // w = s * (q - 8)
	SYMMETRIC_5, // w = s * (q - 16)
	SYMMETRIC_8, // w = s * (q - 128)
	MINIMUM,     // w = s * q + m, q < 32
	HALVES,      // w = s * (q - 32), with a scale for each 16 values (Q6_K)
};

INLINE enum kind kind_of(int type)
{
	switch (type) {
	case Q4_0: return SYMMETRIC_4;
	case Q5_0: return SYMMETRIC_5;
	case Q8_0: return SYMMETRIC_8;
	case Q6_K: return HALVES;
	default: return MINIMUM;
	}
}

#if defined(RUNG_IS_AVX2)

// AVX2 multiplies bytes into 16-bit sums, so small weights stay small and their
// zero point is taken off at the start: -128 * sum(x) shifted down. Weights of 8
// bits are made signed instead.
INLINE vi prepare(enum kind k, vi q) { return k == SYMMETRIC_8 ? _mm256_xor_si256(q, vi_set1_u8(128)) : q; }

INLINE vi dot_start(enum kind k, int32_t minus_128_sum)
{
	switch (k) {
	case SYMMETRIC_4: return vi_set1(minus_128_sum >> 4);
	case SYMMETRIC_5: return vi_set1(minus_128_sum >> 3);
	case HALVES: return vi_set1(minus_128_sum >> 2);
	default: return vi_set1(0);
	}
}

// dot_quads adds quads [from, from + count) of columns [at, at + n) to a.
INLINE void dot_quads(int n, enum kind k, int from, int count, const vi *q, const struct xgroup *x, int at, vi *a)
{
	int flush = k == HALVES ? 2 : 4; // quads that fit a 16-bit sum
	for (int j = from; j < from + count; j += flush) {
		vi sums[REGISTER_COLS];
		for (int c = 0; c < n; c++) sums[c] = vi_set1(0);
		for (int i = j; i < j + flush; i++) {
			vi w = q[i];
			for (int c = 0; c < n; c++) {
				if (k == SYMMETRIC_8) a[c] = vi_dot_signed(a[c], w, &x->q[at + c][4 * i]);
				else sums[c] = vi_pairs(sums[c], w, &x->q[at + c][4 * i]);
			}
		}
		for (int c = 0; c < n && k != SYMMETRIC_8; c++) a[c] = vi_widen(a[c], sums[c]);
	}
}

#elif defined(RUNG_IS_NEONDOT)

// NEON multiplies signed bytes by signed bytes: the zero point comes off the weights.
INLINE vi prepare(enum kind k, vi q)
{
	switch (k) {
	case SYMMETRIC_4: return vi_add_u8(q, vi_set1_u8(256 - 8));
	case SYMMETRIC_5: return vi_add_u8(q, vi_set1_u8(256 - 16));
	case SYMMETRIC_8: return vi_add_u8(q, vi_set1_u8(128));
	case HALVES: return vi_add_u8(q, vi_set1_u8(256 - 32));
	default: return q;
	}
}

INLINE vi dot_start(enum kind k, int32_t minus_128_sum) { (void)k, (void)minus_128_sum; return vi_set1(0); }

INLINE void dot_quads(int n, enum kind k, int from, int count, const vi *q, const struct xgroup *x, int at, vi *a)
{
	(void)k;
	for (int i = from; i < from + count; i += 4)
		for (int c = 0; c < n; c++) a[c] = vi_dot_four(a[c], q + i, &x->q[at + c][4 * i]);
}

#else

// Symmetric formats are moved to q + 128 whatever their zero point, so that one
// sum of the activations starts every dot product.
INLINE vi prepare(enum kind k, vi q)
{
	switch (k) {
	case SYMMETRIC_4: return vi_add_u8(q, vi_set1_u8(128 - 8));
	case SYMMETRIC_5: return vi_add_u8(q, vi_set1_u8(128 - 16));
	case HALVES: return vi_add_u8(q, vi_set1_u8(128 - 32));
	default: return q;
	}
}

INLINE vi dot_start(enum kind k, int32_t minus_128_sum) { return vi_set1(k == MINIMUM ? 0 : minus_128_sum); }

INLINE void dot_quads(int n, enum kind k, int from, int count, const vi *q, const struct xgroup *x, int at, vi *a)
{
	(void)k;
#pragma GCC unroll 8
	for (int i = from; i < from + count; i++) {
		vi w = q[i];
		for (int c = 0; c < n; c++) a[c] = vi_dot(a[c], w, &x->q[at + c][4 * i]);
	}
}

#endif

// panel_group is an unpacked group of a tile.
struct panel_group {
	uint8_t q[PARTS][8][LANES * 4];
	float s[TILE_ROWS];
	float m[TILE_ROWS]; // MINIMUM: the minimum; HALVES: scale of the second half
};

INLINE void unpack_nibbles(const uint8_t *p, vi q[8])
{
	vi mask = vi_set1_u8(15);
	for (int j = 0; j < 4; j++) {
		vi v = vi_load(p + 64 * j);
		q[j] = vi_and(v, mask);
		q[j + 4] = vi_and(vi_right(v, 4), mask);
	}
}

INLINE void add_bit_plane(const uint8_t *p, vi q[8])
{
	vi bit = vi_set1_u8(16), v = vi_load(p);
	q[0] = vi_or(q[0], vi_and(vi_left(v, 4), bit));
	q[1] = vi_or(q[1], vi_and(vi_left(v, 3), bit));
	q[2] = vi_or(q[2], vi_and(vi_left(v, 2), bit));
	q[3] = vi_or(q[3], vi_and(vi_left(v, 1), bit));
	q[4] = vi_or(q[4], vi_and(v, bit));
	q[5] = vi_or(q[5], vi_and(vi_right(v, 1), bit));
	q[6] = vi_or(q[6], vi_and(vi_right(v, 2), bit));
	q[7] = vi_or(q[7], vi_and(vi_right(v, 3), bit));
}

INLINE void add_pair_planes(const uint8_t *p, vi q[8])
{
	vi bits = vi_set1_u8(48);
	for (int j = 0; j < 8; j += 4) {
		vi v = vi_load(p + 16 * j);
		q[j] = vi_or(q[j], vi_and(vi_left(v, 4), bits));
		q[j + 1] = vi_or(q[j + 1], vi_and(vi_left(v, 2), bits));
		q[j + 2] = vi_or(q[j + 2], vi_and(v, bits));
		q[j + 3] = vi_or(q[j + 3], vi_and(vi_right(v, 2), bits));
	}
}

// unpack_group takes one part of group g of a tile apart, ready for dot_quads.
// s and m are scales and minimums, or for HALVES the two scales. type is a
// constant where it is inlined.
INLINE void unpack_group(int type, const uint8_t *tile, int g, int part, vi q[8], vf *s, vf *m)
{
	int bytes = part * LANES * 4, halves = part * LANES * 2, lanes = part * LANES;
	const uint8_t *p, *scales;
	*m = vf_set1(0);
	switch (type) {
	case Q8_0:
		p = tile + (size_t)g * 544;
		for (int j = 0; j < 8; j++) q[j] = vi_load(p + 64 * j + bytes);
		*s = vf_f16(p + 512 + halves);
		break;
	case Q4_0: case Q4_1:
		p = tile + (size_t)g * (type == Q4_0 ? 288 : 320);
		unpack_nibbles(p + bytes, q);
		*s = vf_f16(p + 256 + halves);
		if (type == Q4_1) *m = vf_f16(p + 288 + halves);
		break;
	case Q5_0: case Q5_1:
		p = tile + (size_t)g * (type == Q5_0 ? 352 : 384);
		unpack_nibbles(p + bytes, q);
		add_bit_plane(p + 256 + bytes, q);
		*s = vf_f16(p + 320 + halves);
		if (type == Q5_1) *m = vf_f16(p + 352 + halves);
		break;
	case Q4_K: case Q5_K:
		scales = tile + (size_t)(g / 8) * (64 + 8 * (type == Q4_K ? 288 : 352));
		p = scales + 64 + g % 8 * (type == Q4_K ? 288 : 352);
		unpack_nibbles(p + 32 + bytes, q);
		if (type == Q5_K) add_bit_plane(p + 288 + bytes, q);
		*s = vf_mul(vf_f16(scales + halves), vf_u8(p + lanes));
		*m = vf_mul(vf_sub(vf_set1(0), vf_f16(scales + 32 + halves)), vf_u8(p + 16 + lanes));
		break;
	case Q6_K:
		scales = tile + (size_t)(g / 8) * (32 + 8 * 416);
		p = scales + 32 + g % 8 * 416;
		unpack_nibbles(p + 32 + bytes, q);
		add_pair_planes(p + 288 + bytes, q);
		*s = vf_mul(vf_f16(scales + halves), vf_i8(p + lanes));
		*m = vf_mul(vf_f16(scales + halves), vf_i8(p + 16 + lanes));
		break;
	}
	for (int j = 0; j < 8; j++) q[j] = prepare(kind_of(type), q[j]);
}

// dot_halves is dot_group for HALVES: y[c] += scale * (s * low + m * high). The sums
// of the second half are made for a few columns at a time: all of them would leave
// no registers for what the first half came to.
INLINE void dot_halves(int n, const vi *q, vf s, vf m, const struct xgroup *x, int at, vf *y)
{
	enum { COLS = 4 };
	vi a[REGISTER_COLS];
	vf low[REGISTER_COLS];
	for (int c = 0; c < n; c++) a[c] = dot_start(HALVES, x->nlow[at + c]);
	dot_quads(n, HALVES, 0, 4, q, x, at, a);
	KEEP_ORDER;
	for (int c = 0; c < n; c++) low[c] = vf_mul(vf_from_i32(a[c]), s);
	KEEP_ORDER;
#pragma GCC unroll 3
	for (int from = 0; from < n; from += COLS) {
		int cols = min_int(COLS, n - from);
		for (int c = 0; c < cols; c++) a[c] = dot_start(HALVES, x->nhigh[at + from + c]);
		dot_quads(cols, HALVES, 4, 4, q, x, at + from, a);
		KEEP_ORDER;
		for (int c = 0; c < cols; c++) {
			vf both = vf_fma(vf_from_i32(a[c]), m, low[from + c]);
			y[from + c] = vf_fma(both, vf_set1(x->scale[at + from + c]), y[from + c]);
		}
		KEEP_ORDER;
	}
}

// dot_group adds one group to the sums of columns [at, at + n): y[c] += w . x[at+c].
// n and k are constants where it is inlined.
INLINE void dot_group(int n, enum kind k, const vi *q, vf s, vf m, const struct xgroup *x, int at, vf *y)
{
	if (k == HALVES) {
		dot_halves(n, q, s, m, x, at, y);
		return;
	}
	vi a[REGISTER_COLS];
	for (int c = 0; c < n; c++) a[c] = dot_start(k, x->nsum[at + c]);
	dot_quads(n, k, 0, 8, q, x, at, a);
	KEEP_ORDER;
	for (int c = 0; c < n; c++) y[c] = vf_fma(vf_mul(vf_from_i32(a[c]), s), vf_set1(x->scale[at + c]), y[c]);
	if (k == MINIMUM)
		for (int c = 0; c < n; c++) y[c] = vf_fma(m, vf_set1(x->ssum[at + c]), y[c]);
}

// FOR_COLS calls f with n <= REGISTER_COLS as a constant. Plain C gains nothing from
// it and compiles for minutes, so there n stays a variable.
#define COLS_CASE(n, f, ...) case n: f(n, __VA_ARGS__); break;
#define FOR_4_COLS(f, ...) COLS_CASE(1, f, __VA_ARGS__) COLS_CASE(2, f, __VA_ARGS__) COLS_CASE(3, f, __VA_ARGS__) COLS_CASE(4, f, __VA_ARGS__)
#define FOR_10_COLS(f, ...) FOR_4_COLS(f, __VA_ARGS__) COLS_CASE(5, f, __VA_ARGS__) COLS_CASE(6, f, __VA_ARGS__) \
	COLS_CASE(7, f, __VA_ARGS__) COLS_CASE(8, f, __VA_ARGS__) COLS_CASE(9, f, __VA_ARGS__) COLS_CASE(10, f, __VA_ARGS__)
#define FOR_12_COLS(f, ...) FOR_10_COLS(f, __VA_ARGS__) COLS_CASE(11, f, __VA_ARGS__) COLS_CASE(12, f, __VA_ARGS__)
#if defined(RUNG_IS_GENERIC)
#define FOR_COLS(n, f, ...) f(n, __VA_ARGS__);
#define FOR_DIRECT_COLS FOR_COLS
#elif defined(RUNG_IS_AVX512VNNI) || defined(RUNG_IS_NEONDOT)
#define FOR_COLS(n, f, ...) switch (n) { FOR_12_COLS(f, __VA_ARGS__) }
#define FOR_DIRECT_COLS(n, f, ...) switch (n) { FOR_10_COLS(f, __VA_ARGS__) }
#else
#define FOR_COLS(n, f, ...) switch (n) { FOR_4_COLS(f, __VA_ARGS__) }
#define FOR_DIRECT_COLS FOR_COLS
#endif

#define FOR_TYPE(type, f, ...) switch (type) { \
	case Q4_0: f(Q4_0, __VA_ARGS__); break; case Q4_1: f(Q4_1, __VA_ARGS__); break; \
	case Q5_0: f(Q5_0, __VA_ARGS__); break; case Q5_1: f(Q5_1, __VA_ARGS__); break; \
	case Q8_0: f(Q8_0, __VA_ARGS__); break; case Q4_K: f(Q4_K, __VA_ARGS__); break; \
	case Q5_K: f(Q5_K, __VA_ARGS__); break; case Q6_K: f(Q6_K, __VA_ARGS__); break; }

// ---- decode: up to DIRECT_COLS columns, weights unpacked in registers ----

enum { PREFETCH_BYTES = 8192 }; // ahead of the stream

// direct_tile computes n columns of a tile: y is (n, PARTS) vectors.
INLINE void direct_tile(int n, int type, const uint8_t *tile, int groups, const struct xgroup *x, float *y)
{
	size_t step = tile_bytes(type, 256) / 8; // bytes per group, K headers included
	vf sums[PARTS][DIRECT_COLS];
	for (int part = 0; part < PARTS; part++)
		for (int c = 0; c < n; c++) sums[part][c] = vf_set1(0);
	for (int g = 0; g < groups; g++) {
#pragma GCC unroll 10
		for (size_t line = 0; line < step; line += 64) prefetch(tile + g * step + PREFETCH_BYTES + line);
		for (int part = 0; part < PARTS; part++) {
			vi q[8];
			vf s, m;
			unpack_group(type, tile, g, part, q, &s, &m);
			dot_group(n, kind_of(type), q, s, m, &x[g], 0, sums[part]);
		}
	}
	for (int part = 0; part < PARTS; part++)
		for (int c = 0; c < n; c++) vf_store(y + TILE_ROWS * c + LANES * part, sums[part][c]);
}

static __attribute__((noinline)) void direct(int n, const struct weight *w, int t, const struct xgroup *x, float *y)
{
	const uint8_t *tile = w->data + (size_t)t * w->tile_stride;
	int groups = w->cols / GROUP;
#define DIRECT(N, TYPE) direct_tile(N, TYPE, tile, groups, x, y)
#define DIRECT_N(TYPE, _) FOR_DIRECT_COLS(n, DIRECT, TYPE)
	FOR_TYPE(w->type, DIRECT_N, 0)
}

// ---- prefill: panels of unpacked groups, shared by all column blocks ----

INLINE void unpack_run(int type, const uint8_t *tile, int from, int n, struct panel_group *panel)
{
	for (int i = 0; i < n; i++)
		for (int part = 0; part < PARTS; part++) {
			vi q[8];
			vf s, m;
			unpack_group(type, tile, from + i, part, q, &s, &m);
			for (int j = 0; j < 8; j++) vi_store(panel[i].q[part][j], q[j]);
			vf_store(panel[i].s + LANES * part, s);
			vf_store(panel[i].m + LANES * part, m);
		}
}

static __attribute__((noinline)) void unpack_panel(const struct weight *w, int t, int from, int n, struct panel_group *panel)
{
	const uint8_t *tile = w->data + (size_t)t * w->tile_stride;
#define UNPACK(TYPE, _) unpack_run(TYPE, tile, from, n, panel)
	FOR_TYPE(w->type, UNPACK, 0)
}

// ahead is packed weights that are unpacked next. They are asked for while products
// run, `step` bytes a group, and wait in the second cache.
struct ahead {
	const uint8_t *at, *end;
	int step;
};

INLINE void ask_ahead(struct ahead *a)
{
	if (a->at >= a->end) return;
	for (int line = 0; line < a->step; line += 64) prefetch_later(a->at + line);
	a->at += a->step;
}

// ahead_of is groups [from, from + n) of a tile, from being a multiple of 8, to be
// asked for during so many column blocks of about as many groups.
INLINE struct ahead ahead_of(const struct weight *w, int t, int from, int n, int blocks)
{
	enum { LINES = 3, LINES_MAX = 6 }; // few at once; a single block has to ask for all
	size_t groups = w->cols / GROUP;
	const uint8_t *tile = w->data + (size_t)t * w->tile_stride;
	return (struct ahead){tile + w->tile_bytes * from / groups, tile + w->tile_bytes * (from + n) / groups,
		64 * (blocks == 1 ? LINES_MAX : LINES)};
}

#if defined(RUNG_HAS_AMX)
#include "amx.h"
#else

// panel_cols adds a panel's groups to columns [at, at + n) of one part of a tile.
INLINE void panel_cols(int n, enum kind k, const struct panel_group *panel, int groups, const struct xgroup *x, int at, int part,
	float *acc, struct ahead *next)
{
	vf y[REGISTER_COLS];
	acc += TILE_ROWS * at + LANES * part;
	for (int c = 0; c < n; c++) y[c] = vf_load(acc + TILE_ROWS * c);
	for (int g = 0; g < groups; g++) {
		const struct panel_group *p = &panel[g];
		ask_ahead(next);
		dot_group(n, k, (const vi *)p->q[part], vf_load(p->s + LANES * part), vf_load(p->m + LANES * part), &x[g], at, y);
	}
	for (int c = 0; c < n; c++) vf_store(acc + TILE_ROWS * c, y[c]);
}

// panel_block adds a panel's groups to n columns of a tile: acc is (n, 16).
static __attribute__((noinline)) void panel_block(int n, enum kind k, const struct panel_group *panel, int groups,
	const struct xgroup *x, float *acc, struct ahead *next)
{
	// Where the registers hold a whole block the first column is a constant, and
	// one pointer serves all columns.
#define PANEL(N, K) panel_cols(N, K, panel, groups, x, (int)REGISTER_COLS < COLS_MAX ? at : 0, part, acc, next)
#define PANEL_KIND(K) case K: FOR_COLS(cols, PANEL, K) break;
	for (int at = 0; at < n; at += REGISTER_COLS)
		for (int part = 0; part < PARTS; part++) {
			int cols = min_int(REGISTER_COLS, n - at);
			switch (k) {
			PANEL_KIND(SYMMETRIC_8)
			PANEL_KIND(MINIMUM)
			PANEL_KIND(HALVES)
#if defined(RUNG_IS_AVX2)
			PANEL_KIND(SYMMETRIC_4)
			PANEL_KIND(SYMMETRIC_5)
#else
			default: FOR_COLS(cols, PANEL, SYMMETRIC_8) // prepare made them alike
#endif
			}
		}
}

INLINE void panels_begin(int n) { (void)n; }
INLINE void panels_end(void) {}

#endif

// ---- what is done with a finished sum ----

// finish writes the sums of 16 weight rows for one activation row, col: bias, residual, row tail.
INLINE void finish(const struct cpu_op *op, float *out, int t, int col, const float *y)
{
	int rows = op->w.rows, at = t * TILE_ROWS, n = min_int(TILE_ROWS, rows - at);
	size_t where = (size_t)col * rows + at;
	for (int i = 0; i < n; i += LANES) {
		float tail[LANES];
		vf v = vf_load(y + i);
		if (n - i < LANES) { // the last rows of the matrix
			vf_store(tail, v);
			for (int r = 0; r < n - i; r++) {
				if (op->vec) tail[r] += op->vec[at + i + r];
				if (op->add) tail[r] += op->add[where + i + r];
				out[where + i + r] = tail[r];
			}
			return;
		}
		if (op->vec) v = vf_add(v, vf_load(op->vec + at + i));
		if (op->add) v = vf_add(v, vf_load(op->add + where + i));
		vf_store(out + where + i, v);
	}
}

// finish_gated writes silu(gate) * up.
INLINE void finish_gated(const struct cpu_op *op, float *out, int t, int col, const float *gate, const float *up)
{
	int rows = op->w.rows, at = t * TILE_ROWS, n = min_int(TILE_ROWS, rows - at);
	float y[TILE_ROWS];
	for (int i = 0; i < TILE_ROWS; i += LANES) {
		vf g = vf_load(gate + i);
		vf e = vf_exp(vf_sub(vf_set1(0), vf_max(vf_set1(-88), g)));
		vf_store(y + i, vf_mul(vf_div(g, vf_add(vf_set1(1), e)), vf_load(up + i)));
	}
	memcpy(out + (size_t)col * rows + at, y, n * sizeof *y);
}

// finish_cols finishes columns [col, col + n) of a tile, y being (n, 16); up, if
// not NULL, makes them gates. Of a fine product it first adds a row's two columns.
INLINE void finish_cols(const struct cpu_op *op, float *out, int t, int col, int n, float *y, float *up)
{
	for (int c = 0; c < n; c += 1 << op->fine) {
		float *a = y + TILE_ROWS * c, *b = up ? up + TILE_ROWS * c : NULL;
		for (int i = 0; op->fine && i < TILE_ROWS; i += LANES) {
			vf_store(a + i, vf_add(vf_load(a + i), vf_load(a + TILE_ROWS + i)));
			if (b) vf_store(b + i, vf_add(vf_load(b + i), vf_load(b + TILE_ROWS + i)));
		}
		int row = (col + c) >> op->fine;
		if (b) finish_gated(op, out, t, row, a, b);
		else finish(op, out, t, row, a);
	}
}

// ---- float weights: activations stay f32 ----

INLINE vf load_weights(int type, const uint8_t *tile, int k, int part)
{
	size_t at = (size_t)k * TILE_ROWS + part * LANES;
	if (type == F32) return vf_load((const float *)tile + at);
	return type == F16 ? vf_f16(tile + 2 * at) : vf_bf16(tile + 2 * at);
}

// float_cols computes n columns of a tile. A sum waits for its last addition, 4
// cycles on most processors, so all parts go side by side where registers hold
// their sums. A tile that comes from memory, not from a cache, is asked for ahead;
// a single column waits for its sum anyway and gains nothing by it.
INLINE void float_cols(int n, int type, const uint8_t *tile, int cols, const float *x, float *y, int from_memory)
{
	enum { SUMS_MAX = 12 }; // of 16 registers on AVX2
	int parts = PARTS * n <= SUMS_MAX ? PARTS : 1;
	size_t step = TILE_ROWS * (type == F32 ? 4 : 2); // bytes per k
	for (int part = 0; part < PARTS; part += parts) {
		vf sums[PARTS][DIRECT_COLS], w[PARTS];
		for (int p = 0; p < parts; p++)
			for (int c = 0; c < n; c++) sums[p][c] = vf_set1(0);
		for (int k = 0; k < cols; k++) {
			if (n > 1 && from_memory) prefetch_later(tile + k * step + PREFETCH_BYTES);
			for (int p = 0; p < parts; p++) w[p] = load_weights(type, tile, k, part + p);
			for (int c = 0; c < n; c++)
				for (int p = 0; p < parts; p++) sums[p][c] = vf_fma(w[p], vf_set1(x[(size_t)c * cols + k]), sums[p][c]);
		}
		for (int p = 0; p < parts; p++)
			for (int c = 0; c < n; c++) vf_store(y + TILE_ROWS * c + LANES * (part + p), sums[p][c]);
	}
}

// float_tile computes n <= DIRECT_COLS columns of a tile from x (n, cols): y is (n, 16).
static __attribute__((noinline)) void float_tile(int n, const struct weight *w, int t, const float *x, float *y, int from_memory)
{
	const uint8_t *tile = w->data + (size_t)t * w->tile_stride;
#define FLOAT(N, TYPE) float_cols(N, TYPE, tile, w->cols, x, y, from_memory)
	if (w->type == F32) { FOR_DIRECT_COLS(n, FLOAT, F32) }
	else if (w->type == F16) { FOR_DIRECT_COLS(n, FLOAT, F16) }
	else { FOR_DIRECT_COLS(n, FLOAT, BF16) }
}

INLINE int is_float(int type) { return type == F32 || type == F16 || type == BF16; }

// few_cols computes columns [col, col + n) of one tile, n <= DIRECT_COLS.
INLINE void few_cols(const struct cpu_op *op, const struct weight *w, int t, int col, int n, float *y)
{
	if (is_float(w->type)) float_tile(n, w, t, op->in + (size_t)col * w->cols, y, col == 0);
	else direct(n, w, t, op->xq, y); // only ever called with col == 0
}

// matmul_few: every worker takes a contiguous run of tiles, so that each reads
// one stream of memory.
static void matmul_few(const struct cpu_op *op, const struct worker *w, float *out, int gated)
{
	int m = op_cols(op, w), from, to;
	share(w, op->w.tiles, &from, &to);
	float y[DIRECT_COLS * TILE_ROWS], up[DIRECT_COLS * TILE_ROWS];
	for (int t = from; t < to; t++)
		for (int col = 0; col < m && !cancelled(w); col += DIRECT_COLS) {
			int n = min_int(DIRECT_COLS, m - col);
			few_cols(op, &op->w, t, col, n, y);
			if (gated) few_cols(op, &op->w2, t, col, n, up);
			finish_cols(op, out, t, col, n, y, gated ? up : NULL);
		}
}

// panel_scratch is a worker's memory for two tiles over all columns.
struct panel_scratch {
	struct panel_group panel[2][CHUNK_GROUPS];
	float acc[];
};

// pair is two tiles that a worker computes together: gate and up, or neighbours.
struct pair {
	const struct weight *w[2];
	int t[2], count; // 0 once there is none left
};

// next_pair takes one from the op's counter: at most a millisecond of work.
static struct pair next_pair(const struct cpu_op *op, const struct worker *w, int gated)
{
	int n = atomic_fetch_add_explicit(&w->prog->next[op - w->prog->ops], 1, memory_order_relaxed), left = op->w.tiles - 2 * n;
	if (gated) return (struct pair){{&op->w, &op->w2}, {n, n}, n < op->w.tiles ? 2 : 0};
	return (struct pair){{&op->w, &op->w}, {2 * n, 2 * n + 1}, max_int(0, min_int(2, left))};
}

// panel_tiles computes a pair over all columns into acc (2, m, 16); 0 if cancelled.
// Meanwhile it asks for the weights of the pair that is next.
static int panel_tiles(const struct cpu_op *op, const struct worker *w, const struct pair *pair, const struct pair *next, int m,
	struct panel_scratch *s)
{
	int per, blocks = column_blocks(m, &per), groups = pair->w[0]->cols / GROUP;
	memset(s->acc, 0, sizeof(float) * 2 * m * TILE_ROWS);
	for (int g = 0; g < groups; g += CHUNK_GROUPS) {
		int n = min_int(CHUNK_GROUPS, groups - g), then = g + n < groups ? g + n : 0;
		const struct pair *source = then ? pair : next;
		struct ahead ahead[2] = {{0}};
		for (int i = 0; i < pair->count; i++) unpack_panel(pair->w[i], pair->t[i], g, n, s->panel[i]);
		for (int i = 0; i < source->count; i++)
			ahead[i] = ahead_of(source->w[i], source->t[i], then, min_int(CHUNK_GROUPS, groups - then), blocks);
		for (int b = 0; b < blocks; b++) {
			if (cancelled(w)) return 0;
			const struct xgroup *x = op->xq + (size_t)b * groups + g;
			int cols = min_int(per, m - b * per);
			for (int i = 0; i < pair->count; i++)
				panel_block(cols, kind_of(pair->w[i]->type), s->panel[i], n, x, s->acc + (i * m + b * per) * TILE_ROWS, &ahead[i]);
		}
	}
	return 1;
}

static void matmul_many(const struct cpu_op *op, const struct worker *w, float *out, int gated)
{
	struct panel_scratch *s = (struct panel_scratch *)w->scratch;
	int m = op_cols(op, w);
	float *second = s->acc + TILE_ROWS * m;
	struct pair pair = next_pair(op, w, gated), next;
	for (; pair.count; pair = next) {
		next = next_pair(op, w, gated);
		if (!panel_tiles(op, w, &pair, &next, m, s)) return;
		finish_cols(op, out, pair.t[0], 0, m, s->acc, gated ? second : NULL);
		if (!gated && pair.count == 2) finish_cols(op, out, pair.t[1], 0, m, second, NULL);
	}
}

static void matmul(const struct cpu_op *op, const struct worker *w, int gated)
{
	float *out = op->out ? op->out : w->prog->batch.logits;
	int m = op_cols(op, w), per;
	if (m <= DIRECT_COLS || is_float(op->w.type)) {
		matmul_few(op, w, out, gated);
		return;
	}
	column_blocks(m, &per);
	panels_begin(per);
	matmul_many(op, w, out, gated);
	panels_end();
}

static void op_matmul(const struct cpu_op *op, const struct worker *w) { matmul(op, w, 0); }
static void op_gated(const struct cpu_op *op, const struct worker *w) { matmul(op, w, 1); }
