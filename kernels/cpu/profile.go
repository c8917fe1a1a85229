package cpu

// #include <stdlib.h>
// #include "cpu.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"tandem/kernels/op"
)

// kindNames are what a profile calls C's kinds of ops.
var kindNames = [C.OP_KINDS]string{
	C.OP_EMBED: "embed", C.OP_NORM: "norm", C.OP_QUANTISE: "quantise", C.OP_MATMUL: "matmul", C.OP_GATED: "gated matmul",
	C.OP_ROPE: "rope", C.OP_STORE: "store kv", C.OP_ATTEND: "attention", C.OP_MERGE: "merge", C.OP_SELECT: "select",
}

// profile adds up what runs cost, by op. It belongs to the executable's goroutine.
type profile struct {
	times []int64 // C's: per op its ns and those of the barrier before it
	costs []op.Cost
}

// StartProfile measures every run from now on; the sums begin at 0.
func (e *executable) StartProfile() {
	e.StopProfile()
	n := int(e.c.n_ops)
	e.c.times = (*C.int64_t)(C.calloc(C.size_t(2*n), 8))
	e.profile = &profile{unsafe.Slice((*int64)(e.c.times), 2*n), make([]op.Cost, n)}
}

// StopProfile ends that and returns what each kind of op cost, the dearest first.
func (e *executable) StopProfile() []op.Cost {
	if e.profile == nil {
		return nil
	}
	costs := e.profile.costs
	for i, o := range e.ops() {
		c := &costs[i]
		c.Kind, c.Shape = kindNames[o.kind], shapeOf(o)
		c.Time, c.Wait = time.Duration(e.profile.times[2*i]), time.Duration(e.profile.times[2*i+1])
	}
	C.free(unsafe.Pointer(e.c.times))
	e.c.times, e.profile = nil, nil
	return op.SumCosts(costs)
}

func (e *executable) ops() []C.struct_cpu_op { return unsafe.Slice(e.c.ops, e.c.n_ops) }

// shapeOf says what an op works on, by what its speed depends on.
func shapeOf(o C.struct_cpu_op) string {
	switch o.kind {
	case C.OP_MATMUL, C.OP_EMBED:
		return fmt.Sprintf("%v %d x %d", op.DType(o.w._type), o.w.rows, o.w.cols)
	case C.OP_GATED:
		return fmt.Sprintf("%v 2 x %d x %d", op.DType(o.w._type), o.w.rows, o.w.cols)
	case C.OP_STORE, C.OP_ATTEND, C.OP_MERGE:
		return fmt.Sprintf("%d heads of %d for %d", o.heads, o.head_dim, o.q_heads)
	}
	return fmt.Sprint(o.width)
}

// count adds what a run of b asks of each op: calls, bytes of weights, keys and
// values, and operations of products.
func (e *executable) count(b *op.Batch) {
	if e.profile == nil {
		return
	}
	seen, read := b.Keys()
	for i, o := range e.ops() {
		c, rows := &e.profile.costs[i], len(b.Rows)
		if o.selected != 0 {
			rows = b.LogitRows()
		}
		c.Calls++
		switch o.kind {
		case C.OP_MATMUL, C.OP_GATED:
			matrices := 1
			if o.kind == C.OP_GATED {
				matrices = 2
			}
			c.Bytes += float64(matrices * int(o.w.tiles) * int(o.w.tile_bytes))
			c.Ops += float64(2 * matrices * int(o.w.rows) * int(o.w.cols) * rows)
		case C.OP_ATTEND:
			c.Bytes += float64(2 * read * int(o.heads) * headBytes(e.opt.KV, int(o.head_dim)) / op.PageTokens)
			c.Ops += float64(4 * seen * int(o.q_heads) * int(o.head_dim))
		}
	}
}
