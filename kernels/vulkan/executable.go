package vulkan

// #include "binding.h"
import "C"

import (
	"context"
	"errors"
	"fmt"

	"tandem/kernels/op"
)

// executable is a lowered Program with its memory on the GPU.
type executable struct {
	dev      *Device
	p        *op.Program
	opt      op.CompileOptions
	weights  *weights
	plain    *lowering
	fused    *lowering
	values   *region // of the slots of both
	batch    batchMemory
	readback *region // logits and tapped values
	best     bestMemory
	late     *region // a word that is not 0 after a step waited in vain (await.go)
	pages    *pages
	bytes    int64

	turns   [][]float32 // of each table of rotations: (positions met so far, pairs), cos and sin
	tapping bool        // a run shows its named values

	recordings map[shape]*recording
	recorded   []shape // those of recordings, the longest unused first
	fewAtOnce  int     // how many steps of few rows a submission can take, measured; 0: not known yet
	profile    *profile
}

// batchMemory is a batch as the GPU reads it: addresses, and offsets in the
// region for the host.
type batchMemory struct {
	region                                      *region
	tokens, positions, starts, selected, table  uint64
	ropes                                       []uint64 // per table (RowsMax, pairs): cos and sin
	tiles                                       []uint64 // per table (RowsMax): first row and how many
	tokensAt, positionsAt, startsAt, selectedAt int
	tableAt, tableMax                           int
	ropesAt, tilesAt                            []int
}

// Compile lowers p, copies its weights to the GPU and allocates all that its
// runs need. Shaders are compiled when a size of batch is first met.
func (d *Device) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	if opt.KV != op.F16 && opt.KV != op.Q8_0 && opt.KV != op.F32 {
		return nil, fmt.Errorf("vulkan: keys and values as %v: %w", opt.KV, op.ErrNotSupported)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := &executable{dev: d, p: p, opt: opt, recordings: map[shape]*recording{}}
	err := e.allocate()
	if err == nil {
		err = e.weights.upload(ctx, progress)
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// allocate lowers the program and gives everything its memory.
func (e *executable) allocate() (err error) {
	if e.weights, err = newWeights(e.dev, e.p, poolBytes(e.p, e.opt)); err != nil {
		return err
	}
	if e.plain, err = lower(e, false); err != nil {
		return err
	}
	if e.fused, err = lower(e, true); err != nil {
		return err
	}
	if e.pages, err = newPages(e.dev, e.plain, e.opt); err != nil {
		return err
	}
	bytes := 0
	for _, l := range []*lowering{e.plain, e.fused} {
		var at layout // of both in turns: they never run at once
		l.slots[partialsMemory] = e.partialsBytes()
		for _, slot := range l.slots {
			l.slotAt = append(l.slotAt, at.add(slot))
		}
		if l.awaits {
			at.bytes += l.awaitedMax()
		}
		bytes = max(bytes, at.bytes)
	}
	if e.values, err = e.dev.alloc(deviceMemory, bytes, "activations"); err != nil {
		return err
	}
	most := e.opt.LogitsMax * e.p.Vocab
	for v, info := range e.p.Values {
		if info.Name != "" {
			most = max(most, e.plain.rowsMax(op.Value(v))*info.Width)
		}
	}
	if e.readback, err = e.dev.alloc(readbackMemory, 4*most, "logits"); err != nil {
		return err
	}
	if e.late, err = e.dev.alloc(readbackMemory, 4, "a flag"); err != nil {
		return err
	}
	words[uint32](e.late, 0, 1)[0] = 0
	if err := e.allocateBatch(); err != nil {
		return err
	}
	if err := e.allocateBest(); err != nil {
		return err
	}
	e.bytes = int64(e.weights.bytes + bytes + 4*most + int(e.batch.region.buffer.bytes))
	return nil
}

// partialsBytes is what attention in splits leaves for its merge at most.
func (e *executable) partialsBytes() int {
	bytes := 0
	for _, o := range e.p.Ops {
		if a, ok := o.(*op.Attention); ok {
			bytes = max(bytes, fewRows*a.QHeads*splitsMax*(a.HeadDim+2)*4)
		}
	}
	return bytes
}

// list is the steps for batches of that shape.
func (e *executable) list(s shape) *lowering {
	if s.rows <= fewRows {
		return e.fused
	}
	return e.plain
}

// ropes are the frequencies of the tables of rotations, the same in both lists.
func (e *executable) ropes() [][]float32 { return e.plain.ropes }

func (e *executable) allocateBatch() (err error) {
	b, n := &e.batch, e.opt.RowsMax
	var l layout
	b.tokensAt, b.positionsAt, b.startsAt, b.selectedAt = l.add(4*n), l.add(4*n), l.add(4*n), l.add(4*n)
	for _, freqs := range e.ropes() {
		b.ropesAt = append(b.ropesAt, l.add(8*n*len(freqs)))
		e.turns = append(e.turns, nil)
	}
	for range e.plain.tiles { // each row may be alone
		b.tilesAt = append(b.tilesAt, l.add(8*n))
	}
	// Each row may be of another sequence with a table for every position.
	b.tableMax = n * ceil(e.p.MaxTokens, op.PageTokens)
	b.tableAt = l.add(4 * b.tableMax)
	if b.region, err = e.dev.alloc(uploadMemory, l.bytes, "batch"); err != nil {
		return err
	}
	base := b.region.address()
	at := func(offset int) uint64 { return base + uint64(offset) }
	b.tokens, b.positions, b.starts, b.selected, b.table = at(b.tokensAt), at(b.positionsAt), at(b.startsAt), at(b.selectedAt), at(b.tableAt)
	for _, offset := range b.ropesAt {
		b.ropes = append(b.ropes, at(offset))
	}
	for _, offset := range b.tilesAt {
		b.tiles = append(b.tiles, at(offset))
	}
	return nil
}

// Pages is the pool of KV pages.
func (e *executable) Pages() op.Pages { return e.pages }

// Bytes is the memory of weights and buffers.
func (e *executable) Bytes() int64 { return e.bytes }

// Close frees everything.
func (e *executable) Close() error {
	e.dev.runMu.Lock()
	defer e.dev.runMu.Unlock()
	e.stopProfile()
	for s := range e.recordings {
		e.recordings[s].free(e.dev)
	}
	e.recordings, e.recorded = nil, nil
	if e.weights != nil {
		e.weights.close()
	}
	if e.pages != nil {
		e.pages.close()
	}
	for _, r := range []*region{e.values, e.readback, e.batch.region, e.best.masked, e.best.found, e.late} {
		e.dev.release(r)
	}
	e.values, e.readback, e.batch.region, e.best = nil, nil, nil, bestMemory{}
	return nil
}

// Run computes b. Cancelling ctx ends it after what is submitted, see [recording].
func (e *executable) Run(ctx context.Context, b *op.Batch) error {
	if err := b.Check(e.p, e.opt, e); err != nil {
		return fmt.Errorf("vulkan: %w", err)
	}
	if err := ctx.Err(); err != nil || len(b.Rows) == 0 {
		return err
	}
	e.dev.runMu.Lock()
	defer e.dev.runMu.Unlock()
	if err := e.dev.aliveLocked(); err != nil {
		return err
	}
	s, err := e.load(b)
	if err != nil {
		return err
	}
	switch {
	case b.Tap != nil:
		err = e.walk(ctx, b, s)
	case e.profile != nil:
		err = e.measure(ctx, b, s)
	default:
		var r *recording
		if r, err = e.recording(s); err == nil {
			err = e.dev.play(ctx, r)
		}
		if err == nil {
			err = e.inTime()
		}
		if err == nil && s.rows <= fewRows {
			e.fewAtOnce = int(submissionMax/r.each) * r.size
		}
	}
	if err != nil && e.dev.lost && !errors.Is(err, op.ErrDeviceLost) {
		err = errors.Join(e.dev.aliveLocked(), err) // whatever it was that a submission failed with
	}
	if err != nil {
		return err
	}
	copy(b.Logits, words[float32](e.readback, 0, len(b.Logits)))
	e.copyBest(b, s)
	return nil
}

// load copies the rows to where the GPU reads them and gives the batch's shape.
func (e *executable) load(b *op.Batch) (shape, error) {
	m, n := &e.batch, len(b.Rows)
	tokens, positions := words[int32](m.region, m.tokensAt, n), words[int32](m.region, m.positionsAt, n)
	starts, selected := words[uint32](m.region, m.startsAt, n), words[int32](m.region, m.selectedAt, n)
	table := words[int32](m.region, m.tableAt, m.tableMax)
	s := shape{rows: n, splits: 1, runs: 1, best: bestOf(b.BestN)}
	used, start, runs, keys := 0, 0, 0, 0
	for i, r := range b.Rows {
		if i == 0 || r.Seq != b.Rows[i-1].Seq {
			start = used
			runs++
		}
		// A sequence's rows stand together; each needs the table a little further.
		for need := start + int(r.Pos)/op.PageTokens + 1; used < need; used++ {
			table[used] = b.Tables[r.Seq][used-start]
		}
		tokens[i], positions[i], starts[i] = r.Token, r.Pos, uint32(start)
		keys = max(keys, int(r.Pos)+1)
		if r.Logits {
			selected[s.selected] = int32(i)
			s.selected++
		}
		for s.splits < splitsOf(int(r.Pos)) {
			s.splits *= 2
		}
	}
	for i, freqs := range e.ropes() {
		e.growTurns(i, keys)
		size := 2 * len(freqs)
		to := words[float32](m.region, m.ropesAt[i], n*size)
		for row, r := range b.Rows {
			copy(to[row*size:], e.turns[i][int(r.Pos)*size:][:size])
		}
	}
	if n <= fewRows {
		return s, nil
	}
	s.splits = flashSplits(n, keys)
	for s.runs < runs {
		s.runs *= 2
	}
	for i, rows := range e.plain.tiles {
		loadTiles(b.Rows, rows, words[uint32](m.region, m.tilesAt[i], 2*tilesMax(rows, s)))
	}
	return s, nil
}

// growTurns makes a table's rotations of so many positions. They are kept by position:
// for a prompt their sines would take a tenth of the time that a GPU takes.
func (e *executable) growTurns(table, positions int) {
	freqs := e.ropes()[table]
	at := len(e.turns[table]) / (2 * len(freqs))
	if at >= positions {
		return
	}
	cos, sin := make([]float32, len(freqs)), make([]float32, len(freqs))
	for ; at < positions; at++ {
		op.RopeTable(cos, sin, []op.Row{{Pos: int32(at)}}, freqs)
		for k := range freqs {
			e.turns[table] = append(e.turns[table], cos[k], sin[k])
		}
	}
}

// splitsOf is into how many splits attention.glsl cuts the keys of a position.
func splitsOf(position int) int {
	keys := chunkKeys
	for keys*splitsMax <= position {
		keys *= 2
	}
	return position/keys + 1
}
