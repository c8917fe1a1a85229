// Ops that work row by row: a worker takes whole column blocks (row_share), so
// that several of them in a row need no barrier.

static void op_embed(const struct cpu_op *op, const struct worker *w)
{
	int from, to;
	row_share(w, op_rows(op, w), &from, &to);
	for (int r = from; r < to; r++)
		tile_row(&op->w, w->prog->batch.token[r], op->out + (size_t)r * op->width);
}

// op_norm is RMSNorm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + eps) * weight.
static void op_norm(const struct cpu_op *op, const struct worker *w)
{
	int from, to, n = op->width, body = n / LANES * LANES;
	row_share(w, op_rows(op, w), &from, &to);
	for (int r = from; r < to; r++) {
		const float *x = op->in + (size_t)r * n;
		float *y = op->out + (size_t)r * n;
		vf squares = vf_set1(0);
		for (int i = 0; i < body; i += LANES) squares = vf_fma(vf_load(x + i), vf_load(x + i), squares);
		float sum = vf_sum(squares);
		for (int i = body; i < n; i++) sum += x[i] * x[i];
		float f = 1 / sqrtf(sum / n + op->eps);
		for (int i = 0; i < body; i += LANES)
			vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), vf_set1(f)), vf_load(op->vec + i)));
		for (int i = body; i < n; i++) y[i] = x[i] * f * op->vec[i];
	}
}

// LEVELS numbers of steps, from LEVEL_MAX down, are tried for a group's largest value. The rounding errors of
// two neighbours are almost independent; the better of three has 12 % less
// squared error than 127 alone, for 3 % of a prefill's time.
enum { LEVEL_MAX = 127, LEVELS = 3 };
static const float level_step[LEVELS] = {1.0f / 127, 1.0f / 126, 1.0f / 125};

enum { GROUP_VECTORS = GROUP / LANES };

// squared_error is what rounding a group to multiples of step loses; NaN if a value
// is not finite.
INLINE float squared_error(const vf *v, float step, float inverse)
{
	vf sum = vf_set1(0);
	for (int i = 0; i < GROUP_VECTORS; i++) {
		vf error = vf_sub(v[i], vf_mul(vf_round(vf_mul(v[i], vf_set1(inverse))), vf_set1(step)));
		sum = vf_fma(error, error, sum);
	}
	return vf_sum(sum);
}

// quantise_group makes column c of a group from 32 activations: the largest
// becomes a whole number of steps. A value that is not finite makes the scale,
// and so all that is computed from it, not finite. left (32), if not NULL,
// receives what the quants leave over.
INLINE void quantise_group(const float *x, struct xgroup *g, int c, float *left)
{
	vf v[GROUP_VECTORS], most = vf_set1(0);
	for (int i = 0; i < GROUP_VECTORS; i++) {
		v[i] = vf_load(x + i * LANES);
		most = vf_max(most, vf_abs(v[i]));
	}
	float largest = vf_largest(most);
	int some = largest > 1e-30f; // else 1/step is not finite, and the group as good as 0
	float unit = some ? 1 / largest : 0, errors[LEVELS];
	largest = some ? largest : 0;
	for (int i = 0; i < LEVELS; i++) errors[i] = squared_error(v, largest * level_step[i], (LEVEL_MAX - i) * unit);
	// Which error is the least nobody can predict, and the processor need not: no branch.
	int level = errors[1] < errors[0];
	level += (errors[2] < (level ? errors[1] : errors[0])) * (2 - level);
	float step = largest * level_step[level], inverse = (LEVEL_MAX - level) * unit;
	float poison = errors[0] == errors[0] ? 0 : NAN;
	int8_t *q = g->q[c];
	for (int i = 0; i < GROUP_VECTORS; i++) vf_to_i8(q + i * LANES, vf_mul(v[i], vf_set1(inverse)));
	int low, high;
	sum_halves(q, &low, &high);
	g->scale[c] = step + poison;
	g->ssum[c] = g->scale[c] * (low + high);
	g->nlow[c] = -128 * low;
	g->nhigh[c] = -128 * high;
	g->nsum[c] = -128 * (low + high);
	for (int i = 0; left && i < GROUP_VECTORS; i++)
		vf_store(left + i * LANES, vf_sub(v[i], vf_mul(vf_round(vf_mul(v[i], vf_set1(inverse))), vf_set1(g->scale[c]))));
}

// op_quantise goes through a block of rows group by group, so that what it writes
// stays in the first cache: the columns of a group lie together.
static void op_quantise(const struct cpu_op *op, const struct worker *w)
{
	int groups = op->width / GROUP, rows = op_rows(op, w), from, to, per, block;
	column_blocks(op_cols(op, w), &per);
	column_blocks(rows, &block);
	row_share(w, rows, &from, &to);
	for (; from < to; from += block)
		for (int g = 0; g < groups; g++)
			for (int r = from; r < min_int(to, from + block); r++) {
				const float *x = op->in + (size_t)r * op->width + g * GROUP;
				int col = r << op->fine, next = col + 1;
				float left[GROUP];
				quantise_group(x, op->xq + (size_t)(col / per) * groups + g, col % per, op->fine ? left : NULL);
				if (op->fine) quantise_group(left, op->xq + (size_t)(next / per) * groups + g, next % per, NULL);
			}
}

// op_rope rotates pairs of each head in place (Su et al. 2021).
static void op_rope(const struct cpu_op *op, const struct worker *w)
{
	const struct cpu_batch *b = &w->prog->batch;
	int from, to, dims = op->rope_dims, stride = op->adjacent ? 2 : 1, apart = op->adjacent ? 1 : dims;
	row_share(w, op_rows(op, w), &from, &to);
	for (int r = from; r < to; r++) {
		const float *cosines = b->cos[op->rope] + (size_t)r * dims, *sines = b->sin[op->rope] + (size_t)r * dims;
		for (int h = 0; h < op->heads; h++) {
			float *x = op->out + (size_t)r * op->width + h * op->head_dim;
			for (int k = 0; k < dims; k++) {
				float a = x[k * stride], c = x[k * stride + apart];
				x[k * stride] = a * cosines[k] - c * sines[k];
				x[k * stride + apart] = c * cosines[k] + a * sines[k];
			}
		}
	}
}

static void op_select(const struct cpu_op *op, const struct worker *w)
{
	int from, to, n = op->width;
	row_share(w, w->prog->batch.selected, &from, &to);
	for (int r = from; r < to; r++)
		memcpy(op->out + (size_t)r * n, op->in + (size_t)w->prog->batch.select[r] * n, n * sizeof(float));
}
