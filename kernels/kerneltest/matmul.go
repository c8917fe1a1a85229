package kerneltest

import (
	"fmt"
	"testing"

	"tandem/kernels/op"
)

// weightShapes are (rows, cols) of weights: rows around the tile of 16, cols of
// small and odd numbers of groups and of real models.
var weightShapes = [][2]int{
	{1, 32}, {7, 64}, {16, 96}, {17, 32}, {33, 160}, {48, 896}, {31, 256}, {100, 256}, {18, 512}, {64, 768}, {5, 1536}, {37, 1536},
}

// batchSizes are the rows of a batch, around every size that kernels like.
var batchSizes = []int{1, 2, 3, 4, 5, 8, 9, 12, 13, 16, 17, 24, 25, 33}

// vocab of the Programs here: each token is a row of input.
const vocab = 40

// testMatMul compares plain, biased, added and gated products in each format and
// every shape, and demands that a row comes out the same in every batch size.
func testMatMul(t *testing.T, open Open, formats []op.DType) {
	d, tolerance := openDevice(t, open, 2)
	for _, format := range formats {
		t.Run(format.String(), func(t *testing.T) {
			for i, shape := range weightShapes {
				if shape[1]%format.BlockValues() == 0 {
					matMulShape(t, d, tolerance, format, shape[0], shape[1], uint64(i))
				}
			}
		})
	}
}

func matMulShape(t *testing.T, d op.Device, tolerance Tolerance, format op.DType, rows, cols int, seed uint64) {
	p := matMulProgram(t, newSource(seed), format, rows, cols)
	ids := make([]int32, batchSizes[len(batchSizes)-1])
	for i := range ids {
		ids[i] = int32(i)
	}
	table := pageTable(0, 2)
	m := compile(t, d, p, defaults)
	want := compileRef(t, p, defaults).tapped(sequence(0, 0, ids), table)
	all := m.tapped(sequence(0, 0, ids), table)

	what := fmt.Sprintf("%v (%d, %d)", format, rows, cols)
	compareValues(t, what+": embed", all["quantised rows"], want["quantised rows"], cols, 0)
	plain, gated := tolerance.matMul(format)
	grid := tolerance.MatMulFloat
	if format.BlockValues() > 1 {
		grid += tolerance.MatMulHalf
	}
	check := func(name string, width int, loose, tight float64) {
		at := gridToken * width
		compare(t, what+": "+name, all[name][:at], want[name][:at], width, loose)
		compare(t, what+": "+name+" of a grid", all[name][at:], want[name][at:], width, tight)
	}
	check("plain", rows, plain, grid)
	check("biased", rows, plain, grid)
	check("added", rows, 2*plain, 2*grid) // two products
	check("gated", rows, gated, tolerance.GatedFloat/tolerance.MatMulFloat*grid)
	few, fewGated := plain, gated
	if format.BlockValues() > 1 {
		plain = tolerance.LogitsQuant
	}
	check("logits of the batch", vocab, plain, tolerance.MatMulFloat)
	// Equal rows have equal twins: only the order of sums may differ; with MatMulHalf
	// those of few rows are int8.
	regrouped := map[string]float64{
		"plain": tolerance.MatMulFloat, "biased": tolerance.MatMulFloat, "added": 2 * tolerance.MatMulFloat,
		"gated": tolerance.GatedFloat, "logits of the batch": tolerance.MatMulFloat,
	}
	if tolerance.MatMulHalf > 0 && format.BlockValues() > 1 {
		regrouped["plain"], regrouped["biased"], regrouped["added"], regrouped["gated"] = few, few, 2*few, fewGated
	}
	for _, n := range batchSizes {
		some := m.tapped(sequence(0, 0, ids[:n]), table)
		for name, values := range some {
			same(t, m, fmt.Sprintf("%s: %s in a batch of %d", what, name, n), values, all[name][:len(values)], len(values)/n, 2*regrouped[name])
		}
	}
	equal(t, what+": without taps", m.run(sequence(0, 0, ids), table), all["logits of the batch"])
}

// matMulProgram multiplies each token's row of input with weights of one shape.
func matMulProgram(t *testing.T, s source, format op.DType, rows, cols int) *op.Program {
	b := op.NewBuilder(fmt.Sprintf("matmul %v (%d, %d)", format, rows, cols), vocab, 1000)
	x := b.Embed(s.tensor(op.F32, s.inputs(cols, rows >= 16), cols)) // (rows, cols)
	b.Name(b.Embed(s.weight(format, vocab, cols)), "quantised rows")
	weight := s.weight(format, rows, cols)
	b.Name(b.MatMul(x, weight, nil), "plain")
	biased := b.Name(b.MatMul(x, weight, s.normal(rows, 1)), "biased")
	b.Name(b.MatMulAdd(biased, x, s.weight(format, rows, cols)), "added")
	b.Name(b.GatedMatMul(x, weight, s.weight(format, rows, cols), op.SiLU), "gated")
	logits := b.MatMul(b.Select(x), s.weight(format, vocab, cols), nil)
	p, err := b.Program(logits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gridToken is the first token whose input lies on a grid that int8 holds.
const gridToken = 20

// inputs is a row of cols values for each token. From gridToken on they are whole
// numbers up to 127, which is in every group of 32: quantised to int8 with a
// scale for 32 or more values they stay what they are, so that a device has no
// excuse but f32. The others are normal values and, first, what quantisers and
// sums trip over: zeros, tiny and huge values, a spike, zeros but for one value,
// a constant. Where an output row is too short to be a measure of its own error
// (see compare), sizes must be alike, and these are left out.
func (s source) inputs(cols int, odd bool) []float32 {
	x := s.normal(vocab*cols, 1)
	row := func(i int) []float32 { return x[i*cols : (i+1)*cols] }
	for i := gridToken; i < vocab; i++ {
		for k := range cols {
			row(i)[k] = float32(s.IntN(255) - 127)
		}
		for k := 0; k < cols; k += 32 {
			row(i)[k+s.IntN(32)] = 127
		}
	}
	if !odd {
		return x
	}
	clear(row(0))
	for k := range cols {
		row(1)[k] *= 1e-15
		row(2)[k] *= 1e+8
		row(5)[k] = 0.75
	}
	row(3)[cols/2] = 20
	clear(row(4))
	row(4)[cols-1] = -3
	return x
}
