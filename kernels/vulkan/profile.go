package vulkan

// #include "binding.h"
import "C"

import (
	"context"

	"tandem/kernels/op"
)

// profile adds up what each step costs, by the GPU's own clock. Measured runs
// have a barrier between all steps, so that each stands alone; they are slower
// than others.
type profile struct {
	queries C.VkQueryPool
	ticks   []uint64
	costs   map[*step]*op.Cost
}

// StartProfile measures every run from now on; the sums begin at 0.
func (e *executable) StartProfile() {
	e.dev.runMu.Lock()
	defer e.dev.runMu.Unlock()
	e.stopProfile()
	if e.dev.found.timestamp_bits == 0 {
		return // the GPU has no clock
	}
	n := max(len(e.plain.steps), len(e.fused.steps)) + 1
	p := &profile{ticks: make([]uint64, n), costs: map[*step]*op.Cost{}}
	if C.queries_create(e.dev.gpu, C.uint32_t(n), &p.queries) >= 0 {
		e.profile = p
	}
}

func (e *executable) stopProfile() {
	if e.profile != nil {
		C.queries_destroy(e.dev.gpu, e.profile.queries)
	}
	e.profile = nil
}

// StopProfile ends that and returns what each kind of op cost, the dearest first.
func (e *executable) StopProfile() []op.Cost {
	e.dev.runMu.Lock()
	defer e.dev.runMu.Unlock()
	if e.profile == nil {
		return nil
	}
	var costs []op.Cost
	for _, c := range e.profile.costs {
		costs = append(costs, *c)
	}
	e.stopProfile()
	return op.SumCosts(costs)
}

// measure runs the steps with a timestamp behind each.
func (e *executable) measure(ctx context.Context, b *op.Batch, s shape) error {
	p, gpu, l := e.profile, e.dev.gpu, e.list(s)
	w := recorder{d: e.dev, l: l, shape: s}
	err := w.once(func(c C.VkCommandBuffer) error {
		C.record_reset(gpu, c, p.queries, C.uint32_t(len(p.ticks)))
		w.clear(c)
		C.record_timestamp(gpu, c, p.queries, 0)
		for i := range l.steps {
			w.barrier(c)
			if err := w.step(c, &l.steps[i]); err != nil {
				return err
			}
			C.record_timestamp(gpu, c, p.queries, C.uint32_t(i+1))
		}
		w.logits(c)
		return nil
	})
	if err != nil {
		return err
	}
	if err := check("timestamps", C.queries_read(gpu, p.queries, C.uint32_t(len(l.steps)+1), (*C.uint64_t)(&p.ticks[0]))); err != nil {
		return err
	}
	for i := range l.steps {
		st := &l.steps[i]
		if st.call(s).x == 0 {
			continue
		}
		c := p.costs[st]
		if c == nil {
			c = &op.Cost{Kind: st.kind, Shape: st.shape}
			p.costs[st] = c
		}
		c.Calls++
		c.Time += e.dev.duration(p.ticks[i], p.ticks[i+1])
		if st.cost != nil {
			bytes, ops := st.cost(b)
			c.Bytes, c.Ops = c.Bytes+bytes, c.Ops+ops
		}
	}
	return ctx.Err()
}
