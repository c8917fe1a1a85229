package kerneltest

import (
	"fmt"
	"testing"

	"tandem/kernels/op"
)

// testRowOps compares embedding in every format, norms, and every kind of rotation.
func testRowOps(t *testing.T, open Open) {
	d, tolerance := openDevice(t, open, 2)
	for _, width := range []int{32, 64, 96, 160, 256, 896, 1536} {
		p := rowOpsProgram(t, newSource(uint64(width)), width)
		m, want := compile(t, d, p, defaults), compileRef(t, p, defaults)
		// Two sequences at far positions; no keys are stored, so pages are only counted.
		rows := append(sequence(0, 0, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}), sequence(1, 1990, []int32{3, 9, 10, 11, 12, 13, 14})...)
		tables := [][]int32{pageTable(0, 1), pageTable(1, 63)}
		got, ref := m.tapped(rows, tables...), want.tapped(rows, tables...)
		for name := range ref {
			what := fmt.Sprintf("%s, width %d", name, width)
			switch name {
			case "embed", "selected":
				equal(t, what, got[name], ref[name])
			case "logits of the batch":
				compare(t, what, got[name], ref[name], vocab, tolerance.MatMulFloat)
			case "norm":
				compareValues(t, what, got[name], ref[name], width, tolerance.Norm)
			default:
				compareValues(t, what, got[name], ref[name], width, tolerance.Rope)
			}
		}
	}
}

func rowOpsProgram(t *testing.T, s source, width int) *op.Program {
	b := op.NewBuilder(fmt.Sprintf("row ops, width %d", width), vocab, 2048)
	table := s.tensor(op.F32, s.inputs(width, true), width)
	x := b.Name(b.Embed(table), "embed") // (rows, width)
	b.Name(b.Norm(x, s.normal(width, 1), 1e-6), "norm")
	// A rotation works in place, so each kind gets a value of its own.
	for _, headDim := range []int{32, 16} {
		for _, dims := range []int{headDim, headDim / 2} {
			freqs := op.RopeFreqs(dims, 10000, nil)
			b.Name(b.Rope(b.Embed(table), headDim, freqs, op.NEOX), "neox %d of %d", dims, headDim)
			b.Name(b.Rope(b.Embed(table), headDim, freqs, op.Adjacent), "adjacent %d of %d", dims, headDim)
		}
	}
	selected := b.Name(b.Select(x), "selected")
	p, err := b.Program(b.MatMul(selected, s.weight(op.F32, vocab, width), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
