// The worker pool inside the kernels: who am I, wait for the others.
#ifndef TANDEM_POOL_H
#define TANDEM_POOL_H

#include "cpu.h"

// worker is what one thread of a run sees.
struct worker {
	int id, count;
	struct cpu_program *prog;
	uint8_t *scratch; // its own, prog->scratch_bytes long, 64-byte aligned
};

// op_fn runs one worker's share of an op.
typedef void op_fn(const struct cpu_op *op, const struct worker *w);

// rung is the set of kernels for one instruction set.
struct rung {
	op_fn *ops[OP_KINDS];
	double (*spin_int8)(double seconds); // int8 operations done by one thread
	double (*read)(const uint8_t *data, size_t bytes); // checksum of all bytes
};

extern const struct rung rung_generic, rung_neondot, rung_avx2, rung_avxvnni, rung_avx512vnni, rung_avx512bf16, rung_amx;

// cancelled is polled once per tile.
static inline int cancelled(const struct worker *w)
{
	return atomic_load_explicit(&w->prog->cancel, memory_order_relaxed);
}

// share splits n units into contiguous parts, one per worker.
static inline void share(const struct worker *w, int n, int *from, int *to)
{
	*from = (int)((int64_t)n * w->id / w->count);
	*to = (int)((int64_t)n * (w->id + 1) / w->count);
}

// column_blocks splits m rows or columns into blocks of equal size, at most
// COLS_MAX: every op that works row by row uses it, so that such ops need no
// barrier between them.
static inline int column_blocks(int m, int *per_block)
{
	int blocks = (m + COLS_MAX - 1) / COLS_MAX;
	*per_block = blocks ? (m + blocks - 1) / blocks : 0;
	return *per_block ? (m + *per_block - 1) / *per_block : 0;
}

// row_share is this worker's rows of m, on block borders.
static inline void row_share(const struct worker *w, int m, int *from, int *to)
{
	int per, blocks = column_blocks(m, &per);
	share(w, blocks, from, to);
	*from *= per;
	*to = *to * per < m ? *to * per : m;
}

static inline int op_rows(const struct cpu_op *op, const struct worker *w)
{
	return op->selected ? w->prog->batch.selected : w->prog->batch.rows;
}

// op_cols is the columns of a product: its rows, or two for each (cpu_op.fine).
static inline int op_cols(const struct cpu_op *op, const struct worker *w)
{
	return op_rows(op, w) << op->fine;
}

static inline int min_int(int a, int b) { return a < b ? a : b; }
static inline int max_int(int a, int b) { return a > b ? a : b; }

#endif
