// Attention over KV pages. A page of a layer holds, for each KV head, K
// transposed (head_dim, 32 positions), and behind all heads' K, V as (32
// positions, head_dim): scores take one key per lane, sums over V one dimension
// per lane, neither needs a horizontal sum. With Q8_0, each (32 dims, position)
// of K and of V is bytes with an f32 scale that fits f16; the scales stand
// behind the head's bytes.
//
// Softmax runs over spans of 256 keys from position 0 on, each with its own
// maximum and sum, and spans merge in order (Dao et al. 2022, online softmax;
// flash decoding when different workers take them). The order depends only on
// the keys' positions, never on which rows came together.

INLINE size_t head_bytes(int kv_type, int dim)
{
	if (kv_type == Q8_0) return (size_t)PAGE_TOKENS * dim + (size_t)PAGE_TOKENS * dim / 32 * 4;
	return (size_t)PAGE_TOKENS * dim * (kv_type == F32 ? 4 : 2);
}

// kv_at is where head h's K (or V) of the op's layer begins in the page of a position.
INLINE uint8_t *kv_at(const struct cpu_op *op, const struct cpu_program *prog, int seq, int pos, int h, int is_v)
{
	int32_t page = prog->batch.table[prog->batch.table_start[seq] + pos / PAGE_TOKENS];
	size_t head = head_bytes(prog->kv_type, op->head_dim);
	return prog->pages + page * prog->page_bytes + op->layer_offset + (h + (is_v ? op->heads : 0)) * head;
}

// store_q8 writes 32 dims of one position as bytes with a scale that f16 can hold.
INLINE void store_q8(uint8_t *bytes, int step, float *scale, const float *x)
{
	vf most = vf_set1(0);
	for (int i = 0; i < 32; i += LANES) most = vf_max(most, vf_abs(vf_load(x + i)));
	float rounded[LANES];
	uint16_t half[LANES];
	vf_to_f16(half, vf_set1(vf_largest(most) / 127));
	vf_store(rounded, vf_f16((uint8_t *)half));
	*scale = rounded[0];
	float inverse = *scale > 0 ? 1 / *scale : 0;
	for (int i = 0; i < 32; i++) {
		float q = nearbyintf(x[i] * inverse);
		bytes[i * step] = (uint8_t)(int8_t)(q > 127 ? 127 : q < -127 ? -127 : q == q ? q : 0);
	}
}

// store_head writes one position's K (transposed: PAGE_TOKENS between dims) or V.
INLINE void store_head(int kv_type, uint8_t *head, int dim, int slot, int transposed, const float *x)
{
	int at = transposed ? slot : slot * dim, step = transposed ? PAGE_TOKENS : 1;
	if (kv_type == F32) {
		for (int d = 0; d < dim; d++) ((float *)head)[at + d * step] = x[d];
	} else if (kv_type == F16) {
		for (int d = 0; d < dim; d += LANES) {
			uint16_t half[LANES];
			vf_to_f16(half, vf_load(x + d));
			for (int i = 0; i < LANES; i++) ((uint16_t *)head)[at + (d + i) * step] = half[i];
		}
	} else {
		float *scales = (float *)(head + PAGE_TOKENS * dim);
		for (int d = 0; d < dim; d += 32)
			store_q8(head + at + d * step, step,
				scales + (transposed ? d / 32 * PAGE_TOKENS + slot : slot * (dim / 32) + d / 32), x + d);
	}
}

static void op_store(const struct cpu_op *op, const struct worker *w)
{
	const struct cpu_program *prog = w->prog;
	int from, to, width = op->heads * op->head_dim;
	row_share(w, op_rows(op, w), &from, &to);
	for (int r = from; r < to; r++) {
		int seq = prog->batch.seq[r], pos = prog->batch.pos[r];
		for (int h = 0; h < op->heads; h++) {
			size_t x = (size_t)r * width + h * op->head_dim;
			store_head(prog->kv_type, kv_at(op, prog, seq, pos, h, 0), op->head_dim, pos % PAGE_TOKENS, 1, op->k + x);
			store_head(prog->kv_type, kv_at(op, prog, seq, pos, h, 1), op->head_dim, pos % PAGE_TOKENS, 0, op->v + x);
		}
	}
}

// load_head dequantises a page's K or V of one head to f32, as it lies.
INLINE void load_head(int kv_type, const uint8_t *head, int dim, int transposed, float *out)
{
	int n = PAGE_TOKENS * dim;
	if (kv_type == F32) {
		memcpy(out, head, n * sizeof(float));
	} else if (kv_type == F16) {
		for (int i = 0; i < n; i += LANES) vf_store(out + i, vf_f16(head + 2 * i));
	} else {
		const float *scales = (const float *)(head + n);
		for (int i = 0; i < n; i += LANES) {
			vf s = transposed ? vf_load(scales + i / PAGE_TOKENS / 32 * PAGE_TOKENS + i % PAGE_TOKENS)
				: vf_set1(scales[i / dim * (dim / 32) + i % dim / 32]);
			vf_store(out + i, vf_mul(vf_i8(head + i), s));
		}
	}
}

enum { QUERIES_MAX = 64 }; // query vectors that share a load of K and V

// attend_scratch is one worker's memory; the arrays at the end are
// kt, vt (32, dim), part and whole (queries, dim).
struct attend_scratch {
	const float *q[QUERIES_MAX];
	int end[QUERIES_MAX]; // a query sees the positions before it
	float scores[QUERIES_MAX][SPAN_TOKENS];
	float part_m[QUERIES_MAX], part_l[QUERIES_MAX], whole_m[QUERIES_MAX], whole_l[QUERIES_MAX];
	float arrays[];
};

// block is the rows [row, row + rows) of one sequence and one KV head: queries
// (rows x group), the last row seeing `last` keys.
struct block {
	int row, rows, seq, first_pos, head, group;
};

// begin_block finds a block's queries, once for all its keys.
INLINE void begin_block(const struct cpu_op *op, const struct block *b, struct attend_scratch *s)
{
	int i = 0;
	for (int row = 0; row < b->rows; row++)
		for (int g = 0; g < b->group; g++, i++) {
			s->q[i] = op->q + ((size_t)(b->row + row) * op->q_heads + b->head * b->group + g) * op->head_dim;
			s->end[i] = b->first_pos + row + 1;
		}
}

// seen is how many of n keys from position `from` on query i sees.
INLINE int seen(const struct attend_scratch *s, int i, int from, int n) { return max_int(0, min_int(n, s->end[i] - from)); }

enum { KEY_PARTS = PAGE_TOKENS / LANES, SCORE_QUERIES = LANES == 16 ? 4 : 2 };

// score_keys: scores (n, 32) of n queries against a page's K; n is a constant.
INLINE void score_keys(int n, const struct cpu_op *op, int i, const float *kt, int at, struct attend_scratch *s)
{
	vf sums[SCORE_QUERIES][KEY_PARTS];
	const float *q[SCORE_QUERIES];
	for (int c = 0; c < n; c++) {
		q[c] = s->q[i + c];
		for (int part = 0; part < KEY_PARTS; part++) sums[c][part] = vf_set1(0);
	}
	for (int d = 0; d < op->head_dim; d++)
		for (int part = 0; part < KEY_PARTS; part++) {
			vf k = vf_load(kt + d * PAGE_TOKENS + part * LANES);
			for (int c = 0; c < n; c++) sums[c][part] = vf_fma(vf_set1(q[c][d]), k, sums[c][part]);
		}
	for (int c = 0; c < n; c++)
		for (int part = 0; part < KEY_PARTS; part++)
			vf_store(s->scores[i + c] + at + part * LANES, vf_mul(sums[c][part], vf_set1(op->scale)));
}

// softmax_span turns the first n scores into exp(score - maximum) and returns
// the maximum and the sum: with pairs, of the weights as BF16 holds them, which
// then stand two in a score's place.
INLINE void softmax_span(float *score, int n, int pairs, float *maximum, float *sum)
{
	int body = n / LANES * LANES;
	vf m = vf_set1(-INFINITY);
	for (int i = 0; i < body; i += LANES) m = vf_max(vf_load(score + i), m);
	float top = vf_largest(m);
	for (int i = body; i < n; i++) top = score[i] > top ? score[i] : top;
	vf total = vf_set1(0);
	for (int i = 0; i < n; i += LANES) {
		vf p = vf_first(vf_exp(vf_sub(vf_load(score + i), vf_set1(top))), min_int(LANES, n - i));
		if (pairs) p = vf_store_bf16((uint16_t *)score + i, p);
		else vf_store(score + i, p);
		total = vf_add(total, p);
	}
	*maximum = top;
	*sum = vf_sum(total);
}

// Where op->coarse allows it, a page's V and the weights are rounded to BF16, whose
// instruction multiplies two positions at once: twice as fast as floats. Lowering
// asks for it where int8 products read the output, which lose more. K is never
// rounded: scores are small differences of large sums.

// load_pairs is load_head for V in BF16: (16, dim) pairs of positions.
INLINE void load_pairs(int kv_type, const uint8_t *head, int dim, float *out)
{
	const float *scales = (const float *)(head + PAGE_TOKENS * dim);
	for (int t = 0; t < PAGE_TOKENS; t += 2)
		for (int d = 0; d < dim; d += LANES) {
			vf v[2];
			for (int i = 0; i < 2; i++) {
				int at = (t + i) * dim + d;
				v[i] = kv_type == F16 ? vf_f16(head + 2 * at) : vf_mul(vf_i8(head + at), vf_set1(scales[at / 32]));
			}
			vf_store(out + t / 2 * dim + d, vf_pair_bf16(v[0], v[1]));
		}
}

// add_values adds positions [from, to) of a page's V to n queries' sums from
// dimension d on, VALUE_PARTS registers wide: part (n, dim) += weights * V. n is a
// constant: V is loaded once for all n. With pairs `from` is even, and a last
// position without its mate stays alone whatever stands behind it.
enum { VALUE_QUERIES = LANES == 8 ? 2 : 4, VALUE_PARTS = 4 };

INLINE void add_values(int n, int parts, int pairs, struct attend_scratch *s, int i, int at, int from, int to, const float *vt, int dim, int d,
	float *part)
{
	vf sums[VALUE_QUERIES][VALUE_PARTS];
	for (int c = 0; c < n; c++)
		for (int j = 0; j < parts; j++) sums[c][j] = vf_load(part + (i + c) * dim + d + j * LANES);
	const float *p = s->scores[i] + (pairs ? at / 2 : at);
	for (int t = from; t < to; t += 1 + pairs)
		for (int j = 0; j < parts; j++) {
			vf v = vf_load(vt + (pairs ? t / 2 : t) * dim + d + j * LANES);
			if (pairs && t + 1 == to) v = vf_first_of_pair(v);
			for (int c = 0; c < n; c++)
				sums[c][j] = pairs ? vf_fma_pairs(v, p[c * SPAN_TOKENS + t / 2], sums[c][j])
					: vf_fma(vf_set1(p[c * SPAN_TOKENS + t]), v, sums[c][j]);
		}
	for (int c = 0; c < n; c++)
		for (int j = 0; j < parts; j++) vf_store(part + (i + c) * dim + d + j * LANES, sums[c][j]);
}

// add_values_of adds them to all dimensions of n queries.
INLINE void add_values_of(int n, int pairs, struct attend_scratch *s, int i, int at, int from, int to, const float *vt, int dim, float *part)
{
	int d = 0;
	if (from >= to) return;
	for (; d + VALUE_PARTS * LANES <= dim; d += VALUE_PARTS * LANES) add_values(n, VALUE_PARTS, pairs, s, i, at, from, to, vt, dim, d, part);
	for (; d < dim; d += LANES) add_values(n, 1, pairs, s, i, at, from, to, vt, dim, d, part);
}

// add_tokens adds positions [at, at + tokens) of a span's V to all queries of a block.
INLINE void add_tokens(int pairs, int tokens, int n, struct attend_scratch *s, int begin, int at, const float *vt, int dim, float *part)
{
	for (int i = 0, cols; i < n; i += cols) {
		cols = n - i < VALUE_QUERIES ? 1 : VALUE_QUERIES;
		int all = seen(s, i, begin + at, tokens); // all see so many, some of them a few more
		if (pairs) all &= ~1;
		if (cols > 1) add_values_of(VALUE_QUERIES, pairs, s, i, at, 0, all, vt, dim, part);
		for (int c = 0; c < cols; c++)
			add_values_of(1, pairs, s, i + c, at, cols > 1 ? all : 0, seen(s, i + c, begin + at, tokens), vt, dim, part);
	}
}

// attend_span computes the partials of one span for all queries of a block.
static void attend_span(const struct cpu_op *op, const struct worker *w, const struct block *b, int span,
	struct attend_scratch *s, float *part)
{
	const struct cpu_program *prog = w->prog;
	int dim = op->head_dim, n = b->rows * b->group, begin = span * SPAN_TOKENS, pairs = HAS_BF16 && op->coarse;
	int tokens = pairs ? 2 * PAGE_TOKENS : PAGE_TOKENS; // whose V fits at vt
	float *kt = s->arrays, *vt = kt + PAGE_TOKENS * dim;
	int keys = seen(s, n - 1, begin, SPAN_TOKENS);
	for (int at = 0; at < keys; at += PAGE_TOKENS) {
		load_head(prog->kv_type, kv_at(op, prog, b->seq, begin + at, b->head, 0), dim, 1, kt);
		int i = 0;
		while (i < n && !seen(s, i, begin + at, 1)) i++;
		for (; i + SCORE_QUERIES <= n; i += SCORE_QUERIES) score_keys(SCORE_QUERIES, op, i, kt, at, s);
		if (i < n && n >= SCORE_QUERIES) score_keys(SCORE_QUERIES, op, n - SCORE_QUERIES, kt, at, s); // some once more
		else for (; i < n; i++) score_keys(1, op, i, kt, at, s);
	}
	for (int i = 0; i < n; i++) {
		int keys_i = seen(s, i, begin, SPAN_TOKENS);
		s->part_m[i] = -INFINITY;
		s->part_l[i] = 0;
		if (keys_i) softmax_span(s->scores[i], keys_i, pairs, &s->part_m[i], &s->part_l[i]);
	}
	memset(part, 0, sizeof(float) * n * dim);
	for (int at = 0; at < keys; at += tokens) {
		for (int page = at; page < min_int(keys, at + tokens); page += PAGE_TOKENS) {
			const uint8_t *v = kv_at(op, prog, b->seq, begin + page, b->head, 1);
			if (pairs) load_pairs(prog->kv_type, v, dim, vt + (page - at) / 2 * dim);
			else load_head(prog->kv_type, v, dim, 0, vt);
		}
		if (pairs) add_tokens(HAS_BF16, tokens, n, s, begin, at, vt, dim, part);
		else add_tokens(0, tokens, n, s, begin, at, vt, dim, part);
	}
}

// merge adds a span's partial to a running one: both are (m, l, o).
INLINE void merge(float *m, float *l, float *o, float part_m, float part_l, const float *part, int dim)
{
	float top = part_m > *m ? part_m : *m, factors[LANES] = {*m - top, part_m - top};
	vf_store(factors, vf_exp(vf_load(factors)));
	*m = top;
	*l = *l * factors[0] + part_l * factors[1];
	for (int d = 0; d < dim; d += LANES)
		vf_store(o + d, vf_fma(vf_load(o + d), vf_set1(factors[0]), vf_mul(vf_load(part + d), vf_set1(factors[1]))));
}

INLINE void write_attention(const struct cpu_op *op, int row, int head, float l, const float *o)
{
	float *out = op->out + ((size_t)row * op->q_heads + head) * op->head_dim;
	for (int d = 0; d < op->head_dim; d += LANES) vf_store(out + d, vf_div(vf_load(o + d), vf_set1(l)));
}

// attend_block runs over all spans of a block and writes its rows.
static void attend_block(const struct cpu_op *op, const struct worker *w, const struct block *b)
{
	struct attend_scratch *s = (struct attend_scratch *)w->scratch;
	int dim = op->head_dim, n = b->rows * b->group, keys = b->first_pos + b->rows;
	float *part = s->arrays + 2 * PAGE_TOKENS * dim, *whole = part + QUERIES_MAX * dim;
	begin_block(op, b, s);
	for (int span = 0; span * SPAN_TOKENS < keys; span++) {
		if (cancelled(w)) return;
		attend_span(op, w, b, span, s, span ? part : whole);
		for (int i = 0; i < n; i++) {
			if (!span) {
				s->whole_m[i] = s->part_m[i];
				s->whole_l[i] = s->part_l[i];
			} else if (s->part_l[i] > 0 || s->part_l[i] != s->part_l[i]) {
				merge(&s->whole_m[i], &s->whole_l[i], whole + i * dim, s->part_m[i], s->part_l[i], part + i * dim, dim);
			}
		}
	}
	for (int i = 0; i < n; i++)
		write_attention(op, b->row + i / b->group, b->head * b->group + i % b->group, s->whole_l[i], whole + i * dim);
}

// next_block finds the block of rows that begins at `row`: rows of the same
// sequence, at most `rows_max`.
INLINE struct block next_block(const struct cpu_batch *batch, int row, int rows_max)
{
	struct block b = {.row = row, .rows = 1, .seq = batch->seq[row], .first_pos = batch->pos[row]};
	while (b.rows < rows_max && row + b.rows < batch->rows && batch->seq[row + b.rows] == b.seq) b.rows++;
	return b;
}

// Up to so many rows, spans are spread over the workers.
enum { SPLIT_ROWS = 16 };

// partial is where the (m, l, o) of a row's head and span lies when spans are split.
INLINE float *partial(const struct cpu_op *op, const struct cpu_program *prog, int spans, int row, int head, int span)
{
	return prog->partials + (((size_t)row * op->q_heads + head) * spans + span) * (op->head_dim + 2);
}

// split_spans is the number of spans of the batch's longest sequence if they are
// to be spread over the workers, else 0.
INLINE int split_spans(const struct cpu_op *op, const struct worker *w)
{
	const struct cpu_batch *batch = &w->prog->batch;
	if (w->count == 1 || batch->rows > SPLIT_ROWS) return 0;
	int last = 0;
	for (int r = 0; r < batch->rows; r++) last = max_int(last, batch->pos[r]);
	int spans = last / SPAN_TOKENS + 1;
	size_t need = (size_t)batch->rows * op->q_heads * spans * (op->head_dim + 2);
	return spans > 1 && need <= w->prog->partials_max ? spans : 0;
}

static void attend_split(const struct cpu_op *op, const struct worker *w, const struct block *b, int span, int spans)
{
	struct attend_scratch *s = (struct attend_scratch *)w->scratch;
	float *part = s->arrays + 2 * PAGE_TOKENS * op->head_dim;
	begin_block(op, b, s);
	attend_span(op, w, b, span, s, part);
	for (int i = 0; i < b->rows * b->group; i++) {
		float *p = partial(op, w->prog, spans, b->row + i / b->group, b->head * b->group + i % b->group, span);
		p[0] = s->part_m[i];
		p[1] = s->part_l[i];
		memcpy(p + 2, part + i * op->head_dim, op->head_dim * sizeof *p);
	}
}

// op_attend: workers take (block, head) or, with few rows and many keys,
// (block, head, span) from the op's counter.
static void op_attend(const struct cpu_op *op, const struct worker *w)
{
	const struct cpu_batch *batch = &w->prog->batch;
	int group = op->q_heads / op->heads, spans = split_spans(op, w);
	int rows_max = max_int(1, QUERIES_MAX / group), task = 0;
	atomic_int *next = &w->prog->next[op - w->prog->ops];
	int mine = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
	for (int row = 0; row < batch->rows;) {
		struct block b = next_block(batch, row, rows_max);
		int parts = spans ? (b.first_pos + b.rows - 1) / SPAN_TOKENS + 1 : 1;
		b.group = group;
		for (int i = 0; i < op->heads * parts; i++, task++) {
			if (task != mine) continue;
			if (cancelled(w)) return;
			b.head = i / parts;
			if (spans) attend_split(op, w, &b, i % parts, spans);
			else attend_block(op, w, &b);
			mine = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
		}
		row += b.rows;
	}
}

// op_merge joins split spans, row by row; nothing to do otherwise.
static void op_merge(const struct cpu_op *op, const struct worker *w)
{
	int spans = split_spans(op, w), from, to;
	if (!spans) return;
	row_share(w, op_rows(op, w), &from, &to);
	for (int row = from; row < to; row++)
		for (int head = 0; head < op->q_heads; head++) {
			float *whole = partial(op, w->prog, spans, row, head, 0);
			for (int span = 1; span <= w->prog->batch.pos[row] / SPAN_TOKENS; span++) {
				float *p = partial(op, w->prog, spans, row, head, span);
				merge(&whole[0], &whole[1], whole + 2, p[0], p[1], p + 2, op->head_dim);
			}
			write_attention(op, row, head, whole[1], whole + 2);
		}
}
