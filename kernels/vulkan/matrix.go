package vulkan

import (
	"fmt"

	"tandem/kernels/op"
)

// tile is how matrix.comp cuts a product: so many rows of the matrix by so many
// columns for a workgroup, and for each of its subgroups.
type tile struct {
	rows, cols, partRows, partCols int
	enough                         float64 // how many for each processor make it the choice
}

// tiles are those to choose from, the largest first: a large one reads and unpacks
// weights for more columns at once, small ones occupy more processors. Measured on an
// H200, the products of Qwen 2.5 Coder with 512 rows (BenchmarkTiles): where there are
// fewer of the first two than one or so for each processor, the next is faster.
var tiles = []tile{
	{128, 128, 64, 64, 1.25},
	{64, 128, 64, 32, 1.25},
	{64, 64, 32, 32, 0.125},
	{64, 32, 32, 16, 0.125},
	{32, 32, 32, 16, 0},
	{16, 16, 16, 8, 0}, // of a software driver, which would take minutes to compile larger ones
}

// processorsDefault is assumed of a GPU that does not tell: more than most have.
const processorsDefault = 64

const (
	matrixDepth = 2 // groups of k that matrix.comp takes at a time
	// splitMax and splitGroupsMin bound the splits of k: each one's sums are written and
	// read again, and it has a start and an end.
	splitMax       = 4
	splitGroupsMin = 12
)

// cut is a product as matrix.comp computes it.
type cut struct {
	tile
	splits int // of k
}

// cutOf chooses the largest tile of which there are enough, if need be by cutting k,
// where mayCut is set. k is cut into no more than keeps two workgroups a processor busy.
func (d *Device) cutOf(rows, cols, groups int, mayCut bool) cut {
	processors := int(d.found.processors)
	if processors == 0 {
		processors = processorsDefault
	}
	c := cut{splits: 1}
	for _, t := range tiles {
		if !d.holds(t) || d.software && t.partRows > 16 {
			continue
		}
		n, splits := ceil(rows, t.rows)*ceil(cols, t.cols), 1
		if mayCut {
			splits = max(1, min(2*processors/n, groups/splitGroupsMin, splitMax))
		}
		c = cut{t, splits}
		if t.cols < 2*cols && float64(n*splits) >= t.enough*float64(processors) {
			break
		}
	}
	return c
}

// threads is the size of a workgroup.
func (d *Device) threads(t tile) int {
	return t.rows / t.partRows * (t.cols / t.partCols) * int(d.found.subgroup)
}

// holds reports whether t is made of whole cooperative matrices and whether a
// workgroup's memory and number of threads are within the GPU's limits.
func (d *Device) holds(t tile) bool {
	m, n := int(d.found.matrix_m), int(d.found.matrix_n)
	const line = matrixDepth*groupValues*2 + 16 // bytes; matrix.comp has this and the next
	own := n * (t.partRows*4 + 16)
	shared := max((t.rows+t.cols)*line, d.threads(t)/int(d.found.subgroup)*own)
	return t.partRows%m == 0 && t.partCols%n == 0 && shared <= int(d.found.shared_bytes) && d.threads(t) <= int(d.found.invocations_max)
}

// matrixProduct is a product of halves.
func (l *lowering) matrixProduct(in, out op.Value, p product, s shape) call {
	rows, cols, groups := p.weight.Rows, l.rows(out, s), groups(p.weight)
	if p.up != nil {
		rows *= 2
	}
	weight, up, upType := l.weightsOf(p)
	halves, scales := l.twin(in, s)
	to, bias, residual := l.ends(out, p, s)
	c := l.e.dev.cutOf(rows, cols, groups, l.makers[out] != nil)
	if c.splits > 1 {
		to, residual = l.address(l.parts[out], s), 0
	}
	return l.e.dev.cutCall(c, rows, cols, groups, call{
		constants: []uint32{uint32(p.weight.Type), upType, flag(p.up != nil)},
		push:      push{}.address(weight, up, halves, scales, to, bias, residual).number(p.weight.Rows, groups, cols),
	})
}

// cutCall completes a call with what depends on the cut.
func (d *Device) cutCall(t cut, rows, cols, groups int, c call) call {
	c.shader, c.threads = "matrix", d.threads(t.tile)
	c.constants = append(c.constants, uint32(t.rows), uint32(t.cols), uint32(t.partRows), uint32(t.partCols),
		uint32(d.found.matrix_m), uint32(d.found.matrix_n), uint32(d.found.matrix_k))
	c.push = c.push.number(splitGroups(groups, t.splits))
	// Neighbours share rows, so that weights are read from far once.
	c.x, c.y, c.z = ceil(cols, t.cols), ceil(rows, t.rows), t.splits
	return c
}

// splitGroups is the length of each split but the last, whole steps of k.
func splitGroups(groups, splits int) int {
	return ceil(ceil(groups, matrixDepth), splits) * matrixDepth
}

// planParts gives memory to the sums of products whose k is worth cutting in some
// batch: with a residual, for that is added where they are joined.
func (l *lowering) planParts() {
	for _, o := range l.p.Ops {
		m, ok := o.(*op.MatMul)
		if !ok || !l.halvesMax(m.In) || m.Weight.Type.IsFloat() || m.Residual == op.NoValue || m.Bias != nil || l.twins[m.Out] >= 0 || m.Weight.Rows%groupValues != 0 {
			continue
		}
		l.makers[m.Out] = m
		bytes := 0
		for rows := fewRows + 1; rows <= l.rowsMax(m.Out); rows++ {
			if splits := l.partsOf(m.Out, rows); splits > 1 {
				bytes = max(bytes, splits*rows*m.Weight.Rows*4)
			}
		}
		if bytes > 0 {
			l.parts[m.Out] = l.newMemory(1, bytes)
		}
	}
}

// partsOf is into how many splits of k the product is cut that makes so many rows
// of v; 1: it is complete.
func (l *lowering) partsOf(v op.Value, rows int) int {
	m, ok := l.makers[v]
	if !ok || rows <= fewRows {
		return 1
	}
	return l.e.dev.cutOf(m.Weight.Rows, rows, groups(m.Weight), true).splits
}

// joins reports whether op i, a Norm with a half twin, joins the splits of the product before it.
func (l *lowering) joins(i int) bool {
	if i == 0 || i >= len(l.p.Ops) {
		return false
	}
	m, product := l.p.Ops[i-1].(*op.MatMul)
	n, norm := l.p.Ops[i].(*op.Norm)
	return product && norm && n.In == m.Out && l.parts[m.Out] >= 0 && l.halvesMax(n.Out)
}

// joinParts makes st, which makes r.to of r.from, join the splits of the latter first.
func (l *lowering) joinParts(st step, r row) step {
	st.reads = []int{l.floats[r.from], l.parts[r.from], l.floats[l.makers[r.from].Residual]}
	st.writes = []int{l.floats[r.from]}
	whole := st.call
	st.call = func(s shape) call {
		if l.partsOf(r.from, l.rows(r.from, s)) == 1 {
			return whole(s)
		}
		return l.halveCall(r, true, s)
	}
	return st
}

// joined is the step that joins the splits of v where no norm does it.
func (l *lowering) joined(v op.Value) step {
	st := step{kind: "join parts", shape: fmt.Sprint(l.p.Values[v].Width), call: func(shape) call { return call{} }}
	return l.joinParts(st, row{from: v, to: v})
}

const (
	halveThreadsMin = 128
	halveThreadsMax = 512
	heldMax         = 32 // fours of a thread, so that they stay in registers
)

// halveThreads is the size of a workgroup of halve.comp for rows of that width.
func (d *Device) halveThreads(width int) int {
	threads := halveThreadsMin
	for threads < min(halveThreadsMax, int(d.found.invocations_max)) && threads*4 < width {
		threads *= 2
	}
	return threads
}

// halveCall is halve.comp: a workgroup for each row of r.to.
func (l *lowering) halveCall(r row, joins bool, s shape) call {
	rows, width := l.rows(r.to, s), l.p.Values[r.to].Width
	threads := l.e.dev.halveThreads(width)
	halves, scales := l.twin(r.to, s)
	from, parts, splits := l.float(r.from, s), uint64(0), 0
	if joins {
		from, parts, splits = l.float(l.makers[r.from].Residual, s), l.address(l.parts[r.from], s), l.partsOf(r.from, rows)
	}
	normed := r.weight != nil
	return call{
		shader: "halve", threads: threads,
		constants: []uint32{uint32(ceil(width, 4*threads)), uint32(splits), flag(normed), flag(normed && l.keeps(r.to)), flag(halves != 0)},
		push:      push{}.address(from, l.float(r.to, s), l.e.weights.vector(r.weight), halves, scales, parts, l.float(r.from, s)).number(rows, width).float(r.eps),
		x:         rows, y: 1, z: 1,
	}
}
