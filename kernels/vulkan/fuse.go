package vulkan

import (
	"fmt"
	"slices"

	"tandem/kernels/op"
)

// source is what a twin is made of: a value, normalised first if there is a
// weight, or the splits of an attention.
type source struct {
	from      op.Value
	weight    []float32
	eps       float32
	attention *op.Attention
}

// How few.comp and qkv.comp come by their columns, as columns.glsl has it.
const (
	columnsRead uint32 = iota
	columnsCopied
	columnsQuantised
	columnsNormed
	columnsJoined
)

const (
	// ownBytesMax bounds the shared memory for what a workgroup quantises for itself,
	// with what it normalises; copiedBytesMax that for what it copies.
	ownBytesMax    = 28 << 10
	copiedBytesMax = 36 << 10
	// sharedRest is for all else that those shaders keep there.
	sharedRest = 4 << 10

	// ownSplitsMax bounds the splits that each joins for itself.
	ownSplitsMax = 8
)

// sourceOf is what v's twin can be made of by those who read it.
func (l *lowering) sourceOf(v op.Value) (source, bool) {
	from, ok := l.sources[v]
	return from, ok && l.fused && l.columns[v] == 1
}

// makesOwn reports whether products that read v's twin make it themselves, for
// batches of that shape. Of several rows that is more work than waiting for another step
// is worth, and they copy it.
func (l *lowering) makesOwn(v op.Value, s shape) (source, bool) {
	from, ok := l.sourceOf(v)
	if !ok || l.rows(v, s) > 1 {
		return from, false
	}
	bytes := l.p.Values[v].Width / groupValues * twinGroupBytes
	if from.weight != nil {
		bytes += 4 * l.p.Values[v].Width
	}
	return from, bytes <= ownBytesMax && (from.attention == nil || s.splits <= ownSplitsMax)
}

// unlessFused is st, which makes v's twin, left out where products do that.
func (l *lowering) unlessFused(v op.Value, st step) step {
	dispatch := st.call
	st.call = func(s shape) call {
		if _, own := l.makesOwn(v, s); own {
			return call{}
		}
		return dispatch(s)
	}
	return st
}

// columnsOf are what the kernels for few columns read of v: two addresses, the
// norm's epsilon, and the constants PROLOGUE, OWN and, of few.comp alone,
// ROW_HEADS.
func (l *lowering) columnsOf(v op.Value, s shape, atOnce int) (x, y uint64, eps float32, constants []uint32) {
	from, own := l.makesOwn(v, s)
	words := uint32(atOnce * l.p.Values[v].Width / 4)
	if !own {
		x, y = l.twin(v, s)
		if _, ok := l.sourceOf(v); ok && atOnce > 1 && int(words)/8*twinGroupBytes <= l.e.dev.copiedBytesMax() {
			return x, y, 0, []uint32{columnsCopied, words, 1}
		}
		return x, y, 0, []uint32{columnsRead, 1, 1}
	}
	if a := from.attention; a != nil {
		return l.address(l.partialsOf(a.Layer, s), s), l.e.batch.positions, 0, []uint32{columnsJoined, words, uint32(a.QHeads)}
	}
	if from.weight == nil {
		return l.float(from.from, s), 0, 0, []uint32{columnsQuantised, words, 1}
	}
	return l.float(from.from, s), l.e.weights.vector(from.weight), from.eps, []uint32{columnsNormed, words, 1}
}

// copiedBytesMax is as much of it as the GPU has.
func (d *Device) copiedBytesMax() int {
	return min(copiedBytesMax, int(d.found.shared_bytes)-sharedRest)
}

// columnReads is the memory behind columnsOf.
func (l *lowering) columnReads(v op.Value) []int {
	reads := []int{l.twins[v]}
	switch from, ok := l.sourceOf(v); {
	case !ok:
	case from.attention != nil:
		reads = append(reads, l.partialsMemories(from.attention)...)
	default:
		reads = append(reads, l.floats[from.from])
	}
	return reads
}

// onlyNormed reports whether op i is a Select whose rows only the next op reads, a Norm.
func (l *lowering) onlyNormed(i int) bool {
	o := l.p.Ops[i].(*op.Select)
	if i+1 == len(l.p.Ops) {
		return false
	}
	next, ok := l.p.Ops[i+1].(*op.Norm)
	return ok && next.In == o.Out && l.readers(o.Out) == 1
}

// readers counts the ops that read v.
func (l *lowering) readers(v op.Value) int {
	n := 0
	for _, o := range l.p.Ops {
		if reads, _ := op.Uses(o); slices.Contains(reads, v) {
			n++
		}
	}
	return n
}

// qkv is an attention with the products and rotations before it.
type qkv struct {
	products  [3]*op.MatMul // of q, k and v
	rope      *op.Rope      // of q and of k, or nil
	attention *op.Attention
	ops       int // of the program, all together
}

// findQKV looks for three products of one input at op i, rotations of the first
// two alike, and an attention, whose values nobody else reads.
func (l *lowering) findQKV(i int) (qkv, bool) {
	f, ops := qkv{}, l.p.Ops
	if !l.fused || l.opt.KV == op.Q8_0 || i+4 > len(ops) {
		return f, false
	}
	for n := range f.products {
		m, ok := ops[i+n].(*op.MatMul)
		if !ok || m.Weight.Type.IsFloat() || m.Residual != op.NoValue || l.columns[m.In] != 1 || n > 0 && m.In != f.products[0].In {
			return f, false
		}
		f.products[n] = m
	}
	q, k, v := f.products[0].Out, f.products[1].Out, f.products[2].Out
	f.ops = 3
	for _, x := range []op.Value{q, k} {
		r, ok := ops[i+f.ops].(*op.Rope)
		if !ok {
			break
		}
		if r.X != x || f.rope != nil && !sameTurn(r, f.rope) {
			return f, false
		}
		f.rope = r
		f.ops++
	}
	rotations := f.ops - 3
	if rotations == 1 || i+f.ops == len(ops) {
		return f, false
	}
	a, ok := ops[i+f.ops].(*op.Attention)
	if !ok || a.Q != q || a.K != k || a.V != v || f.rope != nil && f.rope.HeadDim != a.HeadDim {
		return f, false
	}
	f.attention = a
	f.ops++
	perRow := rotations/2 + 1 // readers of q and of k
	return f, l.readers(q) == perRow && l.readers(k) == perRow && l.readers(v) == 1
}

// sameTurn reports whether two rotations turn heads alike.
func sameTurn(a, b *op.Rope) bool {
	return slices.Equal(a.Freqs, b.Freqs) && a.Adjacent == b.Adjacent && a.HeadDim == b.HeadDim
}

// lowerQKV appends the fused step, and attention without its store.
func (l *lowering) lowerQKV(f qkv) {
	a, in := f.attention, f.products[0].In
	table, pairs := 0, 0
	if f.rope != nil {
		table, pairs = l.ropeTable(f.rope), len(f.rope.Freqs)
	}
	s := step{
		kind: "qkv", shape: fmt.Sprintf("%v %v %v %d + 2 x %d x %d", f.products[0].Weight.Type, f.products[1].Weight.Type, f.products[2].Weight.Type,
			f.products[0].Weight.Rows, f.products[1].Weight.Rows, f.products[0].Weight.Cols),
		value: op.NoValue, reads: l.columnReads(in), writes: []int{l.floats[a.Q], pagesMemory}, awaits: true,
	}
	s.cost = func(b *op.Batch) (bytes, ops float64) {
		for _, m := range f.products {
			bytes += float64(packedBytes(m.Weight, m.Weight.Rows))
			ops += float64(2 * m.Weight.Rows * m.Weight.Cols * len(b.Rows))
		}
		return bytes, ops
	}
	threads, k := l.e.dev.fewThreads(), groups(f.products[0].Weight)
	span := l.e.dev.span(k, fewRows) // a thread for each row
	s.call = func(s shape) call {
		x, y, eps, columns := l.columnsOf(in, s, s.rows)
		constants := append(l.pageConstants(a), uint32(a.QHeads))
		var p push
		for _, m := range f.products {
			constants = append(constants, uint32(m.Weight.Type))
			p = p.address(l.e.weights.tensor(m.Weight))
		}
		for _, m := range f.products {
			p = p.address(l.e.weights.vector(m.Bias))
		}
		turns := uint64(0)
		if f.rope != nil {
			turns = l.e.batch.ropes[table]
		}
		p = append(p.address(x, y, l.float(a.Q, s), turns), l.pool(a)...)
		constants = append(append(constants, uint32(s.rows)), columns[:2]...)
		constants = append(constants, uint32(pairs), flag(f.rope != nil && f.rope.Adjacent), flag(l.awaitsIn(s)), uint32(k), l.e.dev.fours(f.products[0].Weight.Cols), uint32(span))
		return call{
			shader: "qkv", threads: threads, constants: constants,
			push: p.number(l.pageBytes()).float(eps).address(l.e.lateAddress()),
			x:    ceil((a.QHeads+2*a.Heads)*a.HeadDim/2, threads/span), y: 1, z: 1,
		}
	}
	l.steps = append(l.steps, s)
	l.memory[l.floats[a.Q]].rowBytes += a.Heads * a.HeadDim * 4 // qkv.comp's marks
	l.lowerAttention(a, true)
}
