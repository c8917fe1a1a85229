package cpu_test

import (
	"testing"

	"tandem/kernels/op"
)

// TestProfile: what ops read and multiply follows from their shapes and the batch.
func TestProfile(t *testing.T) {
	const vocab, width = 48, 64
	tensor := func(rows, cols int) *op.Tensor {
		return &op.Tensor{Name: "w", Type: op.Q8_0, Rows: rows, Cols: cols, Data: make([]byte, rows*op.Q8_0.RowBytes(cols))}
	}
	b := op.NewBuilder("profile", vocab, 100)
	x := b.Embed(tensor(vocab, width)) // (rows, width)
	x = b.MatMul(x, tensor(width, width), nil)
	x = b.MatMul(x, tensor(width, width), nil)
	x = b.Attention(x, b.MatMul(x, tensor(32, width), nil), b.MatMul(x, tensor(32, width), nil), 32)
	p, err := b.Program(b.MatMul(b.Select(x), tensor(vocab, width), nil))
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, 2, "")
	defer d.Close()
	exe, err := d.Compile(t.Context(), p, op.CompileOptions{RowsMax: 8, LogitsMax: 1, KV: op.F16, Pages: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	batch := &op.Batch{Rows: make([]op.Row, 5), Tables: [][]int32{{0}}, Logits: make([]float32, vocab)}
	for i := range batch.Rows {
		batch.Rows[i] = op.Row{Pos: int32(i), Logits: i == 4}
	}
	run := func() {
		if err := exe.Run(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	run() // not in the profile
	exe.(op.Profiler).StartProfile()
	run()
	run()
	seen := map[string]op.Cost{}
	for _, c := range exe.(op.Profiler).StopProfile() {
		if c.Time <= 0 {
			t.Errorf("%s %s took %v", c.Kind, c.Shape, c.Time)
		}
		c.Time, c.Wait = 0, 0
		seen[c.Kind+" "+c.Shape] = c
	}
	const block = 34.0 / 32 // bytes of a Q8_0 weight, in tiles as in files
	for _, want := range []op.Cost{
		{Kind: "matmul", Shape: "Q8_0 64 x 64", Calls: 4, Bytes: 4 * 64 * 64 * block, Ops: 4 * 2 * 64 * 64 * 5},
		{Kind: "matmul", Shape: "Q8_0 32 x 64", Calls: 4, Bytes: 4 * 32 * 64 * block, Ops: 4 * 2 * 32 * 64 * 5},
		{Kind: "matmul", Shape: "Q8_0 48 x 64", Calls: 2, Bytes: 2 * 48 * 64 * block, Ops: 2 * 2 * 48 * 64}, // one row wants logits
		// 1 to 5 keys of 32 f16 for two query heads; K and V of 5 positions are read.
		{Kind: "attention", Shape: "1 heads of 32 for 2", Calls: 2, Bytes: 2 * 2 * 5 * 32 * 2, Ops: 2 * 4 * 15 * 2 * 32},
	} {
		if got := seen[want.Kind+" "+want.Shape]; got != want {
			t.Errorf("%+v\nwant %+v\nin %v", got, want, seen)
		}
	}
}
