// Products of panels in the tile registers of AMX, 16 rows of 64 bytes each. A
// panel's group is the matrix B as it lies: 8 rows of 64 bytes, in each 4 k of 16
// weight rows. The quants of an xgroup are the matrix A, a row of 32 bytes for
// each column of the product. One instruction makes C, (columns, 16) x int32: the
// integer sums of a whole group, the same numbers as dot_quads gives. Floats then
// go through the same operations in the same order as in dot_group, so that a row
// comes out as on avx512vnni, bit for bit.
//
// A thread lays its tile registers out when it begins a product, and gives them
// back at the end: the system saves 8 KB more of a thread that is using them.

struct tile_config {
	uint8_t palette, start_row, reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
};

// Register 0 is C; 1 and 2 are A and B of 32 k, 3 and 4 those of 16 k (HALVES).
// The intrinsics want literals.
INLINE void load_tile_config(const struct tile_config *config)
{
	// gcc's intrinsic says that it reads 8 bytes: the others must be there, too.
	__asm__ volatile("" ::"r"(config) : "memory");
	_tile_loadconfig(config);
}

// panels_begin lays the tile registers out for column blocks of n columns.
INLINE void panels_begin(int n)
{
	struct tile_config config = {
		.palette = 1,
		.rows = {n, n, GROUP / 4, n, GROUP / 8},
		.row_bytes = {64, GROUP, 64, GROUP / 2, 64},
	};
	load_tile_config(&config);
}

INLINE void panels_end(void) { _tile_release(); }

// tile_sums is C for a group, of HALVES for k 0-15 and for k 16-31.
struct tile_sums {
	_Alignas(64) int32_t of[2][COLS_MAX][TILE_ROWS];
};

// store_c says which memory it writes: the intrinsic says all, and then the float
// sums would leave their registers for every group.
INLINE void store_c(struct tile_sums *sums, int half)
{
	__asm__ volatile("tilestored %%tmm0, (%1,%2,1)" : "=m"(sums->of[half]) : "r"(sums->of[half]), "r"((long)64));
}

INLINE void multiply_group(enum kind k, const struct panel_group *p, const struct xgroup *x, struct tile_sums *sums)
{
	_tile_zero(0);
	if (k != HALVES) {
		_tile_loadd(1, x->q, GROUP);
		_tile_loadd(2, p->q, 64);
		_tile_dpbsud(0, 1, 2);
		store_c(sums, 0);
		return;
	}
	_tile_loadd(3, x->q, GROUP);
	_tile_loadd(4, p->q, 64);
	_tile_dpbsud(0, 3, 4);
	store_c(sums, 0);
	_tile_zero(0);
	_tile_loadd(3, x->q[0] + GROUP / 2, GROUP);
	_tile_loadd(4, p->q[0][4], 64);
	_tile_dpbsud(0, 3, 4);
	store_c(sums, 1);
}

// float_sum is a column's sums, their zero points taken off, as floats.
INLINE vf float_sum(enum kind k, const int32_t *sums, int32_t minus_128_sum)
{
	return vf_from_i32(_mm512_add_epi32(vi_load((const uint8_t *)sums), dot_start(k, minus_128_sum)));
}

// panel_cols adds a panel's groups to n columns of a tile.
INLINE void panel_cols(int n, enum kind k, const struct panel_group *panel, int groups, const struct xgroup *x, float *acc,
	struct ahead *next)
{
	vf y[COLS_MAX];
	struct tile_sums sums;
	for (int c = 0; c < n; c++) y[c] = vf_load(acc + TILE_ROWS * c);
	for (int g = 0; g < groups; g++) {
		vf s = vf_load(panel[g].s), m = vf_load(panel[g].m);
		ask_ahead(next);
		multiply_group(k, &panel[g], &x[g], &sums);
		for (int c = 0; c < n; c++) {
			vf all = vf_mul(float_sum(k, sums.of[0][c], k == HALVES ? x[g].nlow[c] : x[g].nsum[c]), s);
			if (k == HALVES) all = vf_fma(float_sum(k, sums.of[1][c], x[g].nhigh[c]), m, all);
			y[c] = vf_fma(all, vf_set1(x[g].scale[c]), y[c]);
			if (k == MINIMUM) y[c] = vf_fma(m, vf_set1(x[g].ssum[c]), y[c]);
		}
	}
	for (int c = 0; c < n; c++) vf_store(acc + TILE_ROWS * c, y[c]);
}

// panel_block adds a panel's groups to n columns of a tile: acc is (n, 16). The
// tile registers have as many rows as the widest block: a narrower one multiplies
// what stands behind its columns, too, and leaves it.
static __attribute__((noinline)) void panel_block(int n, enum kind k, const struct panel_group *panel, int groups,
	const struct xgroup *x, float *acc, struct ahead *next)
{
	// gcc's tile loads do not say that they read memory.
	__asm__ volatile("" ::"r"(panel), "r"(x) : "memory");
#define PANEL(N, K) panel_cols(N, K, panel, groups, x, acc, next)
	switch (k) {
	case MINIMUM: FOR_COLS(n, PANEL, MINIMUM) break;
	case HALVES: FOR_COLS(n, PANEL, HALVES) break;
	default: FOR_COLS(n, PANEL, SYMMETRIC_8) // prepare made them alike
	}
}

// spin_round multiplies full tile registers: the peak of the processor, which no
// group of 32 k and no block of 12 columns reaches.
enum { SPIN_PRODUCTS = 4 * 16 * 16 * 64 };

INLINE void spin_begin(void)
{
	struct tile_config config = {
		.palette = 1,
		.rows = {16, 16, 16, 16, 16, 16},
		.row_bytes = {64, 64, 64, 64, 64, 64},
	};
	load_tile_config(&config);
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	_tile_zero(4);
	_tile_zero(5);
}

INLINE void spin_round(const vi *q, const struct xgroup *x, vi *a)
{
	(void)q, (void)x, (void)a;
	_tile_dpbsud(0, 4, 5);
	_tile_dpbsud(1, 4, 5);
	_tile_dpbsud(2, 4, 5);
	_tile_dpbsud(3, 4, 5);
}
