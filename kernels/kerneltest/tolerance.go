package kerneltest

import (
	"math"

	"tandem/kernels/op"
)

// Tolerance is what a device may differ from ref: the largest |error| of an op's
// output. Norm and Rope are in units of the largest value of ref's row, the
// others in units of the root mean square of ref's row. Embed and Select may not
// differ at all: the values of every format are exact in f32. docs/kernels.md
// has the table in prose.
type Tolerance struct {
	// Regroups: sums are added in another order where a batch has more rows, so that
	// a row may differ from itself in another batch as it may from ref. Without it
	// not a bit may differ.
	Regroups  bool
	Norm      float64
	Rope      float64
	Attention float64 // keys and values that the KV format holds exactly
	// For keys and values that the format rounds: where one lies half way between
	// two levels, a device may take the other.
	AttentionF16, AttentionQ8 float64
	// Added where quantised weights read the output and pages are not F32: a device
	// may keep V and the weights of positions in BF16, or queries in F16.
	AttentionCoarse float64
	// With weights in F32, F16 or BF16, or inputs on a grid; and with quantised weights.
	MatMulFloat, MatMulQuant float64
	LogitsQuant              float64 // MatMulQuant of the last product, whose input is finer
	GatedFloat, GatedQuant   float64
	// MatMulHalf is for batches of many rows whose products with quantised weights
	// round weights and inputs to f16, so that neither inputs on a grid are exact nor
	// are a row's the same as in a batch of few rows. 0: they are.
	MatMulHalf float64
}

// Tolerances is the table. Its numbers follow from the formats a device computes
// in, before anything is measured; a kernel that exceeds them is wrong, not the
// table.
//
// The units are u = 2^-24, the rounding error of f32, and 1/254, the largest
// rounding error of an int8 activation in units of its group's largest value.
// Whatever a group of 32 activations looks like, its largest value is part of
// its norm, so the error's norm is at most sqrt(32/3)/254 = 0.0129 of the
// group's, and so is the error of a dot product with weights that know nothing
// of it, in standard deviations: both sides grow with sqrt(k).
var Tolerances = map[string]Tolerance{
	// ref is what the others are measured against.
	"ref": {},
	"cpu": {
		// A sum of squares over 16 lanes, then a handful of roundings.
		Norm: 20 * u,
		// Two products and a sum of values up to sqrt(2) times the largest.
		Rope: 5 * u,
		// A score of size 10 has an error of 10 * sqrt(128) * u = 7e-6, which is
		// a relative error of its weight; the polynomial of exp adds a few u.
		Attention: 3e-5,
		// A key or value on the other side: 2^-11 of it, or 1/127 of its group's
		// largest, which is up to 4 times the mean.
		AttentionF16: 2e-3, AttentionQ8: 4.0 / 127,
		// 2^-9 of a weight and of a value, which is up to 6 times the mean of a row
		// some of whose heads look at one position and others at many.
		AttentionCoarse: 2 * 6.0 / 512,
		// sqrt(8960) additions' worth of u, times 5.
		MatMulFloat: 3e-5,
		// 6 standard deviations: the largest of some thousand errors is 4, and
		// groups of weights differ in size.
		MatMulQuant: 6 * 0.0129,
		// What int8 leaves over is at most 1/254 of the group's largest value, and
		// loses 1/254 of itself; then two sums as with float weights.
		LogitsQuant: 6*0.0129/254 + 2*3e-5,
		// silu(g) * up has the relative errors of both factors, and its largest
		// values are twice as far from the mean.
		GatedFloat: 4 * 3e-5, GatedQuant: 4 * 6 * 0.0129,
	},
	"vulkan": vulkan,
	// With cooperative matrices what is multiplied is rounded to f16, by at most 2^-11 of
	// it, or 2^-10 where a driver rounds toward zero. Products: a scale, an offset, a weight
	// and an input; 2^-10 / sqrt(3) = 0.00057 as a standard deviation, twice that for the
	// four, up to twice again of a weight that is a difference; 6 deviations. Attention: a
	// query, a weight and a value; a weight's error is that of its score, which is as large
	// as a query's times a key's of some dims, and a value is up to 4 times the mean.
	"vulkan, spirv matrix": vulkan.withHalves(6*4*0.00057, 2*4.0/1024),
}

var vulkan = Tolerance{
	Regroups: true, // decode cuts a sum over a subgroup's threads, prefill adds along k
	// Vulkan lets a square root and a quotient be off by 2.5 u each, and the sum
	// over 8 to 64 threads is one of the shorter ones.
	Norm: 20 * u,
	Rope: 5 * u,
	// As on the CPU; Vulkan's exp is off by 3 + 2 |x| times 2u, for |x| up to 10
	// in what counts, which is 3e-6.
	Attention:    3e-5,
	AttentionF16: 2e-3, AttentionQ8: 4.0 / 127,
	// The same twins of activations as on the CPU.
	MatMulFloat: 3e-5, MatMulQuant: 6 * 0.0129, LogitsQuant: 6*0.0129/254 + 2*3e-5,
	GatedFloat: 4 * 3e-5, GatedQuant: 4 * 6 * 0.0129,
}

func (tolerance Tolerance) withHalves(matMul, attention float64) Tolerance {
	tolerance.MatMulHalf, tolerance.AttentionCoarse = matMul, attention
	return tolerance
}

// toleranceOf is the row of a device, or that of its set of kernels where it has one.
func toleranceOf(d op.Device) (tolerance Tolerance, ok bool) {
	if tolerance, ok = Tolerances[d.Name()+", "+d.Info().ISA]; ok {
		return tolerance, true
	}
	tolerance, ok = Tolerances[d.Name()]
	return tolerance, ok
}

const u = 1.0 / (1 << 24)

// matMul gives the tolerances of plain and gated products with weights of a format.
func (tolerance Tolerance) matMul(format op.DType) (plain, gated float64) {
	if format.BlockValues() == 1 {
		return tolerance.MatMulFloat, tolerance.GatedFloat
	}
	return tolerance.MatMulQuant, tolerance.GatedQuant
}

// Chain is the tolerance of the logits behind a chain of n matmuls over KV pages
// of a format: independent errors add up as sqrt(n).
func (tolerance Tolerance) Chain(n int, format, kv op.DType) float64 {
	plain, _ := tolerance.matMul(format)
	attention := tolerance.Attention
	switch kv {
	case op.F16:
		attention = tolerance.AttentionF16
	case op.Q8_0:
		attention = tolerance.AttentionQ8
	}
	return plain*math.Sqrt(float64(n)) + attention
}
