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

// testMatMul compares plain, biased, added and gated products in every format
// and shape, and demands that a row comes out the same in every batch size.
func testMatMul(t *testing.T, open Open) {
	d, tolerance := openDevice(t, open, 2)
	for _, format := range op.DTypes {
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

	plain, gated := tolerance.MatMulFloat, tolerance.GatedFloat
	if format.BlockValues() > 1 {
		plain, gated = tolerance.MatMulQuant, tolerance.GatedQuant
	}
	what := fmt.Sprintf("%v (%d, %d)", format, rows, cols)
	compare(t, what+": embed", all["quantised rows"], want["quantised rows"], cols, tolerance.Embed)
	compare(t, what+": plain", all["plain"], want["plain"], rows, plain)
	compare(t, what+": biased", all["biased"], want["biased"], rows, plain)
	compare(t, what+": added", all["added"], want["added"], rows, 2*plain) // two products
	compare(t, what+": gated", all["gated"], want["gated"], rows, gated)
	compare(t, what+": logits", all["logits of the batch"], want["logits of the batch"], vocab, plain)
	for _, n := range batchSizes {
		some := m.tapped(sequence(0, 0, ids[:n]), table)
		for name, values := range some {
			equal(t, fmt.Sprintf("%s: %s in a batch of %d", what, name, n), values, all[name][:len(values)])
		}
	}
	equal(t, what+": without taps", m.run(sequence(0, 0, ids), table), all["logits of the batch"])
}

// matMulProgram multiplies each token's row of input with weights of one shape.
func matMulProgram(t *testing.T, s source, format op.DType, rows, cols int) *op.Program {
	b := op.NewBuilder(fmt.Sprintf("matmul %v (%d, %d)", format, rows, cols), vocab, 1000)
	x := b.Embed(s.tensor(op.F32, s.inputs(cols), cols)) // (rows, cols)
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

// inputs is a row of cols values for each token: normal ones, and the first few
// what quantisers and sums trip over: zeros, tiny and huge values, a spike,
// zeros but for one value, a constant.
func (s source) inputs(cols int) []float32 {
	x := s.normal(vocab*cols, 1)
	row := func(i int) []float32 { return x[i*cols : (i+1)*cols] }
	clear(row(0))
	for k := range cols {
		row(1)[k] *= 1e-15
		row(2)[k] *= 1e+8
		row(5)[k] = 0.75
	}
	row(3)[cols/2] = 100
	clear(row(4))
	row(4)[cols-1] = -3
	return x
}
