package ref

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"tandem/kernels/op"
)

// pollWork is the multiply-adds or dequantised weights after which a worker
// looks at its context: at most half a millisecond.
const pollWork = 1 << 17

// worker is one goroutine's scratch.
type worker struct {
	row    []float32 // a dequantised row, (widest)
	weight []float64 // a tile of one or two matrices, (2, tileRows, widest)
	// Attention of a row and a KV head; group is the query heads that share it.
	queries []float64 // (group, headDim)
	scores  []float64 // (group, positions)
	sums    []float64 // weighted values, (group, headDim)
	page    []float64 // keys or values, (PageTokens, headDim)
	work    int       // since the last poll
}

// run is one Run in progress.
type run struct {
	*Executable
	ctx  context.Context
	b    *op.Batch
	stop atomic.Bool // a worker failed

	errMu sync.Mutex
	err   error // the first failure
}

// Run computes b; see [op.Executable].
func (e *Executable) Run(ctx context.Context, b *op.Batch) error {
	if err := b.Check(e.p, e.opt, e); err != nil {
		return fmt.Errorf("ref: %s: %w", e.p.Name, err)
	}
	e.selected = e.selected[:0]
	for i, row := range b.Rows {
		if row.Logits {
			e.selected = append(e.selected, i)
		}
	}
	r := &run{Executable: e, ctx: ctx, b: b}
	for _, o := range e.p.Ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.op(o)
		if r.err != nil {
			return r.err
		}
		r.tap(o)
	}
	return nil
}

// op computes one op. Failures are left in r.err.
func (r *run) op(o op.Op) {
	switch o := o.(type) {
	case *op.Embed:
		r.embed(o)
	case *op.Norm:
		r.norm(o)
	case *op.MatMul:
		r.matMul(o)
	case *op.GatedMatMul:
		r.gatedMatMul(o)
	case *op.Rope:
		r.rope(o)
	case *op.Attention:
		r.attention(o)
	case *op.Select:
		r.selectRows(o)
	}
}

// tap shows the named values that o wrote.
func (r *run) tap(o op.Op) {
	if r.b.Tap == nil {
		return
	}
	_, writes := op.Uses(o)
	for _, v := range writes {
		if name := r.p.Values[v].Name; name != "" {
			r.b.Tap(name, r.value(v))
		}
	}
}

// rows is how many rows v has in this batch.
func (r *run) rows(v op.Value) int {
	if r.p.Values[v].Selected {
		return len(r.selected)
	}
	return len(r.b.Rows)
}

// value is v's buffer, (rows, width).
func (r *run) value(v op.Value) []float32 {
	if v == r.p.Logits {
		return r.b.Logits
	}
	return r.buffers[r.bufferOf[v]][:r.rows(v)*r.p.Values[v].Width]
}

// fail records err and makes all workers stop.
func (r *run) fail(err error) {
	r.errMu.Lock()
	defer r.errMu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.stop.Store(true)
}

// goOn counts n units of work and tells w whether to go on. It looks at the
// context once in pollWork.
func (r *run) goOn(w *worker, n int) bool {
	if w.work += n; w.work >= pollWork {
		w.work = 0
		if err := r.ctx.Err(); err != nil {
			r.fail(err)
		}
	}
	return !r.stop.Load()
}

// parallel calls do for each of n units, some at a time. Which worker takes a
// unit is chance, so a unit's result must depend on nothing else.
func (r *run) parallel(n int, do func(w *worker, unit int)) {
	var next atomic.Int64
	work := func(w *worker) {
		for {
			unit := int(next.Add(1)) - 1
			if unit >= n || r.stop.Load() {
				return
			}
			do(w, unit)
		}
	}
	var wait sync.WaitGroup
	for i := 1; i < min(len(r.workers), n); i++ {
		wait.Go(func() { work(&r.workers[i]) })
	}
	work(&r.workers[0])
	wait.Wait()
}
