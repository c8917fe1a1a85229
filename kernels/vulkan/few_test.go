package vulkan

import (
	"math"
	"math/rand/v2"
	"testing"

	"tandem/kernels/op"
)

const (
	fewVocab = 40
	fewWidth = 256
)

// fewProgram is a layer as models have them, with weights of a format.
func fewProgram(t *testing.T, format op.DType) *op.Program {
	t.Helper()
	s := rand.New(rand.NewPCG(uint64(format), 1))
	floats := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(s.NormFloat64() / 16)
		}
		return x
	}
	weight := func(rows, cols int) *op.Tensor {
		w := &op.Tensor{Name: "made up", Type: format, Rows: rows, Cols: cols, Data: make([]byte, format.RowBytes(rows*cols))}
		op.Quantize(format, w.Data, floats(rows*cols))
		return w
	}
	b := op.NewBuilder("few", fewVocab, 1000)
	freqs := op.RopeFreqs(48, 10000, nil) // of heads of 64
	x := b.Embed(weight(fewVocab, fewWidth))
	for range 2 {
		n := b.Norm(x, floats(fewWidth), 1e-6)
		q, k, v := b.MatMul(n, weight(fewWidth, fewWidth), floats(fewWidth)), b.MatMul(n, weight(128, fewWidth), floats(128)), b.MatMul(n, weight(128, fewWidth), nil)
		out := b.Attention(b.Rope(q, 64, freqs, op.NEOX), b.Rope(k, 64, freqs, op.NEOX), v, 64)
		x = b.MatMulAdd(x, out, weight(fewWidth, fewWidth))
		n = b.Norm(x, floats(fewWidth), 1e-6)
		x = b.Name(b.MatMulAdd(x, b.GatedMatMul(n, weight(512, fewWidth), weight(512, fewWidth), op.SiLU), weight(fewWidth, 512)), "x")
	}
	p, err := b.Program(b.MatMul(b.Norm(b.Select(x), floats(fewWidth), 1e-6), weight(fewVocab, fewWidth), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSplitsRoom: the sums behind any splits' maxima and totals can be read 16 bytes at
// a time. Mesa's software driver reads them anywhere.
func TestSplitsRoom(t *testing.T) {
	for splits := 1; splits <= splitsMax; splits *= 2 {
		for rows := 1; rows <= fewRows; rows++ {
			for heads := 1; heads <= 2*groupMax; heads++ {
				s := shape{rows: rows, splits: splits}
				if before := rows * heads * s.splitsRoom() * 8; before%16 != 0 || s.splitsRoom() < splits {
					t.Errorf("%d rows, %d heads, %d splits: room for %d, sums begin at %d", rows, heads, splits, s.splitsRoom(), before)
				}
			}
		}
	}
}

// TestFewAlike: up to fewRows rows give the bits that each gives alone, fused or
// not, so that drafts verified are what plain decode says.
func TestFewAlike(t *testing.T) {
	d := open(t)
	defer d.Close()
	for _, kv := range []op.DType{op.F16, op.Q8_0} {
		for _, format := range []op.DType{op.Q4_K, op.Q6_K, op.Q5_0} {
			exec, err := d.Compile(t.Context(), fewProgram(t, format), op.CompileOptions{RowsMax: 64, LogitsMax: 64, KV: kv, Pages: 8}, nil)
			if err != nil {
				t.Fatal(err)
			}
			run := func(from, n int, page int32, tap func(string, []float32)) []float32 {
				b := &op.Batch{Tables: [][]int32{{page, page + 1, page + 2}}, Tap: tap}
				for i := range n {
					b.Rows = append(b.Rows, op.Row{Token: int32((from + i) * 7 % fewVocab), Pos: int32(from + i), Logits: true})
				}
				b.Logits = make([]float32, n*fewVocab)
				if err := exec.Run(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				return b.Logits
			}
			const before, rows = 30, fewRows
			run(0, before, 0, nil)
			run(0, before, 4, nil)
			together := run(before, rows, 0, nil)
			var alone []float32
			for i := range rows {
				alone = append(alone, run(before+i, 1, 4, nil)...)
			}
			tapped := run(before, rows, 4, func(string, []float32) {})
			for i := range together {
				if a, b, c := math.Float32bits(alone[i]), math.Float32bits(together[i]), math.Float32bits(tapped[i]); a != b || b != c {
					t.Errorf("%v over %v: row %d, value %d is %v alone, %v of %d, %v tapped", format, kv, i/fewVocab, i%fewVocab, alone[i], together[i], rows, tapped[i])
					break
				}
			}
			// A draft of 5 rows goes by other kernels than one of 8.
			for i, v := range run(before, 5, 4, nil) {
				if math.Float32bits(v) != math.Float32bits(alone[i]) {
					t.Errorf("%v over %v: row %d of 5, value %d is %v, %v alone", format, kv, i/fewVocab, i%fewVocab, v, alone[i])
					break
				}
			}
			if err := exec.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestFewBesideMany: a row with few keys, whose heads have a workgroup each, gives the
// same bits beside one with so many that heads share a workgroup.
func TestFewBesideMany(t *testing.T) {
	d := open(t)
	defer d.Close()
	const few, many = 40, (ownSplitsMax + 1) * chunkKeys
	exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 64, LogitsMax: 2, KV: op.F16, Pages: 2 + ceil(many+1, op.PageTokens)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	tables := [][]int32{{0, 1}, nil}
	for page := range ceil(many+1, op.PageTokens) {
		tables[1] = append(tables[1], int32(2+page))
	}
	run := func(rows ...op.Row) []float32 {
		b := &op.Batch{Tables: tables, Rows: rows}
		b.Logits = make([]float32, b.LogitRows()*fewVocab)
		if err := exec.Run(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return b.Logits
	}
	token := func(seq, pos int, logits bool) op.Row {
		return op.Row{Token: int32(pos * 7 % fewVocab), Pos: int32(pos), Seq: int32(seq), Logits: logits}
	}
	for seq, n := range []int{few, many} {
		for pos := range n {
			run(token(seq, pos, false))
		}
	}
	alone, beside := run(token(0, few, true)), run(token(0, few, true), token(1, many, true))
	for i, v := range alone {
		if math.Float32bits(v) != math.Float32bits(beside[i]) {
			t.Fatalf("value %d is %v alone, %v beside a row with %d keys", i, v, beside[i], many+1)
		}
	}
}

// TestDispatches: a layer of decode is five dispatches, six with many splits of its
// keys, and nobody adds one unseen.
func TestDispatches(t *testing.T) {
	d := open(t)
	defer d.Close()
	exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 64, LogitsMax: 64, KV: op.F16, Pages: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	for splits, layer := range map[int]int{1: 5, 8: 5, 16: 6} {
		n := 0
		for _, s := range exec.(*executable).fused.steps {
			if s.call(shape{rows: 1, selected: 1, splits: splits, runs: 1}).x > 0 {
				n++
			}
		}
		if want := 2*layer + 3; n != want { // embed, norm and head beside two layers
			t.Errorf("%d dispatches with %d splits, want %d", n, splits, want)
		}
	}
}
