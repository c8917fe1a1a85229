// Where the columns of few.comp and qkv.comp come from: a twin in memory, or, of a single
// row, what each workgroup quantises for itself, for that is cheaper than to wait for
// another dispatch. The includer declares COLS, columns at a time, and
//   PROLOGUE  one of the following
//   OWN       words of shared memory for quants, COLS * groups * 8; READ: 1
//   ROW_HEADS JOINED: query heads
#include "quantise.glsl"
const uint READ = 0;      // a twin in memory, read there for each row of weights
const uint COPIED = 1;    // copied to shared memory before
const uint QUANTISED = 2; // made of floats
const uint NORMED = 3;    // of floats that are normalised
const uint JOINED = 4;    // of attention's splits
const uint KEPT = PROLOGUE == NORMED ? OWN : 1, AHEAD = (OWN + THREADS - 1) / THREADS;
#include "norm.glsl"
#include "merged.glsl"

// As a twin lies in memory.
shared uvec4 own_words[(OWN + 3) / 4];
shared uvec2 own_meta[(OWN + 7) / 8];

void copy_columns(uint64_t quants, uint64_t meta)
{
	const uint QUADS = ((OWN + 3) / 4 + THREADS - 1) / THREADS, METAS = ((OWN + 7) / 8 + THREADS - 1) / THREADS;
	uvec4 quads[QUADS];
	uvec2 metas[METAS];
	[[unroll]] for (uint j = 0; j < QUADS; j++) quads[j] = look_quad(quants, min(thread() + j * THREADS, OWN / 4 - 1));
	[[unroll]] for (uint j = 0; j < METAS; j++) metas[j] = look_pair(meta, min(thread() + j * THREADS, OWN / 8 - 1));
	[[unroll]] for (uint j = 0; j < QUADS; j++) {
		uint i = thread() + j * THREADS;
		if (i < OWN / 4) own_words[i] = settled_quad(quads[j], quants, i);
	}
	[[unroll]] for (uint j = 0; j < METAS; j++) {
		uint i = thread() + j * THREADS;
		if (i < OWN / 8) own_meta[i] = settled_pair(metas[j], meta, i);
	}
}

// quantise_column makes the one column; from is its floats and with the norm's weight,
// or partials and with the row's position. Its loop is not unrolled: that was much
// slower (docs/bench.md).
void quantise_column(uint64_t from, uint64_t with, float eps, uint groups, uint splits)
{
	const uint PARTS = OWN / FOURS;
	Part weight;
	float scale;
	uint position = PROLOGUE == JOINED ? Words(with).at[0] : 0;
	if (PROLOGUE == NORMED) {
		weight = part_of(with, min(thread(), PARTS - 1)); // on its way early
		norm_add(from, groups * 32);
		barrier();
		scale = norm_scale(groups * 32, eps);
	}
	[[dont_unroll]] for (uint i = thread(); i < PARTS; i += THREADS) {
		Part v;
		if (PROLOGUE == JOINED) {
			v = merged(from, 1, 0, position, ROW_HEADS, OWN * 4 / ROW_HEADS, splits, i);
		} else if (PROLOGUE == NORMED) {
			v = normed_part(from, scale, weight, i);
			if (PARTS > THREADS) weight = part_of(with, min(i + THREADS, PARTS - 1));
		} else {
			v = awaited_part(from, i);
		}
		Quantised q = quantise(v);
		uint sixteen = i * FOURS / 4;
		if (i * FOURS % 4 == 0) own_words[quad_of(0, groups, sixteen / 2, sixteen % 2)] = q.words;
		if (i % MATES == 0) own_meta[i / MATES] = q.meta;
	}
}

// make_columns puts them into shared memory, if anything.
void make_columns(uint64_t x, uint64_t y, float eps, uint groups, uint splits)
{
	if (PROLOGUE == READ) return;
	if (PROLOGUE == COPIED) copy_columns(x, y);
	else quantise_column(x, y, eps, groups, splits);
	barrier();
}

// column_group is group g of a column, the c-th of those at a time.
Twin column_group(uint64_t quants, uint64_t meta, uint first, uint c, uint cols, uint groups, uint g)
{
	if (PROLOGUE == READ) return load_twin(quants, meta, min(first + c, cols - 1), groups, g);
	return twin_of(own_words[quad_of(c, groups, g, 0)], own_words[quad_of(c, groups, g, 1)], own_meta[c * groups + g]);
}
