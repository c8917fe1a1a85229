package vulkan

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"tandem/kernels/op"
)

// shape is what a recording depends on: how many rows a batch has, how many of
// them want logits, into how many splits the keys of any are cut at most, and of how
// many sequences they are, the last two rounded up to a power of two (few rows have
// runs of 1), and how many of the best logits are ranked, 0 where all are wanted.
type shape struct{ rows, selected, splits, runs, best int }

// splitsRoom is for how many splits of a head attend_few.comp's memory has room. Behind
// two floats for each lie sums, read and written 16 bytes at a time: they must begin at
// a multiple of that, also with an odd number of heads.
func (s shape) splitsRoom() int { return max(s.splits, 2) }

const (
	// fewRows is up to how many rows decode's kernels are used: products by few.comp,
	// attention in splits. A row's bits are the same in all batches up to it.
	fewRows = 8

	// Threads of the workgroups; fewThreads is of few.comp, qkv.comp and norm.comp.
	itemThreads  = 128
	floatThreads = 128
	manyThreads  = 256

	manyTile     = 64   // rows of a workgroup of many.comp
	manySide     = 16   // its columns are 1, 2 or 4 times so many
	fewTile      = 2    // rows of a team of few.comp
	readTile     = 4    // the same of a product that reads several columns again for each team
	fewSubgroups = 2048 // that keep a large GPU busy: with fewer units of rows, they share them
	gateTile     = 4    // the same of a gated product whose rows a subgroup's threads have one group of each: all are on their way at once
	narrowGroups = 64   // up to so many groups a row is quantised fast, so that more may do it
	ownNarrow    = 512  // workgroups of few.comp that quantise such rows for themselves
	ownWide      = 256  // and others
	chunkKeys    = 64   // of attention.glsl, like the next
	splitsMax    = 32
	groupMax     = 8 // query heads of a workgroup of attend_few.comp that reads many keys; of few it has one
)

// call is a dispatch as it is recorded; x is 0 if there is nothing to do.
type call struct {
	shader    string
	threads   int
	constants []uint32
	push      push
	x, y, z   int
}

// push is a shader's push constants in order.
type push []byte

func (p push) address(all ...uint64) push {
	for _, a := range all {
		p = binary.LittleEndian.AppendUint64(p, a)
	}
	return p
}

func (p push) number(all ...int) push {
	for _, n := range all {
		p = binary.LittleEndian.AppendUint32(p, uint32(n))
	}
	return p
}

func (p push) float(x float32) push { return binary.LittleEndian.AppendUint32(p, math.Float32bits(x)) }

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func ceil(n, by int) int { return (n + by - 1) / by }

// address is where memory m lies, 0 if no step uses it.
func (l *lowering) address(m int, s shape) uint64 {
	if l.memory[m].slot < 0 {
		return 0
	}
	return l.e.values.address() + uint64(l.place(m, s))
}

// rows is how many rows v has in a batch of that shape.
func (l *lowering) rows(v op.Value, s shape) int {
	if l.p.Values[v].Selected {
		return s.selected
	}
	return s.rows
}

// float and twin are where a value's floats, its quants and what belongs to
// them are; 0 where there are none.
func (l *lowering) float(v op.Value, s shape) uint64 { return l.address(l.floats[v], s) }

func (l *lowering) twin(v op.Value, s shape) (quants, meta uint64) {
	if l.twins[v] < 0 {
		return 0, 0
	}
	quants = l.address(l.twins[v], s)
	bytes := l.columns[v]
	if l.halves(v, s) {
		bytes = 2
	}
	return quants, quants + uint64(l.rows(v, s)*bytes*l.p.Values[v].Width)
}

// halves reports whether v's twin is of f16 in batches of that shape: products of
// more rows than decode has go by cooperative matrices, where the GPU has them. The
// last product's input, which is finer, stays what it is.
func (l *lowering) halves(v op.Value, s shape) bool { return l.halvesMax(v) && l.rows(v, s) > fewRows }

// halvesMax reports whether it is in any batch.
func (l *lowering) halvesMax(v op.Value) bool {
	width := l.p.Values[v].Width
	return l.e.dev.matrix && !l.fused && l.columns[v] == 1 && width <= 4*heldMax*l.e.dev.halveThreads(width)
}

func (l *lowering) embed(o *op.Embed) step {
	return step{
		kind: "embed", shape: fmt.Sprintf("%v %d x %d", o.Table.Type, o.Table.Rows, o.Table.Cols),
		writes: []int{l.floats[o.Out]},
		call: func(s shape) call {
			return call{
				shader: "embed", threads: itemThreads, constants: []uint32{uint32(o.Table.Type)},
				push: push{}.address(l.e.weights.tensor(o.Table), l.e.batch.tokens, l.float(o.Out, s)).number(o.Table.Rows, groups(o.Table), s.rows),
				x:    ceil(s.rows*groups(o.Table), itemThreads), y: 1, z: 1,
			}
		},
	}
}

// norm writes floats only where somebody reads them.
func (l *lowering) norm(o *op.Norm, joins bool) step {
	from, selects := l.picked[o.In]
	if !selects {
		from = o.In
	}
	r := row{from: from, to: o.Out, selects: selects, weight: o.Weight, eps: o.Eps}
	st := step{kind: "norm", shape: fmt.Sprint(len(o.Weight)), reads: []int{l.floats[from]}, awaits: true, call: l.rowCall(r)}
	if joins {
		st = l.joinParts(st, r)
	}
	if l.wanted[o.Out] {
		st.writes = append(st.writes, l.floats[o.Out])
	}
	return st
}

// quantise makes the twin of floats that are there.
func (l *lowering) quantise(v op.Value) step {
	return step{
		kind: "quantise", shape: fmt.Sprint(l.p.Values[v].Width), value: v,
		reads: []int{l.floats[v]}, writes: []int{l.twins[v]}, awaits: true,
		call: l.rowCall(row{from: v, to: v}),
	}
}

// row is what is done with each row of from, or each that is selected.
type row struct {
	from, to op.Value
	selects  bool
	weight   []float32 // of the norm; nil: only the twin is made
	eps      float32
}

// rowCall is norm.comp: a workgroup for each row of r.to. Half twins are of halve.comp.
func (l *lowering) rowCall(r row) func(s shape) call {
	return func(s shape) call {
		if l.halves(r.to, s) {
			return l.halveCall(r, false, s)
		}
		quants, meta := l.twin(r.to, s)
		width, normed, rows := l.p.Values[r.to].Width, r.weight != nil, uint64(0)
		if r.selects {
			rows = l.e.batch.selected
		}
		return call{
			shader: "norm", threads: l.e.dev.fewThreads(),
			constants: []uint32{flag(normed), flag(normed && l.wanted[r.to]), uint32(l.columns[r.to]), flag(r.selects), flag(l.awaitsIn(s)), uint32(width), l.e.dev.fours(width)},
			push:      push{}.address(l.float(r.from, s), l.float(r.to, s), l.e.weights.vector(r.weight), quants, meta, rows).address(l.e.lateAddress()).float(r.eps),
			x:         l.rows(r.to, s), y: 1, z: 1,
		}
	}
}

// product is what multiplies: up only if it is gated.
type product struct {
	weight, up *op.Tensor
	bias       []float32
	residual   op.Value
}

func (l *lowering) product(in, out op.Value, p product) step {
	s := step{kind: "matmul", shape: fmt.Sprintf("%v %d x %d", p.weight.Type, p.weight.Rows, p.weight.Cols), writes: []int{l.floats[out]}}
	matrices := 1
	if p.up != nil {
		s.kind, s.shape = "gated matmul", fmt.Sprintf("%v 2 x %d x %d", p.weight.Type, p.weight.Rows, p.weight.Cols)
		matrices = 2
	}
	if p.residual != op.NoValue {
		s.reads = append(s.reads, l.floats[p.residual])
	}
	s.cost = func(b *op.Batch) (bytes, ops float64) {
		rows := len(b.Rows)
		if l.p.Values[out].Selected {
			rows = b.LogitRows()
		}
		bytes = float64(matrices * packedBytes(p.weight, p.weight.Rows))
		return bytes, float64(2 * matrices * p.weight.Rows * p.weight.Cols * rows)
	}
	if p.weight.Type.IsFloat() {
		s.reads = append(s.reads, l.floats[in])
		s.call = l.floatProduct(in, out, p)
		return s
	}
	s.reads = append(s.reads, l.columnReads(in)...)
	s.call, s.awaits = l.quantProduct(in, out, p), out != l.p.Logits
	return s
}

// ends are the addresses that a product writes to and adds.
func (l *lowering) ends(out op.Value, p product, s shape) (to, bias, residual uint64) {
	if p.residual != op.NoValue {
		residual = l.float(p.residual, s)
	}
	return l.float(out, s), l.e.weights.vector(p.bias), residual
}

// weightsOf are the matrices' addresses and the second one's type.
func (l *lowering) weightsOf(p product) (weight, up uint64, upType uint32) {
	if p.up == nil {
		return l.e.weights.tensor(p.weight), 0, uint32(p.weight.Type)
	}
	return l.e.weights.tensor(p.weight), l.e.weights.tensor(p.up), uint32(p.up.Type)
}

func (l *lowering) floatProduct(in, out op.Value, p product) func(s shape) call {
	return func(s shape) call {
		rows := l.rows(out, s)
		cols := max(1, min(rows, fewRows))
		weight, up, upType := l.weightsOf(p)
		to, bias, residual := l.ends(out, p, s)
		return call{
			shader: "floats", threads: floatThreads, constants: []uint32{uint32(p.weight.Type), upType, uint32(cols), flag(p.up != nil)},
			push: push{}.address(weight, up, l.float(in, s), to, bias, residual).number(p.weight.Rows, p.weight.Cols/2, rows),
			x:    ceil(p.weight.Rows, l.e.dev.subgroups(floatThreads)) * min(rows, 1), y: ceil(rows, cols), z: 1,
		}
	}
}

// quantProduct chooses the kernel by the number of columns. What has two columns
// a row, the last product's input, always goes by few.comp: its rows are few.
func (l *lowering) quantProduct(in, out op.Value, p product) func(s shape) call {
	return func(s shape) call {
		rows := l.rows(out, s)
		switch {
		case rows == 0:
			return call{}
		case rows <= fewRows || l.columns[in] == 2:
			return l.fewProduct(in, out, p, s)
		case l.halves(in, s):
			return l.matrixProduct(in, out, p, s)
		default:
			return l.manyProduct(in, out, p, s)
		}
	}
}

// fewProduct is few.comp. A gated product of the fused list writes its twin itself.
func (l *lowering) fewProduct(in, out op.Value, p product, s shape) call {
	fine := l.columns[in] == 2
	cols := l.rows(out, s) * l.columns[in]
	atOnce := min(cols, fewRows*l.columns[in])
	weight, up, upType := l.weightsOf(p)
	x, y, eps, columns := l.columnsOf(in, s, atOnce)
	to, bias, residual := l.ends(out, p, s)
	threads, k, twin := l.e.dev.fewThreads(), groups(p.weight), p.up != nil && l.makesTwin(out)

	// Who adds up what of k decides on a row's bits: it follows from the weights alone.
	subgroup, subgroups, team := int(l.e.dev.found.subgroup), l.e.dev.subgroups(threads), 1
	for !twin && team < subgroups && ceil(p.weight.Rows, fewTile)*team < fewSubgroups && k > team*subgroup {
		team *= 2
	}
	span := subgroup
	if team == 1 {
		span = l.e.dev.span(k, 1)
	}
	spans, each := threads/span, fewTile
	switch {
	case twin && k <= span && gateTile*spans <= groupValues:
		each = gateTile
	case p.up == nil && !fine && cols > 1 && columns[0] == columnsRead:
		each = readTile
	}
	tile, turns, fours := each*spans/team, 1, uint32(1) // tile: rows of a turn
	if columns[0] > columnsCopied {                     // each workgroup has much to do before its first row
		fours = l.e.dev.fours(p.weight.Cols)
		blocks := ownWide
		if k <= narrowGroups {
			blocks = ownNarrow
		}
		turns = ceil(ceil(p.weight.Rows, tile), blocks)
	}
	if twin {
		to, bias = l.twin(out, s)
		perGroup := groupValues / tile
		turns = ceil(turns, perGroup) * perGroup
	}
	constants := []uint32{uint32(p.weight.Type), upType, uint32(atOnce), uint32(each), uint32(turns), flag(p.up != nil), flag(fine)}
	constants = append(append(constants, columns...), uint32(team), flag(twin), flag(turns*ceil(k, team*span) == 1), flag(l.awaitsIn(s) && out != l.p.Logits), fours, uint32(span))
	return call{
		shader: "few", threads: threads, constants: constants,
		push: push{}.address(weight, up, x, y, to, bias, residual).number(p.weight.Rows, k, cols).float(eps).address(l.e.lateAddress()).number(s.splitsRoom()),
		x:    ceil(p.weight.Rows, tile*turns), y: ceil(cols, atOnce), z: 1,
	}
}

// manyProduct is many.comp.
func (l *lowering) manyProduct(in, out op.Value, p product, s shape) call {
	cols, each, tileRows := l.rows(out, s), 1, manyTile
	for each < 4 && cols > each*manySide {
		each *= 2
	}
	if p.up != nil {
		tileRows /= 2
	}
	weight, up, upType := l.weightsOf(p)
	x, y := l.twin(in, s)
	to, bias, residual := l.ends(out, p, s)
	return call{
		shader: "many", threads: manyThreads, constants: []uint32{uint32(p.weight.Type), upType, flag(p.up != nil), uint32(each)},
		push: push{}.address(weight, up, x, y, to, bias, residual).number(p.weight.Rows, groups(p.weight), cols),
		x:    ceil(p.weight.Rows, tileRows), y: ceil(cols, each*manySide), z: 1,
	}
}

func (l *lowering) rope(o *op.Rope) step {
	table, heads := l.ropeTable(o), l.p.Values[o.X].Width/o.HeadDim
	return step{
		kind: "rope", shape: fmt.Sprintf("%d heads of %d", heads, o.HeadDim),
		reads: []int{l.floats[o.X]}, writes: []int{l.floats[o.X]},
		call: func(s shape) call {
			rows := l.rows(o.X, s)
			return call{
				shader: "rope", threads: itemThreads,
				push: push{}.address(l.float(o.X, s), l.e.batch.ropes[table]).number(len(o.Freqs), o.HeadDim, heads, rows, int(flag(o.Adjacent))),
				x:    ceil(rows*heads*len(o.Freqs), itemThreads), y: 1, z: 1,
			}
		},
	}
}

// ropeTable is the number of the table that holds o's rotations.
func (l *lowering) ropeTable(o *op.Rope) int {
	table := slices.IndexFunc(l.ropes, func(f []float32) bool { return slices.Equal(f, o.Freqs) })
	if table < 0 {
		table = len(l.ropes)
		l.ropes = append(l.ropes, o.Freqs)
	}
	return table
}

// pool is what pages.glsl's Pool holds, of an attention's layer.
func (l *lowering) pool(o *op.Attention) push {
	b := &l.e.batch
	return push{}.address(l.e.pages.layer(o.Layer), b.table, b.starts, b.positions)
}

func (l *lowering) pageConstants(o *op.Attention) []uint32 {
	return []uint32{uint32(l.opt.KV), uint32(o.HeadDim), uint32(o.Heads)}
}

func headsShape(o *op.Attention) string {
	return fmt.Sprintf("%d heads of %d for %d", o.Heads, o.HeadDim, o.QHeads)
}

func (l *lowering) store(o *op.Attention) step {
	block := 16
	if l.opt.KV == op.Q8_0 {
		block = 32
	}
	return step{
		kind: "store kv", shape: headsShape(o), value: op.NoValue,
		reads: []int{l.floats[o.K], l.floats[o.V]}, writes: []int{pagesMemory},
		call: func(s shape) call {
			return call{
				shader: "store", threads: itemThreads, constants: l.pageConstants(o),
				push: l.pool(o).address(l.float(o.K, s), l.float(o.V, s)).number(l.pageBytes(), s.rows),
				x:    ceil(s.rows*2*o.Heads*o.HeadDim/block, itemThreads), y: 1, z: 1,
			}
		},
	}
}

// findTurn looks for rotations of queries and keys alike at op i, and their attention.
// Nobody else may see the keys: they are rotated only where they are stored.
func (l *lowering) findTurn(i int) (a *op.Attention, r *op.Rope, ok bool) {
	if l.fused || l.opt.KV == op.Q8_0 || i+3 > len(l.p.Ops) {
		return nil, nil, false
	}
	r, q := l.p.Ops[i].(*op.Rope)
	other, k := l.p.Ops[i+1].(*op.Rope)
	a, attends := l.p.Ops[i+2].(*op.Attention)
	if !q || !k || !attends || r.X != a.Q || other.X != a.K || r.HeadDim != a.HeadDim || l.p.Values[a.K].Name != "" || l.p.Values[a.Q].Name != "" {
		return nil, nil, false
	}
	return a, r, sameTurn(r, other) && l.readers(a.K) == 2 // the rotation and attention
}

// turn is r of a's queries and keys, and the store of keys and values.
func (l *lowering) turn(a *op.Attention, r *op.Rope) step {
	table := l.ropeTable(r)
	return step{
		kind: "rope and store", shape: headsShape(a), value: op.NoValue,
		reads: []int{l.floats[a.Q], l.floats[a.K], l.floats[a.V]}, writes: []int{l.floats[a.Q], pagesMemory},
		call: func(s shape) call {
			return call{
				shader: "turn", threads: itemThreads, constants: append(l.pageConstants(a), uint32(a.QHeads), uint32(len(r.Freqs)), flag(r.Adjacent)),
				push: l.pool(a).address(l.float(a.Q, s), l.float(a.K, s), l.float(a.V, s), l.e.batch.ropes[table]).number(l.pageBytes()),
				x:    ceil((a.QHeads+2*a.Heads)*a.HeadDim/2, itemThreads), y: s.rows, z: 1,
			}
		},
	}
}

// headBlocks is into how many workgroups the query heads that share a KV head go if
// one takes at most so many, and how many each takes.
func headBlocks(o *op.Attention, most int) (blocks, group int) {
	perKV := o.QHeads / o.Heads
	blocks = ceil(perKV, most)
	return blocks, ceil(perKV, blocks)
}

func (l *lowering) attend(o *op.Attention, marks bool) step {
	many := l.newFlash(o)
	writes := append(l.partialsMemories(o), l.floats[o.Out])
	if l.fused {
		writes = writes[:len(writes)-1] // merge writes it
	}
	return step{
		kind: "attention", shape: headsShape(o), value: op.NoValue,
		reads: []int{l.floats[o.Q], pagesMemory}, writes: writes, awaits: marks,
		cost: func(b *op.Batch) (bytes, ops float64) { return attentionCost(b, l.opt.KV, o) },
		call: func(s shape) call {
			if s.rows > fewRows {
				return l.flashCall(o, many, s)
			}
			// Heads share what is read of K and V; of few keys that is soon done, and the heads'
			// turns would take longer.
			most := groupMax
			if s.splits <= ownSplitsMax {
				most = 1
			}
			blocks, group := headBlocks(o, most)
			return call{
				shader: "attend_few", threads: attendFewThreads(l.e.dev), constants: append(l.pageConstants(o), uint32(o.QHeads), uint32(group), flag(l.awaitsIn(s) && marks)),
				push: l.pool(o).address(l.float(o.Q, s), l.address(l.partialsOf(o.Layer, s), s)).number(l.pageBytes()).float(o.Scale).number(s.rows, s.splitsRoom()).address(l.e.lateAddress()),
				x:    s.rows, y: o.Heads * blocks, z: s.splits,
			}
		},
	}
}

// fewThreads are those of a workgroup that may norm a row: all who do must have as
// many, so that they add in the same order. Eight subgroups of two rows each make half a group.
func (d *Device) fewThreads() int { return min(8*int(d.found.subgroup), 256) }

// span is how many threads, at least so many, share a row of weights: half a subgroup,
// where fewer of them find no group left.
func (d *Device) span(groups, least int) int {
	subgroup := int(d.found.subgroup)
	if half := subgroup / 2; half >= least && ceil(groups, half)*half < ceil(groups, subgroup)*subgroup {
		return half
	}
	return subgroup
}

// fours is how many times 4 values a thread quantises at a time, of so many that a
// workgroup has: one where there is a thread for each.
func (d *Device) fours(values int) uint32 {
	if values > 4*d.fewThreads() {
		return 4
	}
	return 1
}

func attendFewThreads(d *Device) int { return min(16*int(d.found.subgroup), 256) }

// attentionCost counts the keys and values that a batch reads, each sequence's
// once, and the operations on them.
func attentionCost(b *op.Batch, kv op.DType, o *op.Attention) (bytes, ops float64) {
	seen, read := b.Keys()
	layer := op.KVLayer{Heads: o.Heads, HeadDim: o.HeadDim}
	return float64(2 * read * halfBytes(kv, layer) / op.PageTokens), float64(4 * seen * o.QHeads * o.HeadDim)
}

// merge joins the splits and quantises; where attention left none it only quantises.
func (l *lowering) merge(o *op.Attention) step {
	s := step{kind: "merge", shape: headsShape(o), reads: l.partialsMemories(o), awaits: true}
	if !l.fused {
		s.reads = append(s.reads, l.floats[o.Out])
	}
	if !l.fused || l.wanted[o.Out] {
		s.writes = []int{l.floats[o.Out]}
	}
	quantise := l.rowCall(row{from: o.Out, to: o.Out})
	s.call = func(s shape) call {
		if s.rows > fewRows {
			if l.twins[o.Out] < 0 {
				return call{}
			}
			return quantise(s)
		}
		quants, meta := l.twin(o.Out, s)
		return call{
			shader: "merge", threads: itemThreads, constants: []uint32{flag(l.wanted[o.Out]), uint32(l.columns[o.Out]), uint32(o.HeadDim), uint32(o.QHeads), flag(l.awaitsIn(s))},
			push: push{}.address(l.address(l.partialsOf(o.Layer, s), s), l.e.batch.positions, l.float(o.Out, s), quants, meta).number(s.rows, s.splitsRoom()).address(l.e.lateAddress()),
			x:    ceil(o.QHeads*o.HeadDim/4, itemThreads), y: s.rows, z: 1,
		}
	}
	return s
}

func (l *lowering) selectRows(o *op.Select) step {
	width4 := l.p.Values[o.In].Width / 4
	return step{
		kind: "select", shape: fmt.Sprint(4 * width4), reads: []int{l.floats[o.In]}, writes: []int{l.floats[o.Out]},
		call: func(s shape) call {
			return call{
				shader: "select", threads: itemThreads,
				push: push{}.address(l.float(o.In, s), l.float(o.Out, s), l.e.batch.selected).number(width4, s.selected),
				x:    ceil(s.selected*width4, itemThreads), y: 1, z: 1,
			}
		},
	}
}
