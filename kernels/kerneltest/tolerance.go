package kerneltest

// Tolerance is what a device may differ from ref: the largest |error| of an op's
// output in units of the root mean square of ref's output row. docs/kernels.md
// has the table in prose.
type Tolerance struct {
	Embed     float64
	Norm      float64
	Rope      float64
	Attention float64 // keys and values that the KV format holds exactly
	// AttentionRounded is for keys and values that the KV format rounds: where
	// one lies half way between two levels, a device may take the other.
	AttentionF16, AttentionQ8 float64
	// MatMul and Gated: with weights in F32, F16 or BF16, and with quantised ones.
	MatMulFloat, MatMulQuant float64
	GatedFloat, GatedQuant   float64
	// PerMatMul is for logits of whole models: the error that one matmul of the
	// chain adds; those of n add up as sqrt(n).
	ChainFloat, ChainQuant float64
}

// Tolerances is the table. Its numbers follow from the formats a device computes
// in, before anything is measured; a kernel that exceeds them is wrong, not the
// table.
//
// The units are u = 2^-24, the rounding error of f32, and a = 1/254, the largest
// rounding error of an int8 activation in units of its group's largest value.
// Whatever a group of 32 activations looks like, its largest value is part of
// its norm, so the error's norm is at most a * sqrt(32/3) = 0.0129 of the
// group's, and so is the error of a dot product with weights that know nothing
// of it, in standard deviations: both sides grow with sqrt(k). The largest of
// the some thousand errors that a test looks at is 4 standard deviations.
var Tolerances = map[string]Tolerance{
	// ref is what the others are measured against.
	"ref": {},
	"cpu": {
		// A product of f16 scale and quant is exact in f32.
		Embed: 0,
		// A handful of roundings of values up to 5 times the mean: 5 * 10u.
		Norm: 5e-6,
		// Two products and a sum of values up to 5 times the mean: 5 * 3u.
		Rope: 2e-6,
		// A score of size 10 has an error of 10 * sqrt(128) * u = 7e-6, which is
		// a relative error of its weight; exp's polynomial adds a few u.
		Attention: 3e-5,
		// A key or value on the other side: half a step more of 2^-11 of it, or
		// of 1/127 of its group's largest, which is up to 4 times the mean.
		AttentionF16: 2e-3, AttentionQ8: 4.0 / 127,
		// sqrt(8960) additions' worth of u, times 4, rounded up.
		MatMulFloat: 3e-5,
		// 4 * 0.0129.
		MatMulQuant: 0.052,
		// A product of two such values, silu(g)*u, has heavier tails: outputs
		// up to 10 times the mean with the relative errors of both factors.
		GatedFloat: 1e-4, GatedQuant: 0.2,
		// As above, 4 standard deviations.
		ChainFloat: 3e-5, ChainQuant: 0.052,
	},
}
