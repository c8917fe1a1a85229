package ref_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// TestKernels holds ref against itself: on other numbers of threads, in other
// chunks and batches it must give the same bits. All formats run through the
// same code, so that a few are enough.
func TestKernels(t *testing.T) {
	open := func(t testing.TB, threads int) op.Device { return ref.Open(threads) }
	kerneltest.Run(t, open, op.F32, op.Q8_0, op.Q5_K)
}

// countingContext is cancelled after some looks at it.
type countingContext struct {
	context.Context
	looks atomic.Int64
	after int64
}

func (c *countingContext) Err() error {
	if c.looks.Add(1) > c.after {
		return context.Canceled
	}
	return nil
}

// TestPolls runs a matmul of 32 million multiply-adds and an attention of 16
// million and demands that the context is looked at often, and that the first
// look that finds it cancelled is the last one each worker needs.
func TestPolls(t *testing.T) {
	const width, vocab, rows, threads = 256, 512, 250, 2
	weight := &op.Tensor{Name: "w", Type: op.Q8_0, Rows: vocab, Cols: width, Data: make([]byte, vocab*op.Q8_0.RowBytes(width))}
	b := op.NewBuilder("polls", vocab, rows)
	x := b.Embed(weight)
	x = b.Attention(x, x, x, 64)
	p, err := b.Program(b.MatMul(b.Select(x), weight, nil))
	if err != nil {
		t.Fatal(err)
	}
	exec, err := ref.Open(threads).Compile(t.Context(), p, op.CompileOptions{RowsMax: rows, LogitsMax: rows, KV: op.F16, Pages: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := &op.Batch{Tables: [][]int32{{0, 1, 2, 3, 4, 5, 6, 7}}, Logits: make([]float32, rows*vocab)}
	for i := range int32(rows) {
		batch.Rows = append(batch.Rows, op.Row{Token: i, Pos: i, Logits: true})
	}
	ctx := &countingContext{Context: t.Context(), after: math.MaxInt64}
	if err := exec.Run(ctx, batch); err != nil {
		t.Fatal(err)
	}
	all := ctx.looks.Load()
	if work := int64(rows*vocab*width + rows*rows*width); all < work/(1<<18) {
		t.Errorf("%d looks at the context in %d multiply-adds", all, work)
	}
	for _, after := range []int64{0, 1, 50, all * 3 / 4} {
		ctx := &countingContext{Context: t.Context(), after: after}
		if err := exec.Run(ctx, batch); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at look %d: error %v", after, err)
		}
		if more := ctx.looks.Load() - after; more > threads {
			t.Errorf("cancelled at look %d: looked %d times more", after, more)
		}
	}
}

// TestCompileChecksWeights: tensors that do not hold what they say are refused.
func TestCompileChecksWeights(t *testing.T) {
	for want, spoil := range map[string]func(w *op.Tensor){
		"bytes, needs":  func(w *op.Tensor) { w.Data = w.Data[1:] },
		"not supported": func(w *op.Tensor) { w.Type = 5 },
		"vocabulary":    func(w *op.Tensor) { w.Rows, w.Data = 31, w.Data[:31*34] },
	} {
		whole := &op.Tensor{Name: "w", Type: op.Q8_0, Rows: 32, Cols: 32, Data: make([]byte, 32*34)}
		spoilt := *whole
		spoil(&spoilt)
		b := op.NewBuilder("weights", 32, 100)
		p, err := b.Program(b.MatMul(b.Select(b.Embed(&spoilt)), whole, nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = ref.Open(1).Compile(t.Context(), p, op.CompileOptions{RowsMax: 1, LogitsMax: 1, KV: op.F16, Pages: 1}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
