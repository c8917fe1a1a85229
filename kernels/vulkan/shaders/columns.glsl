// Where the columns of few.comp and qkv.comp come from: a twin in memory, or floats
// that each workgroup quantises for itself, for that is cheaper than to wait for
// another dispatch. The includer declares COLS, columns at a time, and
//   PROLOGUE  0: a twin; 1: floats to quantise; 2: floats to normalise and quantise;
//             3: attention's splits to join and quantise
//   OWN       PROLOGUE: words of shared memory for quants, COLS * groups * 8; else 1
//   ROW_HEADS PROLOGUE 3: query heads
#include "quantise.glsl"
#include "norm.glsl"
#include "attention.glsl"

// Four words of a group of a column lie beside those of the next group, which the next thread reads.
shared uvec4 own_words[(OWN + 3) / 4];
shared uvec2 own_meta[(OWN + 7) / 8];

const uint ROW_FOURS = OWN / COLS; // 4 values each

// make_columns quantises columns from the given one on; from is their floats and
// with the norm's weight, or partials and with the rows' positions. Its loops are not
// unrolled: that was much slower (docs/bench.md).
void make_columns(uint64_t from, uint64_t with, float eps, uint first, uint cols, uint groups)
{
	vec4 weight = vec4(1);
	if (PROLOGUE == 2) {
		weight = Vectors(with).at[thread() % ROW_FOURS];
		[[dont_unroll]] for (uint c = 0; c < COLS; c++) norm_add(c, Vectors(from + uint64_t(min(first + c, cols - 1)) * groups * 128), groups * 32);
		barrier();
	}
	uint position = PROLOGUE == 3 ? Words(with).at[min(first, cols - 1)] : 0;
	[[dont_unroll]] for (uint item = thread(); item < ROW_FOURS * COLS; item += THREADS) {
		uint c = COLS == 1 ? 0 : item / ROW_FOURS, i = COLS == 1 ? item : item % ROW_FOURS, column = min(first + c, cols - 1);
		vec4 v;
		if (PROLOGUE == 3 && COLS > 1) position = Words(with).at[column];
		if (PROLOGUE == 3) v = merged(from, cols, column, position, ROW_HEADS, ROW_FOURS / ROW_HEADS, i);
		else v = Vectors(from + uint64_t(column) * groups * 128).at[i];
		if (PROLOGUE == 2) {
			v = v * norm_scale(c, groups * 32, eps) * weight;
			weight = Vectors(with).at[(item + THREADS) % ROW_FOURS];
		}
		Quantised q = quantise(v);
		// One of four threads writes for them: to write one word of a vector may be to write all.
		uvec4 words = uvec4(q.word, subgroupShuffleXor(q.word, 1), subgroupShuffleXor(q.word, 2), subgroupShuffleXor(q.word, 3));
		if (i % 4 == 0) own_words[(2 * c + i % 8 / 4) * groups + i / 8] = words;
		if (i % 8 == 0) own_meta[c * groups + i / 8] = q.meta;
	}
	barrier();
}

// column_group is group g of a column, the c-th of those at a time.
Twin column_group(uint64_t quants, uint64_t meta, uint first, uint c, uint cols, uint groups, uint g)
{
	if (PROLOGUE == 0) return load_twin(quants, meta, min(first + c, cols - 1) * groups + g);
	Twin t;
	uvec4 a = own_words[2 * c * groups + g], b = own_words[(2 * c + 1) * groups + g];
	[[unroll]] for (uint j = 0; j < 4; j++) {
		t.q[j] = a[j];
		t.q[4 + j] = b[j];
	}
	set_meta(t, own_meta[c * groups + g]);
	return t;
}
