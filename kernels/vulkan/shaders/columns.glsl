// Where the columns of few.comp and qkv.comp come from: a twin in memory, or floats
// that each workgroup quantises for itself, for that is cheaper than to wait for
// another dispatch. The includer declares COLS, columns at a time, and
//   PROLOGUE  0: a twin; 1: floats to quantise; 2: floats to normalise and quantise;
//             3: attention's splits to join and quantise
//   OWN       PROLOGUE: words of shared memory for quants, COLS * groups * 8; else 1
//   SPLITS, ROW_HEADS  PROLOGUE 3: how many splits there are at most, of so many query heads
#include "quantise.glsl"
#include "norm.glsl"
#include "attention.glsl"

// Four words of a group of a column lie beside those of the next group, which the next thread reads.
shared uvec4 own_words[(OWN + 3) / 4];
shared uvec2 own_meta[(OWN + 7) / 8];

const uint ROW_FOURS = OWN / COLS; // 4 values each
const uint PER_THREAD = (ROW_FOURS + THREADS - 1) / THREADS;

// joined is merged of attention.glsl with all loads on their way at once.
vec4 joined(uint64_t partials, uint rows, uint row, uint position, uint i)
{
	const uint dim4 = max(ROW_FOURS / ROW_HEADS, 1);
	uint at = (row * ROW_HEADS + i / dim4) * SPLITS_MAX, splits = position / split_keys(position) + 1;
	Vectors sums = Vectors(partials + uint64_t(rows) * ROW_HEADS * SPLITS_MAX * 8);
	vec2 ml[SPLITS];
	vec4 v[SPLITS];
	[[unroll]] for (uint s = 0; s < SPLITS; s++) {
		ml[s] = uintBitsToFloat(Pairs(partials).at[at + s]);
		v[s] = sums.at[(at + s) * dim4 + i % dim4];
	}
	float top = ml[0].x, total = 0;
	[[unroll]] for (uint s = 1; s < SPLITS; s++)
		if (s < splits) top = max(top, ml[s].x);
	vec4 sum = vec4(0);
	[[unroll]] for (uint s = 0; s < SPLITS; s++) {
		if (s >= splits) continue;
		float weight = exp(ml[s].x - top);
		total += weight * ml[s].y;
		sum += weight * v[s];
	}
	return sum / total;
}

// make_columns quantises columns from the given one on; from is their floats and
// with the norm's weight, or partials and with the rows' positions.
void make_columns(uint64_t from, uint64_t with, float eps, uint first, uint cols, uint groups)
{
	vec4 weight[PROLOGUE == 2 ? PER_THREAD : 1];
	if (PROLOGUE == 2) {
		[[unroll]] for (uint p = 0; p < PER_THREAD; p++) weight[p] = Vectors(with).at[min(thread() + p * THREADS, ROW_FOURS - 1)];
		for (uint c = 0; c < COLS; c++) norm_add(c, Vectors(from + uint64_t(min(first + c, cols - 1)) * groups * 128), groups * 32);
		barrier();
	}
	for (uint c = 0; c < COLS; c++) {
		uint column = min(first + c, cols - 1), position = PROLOGUE == 3 ? Words(with).at[column] : 0;
		Vectors x = Vectors(from + uint64_t(column) * groups * 128);
		float scale = PROLOGUE == 2 ? norm_scale(c, groups * 32, eps) : 1;
		[[unroll]] for (uint p = 0; p < PER_THREAD; p++) {
			uint i = thread() + p * THREADS;
			if (i >= ROW_FOURS) continue; // the 8 threads of a group go on together
			vec4 v = PROLOGUE == 3 ? joined(from, cols, column, position, i) : x.at[i];
			if (PROLOGUE == 2) v = v * scale * weight[p];
			Quantised q = quantise(v);
			// One of four threads writes for them: to write one word of a vector may be to write all.
			uvec4 words = uvec4(q.word, subgroupShuffleXor(q.word, 1), subgroupShuffleXor(q.word, 2), subgroupShuffleXor(q.word, 3));
			if (i % 4 == 0) own_words[(2 * c + i % 8 / 4) * groups + i / 8] = words;
			if (i % 8 == 0) own_meta[c * groups + i / 8] = q.meta;
		}
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
