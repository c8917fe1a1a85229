// Where the columns of few.comp and qkv.comp come from: a twin in memory, or floats
// that each workgroup quantises for itself, for that is cheaper than to wait for
// another dispatch. The includer declares COLS, columns at a time, and
//   PROLOGUE  0: a twin; 1: floats to quantise; 2: floats to normalise and quantise;
//             3: attention's splits to join and quantise
//   OWN       PROLOGUE: words of shared memory for quants, COLS * groups * 8; else 1
//   ROW_HEADS PROLOGUE 3: query heads
#include "quantise.glsl"
const uint KEPT = PROLOGUE == 2 && COLS == 1 ? OWN : 1, AHEAD = (OWN / COLS + THREADS - 1) / THREADS;
#include "norm.glsl"
#include "merged.glsl"

// Four words of a group of a column lie beside those of the next group, which the next thread reads.
shared uvec4 own_words[(OWN + 3) / 4];
shared uvec2 own_meta[(OWN + 7) / 8];

const uint ROW_PARTS = OWN / COLS / FOURS;

Part part_of(uint64_t floats, uint i)
{
	Part v;
	[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = Vectors(floats).at[FOURS * i + f];
	return v;
}

// make_columns quantises columns from the given one on; from is their floats and
// with the norm's weight, or partials and with the rows' positions. Its loops are not
// unrolled: that was much slower (docs/bench.md).
void make_columns(uint64_t from, uint64_t with, float eps, uint first, uint cols, uint groups, uint splits)
{
	Part weight;
	uint position = PROLOGUE == 3 ? Words(with).at[min(first, cols - 1)] : 0;
	if (PROLOGUE == 2) {
		weight = part_of(with, thread() % ROW_PARTS);
		[[dont_unroll]] for (uint c = 0; c < COLS; c++) norm_add(c, from + uint64_t(min(first + c, cols - 1)) * groups * 128, groups * 32);
		barrier();
	}
	[[dont_unroll]] for (uint item = thread(); item < ROW_PARTS * COLS; item += THREADS) {
		uint c = COLS == 1 ? 0 : item / ROW_PARTS, i = COLS == 1 ? item : item % ROW_PARTS, column = min(first + c, cols - 1);
		uint64_t floats = from + uint64_t(column) * groups * 128;
		Part v;
		if (PROLOGUE == 3) {
			if (COLS > 1) position = Words(with).at[column];
			v = merged(from, cols, column, position, ROW_HEADS, OWN / COLS * 4 / ROW_HEADS, splits, i);
		} else if (KEPT > 1) {
			[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = kept[FOURS * i + f];
		} else if (PROLOGUE == 2) {
			v = part_of(floats, i);
		} else {
			uvec4 bits[4];
			[[unroll]] for (uint f = 0; f < FOURS; f++) bits[f] = look_quad(floats, FOURS * i + f);
			[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = uintBitsToFloat(settled_quad(bits[f], floats, FOURS * i + f));
		}
		if (PROLOGUE == 2) {
			float scale = norm_scale(c, groups * 32, eps);
			[[unroll]] for (uint f = 0; f < FOURS; f++) v.at[f] = v.at[f] * scale * weight.at[f];
			if (ROW_PARTS * COLS > THREADS) weight = part_of(with, (item + THREADS) % ROW_PARTS);
		}
		Quantised q = quantise(v);
		uint sixteen = i * FOURS / 4;
		if (i * FOURS % 4 == 0) own_words[(2 * c + sixteen % 2) * groups + sixteen / 2] = q.words;
		if (i % MATES == 0) own_meta[c * groups + i / MATES] = q.meta;
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
