// The data that Go and C share: weights in tiles, buffers, the lowered op list,
// and the worker pool that walks it. docs/kernels.md draws the layouts.
#ifndef TANDEM_CPU_H
#define TANDEM_CPU_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TILE_ROWS = 16,   // rows of a weight tile, one per 32-bit lane of 64 bytes
	GROUP = 32,       // values of k that share an activation scale
	COLS_MAX = 12,    // columns in a block: what the registers hold
	PAGE_TOKENS = 32, // positions in a KV page (op.PageTokens)
	SPAN_TOKENS = 256, // keys of one softmax partial; partials merge in order
	SPAN_PAGES = SPAN_TOKENS / PAGE_TOKENS,
	CHUNK_GROUPS = 32, // groups unpacked at a time: a 20 KB panel
};

// Storage formats, numbered as in GGUF (op.DType).
enum {
	F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8,
	Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30,
};

// weight is a matrix (rows, cols) in tiles of 16 rows; a tile holds all of k. The
// tiles of gate and up lie in turns.
struct weight {
	int32_t type, rows, cols;
	int32_t tiles;
	size_t tile_bytes, tile_stride; // of a tile; from one to the next
	const uint8_t *data;
};

// xgroup is a group of up to 12 columns, quantised activation rows: x = scale * q.
// The sums spare the kernels the zero point: see matmul.h.
struct xgroup {
	int8_t q[COLS_MAX][GROUP];
	float scale[COLS_MAX];
	float ssum[COLS_MAX];     // scale * sum(q): what a weight minimum multiplies
	int32_t nsum[COLS_MAX];   // -128 * sum(q)
	int32_t nlow[COLS_MAX];   // -128 * sum(q[0..15])
	int32_t nhigh[COLS_MAX];  // -128 * sum(q[16..31])
};

enum op_kind {
	OP_EMBED, OP_NORM, OP_QUANTISE, OP_MATMUL, OP_GATED, OP_ROPE, OP_STORE, OP_ATTEND,
	OP_MERGE, OP_SELECT,
	OP_KINDS,
};

// cpu_op is one lowered op. Rows of a value stand one after the other; fields
// that a kind does not name are unused.
struct cpu_op {
	int32_t kind;
	int32_t barrier;   // 1: wait for all workers before this op
	int32_t selected;  // 1: runs over the rows that want logits
	int32_t width;     // of in (and of out where they agree)
	const float *in;   // NORM, QUANTISE, MATMUL on float weights, SELECT
	float *out;        // NULL for the logits, which each run supplies
	const float *add;  // MATMUL: residual or NULL
	const float *vec;  // NORM: weight; MATMUL: bias or NULL
	float eps;         // NORM
	struct xgroup *xq; // QUANTISE writes it, MATMUL and GATED read it
	int32_t fine;      // 1: xq has two columns a row, the second what the first left over
	struct weight w, w2; // EMBED table; MATMUL weight; GATED gate and up
	// ROPE
	int32_t rope, rope_dims, adjacent; // rope: which table; rope_dims: pairs
	// ROPE, STORE, ATTEND
	int32_t head_dim, heads, q_heads;
	int32_t coarse; // ATTEND: 1 if V and the weights may be rounded to BF16
	const float *q, *k, *v;
	float scale;
	size_t layer_offset; // of the layer inside a page, bytes
};

// cpu_batch is the rows of one run, in Go's memory, pinned while it lasts.
struct cpu_batch {
	int32_t rows, selected;
	const int32_t *token, *pos, *seq; // per row
	const int32_t *select;            // row numbers that want logits
	const int32_t *table;             // page tables, one after the other
	const int32_t *table_start;       // per sequence
	const float *cos[4], *sin[4];     // (rows, rope_dims) per rope table
	float *logits;
};

// cpu_program is a lowered Program with what its runs need.
struct cpu_program {
	struct cpu_op *ops;
	int32_t n_ops;
	uint8_t *pages;
	size_t page_bytes;
	int32_t kv_type;
	// Flash-decoding partials, (row, head, span): m, l, o[head_dim].
	float *partials;
	size_t partials_max; // floats
	// One work counter per op for dynamic scheduling, one scratch per worker.
	atomic_int *next;
	uint8_t *scratch;
	size_t scratch_bytes;
	atomic_int cancel; // set by any thread; polled per tile
	// Profile: two sums of ns per op as worker 0 sees them, the op and the
	// barrier before it. NULL: no clock is read.
	int64_t *times;
	struct cpu_batch batch;
};

struct pool;
struct pool *pool_open(int threads, int rung);
void pool_close(struct pool *p);

// cpu_run walks ops [first, last) of prog on all workers.
void cpu_run(struct pool *p, struct cpu_program *prog, int first, int last);

// cpu_set_cancel sets or clears the flag that workers poll; any thread may.
void cpu_set_cancel(struct cpu_program *prog, int value);

// cpu_scratch_bytes is what one worker needs, 0 if the kernels cannot take so
// many query heads on one KV head.
size_t cpu_scratch_bytes(int cols_max, int group_heads, int head_dim);

// Rungs of the instruction set ladder, slowest first. AMX stands before AVX-512 VNNI,
// which every processor with AMX has and which is as fast or faster there: amx runs
// only when it is forced.
enum { RUNG_GENERIC, RUNG_NEONDOT, RUNG_AVX2, RUNG_AVXVNNI, RUNG_AMX, RUNG_AVX512VNNI, RUNG_AVX512BF16, RUNGS };
int cpu_rung_supported(int rung);

// Tiles: sizes, packing from file order, and one row back as floats.
size_t tile_bytes(int type, int cols);
void tile_pack(int type, int cols, int rows, const uint8_t *src, uint8_t *tile);
void tile_row(const struct weight *w, int row, float *out);

// Memory for weights, buffers and pages, in huge pages where the system has
// them; NULL if there is none.
void *cpu_alloc(size_t bytes);
void cpu_free(void *p);

// Limits of the machine, measured on all workers.
double cpu_read_gb_s(struct pool *p, const uint8_t *data, size_t bytes);
double cpu_tera_ops(struct pool *p);

#endif
