// The kernels of one rung: a file rung_<name>.c sets the compile target, defines
// RUNG_NAME and includes this.
#include "pool.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF // a multiply and an add stay two roundings; gcc's -std=c11 sees to it
#endif

#include <time.h>

#include "vec.h"

#include "matmul.h"
#include "rowops.h"
#include "attention.h"

// scratch_bytes is a worker's scratch: products and attention take turns in it.
INLINE size_t scratch_bytes(int cols_max, int group, int dim)
{
	size_t panel = sizeof(struct panel_scratch) + sizeof(float) * 2 * cols_max * TILE_ROWS;
	size_t attend = sizeof(struct attend_scratch) + sizeof(float) * dim * (2 * PAGE_TOKENS + 2 * QUERIES_MAX);
	if (group > QUERIES_MAX) return 0;
	return ((panel > attend ? panel : attend) + 63) / 64 * 64;
}

// read_bytes folds every byte into a value: what the memory alone allows.
static double read_bytes(const uint8_t *data, size_t bytes)
{
	vf most[8];
	for (int k = 0; k < 8; k++) most[k] = vf_set1(0);
	for (size_t i = 0; i + 8 * LANES * 4 <= bytes; i += 8 * LANES * 4)
		for (int k = 0; k < 8; k++) most[k] = vf_max(most[k], vf_load((const float *)(data + i + k * LANES * 4)));
	for (int k = 1; k < 8; k++) most[0] = vf_max(most[0], most[k]);
	return vf_largest(most[0]);
}

#if !defined(RUNG_HAS_AMX)
// spin_round is a panel group multiplied by itself: the int8 peak as the rung
// reaches it, with every operand in the first cache.
enum { SPIN_PRODUCTS = REGISTER_COLS * 8 * LANES * 4 };
INLINE void spin_begin(void) {}
INLINE void spin_round(const vi *q, const struct xgroup *x, vi *a) { dot_quads(REGISTER_COLS, MINIMUM, 0, 8, q, x, 0, a); }
#endif

// spin_int8 does dot products for about `seconds` and returns the number of
// operations, two for a multiply-add.
static double spin_int8(double seconds)
{
	enum { ROUNDS = 10000 };
	struct xgroup x = {.q = {{1, 2, 3}}};
	vi a[REGISTER_COLS], q[8];
	for (int j = 0; j < 8; j++) q[j] = vi_set1_u8(3);
	for (int c = 0; c < REGISTER_COLS; c++) a[c] = vi_set1(c);
	spin_begin();
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (double n = 1;; n++) {
		for (int r = 0; r < ROUNDS; r++) {
			spin_round(q, &x, a);
			// The operands may have changed: nothing is computed once for all rounds.
			__asm__ volatile("" ::"r"(&x), "r"(q) : "memory");
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) * 1e-9 < seconds) continue;
		float keep = 0;
		for (int c = 0; c < REGISTER_COLS; c++) keep += vf_sum(vf_from_i32(a[c]));
		__asm__ volatile("" ::"r"(&keep) : "memory");
		panels_end();
		return n * ROUNDS * SPIN_PRODUCTS * 2;
	}
}

const struct rung RUNG_NAME = {
	.ops = {
		[OP_EMBED] = op_embed, [OP_NORM] = op_norm, [OP_QUANTISE] = op_quantise, [OP_MATMUL] = op_matmul,
		[OP_GATED] = op_gated, [OP_ROPE] = op_rope, [OP_STORE] = op_store, [OP_ATTEND] = op_attend,
		[OP_MERGE] = op_merge, [OP_SELECT] = op_select,
	},
	.spin_int8 = spin_int8,
	.read = read_bytes,
};
