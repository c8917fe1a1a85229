package vulkan

import (
	"fmt"
	"slices"

	"tandem/kernels/op"
)

// A Program is lowered to a list of steps, each a dispatch (or none, if a batch
// gives it nothing to do). Activations that quantised weights read get a
// quantised twin. Memory is shared by what is never needed at once, and a
// barrier stands before a step that touches memory which others since the last
// barrier have written, or writes what they have read.
//
// There are two lists. The plain one is for batches of many rows, and keeps every
// named value for those who tap it. The fused one is for up to fewRows rows, where
// waiting for each other is what costs: products normalise and quantise their
// input themselves, and q, k and v with their rotation are one step (fuse.go).

// step is one dispatch of the list.
type step struct {
	kind, shape string // what a profile calls it
	value       op.Value
	tapped      bool // the value is complete after it, and has a name
	reads       []int
	writes      []int
	awaits      bool // its shader can wait for what it reads
	call        func(s shape) call
	cost        func(b *op.Batch) (bytes, ops float64)
}

// memory is something that steps read and write.
type memory struct {
	bytes       int
	first, last int // steps that use it
	slot        int // whose place it takes
	// Of an awaiting list:
	rowBytes int  // for each row of a batch
	perSplit bool // and for each split of its keys
	awaited  bool // who reads it waits for it
}

// Memory that is not shared.
const (
	pagesMemory    = 0 // the KV pages, for ordering only
	partialsMemory = 1 // attention's splits
	fixedMemory    = 2
)

type lowering struct {
	p        *op.Program
	opt      op.CompileOptions
	e        *executable
	fused    bool
	awaits   bool                  // steps wait for each other without barriers (await.go)
	partials map[int]int           // awaits: memory of the splits of each layer's attention
	sources  map[op.Value]source   // of twins that products can make themselves
	picked   map[op.Value]op.Value // what a value is the selected rows of, where nobody needs them apart
	steps    []step
	memory   []memory
	floats   []int                   // memory of each value's floats
	twins    []int                   // of its quantised twin, -1 if nobody reads one
	columns  []int                   // of the twin, for each row: 0, 1 or 2
	wanted   []bool                  // somebody reads the floats
	tapOnly  []bool                  // only who taps them
	parts    []int                   // of each value: memory of the sums over splits of k that make it, -1 if there are none
	makers   map[op.Value]*op.MatMul // of those with parts
	ropes    [][]float32
	tiles    []int // rows of a tile, of each table of tiles
	kv       []layerPlace
	slots    []int // bytes of each
	slotAt   []int // and where it lies in the executable's values
}

func lower(e *executable, fused bool) (*lowering, error) {
	l := &lowering{p: e.p, opt: e.opt, e: e, fused: fused, awaits: fused && e.dev.awaits(e.weights.bytes), partials: map[int]int{}, memory: make([]memory, fixedMemory)}
	l.sources, l.picked = map[op.Value]source{}, map[op.Value]op.Value{}
	if fused {
		l.opt.RowsMax = min(l.opt.RowsMax, fewRows)
		l.opt.LogitsMax = min(l.opt.LogitsMax, fewRows)
	}
	n := len(l.p.Values)
	l.twins, l.columns, l.parts = make([]int, n), make([]int, n), make([]int, n)
	l.wanted, l.tapOnly = make([]bool, n), make([]bool, n)
	l.makers = map[op.Value]*op.MatMul{}
	for v, info := range l.p.Values {
		l.floats = append(l.floats, l.newMemory(l.rowsMax(op.Value(v)), info.Width*4))
		l.twins[v], l.parts[v] = -1, -1
	}
	for _, o := range l.p.Ops {
		l.findReaders(o)
	}
	for v, info := range l.p.Values {
		l.tapOnly[v] = !l.wanted[v]
		l.wanted[v] = l.wanted[v] || info.Name != "" && !fused
	}
	for v, columns := range l.columns {
		if columns > 0 {
			l.twins[v] = l.newMemory(l.rowsMax(op.Value(v)), ceil(l.twinBytes(op.Value(v)), max(1, l.rowsMax(op.Value(v)))))
		}
	}
	l.planParts()
	if err := l.placeKV(); err != nil {
		return nil, err
	}
	for i := 0; i < len(l.p.Ops); {
		if f, ok := l.findQKV(i); ok {
			l.lowerQKV(f)
			i += f.ops
			continue
		}
		if a, r, ok := l.findTurn(i); ok {
			l.steps = append(l.steps, l.turn(a, r))
			l.lowerAttention(a, false)
			i += 3
			continue
		}
		if err := l.lowerOp(i); err != nil {
			return nil, err
		}
		i++
	}
	l.lowerBest()
	if l.awaits {
		l.ownSlots()
	} else {
		l.assignSlots()
	}
	return l, nil
}

// twinGroupBytes is 32 quants, their scale and their sums.
const twinGroupBytes = groupValues + 8

// twinBytes is what v's twin takes, in whichever form.
func (l *lowering) twinBytes(v op.Value) int {
	rows, width := l.rowsMax(v), l.p.Values[v].Width
	quants := func(rows int) int { return rows * l.columns[v] * width / groupValues * twinGroupBytes }
	if l.halvesMax(v) {
		return max(quants(min(rows, fewRows)), rows*(2*width+4))
	}
	return quants(rows)
}

// keeps reports whether v's floats are to be written in this run.
func (l *lowering) keeps(v op.Value) bool { return l.wanted[v] && (!l.tapOnly[v] || l.e.tapping) }

func (l *lowering) newMemory(rows, rowBytes int) int {
	l.memory = append(l.memory, memory{bytes: rows * rowBytes, rowBytes: rowBytes, first: -1, last: -1, slot: -1})
	return len(l.memory) - 1
}

func (l *lowering) rowsMax(v op.Value) int {
	if l.p.Values[v].Selected {
		return l.opt.LogitsMax
	}
	return l.opt.RowsMax
}

// findReaders notes in which form o reads its values.
func (l *lowering) findReaders(o op.Op) {
	product := func(v op.Value, weight op.DType, columns int) {
		if weight.IsFloat() {
			l.wanted[v] = true
		} else {
			l.columns[v] = max(l.columns[v], columns)
		}
	}
	switch o := o.(type) {
	case *op.MatMul:
		columns := 1
		// What the last product's input loses to int8 goes straight into the logits:
		// it is quantised twice as finely, as kernels/cpu does.
		if o.Out == l.p.Logits {
			columns = 2
		}
		product(o.In, o.Weight.Type, columns)
		if o.Residual != op.NoValue {
			l.wanted[o.Residual] = true
		}
	case *op.GatedMatMul:
		product(o.In, o.Gate.Type, 1)
	default:
		reads, _ := op.Uses(o)
		for _, v := range reads {
			l.wanted[v] = true
		}
	}
}

// emit appends s, which completes value v, and the step that quantises v if s
// does not do that itself.
func (l *lowering) emit(s step, v op.Value, quantises bool) {
	s.value, s.tapped = v, l.p.Values[v].Name != ""
	if quantises && l.twins[v] >= 0 {
		s.writes = append(s.writes, l.twins[v])
	}
	l.steps = append(l.steps, s)
	if l.twins[v] >= 0 && !quantises {
		l.sources[v] = source{from: v}
		l.steps = append(l.steps, l.unlessFused(v, l.quantise(v)))
	}
}

// lowerOp appends the steps of op i.
func (l *lowering) lowerOp(i int) error {
	switch o := l.p.Ops[i].(type) {
	case *op.Embed:
		if o.Table.Rows < l.p.Vocab {
			return fmt.Errorf("vulkan: %s: %d rows for a vocabulary of %d", o.Table.Name, o.Table.Rows, l.p.Vocab)
		}
		l.emit(l.embed(o), o.Out, false)
	case *op.Norm:
		if len(o.Weight)%groupValues != 0 {
			return fmt.Errorf("vulkan: a norm of width %d: %w", len(o.Weight), op.ErrNotSupported)
		}
		s := l.norm(o, l.joins(i))
		if !l.wanted[o.Out] {
			l.sources[o.Out] = source{from: o.In, weight: o.Weight, eps: o.Eps}
			s = l.unlessFused(o.Out, s)
		}
		l.emit(s, o.Out, true)
	case *op.MatMul:
		s := l.product(o.In, o.Out, product{weight: o.Weight, bias: o.Bias, residual: o.Residual})
		if l.parts[o.Out] < 0 {
			l.emit(s, o.Out, false)
			return nil
		}
		s.value = op.NoValue
		s.writes = append(s.writes, l.parts[o.Out])
		l.steps = append(l.steps, s)
		if !l.joins(i + 1) {
			l.emit(l.joined(o.Out), o.Out, false)
		}
	case *op.GatedMatMul:
		// In the fused list it makes its twin, but of float weights.
		s := l.product(o.In, o.Out, product{weight: o.Gate, up: o.Up, residual: op.NoValue})
		makes := !o.Gate.Type.IsFloat() && l.makesTwin(o.Out)
		if makes {
			s.writes = nil
		}
		l.emit(s, o.Out, makes)
	case *op.Rope:
		l.emit(l.rope(o), o.X, false)
	case *op.Attention:
		l.steps = append(l.steps, l.store(o))
		l.lowerAttention(o, false)
	case *op.Select:
		if l.fused && l.onlyNormed(i) {
			l.picked[o.Out] = o.In
			return nil
		}
		l.emit(l.selectRows(o), o.Out, false)
	default:
		return fmt.Errorf("vulkan: op %T: %w", o, op.ErrNotSupported)
	}
	return nil
}

// makesTwin reports whether a gated product writes nothing of v but its twin.
func (l *lowering) makesTwin(v op.Value) bool {
	return l.fused && l.columns[v] == 1 && !l.wanted[v]
}

// lowerAttention appends what comes after keys and values are stored; marks: the
// step that stored them tells so (await.go).
func (l *lowering) lowerAttention(a *op.Attention, marks bool) {
	l.steps = append(l.steps, l.attend(a, marks))
	if !l.fused {
		l.steps = append(l.steps, l.joinKeys(a))
	}
	s := l.merge(a)
	if l.fused && !l.wanted[a.Out] && l.twins[a.Out] >= 0 {
		l.sources[a.Out] = source{attention: a}
		s = l.unlessFused(a.Out, s)
	}
	l.emit(s, a.Out, true)
}

// layerPlace is where a layer's keys and values lie: in which of the pool's regions,
// and there in each page.
type layerPlace struct {
	region, offset int
	op.KVLayer
}

// placeKV lays the layers out in pages, some in each region where the driver gives
// no memory for all of them in one piece, and checks that the kernels know the shapes.
func (l *lowering) placeKV() error {
	region, offset, most := 0, 0, l.e.dev.allocationMax/max(l.opt.Pages, 1)
	for i, kv := range l.p.KV {
		unit := 16
		if l.opt.KV == op.Q8_0 {
			unit = 32
		}
		if kv.HeadDim%unit != 0 || kv.HeadDim > min(2*attendFewThreads(l.e.dev), 4*flashThreads) {
			return fmt.Errorf("vulkan: layer %d: a head dimension of %d with %v keys: %w", i, kv.HeadDim, l.opt.KV, op.ErrNotSupported)
		}
		bytes := 2 * halfBytes(l.opt.KV, kv)
		if offset > 0 && offset+bytes > most {
			region, offset = region+1, 0
		}
		l.kv = append(l.kv, layerPlace{region, offset, kv})
		offset += bytes
	}
	return nil
}

// pageBytes is the size of a page in each region: of the one with the most.
func (l *lowering) pageBytes() int {
	bytes := 0
	for _, kv := range l.kv {
		bytes = max(bytes, kv.offset+2*halfBytes(l.opt.KV, kv.KVLayer))
	}
	return bytes
}

// halfBytes is the size of K or of V of a layer in a page, as pages.glsl has them.
func halfBytes(kv op.DType, l op.KVLayer) int {
	values := op.PageTokens * l.Heads * l.HeadDim
	switch kv {
	case op.Q8_0:
		return values + values/32*4
	case op.F32:
		return values * 4
	default:
		return values * 2
	}
}

// assignSlots shares memory between what is never needed at once, in the order
// of the steps; barriers see to what runs side by side.
func (l *lowering) assignSlots() {
	for i := range l.steps {
		for _, m := range append(slices.Clone(l.steps[i].reads), l.steps[i].writes...) {
			if l.memory[m].first < 0 {
				l.memory[m].first = i
			}
			l.memory[m].last = i
		}
	}
	freeFrom := make([]int, fixedMemory) // step from which the slot is free
	l.slots = make([]int, fixedMemory)
	for m := range fixedMemory {
		l.memory[m].slot, freeFrom[m] = m, len(l.steps)
	}
	for i := range l.steps {
		for m := range l.memory {
			if l.memory[m].first != i || m < fixedMemory {
				continue
			}
			own := &l.memory[m]
			for s, bytes := range l.slots {
				closer := own.slot < 0 || abs(bytes-own.bytes) < abs(l.slots[own.slot]-own.bytes)
				if freeFrom[s] <= i && closer {
					own.slot = s
				}
			}
			if own.slot < 0 {
				own.slot = len(l.slots)
				l.slots, freeFrom = append(l.slots, 0), append(freeFrom, 0)
			}
			l.slots[own.slot] = max(l.slots[own.slot], own.bytes)
			freeFrom[own.slot] = own.last + 1
		}
	}
}

// slotsOf are the slots that memory lies in, but of what needs no barrier.
func (l *lowering) slotsOf(memory []int, s shape) []int {
	var slots []int
	for _, m := range memory {
		if l.memory[m].awaited && l.awaitsIn(s) {
			continue
		}
		slots = append(slots, l.memory[m].slot)
	}
	return slots
}

func overlap(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

func abs(n int) int { return max(n, -n) }
