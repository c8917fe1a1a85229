package vulkan

import (
	"math"
	"slices"

	"tandem/kernels/op"
)

// Attention of more than fewRows rows goes by tiles (shaders/flash.glsl): rows of
// one sequence at following positions, each with the query heads that share a KV
// head. Which rows a tile has differs from batch to batch: the host writes it down,
// and commands depend on how many tiles there may be.

const (
	flashThreads = 128      // of flash.comp
	flashLines   = 32       // of its tile: a line is a row with a query head
	flashKeys    = 32       // of a block, at most
	flashBytes   = 16 << 10 // of its keys or values
	// matrixLines are those of flash_matrix.comp, of whose subgroups each has as many as
	// a matrix has rows.
	matrixLines = 64

	// flashSplit is how many keys a split has at least.
	flashSplit = 64
)

// flashSplits is into how many splits the keys of many rows are cut, a power of two:
// as many as the partials of few rows have room for. Rows beyond half of that are
// enough workgroups by themselves.
func flashSplits(rows, keys int) int {
	splits := 1
	for 2*splits*rows <= fewRows*splitsMax && 2*splits*flashSplit <= keys {
		splits *= 2
	}
	return splits
}

// flash is how an attention of many rows is cut into workgroups.
type flash struct {
	matrix bool
	lines  int // of a tile
	keys   int // of a block
	blocks int // of query heads that share a KV head
	group  int // query heads of a tile
	rows   int // of a tile
	table  int // number of the table of tiles with so many rows
}

// newFlash chooses. Matrices round to f16: they serve where what reads the output is
// coarser, and not keys of F32.
func (l *lowering) newFlash(o *op.Attention) flash {
	f := flash{lines: flashLines, keys: flashKeys}
	for f.keys*o.HeadDim*4 > flashBytes {
		f.keys /= 2
	}
	if l.columns[o.Out] > 0 && l.opt.KV != op.F32 {
		l.withMatrix(&f, o.HeadDim)
	}
	f.blocks, f.group = headBlocks(o, f.lines)
	f.rows = f.lines / f.group
	f.table = slices.Index(l.tiles, f.rows)
	if f.table < 0 {
		f.table = len(l.tiles)
		l.tiles = append(l.tiles, f.rows)
	}
	return f
}

// withMatrix takes matrices if the GPU has them, of a size that divides the head and
// the blocks, with enough threads and shared memory.
func (l *lowering) withMatrix(f *flash, headDim int) {
	d := l.e.dev
	m, n, k := int(d.found.matrix_m), int(d.found.matrix_n), int(d.found.matrix_k)
	if !d.matrix || headDim%n != 0 || headDim%k != 0 || matrixLines%m != 0 || l.matrixThreads() > int(d.found.invocations_max) {
		return
	}
	for keys := flashKeys; keys%n == 0 && keys%k == 0 && keys >= 8; keys /= 2 {
		// As flash_matrix.comp has them: K and V, scores, weights and factors, marks.
		bytes := 2*keys*(2*headDim+16) + matrixLines*(4*keys+16+2*keys+16+4) + 4*keys
		if bytes <= int(d.found.shared_bytes) {
			f.matrix, f.lines, f.keys = true, matrixLines, keys
			return
		}
	}
}

// matrixThreads is how many threads flash_matrix.comp has.
func (l *lowering) matrixThreads() int {
	return matrixLines / int(l.e.dev.found.matrix_m) * int(l.e.dev.found.subgroup)
}

// tilesMax is how many tiles of so many rows a batch may have: each run of a sequence
// ends with a tile that may have a single row.
func tilesMax(rows int, s shape) int {
	runs := min(s.runs, s.rows)
	return (s.rows-runs)/rows + runs
}

func (l *lowering) flashCall(o *op.Attention, f flash, s shape) call {
	c := call{
		shader: "flash", threads: flashThreads,
		constants: append(l.pageConstants(o), uint32(o.QHeads), uint32(f.group), uint32(f.keys)),
		push: l.pool(o).address(l.float(o.Q, s), l.float(o.Out, s), l.e.batch.tiles[f.table], l.address(partialsMemory, s)).number(l.pageBytes()).
			float(float32(float64(o.Scale) * math.Log2E)).number(s.rows),
		x: tilesMax(f.rows, s), y: o.Heads * f.blocks, z: s.splits,
	}
	if d := l.e.dev; f.matrix {
		c.shader, c.threads = "flash_matrix", l.matrixThreads()
		c.constants = append(c.constants, uint32(d.found.matrix_m), uint32(d.found.matrix_n), uint32(d.found.matrix_k))
	}
	return c
}

// joinKeys puts the splits of many rows together, where there are some.
func (l *lowering) joinKeys(o *op.Attention) step {
	return step{
		kind: "join keys", shape: headsShape(o), value: op.NoValue,
		reads: []int{partialsMemory}, writes: []int{l.floats[o.Out]},
		call: func(s shape) call {
			if s.rows <= fewRows || s.splits == 1 {
				return call{}
			}
			return call{
				shader: "join", threads: itemThreads, constants: []uint32{uint32(o.HeadDim), uint32(o.QHeads)},
				push: push{}.address(l.address(partialsMemory, s), l.float(o.Out, s)).number(s.rows, s.splits),
				x:    ceil(s.rows*o.QHeads*o.HeadDim/4, itemThreads), y: 1, z: 1,
			}
		},
	}
}

// loadTiles writes the tiles of so many rows, (first row, rows) each, the last ones
// first: they have the most keys.
func loadTiles(rows []op.Row, tileRows int, tiles []uint32) {
	clear(tiles)
	at := 0
	for end := len(rows); end > 0; {
		first := end - 1
		for first > 0 && rows[first-1].Seq == rows[end-1].Seq {
			first--
		}
		for n := ceil(end-first, tileRows); n > 0; n-- {
			tile := first + (n-1)*tileRows
			tiles[at], tiles[at+1] = uint32(tile), uint32(min(tileRows, end-tile))
			at += 2
		}
		end = first
	}
}
