package cpu

// #include "cpu.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	"tandem/kernels/op"
)

// A Program is lowered in three steps: write the list of C ops (activations
// that quantised weights read get a quantised twin), give every buffer a slot
// (slots are shared by buffers that are never needed at once), and decide where
// workers must wait for each other.

// buffer is something that ops read and write: a value's floats, a value's
// quantised twin, or one of the two below.
type buffer struct {
	bytes       int
	first, last int // lowered ops that use it, -1 if none yet
	slot        int
}

const (
	pagesBuffer    = 0 // the KV pages, for ordering only
	partialsBuffer = 1 // attention partials, likewise
	fixedBuffers   = 2
)

// loweredOp is a C op in the making, with the buffers its pointers will get.
type loweredOp struct {
	c             C.struct_cpu_op
	name          string // of the value it completes, for taps
	value         op.Value
	rowLocal      bool
	in, out       int // buffers, -1 for none
	add, xq       int
	q, k, v       int
	reads, writes []int
}

type lowering struct {
	p       *op.Program
	opt     op.CompileOptions
	weights *weightSet
	ops     []loweredOp
	buffers []buffer
	floats  []int  // buffer of each value's floats
	twins   []int  // buffer of its quantised twin, -1 for none
	quant   []bool // values that quantised weights read
	fine    []bool // of those, the ones whose twin has two columns a row
	ropes   [][]float32
	kv      []layerPlace
	slots   []int // bytes of each
}

// layerPlace is where a layer's keys and values lie in a page.
type layerPlace struct {
	offset int
	op.KVLayer
}

func lower(p *op.Program, opt op.CompileOptions, weights *weightSet) (*lowering, error) {
	l := &lowering{p: p, opt: opt, weights: weights, quant: make([]bool, len(p.Values)), fine: make([]bool, len(p.Values))}
	l.buffers = make([]buffer, fixedBuffers)
	for _, v := range p.Values {
		rows := opt.RowsMax
		if v.Selected {
			rows = opt.LogitsMax
		}
		l.floats = append(l.floats, l.newBuffer(rows*v.Width*4))
		l.twins = append(l.twins, -1)
	}
	for _, o := range p.Ops {
		for _, w := range quantisedInputs(o) {
			l.quant[w] = true
			l.fine[w] = l.fine[w] || makesLogits(o, p)
		}
	}
	if err := l.placeKV(); err != nil {
		return nil, err
	}
	for _, o := range p.Ops {
		if err := l.lowerOp(o); err != nil {
			return nil, err
		}
	}
	l.placeBarriers()
	l.assignSlots()
	return l, nil
}

// quantisedInputs lists the values that o multiplies with quantised weights.
func quantisedInputs(o op.Op) []op.Value {
	switch o := o.(type) {
	case *op.MatMul:
		if !o.Weight.Type.IsFloat() {
			return []op.Value{o.In}
		}
	case *op.GatedMatMul:
		if !o.Gate.Type.IsFloat() {
			return []op.Value{o.In}
		}
	}
	return nil
}

// makesLogits reports whether o is the last product. What its input loses to
// int8 goes straight into the logits, a third of the whole error, and it has few
// rows: its input is quantised twice as finely (OP_QUANTISE).
func makesLogits(o op.Op, p *op.Program) bool {
	m, ok := o.(*op.MatMul)
	return ok && m.Out == p.Logits
}

func (l *lowering) newBuffer(bytes int) int {
	l.buffers = append(l.buffers, buffer{bytes: bytes, first: -1, last: -1, slot: -1})
	return len(l.buffers) - 1
}

// twinBytes is the size of quantised activations in so many columns.
func twinBytes(cols, width int) int {
	blocks := cols/C.COLS_MAX + 2 // blocks of equal size: one more than full ones at most
	return blocks * (width / C.GROUP) * int(unsafe.Sizeof(C.struct_xgroup{}))
}

// placeKV lays the layers out in a page and checks that the kernels know the shapes.
func (l *lowering) placeKV() error {
	offset := 0
	for i, kv := range l.p.KV {
		unit := 16
		if l.opt.KV == op.Q8_0 {
			unit = 32
		}
		if kv.HeadDim%unit != 0 {
			return fmt.Errorf("cpu: layer %d: head dimension %d with %v keys is not a multiple of %d: %w", i, kv.HeadDim, l.opt.KV, unit, op.ErrNotSupported)
		}
		l.kv = append(l.kv, layerPlace{offset, kv})
		offset += 2 * kv.Heads * headBytes(l.opt.KV, kv.HeadDim)
	}
	return nil
}

func (l *lowering) pageBytes() int {
	if len(l.kv) == 0 {
		return 0
	}
	last := l.kv[len(l.kv)-1]
	return last.offset + 2*last.Heads*headBytes(l.opt.KV, last.HeadDim)
}

// headBytes is head_bytes of attention.h.
func headBytes(kv op.DType, dim int) int {
	switch kv {
	case op.Q8_0:
		return op.PageTokens*dim + op.PageTokens*dim/32*4
	case op.F32:
		return op.PageTokens * dim * 4
	default:
		return op.PageTokens * dim * 2
	}
}

// emit appends o, which completes value v.
func (l *lowering) emit(o loweredOp, v op.Value) {
	if o.value = v; o.c.kind != C.OP_QUANTISE {
		o.name = l.p.Values[v].Name
	}
	o.c.selected = C.int32_t(boolInt(l.p.Values[v].Selected))
	l.ops = append(l.ops, o)
	if !l.quant[v] || o.c.kind == C.OP_QUANTISE {
		return
	}
	rows := l.opt.RowsMax
	if l.p.Values[v].Selected {
		rows = l.opt.LogitsMax
	}
	width, fine := l.p.Values[v].Width, boolInt(l.fine[v])
	l.twins[v] = l.newBuffer(twinBytes(rows<<fine, width))
	q := l.newOp(C.OP_QUANTISE, width)
	q.c.fine = C.int32_t(fine)
	q.in, q.xq, q.rowLocal = l.floats[v], l.twins[v], true
	q.reads, q.writes = []int{q.in}, []int{q.xq}
	l.emit(q, v)
}

func (l *lowering) newOp(kind C.int, width int) loweredOp {
	o := loweredOp{in: -1, out: -1, add: -1, xq: -1, q: -1, k: -1, v: -1}
	o.c.kind, o.c.width = C.int32_t(kind), C.int32_t(width)
	return o
}

func (l *lowering) lowerOp(o op.Op) error {
	switch o := o.(type) {
	case *op.Embed:
		c := l.newOp(C.OP_EMBED, o.Table.Cols)
		c.c.w, c.rowLocal = l.weights.tiles(o.Table), true
		c.out = l.floats[o.Out]
		c.writes = []int{c.out}
		l.emit(c, o.Out)
	case *op.Norm:
		c := l.newOp(C.OP_NORM, len(o.Weight))
		c.c.vec, c.c.eps, c.rowLocal = l.weights.vector(o.Weight), C.float(o.Eps), true
		c.in, c.out = l.floats[o.In], l.floats[o.Out]
		c.reads, c.writes = []int{c.in}, []int{c.out}
		l.emit(c, o.Out)
	case *op.MatMul:
		return l.lowerMatMul(o)
	case *op.GatedMatMul:
		if o.Gate.Type != o.Up.Type && (o.Gate.Type.IsFloat() || o.Up.Type.IsFloat()) {
			return fmt.Errorf("cpu: %s is %v but %s is %v: %w", o.Gate.Name, o.Gate.Type, o.Up.Name, o.Up.Type, op.ErrNotSupported)
		}
		c := l.newOp(C.OP_GATED, o.Gate.Cols)
		c.c.w, c.c.w2 = l.weights.tiles(o.Gate), l.weights.tiles(o.Up)
		l.matMulInput(&c, o.In, o.Gate)
		c.out = l.floats[o.Out]
		c.writes = []int{c.out}
		l.emit(c, o.Out)
	case *op.Rope:
		return l.lowerRope(o)
	case *op.Attention:
		l.lowerAttention(o)
	case *op.Select:
		c := l.newOp(C.OP_SELECT, l.p.Values[o.In].Width)
		c.in, c.out, c.rowLocal = l.floats[o.In], l.floats[o.Out], true
		c.reads, c.writes = []int{c.in}, []int{c.out}
		l.emit(c, o.Out)
	default:
		return fmt.Errorf("cpu: op %T: %w", o, op.ErrNotSupported)
	}
	return nil
}

// matMulInput points c at v's floats or at its quantised twin, as w needs.
func (l *lowering) matMulInput(c *loweredOp, v op.Value, w *op.Tensor) {
	if w.Type.IsFloat() {
		c.in = l.floats[v]
		c.reads = append(c.reads, c.in)
		return
	}
	c.xq, c.c.fine = l.twins[v], C.int32_t(boolInt(l.fine[v]))
	c.reads = append(c.reads, c.xq)
}

func (l *lowering) lowerMatMul(o *op.MatMul) error {
	c := l.newOp(C.OP_MATMUL, o.Weight.Cols)
	c.c.w = l.weights.tiles(o.Weight)
	if o.Bias != nil {
		c.c.vec = l.weights.vector(o.Bias)
	}
	l.matMulInput(&c, o.In, o.Weight)
	if o.Residual != op.NoValue {
		c.add = l.floats[o.Residual]
		c.reads = append(c.reads, c.add)
	}
	if o.Out != l.p.Logits {
		c.out = l.floats[o.Out]
		c.writes = []int{c.out}
	}
	l.emit(c, o.Out)
	return nil
}

func (l *lowering) lowerRope(o *op.Rope) error {
	c := l.newOp(C.OP_ROPE, l.p.Values[o.X].Width)
	table := slices.IndexFunc(l.ropes, func(f []float32) bool { return slices.Equal(f, o.Freqs) })
	if table < 0 {
		table = len(l.ropes)
		l.ropes = append(l.ropes, o.Freqs)
	}
	if table >= len(C.struct_cpu_batch{}.cos) {
		return fmt.Errorf("cpu: more than %d kinds of rotation: %w", table, op.ErrNotSupported)
	}
	c.c.rope, c.c.rope_dims, c.c.adjacent = C.int32_t(table), C.int32_t(len(o.Freqs)), C.int32_t(boolInt(o.Adjacent))
	c.c.head_dim, c.c.heads = C.int32_t(o.HeadDim), C.int32_t(l.p.Values[o.X].Width/o.HeadDim)
	c.out, c.rowLocal = l.floats[o.X], true
	c.reads, c.writes = []int{c.out}, []int{c.out}
	l.emit(c, o.X)
	return nil
}

// lowerAttention stores the new keys and values, attends, and merges the parts
// that attention left apart.
func (l *lowering) lowerAttention(o *op.Attention) {
	shape := func(c *loweredOp) {
		c.c.head_dim, c.c.heads, c.c.q_heads = C.int32_t(o.HeadDim), C.int32_t(o.Heads), C.int32_t(o.QHeads)
		c.c.scale, c.c.layer_offset = C.float(o.Scale), C.size_t(l.kv[o.Layer].offset)
	}
	store := l.newOp(C.OP_STORE, o.Heads*o.HeadDim)
	shape(&store)
	store.k, store.v, store.rowLocal = l.floats[o.K], l.floats[o.V], true
	store.reads, store.writes = []int{store.k, store.v}, []int{pagesBuffer}
	l.ops = append(l.ops, store)

	attend := l.newOp(C.OP_ATTEND, o.QHeads*o.HeadDim)
	shape(&attend)
	attend.q, attend.out = l.floats[o.Q], l.floats[o.Out]
	// Keys and values kept as f32 are there to be exact.
	attend.c.coarse = C.int32_t(boolInt(l.quant[o.Out] && l.opt.KV != op.F32))
	attend.reads, attend.writes = []int{attend.q, pagesBuffer}, []int{attend.out, partialsBuffer}
	l.ops = append(l.ops, attend)

	merge := l.newOp(C.OP_MERGE, o.QHeads*o.HeadDim)
	shape(&merge)
	merge.out, merge.rowLocal = l.floats[o.Out], true
	merge.reads, merge.writes = []int{partialsBuffer}, []int{merge.out}
	l.emit(merge, o.Out)
}

// placeBarriers makes workers wait before an op that touches what others may
// still be working on. Ops that work row by row on the same rows follow each
// other freely: each worker keeps its own rows.
func (l *lowering) placeBarriers() {
	var reads, writes []int // of the ops since the last barrier
	rowsOnly, selected := true, C.int32_t(0)
	for i := range l.ops {
		o := &l.ops[i]
		conflict := overlap(o.reads, writes) || overlap(o.writes, reads) || overlap(o.writes, writes)
		sameRows := rowsOnly && o.rowLocal && o.c.selected == selected
		if i > 0 && conflict && !sameRows {
			o.c.barrier = 1
			reads, writes, rowsOnly = nil, nil, true
		}
		if len(writes) == 0 {
			selected = o.c.selected
		}
		rowsOnly = rowsOnly && o.rowLocal && o.c.selected == selected
		reads, writes = append(reads, o.reads...), append(writes, o.writes...)
		for _, b := range append(slices.Clone(o.reads), o.writes...) {
			if l.buffers[b].first < 0 {
				l.buffers[b].first = i
			}
			l.buffers[b].last = i
		}
	}
}

func overlap(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

// assignSlots shares memory between buffers whose lives do not touch. Lives are
// stretched to the barriers around them: until the next one a slow worker may
// still be reading.
func (l *lowering) assignSlots() {
	epoch := make([]int, len(l.ops)) // barriers passed before the op
	for i := range l.ops {
		if i > 0 {
			epoch[i] = epoch[i-1]
		}
		epoch[i] += int(l.ops[i].c.barrier)
	}
	var freeFrom []int // epoch from which the slot is free
	for i := range l.ops {
		for b := fixedBuffers; b < len(l.buffers); b++ {
			buf := &l.buffers[b]
			if buf.first != i {
				continue
			}
			for s, bytes := range l.slots {
				closer := buf.slot < 0 || abs(bytes-buf.bytes) < abs(l.slots[buf.slot]-buf.bytes)
				if freeFrom[s] <= epoch[i] && closer {
					buf.slot = s
				}
			}
			if buf.slot < 0 {
				buf.slot = len(l.slots)
				l.slots, freeFrom = append(l.slots, 0), append(freeFrom, 0)
			}
			l.slots[buf.slot] = max(l.slots[buf.slot], buf.bytes)
			freeFrom[buf.slot] = epoch[buf.last] + 1
		}
	}
}

func abs(n int) int { return max(n, -n) }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
