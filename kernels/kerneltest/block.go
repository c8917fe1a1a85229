package kerneltest

import (
	"fmt"
	"testing"

	"tandem/kernels/op"
)

// blockMatMuls is the length of the chain of matmuls in a block Program: per
// layer q/k/v, output, gate/up and down, and at the end the head.
const (
	blockLayers  = 2
	blockMatMuls = 4*blockLayers + 1
)

// testBlock runs a small transformer in each format: within the tolerance of
// ref, and bit for bit the same however its rows come.
func testBlock(t *testing.T, open Open, formats []op.DType) {
	const asked = 2 // threads
	d, tolerance := openDevice(t, open, asked)
	others := []int{1, 3, 5}
	if d.Info().Threads != asked {
		others = nil // it has those that it has: another device would be the same
	}
	for i, format := range formats {
		kv := kvFormats[i%len(kvFormats)]
		t.Run(fmt.Sprintf("%v over %v", format, kv), func(t *testing.T) {
			opt := defaults
			opt.KV = kv
			p := blockProgram(t, newSource(uint64(i)), format)
			ids := newSource(5).tokens(45, vocab)
			table := pageTable(0, 2)
			m := compile(t, d, p, opt)
			want := m.run(sequence(0, 0, ids), table)
			chain := tolerance.Chain(blockMatMuls, format, kv)
			compare(t, "logits", want, compileRef(t, p, opt).run(sequence(0, 0, ids), table), vocab, chain)
			equal(t, "with taps", m.tapped(sequence(0, 0, ids), table)["logits of the batch"], want)
			checkChunks(t, m, ids, want, chain)
			checkSomeLogits(t, m, ids, want, chain)
			checkMates(t, m, ids, want, chain)
			for _, threads := range others {
				other, _ := openDevice(t, open, threads)
				alone := compile(t, other, p, opt)
				equal(t, fmt.Sprintf("%d threads", threads), alone.run(sequence(0, 0, ids), table), want)
				if threads == 3 {
					checkMates(t, alone, ids, want, chain)
				}
			}
		})
	}
}

// blockShape is the sizes of a transformer.
type blockShape struct{ layers, width, headDim, qHeads, heads, ffn, maxTokens int }

// blockProgram is a transformer of two layers, 256 wide so that every format fits.
func blockProgram(t testing.TB, s source, format op.DType) *op.Program {
	shape := blockShape{layers: blockLayers, width: 256, headDim: 32, qHeads: 8, heads: 2, ffn: 256, maxTokens: 1000}
	return shape.program(t, s, format, s.even)
}

// program builds it with matrices that weight makes.
func (shape blockShape) program(t testing.TB, s source, format op.DType, weight func(format op.DType, rows, cols int) *op.Tensor) *op.Program {
	width, headDim := shape.width, shape.headDim
	qWidth, kvWidth := shape.qHeads*headDim, shape.heads*headDim
	b := op.NewBuilder(fmt.Sprintf("block %v", format), vocab, shape.maxTokens)
	freqs := op.RopeFreqs(headDim, 10000, nil)
	x := b.Embed(weight(format, vocab, width)) // (rows, width)
	for range shape.layers {
		n := b.Norm(x, s.normal(width, 1), 1e-6)
		q := b.MatMul(n, weight(format, qWidth, width), s.normal(qWidth, 0.3))   // (rows, qHeads * headDim)
		k := b.MatMul(n, weight(format, kvWidth, width), s.normal(kvWidth, 0.3)) // (rows, heads * headDim)
		v := b.MatMul(n, weight(format, kvWidth, width), nil)                    // (rows, heads * headDim)
		out := b.Attention(b.Rope(q, headDim, freqs, op.NEOX), b.Rope(k, headDim, freqs, op.NEOX), v, headDim)
		x = b.MatMulAdd(x, out, weight(format, width, qWidth))
		n = b.Norm(x, s.normal(width, 1), 1e-6)
		g := b.GatedMatMul(n, weight(format, shape.ffn, width), weight(format, shape.ffn, width), op.SiLU) // (rows, ffn)
		x = b.Name(b.MatMulAdd(x, g, weight(format, width, shape.ffn)), "x")
	}
	x = b.Norm(b.Select(x), s.normal(width, 1), 1e-6)
	p, err := b.Program(b.MatMul(x, weight(format, vocab, width), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkChunks feeds ids in chunks of several sizes, on other pages in another
// order. allowed here and below is for [same].
func checkChunks(t *testing.T, m *machine, ids []int32, want []float32, allowed float64) {
	table := make([]int32, len(ids)/op.PageTokens+1)
	for i := range table {
		table[i] = int32(m.exec.Pages().Len() - 1 - 2*i)
	}
	for _, chunk := range []int{1, 7, 32, 33} {
		var got []float32
		for at := 0; at < len(ids); at += chunk {
			got = append(got, m.run(sequence(0, int32(at), ids[at:min(at+chunk, len(ids))]), table)...)
		}
		same(t, m, fmt.Sprintf("chunks of %d", chunk), got, want, vocab, allowed)
	}
}

// checkSomeLogits asks for the logits of every third row, and of none.
func checkSomeLogits(t *testing.T, m *machine, ids []int32, want []float32, allowed float64) {
	rows := sequence(0, 0, ids)
	var wanted []float32
	for i := range rows {
		rows[i].Logits = i%3 == 2
		if rows[i].Logits {
			wanted = append(wanted, want[i*vocab:(i+1)*vocab]...)
		}
	}
	table := pageTable(7, int32(len(ids)/op.PageTokens+1))
	equal(t, "logits of every third row", m.run(rows, table), wanted)
	first := rows[:len(rows)-1]
	for i := range first {
		first[i].Logits = false
	}
	m.run(first, table)
	last := len(ids) - 1
	same(t, m, "logits of the last row", m.run(sequence(0, int32(last), ids[last:]), table), want[last*vocab:], vocab, allowed)
}

// checkMates feeds ids beside other sequences in batches of random composition.
func checkMates(t *testing.T, m *machine, ids []int32, want []float32, allowed float64) {
	s := newSource(77)
	const mates = 3
	need := int32(len(ids)/op.PageTokens + 1)
	tables, fed, all := make([][]int32, mates), make([]int, mates), make([][]int32, mates)
	for i := range mates {
		tables[i], all[i] = pageTable(int32(i)*need, need), s.tokens(len(ids), vocab)
	}
	all[2] = ids
	var got []float32
	for fed[2] < len(ids) {
		var rows []op.Row
		from, to := 0, 0 // rows of sequence 2
		for _, seq := range s.Perm(mates) {
			n := min(s.IntN(40), len(ids)-fed[seq])
			if s.IntN(3) == 0 {
				n = min(n, 1)
			}
			if seq == 2 {
				from, to = len(rows), len(rows)+n
			}
			rows = append(rows, sequence(int32(seq), int32(fed[seq]), all[seq][fed[seq]:fed[seq]+n])...)
			fed[seq] += n
		}
		logits := m.run(rows, tables...)
		got = append(got, logits[from*vocab:to*vocab]...)
	}
	same(t, m, "with batch mates", got, want, vocab, allowed)
}
