package vulkan

// #include "binding.h"
import "C"

import (
	"fmt"
	"math"

	"tandem/kernels/op"
)

// The best logits of a row (op.Batch.Best) are the last two steps of both lists:
// workgroups rank a part of a row each, and one joins them and writes to memory of
// the host. All logits would be 600 KB a row, whose copy takes longer than many a step.

const (
	bestMax     = 64  // of a row
	bestThreads = 256 // and so many parts at most: in the second step a thread takes one
)

// bestMemory is what ranking needs beside the lists' memory.
type bestMemory struct {
	masked *region // a bit for each token; nil if none is masked
	found  *region // (LogitsMax, bestMax) tokens and logits, each row as many as the batch's shape says
}

// allocateBest takes that memory.
func (e *executable) allocateBest() (err error) {
	if e.best.found, err = e.dev.alloc(readbackMemory, 8*e.opt.LogitsMax*bestMax, "best logits"); err != nil || len(e.opt.Masked) == 0 {
		return err
	}
	n := ceil(e.p.Vocab, 32)
	if e.best.masked, err = e.dev.alloc(uploadMemory, 4*n, "masked tokens"); err != nil {
		return err
	}
	bits := words[uint32](e.best.masked, 0, n)
	clear(bits)
	for _, token := range e.opt.Masked {
		if token >= 0 && int(token) < e.p.Vocab {
			bits[token/32] |= 1 << (token % 32)
		}
	}
	return nil
}

// BestMax is how many of a row's best logits a batch may ask for.
func (e *executable) BestMax() int { return bestMax }

// bestOf is how many are ranked where a batch asks for n: commands are recorded for
// greedy choice and for all others.
func bestOf(n int) int {
	if n > 1 {
		return bestMax
	}
	return n
}

// copyBest gives b what the last run with shape s found.
func (e *executable) copyBest(b *op.Batch, s shape) {
	found := words[uint32](e.best.found, 0, 2*s.selected*s.best)
	for i := range b.Best {
		at := 2 * (i/b.BestN*s.best + i%b.BestN)
		b.Best[i] = op.Scored{Token: int32(found[at]), Logit: math.Float32frombits(found[at+1])}
	}
}

// lowerBest appends the steps that rank. Other batches pass over them.
func (l *lowering) lowerBest() {
	each := ceil(l.p.Vocab, bestThreads*bestThreads)
	parts := ceil(l.p.Vocab, bestThreads*each)
	keys := l.newMemory(l.rowsMax(l.p.Logits), 8*parts*bestMax)
	ranks := func(join bool, groups int) func(s shape) call {
		return func(s shape) call {
			if s.best == 0 || s.selected == 0 {
				return call{}
			}
			masked := uint64(0)
			if l.e.best.masked != nil {
				masked = l.e.best.masked.address()
			}
			return call{
				shader: "best", threads: bestThreads, constants: []uint32{uint32(s.best), uint32(each), flag(join), flag(l.awaitsIn(s))},
				push: push{}.address(l.float(l.p.Logits, s), masked, l.address(keys, s), l.e.best.found.address()).number(l.p.Vocab, parts).address(l.e.lateAddress()),
				x:    groups, y: s.selected, z: 1,
			}
		}
	}
	logits := l.floats[l.p.Logits]
	l.steps = append(l.steps,
		step{kind: "rank", shape: fmt.Sprint(l.p.Vocab), value: l.p.Logits, reads: []int{logits}, writes: []int{keys}, awaits: true, call: ranks(false, parts)},
		step{kind: "join ranks", shape: fmt.Sprint(l.p.Vocab), value: l.p.Logits, reads: []int{logits, keys}, awaits: true, call: ranks(true, 1)})
}
