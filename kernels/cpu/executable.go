package cpu

// #include <stdlib.h>
// #include "cpu.h"
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"tandem/kernels/op"
)

// executable is a lowered program with its memory. All memory that C sees is
// C's own, except a batch's page tables and logits, pinned while a run lasts.
type executable struct {
	dev     *Device
	p       *op.Program
	opt     op.CompileOptions
	weights *weightSet
	c       *C.struct_cpu_program
	owned   []unsafe.Pointer // freed by Close
	bytes   int64
	taps    []tap
	ropes   [][]float32
	cos     [][]float32 // per rope table, (RowsMax, len(freqs))
	sin     [][]float32
	token   []int32 // per row
	pos     []int32
	seq     []int32
	selects []int32
	table   []int32 // all page tables of a batch
	starts  []int32
	pages   *pages
	profile *profile // nil unless runs are measured
}

// tap is a named value and the op after which it is complete.
type tap struct {
	after int
	name  string
	value op.Value
	data  *float32
}

// partialsBytesMax bounds the memory for attention that is split over workers.
const partialsBytesMax = 16 << 20

// Compile lowers p, repacks its weights and allocates all that its runs need.
func (d *Device) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	if opt.KV != op.F16 && opt.KV != op.Q8_0 && opt.KV != op.F32 {
		return nil, fmt.Errorf("cpu: keys and values as %v: %w", opt.KV, op.ErrNotSupported)
	}
	weights, err := newWeightSet(p)
	if err != nil {
		return nil, err
	}
	e := &executable{dev: d, p: p, opt: opt, weights: weights, bytes: int64(weights.bytes)}
	e.c = (*C.struct_cpu_program)(C.calloc(1, C.sizeof_struct_cpu_program))
	l, err := lower(p, opt, weights)
	if err == nil {
		err = e.allocate(l)
	}
	if err == nil {
		err = weights.pack(ctx, d.threads, progress)
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// alloc takes memory that Close frees.
func (e *executable) alloc(bytes int) (unsafe.Pointer, error) {
	p := C.cpu_alloc(C.size_t(bytes))
	if p == nil {
		return nil, fmt.Errorf("cpu: %d MB: %w", bytes>>20, op.ErrOutOfMemory)
	}
	e.owned = append(e.owned, p)
	return p, nil
}

// allocate gives every pointer of the lowered program its memory.
func (e *executable) allocate(l *lowering) error {
	group, dim, qHeads := 1, 16, 1
	for _, o := range e.p.Ops {
		if a, ok := o.(*op.Attention); ok {
			group, dim, qHeads = max(group, a.QHeads/a.Heads), max(dim, a.HeadDim), max(qHeads, a.QHeads)
		}
	}
	scratch := int(C.cpu_scratch_bytes(C.int(max(e.opt.RowsMax, 2*e.opt.LogitsMax)), C.int(group), C.int(dim)))
	if scratch == 0 {
		return fmt.Errorf("cpu: %d query heads share a KV head: %w", group, op.ErrNotSupported)
	}
	m := memoryPlan{}
	slots := make([]int, len(l.slots))
	for i, bytes := range l.slots {
		slots[i] = m.add(bytes)
	}
	partials := min(partialsBytesMax, 16*qHeads*(dim+2)*4*(e.opt.Pages*op.PageTokens/C.SPAN_TOKENS+1))
	partialsAt, scratchAt := m.add(partials), m.add(scratch*e.dev.threads)
	opsAt := m.add(len(l.ops) * int(unsafe.Sizeof(C.struct_cpu_op{})))
	nextAt := m.add(len(l.ops) * 4)
	rowsAt := m.add(4 * 4 * e.opt.RowsMax)
	ropesAt := make([]int, len(l.ropes))
	for i, freqs := range l.ropes {
		ropesAt[i] = m.add(2 * 4 * e.opt.RowsMax * len(freqs))
	}
	memory, err := e.alloc(m.bytes)
	if err != nil {
		return err
	}
	e.bytes += int64(m.bytes)
	pageMemory, err := e.alloc(e.opt.Pages * l.pageBytes())
	if err != nil {
		return err
	}
	e.pages = &pages{memory: pageMemory, n: e.opt.Pages, pageBytes: l.pageBytes(), kv: e.opt.KV, layers: l.kv}

	ops := unsafe.Slice((*C.struct_cpu_op)(unsafe.Add(memory, opsAt)), len(l.ops))
	at := func(b int) unsafe.Pointer {
		if b < 0 {
			return nil
		}
		return unsafe.Add(memory, slots[l.buffers[b].slot])
	}
	for i, o := range l.ops {
		o.c.in, o.c.out, o.c.add = (*C.float)(at(o.in)), (*C.float)(at(o.out)), (*C.float)(at(o.add))
		o.c.q, o.c.k, o.c.v = (*C.float)(at(o.q)), (*C.float)(at(o.k)), (*C.float)(at(o.v))
		o.c.xq = (*C.struct_xgroup)(at(o.xq))
		ops[i] = o.c
		if o.name != "" {
			e.taps = append(e.taps, tap{i, o.name, o.value, (*float32)(at(o.out))})
		}
	}
	*e.c = C.struct_cpu_program{
		ops: &ops[0], n_ops: C.int32_t(len(ops)), kv_type: C.int32_t(e.opt.KV),
		pages: (*C.uint8_t)(pageMemory), page_bytes: C.size_t(l.pageBytes()),
		partials: (*C.float)(unsafe.Add(memory, partialsAt)), partials_max: C.size_t(partials / 4),
		next:    (*C.atomic_int)(unsafe.Add(memory, nextAt)),
		scratch: (*C.uint8_t)(unsafe.Add(memory, scratchAt)), scratch_bytes: C.size_t(scratch),
	}
	e.allocateRows(l, unsafe.Add(memory, rowsAt), func(i int) unsafe.Pointer { return unsafe.Add(memory, ropesAt[i]) })
	return nil
}

// allocateRows shares the per-row arrays of a batch with C.
func (e *executable) allocateRows(l *lowering, rows unsafe.Pointer, rope func(int) unsafe.Pointer) {
	n := e.opt.RowsMax
	array := func(i int) []int32 { return unsafe.Slice((*int32)(unsafe.Add(rows, i*n*4)), n) }
	e.token, e.pos, e.seq, e.selects = array(0), array(1), array(2), array(3)
	b := &e.c.batch
	b.token, b.pos = (*C.int32_t)(&e.token[0]), (*C.int32_t)(&e.pos[0])
	b.seq, b._select = (*C.int32_t)(&e.seq[0]), (*C.int32_t)(&e.selects[0])
	e.ropes = l.ropes
	for i, freqs := range l.ropes {
		cos := (*float32)(rope(i))
		sin := (*float32)(unsafe.Add(unsafe.Pointer(cos), 4*n*len(freqs)))
		e.cos, e.sin = append(e.cos, unsafe.Slice(cos, n*len(freqs))), append(e.sin, unsafe.Slice(sin, n*len(freqs)))
		b.cos[i], b.sin[i] = (*C.float)(cos), (*C.float)(sin)
	}
}

// memoryPlan adds up aligned pieces of one allocation.
type memoryPlan struct{ bytes int }

func (m *memoryPlan) add(bytes int) (offset int) {
	offset = m.bytes
	m.bytes += (bytes + alignment - 1) / alignment * alignment
	return offset
}

// Pages is the pool of KV pages.
func (e *executable) Pages() op.Pages { return e.pages }

// Bytes is the memory of weights and buffers.
func (e *executable) Bytes() int64 { return e.bytes }

// Close frees everything.
func (e *executable) Close() error {
	e.StopProfile()
	for _, p := range e.owned {
		C.cpu_free(p)
	}
	e.owned = nil
	if e.weights.memory != nil {
		e.weights.close()
	}
	C.free(unsafe.Pointer(e.c))
	e.c = nil
	return nil
}

// Run computes b. Cancelling ctx sets a flag that the workers poll per tile.
func (e *executable) Run(ctx context.Context, b *op.Batch) error {
	if err := b.Check(e.p, e.opt, e); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	if err := ctx.Err(); err != nil || len(b.Rows) == 0 {
		return err
	}
	var pinner runtime.Pinner
	defer func() {
		// C's memory must not keep pointers that are no longer pinned: the garbage
		// collector would meet them when the next run overwrites them.
		c := &e.c.batch
		c.table, c.table_start, c.logits = nil, nil, nil
		pinner.Unpin()
	}()
	e.load(b, &pinner)

	C.cpu_set_cancel(e.c, 0)
	flagged := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.cpu_set_cancel(e.c, 1)
		close(flagged)
	})
	e.count(b)
	e.walk(b)
	if !stop() {
		<-flagged // or the flag would be set in the next run
	}
	return ctx.Err()
}

// load copies the rows to the arrays that C reads.
func (e *executable) load(b *op.Batch, pinner *runtime.Pinner) {
	e.table, e.starts = e.table[:0], e.starts[:0]
	for _, t := range b.Tables {
		e.starts = append(e.starts, int32(len(e.table)))
		e.table = append(e.table, t...)
	}
	selected := 0
	for i, r := range b.Rows {
		e.token[i], e.pos[i], e.seq[i] = r.Token, r.Pos, r.Seq
		if r.Logits {
			e.selects[selected] = int32(i)
			selected++
		}
	}
	for i, freqs := range e.ropes {
		op.RopeTable(e.cos[i], e.sin[i], b.Rows, freqs)
	}
	c := &e.c.batch
	c.rows, c.selected = C.int32_t(len(b.Rows)), C.int32_t(selected)
	pinner.Pin(&e.table[0])
	pinner.Pin(&e.starts[0])
	c.table, c.table_start = (*C.int32_t)(&e.table[0]), (*C.int32_t)(&e.starts[0])
	c.logits = nil
	if selected > 0 {
		pinner.Pin(&b.Logits[0])
		c.logits = (*C.float)(&b.Logits[0])
	}
}

// walk runs all ops, in one call unless the batch wants to see values between.
func (e *executable) walk(b *op.Batch) {
	first, last := 0, int(e.c.n_ops)
	if b.Tap == nil {
		e.dev.run(e.c, first, last)
		return
	}
	for _, t := range e.taps {
		e.dev.run(e.c, first, t.after+1)
		first = t.after + 1
		info := e.p.Values[t.value]
		rows := len(b.Rows)
		if info.Selected {
			rows = b.LogitRows()
		}
		if t.data == nil {
			b.Tap(t.name, b.Logits)
		} else {
			b.Tap(t.name, unsafe.Slice(t.data, rows*info.Width))
		}
	}
	e.dev.run(e.c, first, last)
}
