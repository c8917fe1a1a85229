package kerneltest

import (
	"fmt"
	"testing"

	"tandem/kernels/op"
)

// kvFormats are the formats of KV pages.
var kvFormats = []op.DType{op.F32, op.F16, op.Q8_0}

// attentionShape is heads and how many positions to look at.
type attentionShape struct{ qHeads, heads, headDim, positions int }

var attentionShapes = []attentionShape{
	{4, 2, 32, 600}, // far enough that partial sums are merged
	{14, 2, 64, 150},
	{3, 3, 96, 70},
	{8, 1, 128, 40},
	{12, 2, 128, 33},
	{4, 2, 16, 290},
	{5, 1, 48, 65},
}

// testAttention compares attention of every shape over every kind of page, a
// prompt at once and token by token.
func testAttention(t *testing.T, open Open) {
	d, tolerance := openDevice(t, open, 3)
	for i, shape := range attentionShapes {
		for _, kv := range kvFormats {
			if shape.headDim%kv.BlockValues() != 0 {
				continue
			}
			s := newSource(uint64(i))
			opt := defaults
			opt.KV = kv
			// Stored in the pages' own format, keys and values are not rounded again.
			exact := attentionProgram(t, s, shape, kv, false)
			attendShape(t, fmt.Sprintf("%+v over %v", shape, kv), d, exact, opt, shape, tolerance.Attention)
			rounded := map[op.DType]float64{op.F32: tolerance.Attention, op.F16: tolerance.AttentionF16, op.Q8_0: tolerance.AttentionQ8}
			attendShape(t, fmt.Sprintf("%+v over %v, rotated", shape, kv), d, attentionProgram(t, s, shape, op.F32, true), opt, shape, rounded[kv])
		}
	}
}

func attendShape(t *testing.T, what string, d op.Device, p *op.Program, opt op.CompileOptions, shape attentionShape, allowed float64) {
	m, want := compile(t, d, p, opt), compileRef(t, p, opt)
	ids := newSource(9).tokens(shape.positions, vocab)
	table := pageTable(3, int32(shape.positions/op.PageTokens+1))
	rows := sequence(0, 0, ids)
	all := m.tapped(rows, table)["out"]
	compare(t, what, all, want.tapped(rows, table)["out"], shape.qHeads*shape.headDim, allowed)

	// The same on other pages, in pieces: the last positions one by one.
	other := pageTable(30, int32(len(table)))
	first := shape.positions - min(shape.positions, 20)
	var pieces []float32
	if first > 0 {
		pieces = append(pieces, m.tapped(rows[:first], other)["out"]...)
	}
	for i := first; i < len(rows); i++ {
		pieces = append(pieces, m.tapped(rows[i:i+1], other)["out"]...)
	}
	equal(t, what+": in pieces", pieces, all)
	checkMates(t, m, ids, m.run(rows, table))
}

// attentionProgram attends with each token's own q, k and v.
func attentionProgram(t *testing.T, s source, shape attentionShape, kv op.DType, rotated bool) *op.Program {
	b := op.NewBuilder(fmt.Sprintf("attention %+v", shape), vocab, 2048)
	rows := func(format op.DType, heads int) op.Value {
		width := heads * shape.headDim
		return b.Embed(s.tensor(format, s.normal(vocab*width, 1.5), width))
	}
	q, k, v := rows(op.F32, shape.qHeads), rows(kv, shape.heads), rows(kv, shape.heads)
	if rotated {
		freqs := op.RopeFreqs(shape.headDim, 10000, nil)
		q, k = b.Rope(q, shape.headDim, freqs, op.NEOX), b.Rope(k, shape.headDim, freqs, op.NEOX)
	}
	out := b.Name(b.Attention(q, k, v, shape.headDim), "out") // (rows, qHeads * headDim)
	p, err := b.Program(b.MatMul(b.Select(out), s.weight(op.F32, vocab, shape.qHeads*shape.headDim), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
