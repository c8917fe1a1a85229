// What is done to a finished sum of a product.

float silu(float x) { return x / (1 + exp(-x)); }

// finish writes output (col, row) of rows a column: bias and residual may be 0, for none.
void finish(uint64_t to, uint64_t bias, uint64_t residual, uint rows, uint row, uint col, float sum)
{
	if (bias != 0) sum += Floats(bias).at[row];
	uint64_t at = (uint64_t(col) * rows + row) * 4;
	if (residual != 0) sum += Floats(residual + at).at[0];
	Floats(to + at).at[0] = sum;
}

// finish4 writes outputs (col, row) to (col, row + 3), those below rows.
void finish4(uint64_t to, uint64_t bias, uint64_t residual, uint rows, uint row, uint col, vec4 sum)
{
	if (rows % 4 != 0) {
		for (uint i = 0; i < 4 && row + i < rows; i++) finish(to, bias, residual, rows, row + i, col, sum[i]);
		return;
	}
	if (bias != 0) sum += Vectors(bias).at[row / 4];
	uint64_t at = (uint64_t(col) * rows + row) * 4;
	if (residual != 0) sum += Vectors(residual + at).at[0];
	Vectors(to + at).at[0] = sum;
}
