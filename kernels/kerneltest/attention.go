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
	{2, 1, 32, 530}, // far enough that partial sums are merged
	{14, 2, 64, 100},
	{3, 3, 96, 70},
	{8, 1, 128, 40},
	{12, 2, 128, 33},
	{4, 2, 16, 270},
	{5, 1, 48, 65},
	{2, 1, 256, 40},
	{40, 1, 32, 45}, // more query heads for a key than a GPU takes at once
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
			ids, table := s.tokens(shape.positions, vocab), pageTable(3, int32(shape.positions/op.PageTokens+1))
			rows := sequence(0, 0, ids)
			check := func(what string, p *op.Program, allowed float64) (*machine, []float32) {
				m := compile(t, d, p, opt)
				got, want := m.tapped(rows, table)["out"], compileRef(t, p, opt).tapped(rows, table)["out"]
				compare(t, fmt.Sprintf("%+v over %v%s", shape, kv, what), got, want, shape.qHeads*shape.headDim, allowed)
				return m, got
			}
			rounded := map[op.DType]float64{op.F32: tolerance.Attention, op.F16: tolerance.AttentionF16, op.Q8_0: tolerance.AttentionQ8}
			check(", rotated", attentionProgram(t, s, shape, op.F32, op.F32, true), rounded[kv])
			for _, reader := range []op.DType{op.F32, op.Q8_0} {
				if shape.qHeads*shape.headDim%reader.BlockValues() != 0 {
					continue
				}
				allowed := tolerance.Attention
				if reader != op.F32 && kv != op.F32 {
					allowed += tolerance.AttentionCoarse
				}
				// Stored in the pages' own format, keys and values are not rounded again.
				m, got := check(fmt.Sprintf(", read by %v", reader), attentionProgram(t, s, shape, kv, reader, false), allowed)
				attendPieces(t, fmt.Sprintf("%+v over %v, read by %v, in pieces", shape, kv, reader), m, rows, got, 2*allowed)
				if i == 0 {
					plain, _ := tolerance.matMul(reader)
					checkMates(t, m, ids, m.run(rows, table), 2*allowed+plain)
				}
			}
		}
	}
}

// attendPieces computes rows on other pages: in pieces that begin and end anywhere,
// the last ones one by one. allowed is for [same].
func attendPieces(t *testing.T, what string, m *machine, rows []op.Row, want []float32, allowed float64) {
	table := pageTable(30, int32(len(rows)/op.PageTokens+1))
	first := len(rows) - 12
	var got []float32
	for at, n := 0, 0; at < len(rows); at += n {
		n = 1
		if at < first {
			n = min(9+at%60, first-at)
		}
		got = append(got, m.tapped(rows[at:at+n], table)["out"]...)
	}
	same(t, m, what, got, want, len(want)/len(rows), allowed)
}

// attentionProgram attends with each token's own q, k and v; weights in the format
// reader read the output.
func attentionProgram(t *testing.T, s source, shape attentionShape, kv, reader op.DType, rotated bool) *op.Program {
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
	p, err := b.Program(b.Select(b.MatMul(out, s.weight(reader, vocab, shape.qHeads*shape.headDim), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
