package cpu_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"tandem/kernels/op"
)

// Rungs of the same lanes add floats in the same order, and integers are exact:
// they give the same bits, whatever instruction multiplies the bytes.
func TestAlike(t *testing.T) {
	programs := map[op.DType]*op.Program{}
	for _, format := range op.DTypes {
		programs[format] = productsProgram(t, format)
	}
	for _, pair := range [][2]string{{"avx2", "avxvnni"}, {"avx512vnni", "amx"}, {"avx512vnni", "avx512bf16"}} {
		t.Run(pair[1], func(t *testing.T) {
			for _, isa := range pair {
				needs(t, isa)
			}
			for _, format := range op.DTypes {
				// One row is decoded, 4 too; of 13 and more the blocks have different widths.
				for _, rows := range []int{1, 4, 5, 12, 13, 24, 31} {
					want, got := productBits(t, pair[0], programs[format], rows), productBits(t, pair[1], programs[format], rows)
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("%v, %d rows: value %d is %x on %s, %x on %s", format, rows, i, got[i], pair[1], want[i], pair[0])
						}
					}
				}
			}
		})
	}
}

// productsProgram is a gated and a plain product with weights of a format.
func productsProgram(t *testing.T, format op.DType) *op.Program {
	t.Helper()
	const vocab, hidden, wide = 40, 256, 1280 // wide: more groups than a panel holds
	s := rand.New(rand.NewPCG(uint64(format), 1))
	tensor := func(format op.DType, rows, cols int) *op.Tensor {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(s.NormFloat64())
		}
		tensor := &op.Tensor{Name: "made up", Type: format, Rows: rows, Cols: cols, Data: make([]byte, format.RowBytes(len(x)))}
		op.Quantize(format, tensor.Data, x)
		return tensor
	}
	b := op.NewBuilder("alike", vocab, 100)
	x := b.Embed(tensor(op.F32, vocab, wide))                                                 // (rows, wide)
	x = b.GatedMatMul(x, tensor(format, hidden, wide), tensor(format, hidden, wide), op.SiLU) // (rows, hidden)
	p, err := b.Program(b.MatMul(b.Select(x), tensor(format, vocab, hidden), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// productBits is the bits of p's logits behind so many rows.
func productBits(t *testing.T, isa string, p *op.Program, rows int) []uint32 {
	t.Helper()
	d := open(t, 2, isa)
	defer d.Close()
	e, err := d.Compile(t.Context(), p, op.CompileOptions{RowsMax: rows, LogitsMax: rows, KV: op.F16, Pages: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	batch := &op.Batch{Tables: [][]int32{{0}}, Logits: make([]float32, rows*p.Vocab)}
	for i := range rows {
		batch.Rows = append(batch.Rows, op.Row{Token: int32(i), Pos: int32(i), Logits: true})
	}
	if err := e.Run(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	bits := make([]uint32, len(batch.Logits))
	for i, v := range batch.Logits {
		bits[i] = math.Float32bits(v)
	}
	return bits
}
