// Package ref is the device that defines what is right: plain Go, slow and
// obvious. Weights are dequantised to f32 row by row as they are used, sums run
// in float64 over k in a fixed order, and each result is rounded to f32 once.
// A row's result is bit-identical for every thread count, chunking and batch.
//
// It knows no instruction sets and keeps no copy of the weights: it reads them
// from the mapped file on every run.
package ref

import (
	"context"
	"fmt"

	"tandem/internal/machine"
	"tandem/kernels/op"
)

// Device is plain Go on some threads. It holds no resources.
type Device struct {
	threads int
}

// Open gives a device with the given number of workers; 0 means one for
// each core that the process may use.
func Open(threads int) *Device {
	if threads <= 0 {
		threads = machine.Cores()
	}
	return &Device{threads: threads}
}

// Name is "ref".
func (d *Device) Name() string { return "ref" }

// Info describes the device.
func (d *Device) Info() op.Info {
	return op.Info{Name: "ref", ISA: "go", Threads: d.threads, Detail: "plain Go reference, float64 sums"}
}

// Close does nothing.
func (d *Device) Close() error { return nil }

// Compile checks p and allocates what a run needs; the weights stay in their file.
func (d *Device) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkWeights(p); err != nil {
		return nil, fmt.Errorf("ref: %s: %w", p.Name, err)
	}
	pages, err := newPages(p, opt)
	if err != nil {
		return nil, fmt.Errorf("ref: %s: %w", p.Name, err)
	}
	e := &Executable{p: p, opt: opt, threads: d.threads, pages: pages}
	e.allocate()
	if progress != nil {
		progress(1)
	}
	return e, nil
}

// checkWeights checks that every tensor of p has a known format and all its bytes.
func checkWeights(p *op.Program) error {
	for _, o := range p.Ops {
		var tensors []*op.Tensor
		switch o := o.(type) {
		case *op.Embed:
			tensors = []*op.Tensor{o.Table}
			if o.Table.Rows < p.Vocab {
				return fmt.Errorf("%s: %d rows for a vocabulary of %d", o.Table.Name, o.Table.Rows, p.Vocab)
			}
		case *op.MatMul:
			tensors = []*op.Tensor{o.Weight}
		case *op.GatedMatMul:
			tensors = []*op.Tensor{o.Gate, o.Up}
		case *op.Norm, *op.Rope, *op.Attention, *op.Select:
		default:
			return fmt.Errorf("op %T: %w", o, op.ErrNotSupported)
		}
		for _, t := range tensors {
			if !t.Type.Known() || t.Cols%t.Type.BlockValues() != 0 {
				return fmt.Errorf("%s: %v with %d columns: %w", t.Name, t.Type, t.Cols, op.ErrNotSupported)
			}
			if len(t.Data) != t.Rows*t.RowBytes() {
				return fmt.Errorf("%s: %d bytes, needs %d", t.Name, len(t.Data), t.Rows*t.RowBytes())
			}
		}
	}
	return nil
}

// Executable runs one Program. It belongs to one goroutine at a time.
type Executable struct {
	p       *op.Program
	opt     op.CompileOptions
	threads int
	pages   *Pages

	bufferOf []int       // buffer of each value; -1: the logits, which lie in the batch
	buffers  [][]float32 // (RowsMax or LogitsMax, width) each
	wide     []float64   // a matmul's input, (RowsMax, widest)
	workers  []worker
	selected []int // row numbers that want logits
	cos, sin []float32
}

// Pages is the pool of KV pages.
func (e *Executable) Pages() op.Pages { return e.pages }

// Close drops the buffers.
func (e *Executable) Close() error {
	*e = Executable{}
	return nil
}

// allocate makes all buffers, so that a run allocates nothing that grows.
func (e *Executable) allocate() {
	of, shapes := assignBuffers(e.p)
	e.bufferOf = of
	for _, s := range shapes {
		rows := e.opt.RowsMax
		if s.Selected {
			rows = e.opt.LogitsMax
		}
		e.buffers = append(e.buffers, make([]float32, rows*s.Width))
	}
	widest, ropeDims, group, headDim := 0, 0, 0, 0
	for _, o := range e.p.Ops {
		switch o := o.(type) {
		case *op.MatMul:
			widest = max(widest, o.Weight.Cols)
		case *op.GatedMatMul:
			widest = max(widest, o.Gate.Cols)
		case *op.Attention:
			group, headDim = max(group, o.QHeads/o.Heads), max(headDim, o.HeadDim)
		case *op.Rope:
			ropeDims = max(ropeDims, len(o.Freqs))
		}
	}
	rowsMax := max(e.opt.RowsMax, e.opt.LogitsMax)
	e.wide = make([]float64, rowsMax*widest)
	e.cos, e.sin = make([]float32, rowsMax*ropeDims), make([]float32, rowsMax*ropeDims)
	e.selected = make([]int, 0, e.opt.LogitsMax)
	positions := min(e.p.MaxTokens, e.pages.Len()*op.PageTokens)
	e.workers = make([]worker, e.threads)
	for i := range e.workers {
		e.workers[i] = worker{
			row:     make([]float32, max(widest, headDim)),
			weight:  make([]float64, 2*tileRows*widest),
			queries: make([]float64, group*headDim),
			scores:  make([]float64, group*positions),
			sums:    make([]float64, group*headDim),
			page:    make([]float64, op.PageTokens*headDim),
		}
	}
}

// Bytes is the memory of the buffers; weights stay in their file.
func (e *Executable) Bytes() int64 {
	n := 8*len(e.wide) + 4*len(e.cos) + 4*len(e.sin)
	for _, b := range e.buffers {
		n += 4 * len(b)
	}
	for _, w := range e.workers {
		n += 4*len(w.row) + 8*(len(w.weight)+len(w.queries)+len(w.scores)+len(w.sums)+len(w.page))
	}
	return int64(n)
}

// assignBuffers lets values whose lives do not overlap share memory: of[v] is
// the buffer of value v, and buffers holds each one's shape. Without it a model
// would need as many buffers as ops. Values share only a buffer of their own
// width, of which a model has few. The logits get none.
func assignBuffers(p *op.Program) (of []int, buffers []op.ValueInfo) {
	lastUse := make([]int, len(p.Values))
	for i, o := range p.Ops {
		reads, writes := op.Uses(o)
		for _, v := range append(reads, writes...) {
			lastUse[v] = i
		}
	}
	of = make([]int, len(p.Values))
	for v := range of {
		of[v] = -1
	}
	free := map[op.ValueInfo][]int{} // by width and selected
	for i, o := range p.Ops {
		reads, writes := op.Uses(o)
		for _, v := range writes {
			if of[v] >= 0 || v == p.Logits {
				continue // written in place
			}
			shape := op.ValueInfo{Width: p.Values[v].Width, Selected: p.Values[v].Selected}
			if n := len(free[shape]); n > 0 {
				of[v], free[shape] = free[shape][n-1], free[shape][:n-1]
				continue
			}
			of[v] = len(buffers)
			buffers = append(buffers, shape)
		}
		// Freed only now, so that no op writes what it reads.
		for _, v := range append(reads, writes...) {
			if lastUse[v] == i && v != p.Logits {
				lastUse[v] = -1 // once, even if o reads it twice
				shape := op.ValueInfo{Width: p.Values[v].Width, Selected: p.Values[v].Selected}
				free[shape] = append(free[shape], of[v])
			}
		}
	}
	return of, buffers
}
