package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"tandem/kernels/op"
)

// testNotFinite checks that what is not finite shows: a row with a NaN or an
// infinity gives no finite numbers where ref gives none, and harms no other row.
func testNotFinite(t *testing.T, open Open, formats []op.DType) {
	d, tolerance := openDevice(t, open, 2)
	for _, format := range formats {
		const cols, rows = 256, 33
		s := newSource(uint64(format))
		inputs := s.normal(vocab*cols, 1)
		for i, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			inputs[i*cols+7*i] = float32(bad)
		}
		b := op.NewBuilder(fmt.Sprintf("not finite %v", format), vocab, 1000)
		x := b.Embed(s.tensor(op.F32, inputs, cols)) // (rows, cols)
		b.Name(b.Norm(x, s.normal(cols, 1), 1e-6), "norm")
		b.Name(b.GatedMatMul(x, s.weight(format, rows, cols), s.weight(format, rows, cols), op.SiLU), "gated")
		p, err := b.Program(b.MatMul(b.Select(x), s.weight(format, vocab, cols), nil))
		if err != nil {
			t.Fatal(err)
		}
		m, table := compile(t, d, p, defaults), pageTable(0, 1)
		ids := []int32{10, 0, 11, 1, 12, 13, 2, 14, 15, 16, 17, 18, 19, 20}
		got, want := m.tapped(sequence(0, 0, ids), table), compileRef(t, p, defaults).tapped(sequence(0, 0, ids), table)
		plain, gated := tolerance.matMul(format)
		compareValues(t, "norm", got["norm"], want["norm"], cols, tolerance.Norm)
		compare(t, format.String()+" gated", got["gated"], want["gated"], rows, gated)
		compare(t, format.String()+" logits", got["logits of the batch"], want["logits of the batch"], vocab, plain)
		clean := slices.Clone(ids)
		for i, id := range clean {
			if id < 3 {
				clean[i] = 30
			}
		}
		alone := m.tapped(sequence(0, 0, clean), table)
		for i, id := range ids {
			if id >= 3 {
				equal(t, format.String()+" beside rows that are not finite", got["gated"][i*rows:(i+1)*rows], alone["gated"][i*rows:(i+1)*rows])
			}
		}
	}
	attentionNotFinite(t, d)
}

// attentionNotFinite puts one NaN among the keys or the values of one of two
// sequences: it shows in the rows that read it and in no other.
func attentionNotFinite(t *testing.T, d op.Device) {
	for _, kv := range []op.DType{op.F32, op.F16} {
		for _, reader := range []op.DType{op.F32, op.Q8_0} {
			for _, bad := range []string{"key", "value"} {
				notFiniteAmong(t, d, kv, reader, bad, 0)
				notFiniteAmong(t, d, kv, reader, bad, 20)
			}
		}
	}
}

// notFiniteAmong has 8 rows and more of a third sequence.
func notFiniteAmong(t *testing.T, d op.Device, kv, reader op.DType, bad string, more int) {
	opt := defaults
	opt.KV = kv
	s := newSource(3)
	const width = 64
	b := op.NewBuilder("attention, not finite", vocab, 1000)
	embed := func(what string) op.Value {
		x := s.normal(vocab*width, 1)
		if what == bad {
			x[5*width+3] = float32(math.NaN()) // token 5, head 0
		}
		return b.Embed(s.tensor(op.F32, x, width))
	}
	q, k, v := embed("query"), embed("key"), embed("value")
	out := b.Name(b.Attention(q, k, v, 32), "out") // (rows, 2 * 32)
	p, err := b.Program(b.Select(b.MatMul(out, s.weight(reader, vocab, width), nil)))
	if err != nil {
		t.Fatal(err)
	}
	m := compile(t, d, p, opt)
	// The row before the bad one ends in the middle of a pair of positions.
	const at = 3
	rows := append(sequence(0, 0, []int32{9, 10, 11, 5, 12}), sequence(1, 0, []int32{13, 14, 15})...)
	rows = append(rows, sequence(2, 0, s.tokens(more, 4))...)
	got := m.tapped(rows, []int32{0}, []int32{1}, []int32{2})["out"]
	rows[at].Token = 30
	clean := m.tapped(rows, []int32{0}, []int32{1}, []int32{2})["out"]
	for i := range rows {
		reads := i >= at && i < 5
		for k := range width {
			value, want := got[i*width+k], clean[i*width+k]
			switch {
			case reads && (k < 32 && bad == "key" || k == 3) && finite(float64(value)):
				t.Fatalf("KV %v, read by %v: row %d, value %d is %v after a %s that is not finite", kv, reader, i, k, value, bad)
			case !reads && value != want:
				t.Fatalf("KV %v, read by %v: row %d, value %d is %v, want %v: it never reads the bad %s", kv, reader, i, k, value, want, bad)
			}
		}
	}
}

// testRefusals checks that what a device cannot run is an error, and leaves it whole.
func testRefusals(t *testing.T, open Open) {
	d, _ := openDevice(t, open, 2)
	p := blockProgram(t, newSource(1), op.Q8_0)
	opt := defaults
	opt.KV = op.Q4_0
	if _, err := d.Compile(t.Context(), p, opt, nil); !errors.Is(err, op.ErrNotSupported) {
		t.Errorf("KV pages of Q4_0: error %v, want %v", err, op.ErrNotSupported)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Compile(ctx, p, defaults, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Compile: error %v", err)
	}

	m, table, ids := compile(t, d, p, defaults), pageTable(0, 1), []int32{1, 2, 3}
	want := m.run(sequence(0, 0, ids), table)
	bad := map[string]func(b *op.Batch){
		"token below 0":     func(b *op.Batch) { b.Rows[1].Token = -1 },
		"token too high":    func(b *op.Batch) { b.Rows[1].Token = vocab },
		"position below 0":  func(b *op.Batch) { b.Rows[0].Pos = -1 },
		"position too high": func(b *op.Batch) { b.Rows = sequence(0, int32(p.MaxTokens)-2, ids) },
		"position skipped":  func(b *op.Batch) { b.Rows[2].Pos = 7 },
		"sequence unknown":  func(b *op.Batch) { b.Rows[2].Seq = 1 },
		"sequence below 0":  func(b *op.Batch) { b.Rows[0].Seq = -1 },
		"table too short":   func(b *op.Batch) { b.Rows = sequence(0, op.PageTokens, ids) },
		"page too high":     func(b *op.Batch) { b.Tables[0] = []int32{int32(m.exec.Pages().Len())} },
		"page below 0":      func(b *op.Batch) { b.Tables[0] = []int32{-1} },
		"too few logits":    func(b *op.Batch) { b.Logits = b.Logits[1:] },
		"too many logits":   func(b *op.Batch) { b.Logits = append(b.Logits, 0) },
		"too many rows":     func(b *op.Batch) { b.Rows = sequence(0, 0, make([]int32, defaults.RowsMax+1)) },
		"sequence in two runs": func(b *op.Batch) {
			b.Tables = append(b.Tables, []int32{1})
			b.Rows[1].Seq, b.Rows[1].Pos, b.Rows[2].Pos = 1, 0, 1
		},
	}
	for name, spoil := range bad {
		b := &op.Batch{Rows: sequence(0, 0, ids), Tables: [][]int32{table}, Logits: make([]float32, len(ids)*vocab)}
		spoil(b)
		if err := m.exec.Run(t.Context(), b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := m.exec.Run(t.Context(), &op.Batch{}); err != nil {
		t.Errorf("a batch without rows: %v", err)
	}
	equal(t, "after refused batches", m.run(sequence(0, 0, ids), table), want)
}

// testCancel cancels between two ops and before the first, and goes on after it.
func testCancel(t *testing.T, open Open) {
	d, _ := openDevice(t, open, 2)
	m, table := compile(t, d, blockProgram(t, newSource(1), op.Q8_0), defaults), pageTable(0, 2)
	ids := newSource(2).tokens(40, vocab)
	want := m.run(sequence(0, 0, ids), table)
	ctx, cancel := context.WithCancel(t.Context())
	b := &op.Batch{
		Rows: sequence(0, 0, ids), Tables: [][]int32{table}, Logits: make([]float32, len(want)),
		Tap: func(string, []float32) { cancel() },
	}
	if err := m.exec.Run(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: error %v", err)
	}
	b.Tap = nil
	if err := m.exec.Run(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the start: error %v", err)
	}
	equal(t, "after a cancelled run", m.run(sequence(0, 0, ids), table), want)
}
