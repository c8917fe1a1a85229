package vulkan

// #include "binding.h"
import "C"

import (
	"context"
	"slices"
	"time"
	"unsafe"

	"tandem/kernels/op"
)

const (
	// A command buffer holds so many dispatches, of many rows, which take long, or of few.
	manySteps = 4
	fewSteps  = 24
	// submissionMax is how long a submission should take: a cancelled run ends after
	// those under way, of which there are at most two.
	submissionMax = 10 * time.Millisecond
	// recordingsMax bounds the sizes of batches whose commands are kept.
	recordingsMax = 32
)

// recording is the commands of one shape of batch, which are submitted again and
// again. It is cut into pieces, so that a long run can be cancelled between
// submissions of some of them.
type recording struct {
	pieces []C.VkCommandBuffer
	size   int // steps of a piece at most
	// each is what a piece takes, measured; 0: not known yet. Then pieces are submitted one by one.
	each time.Duration
}

func (r *recording) free(d *Device) {
	for _, c := range r.pieces {
		C.commands_free(d.gpu, c)
	}
	r.pieces = nil
}

// recording finds the commands of a shape, or records them.
func (e *executable) recording(s shape) (*recording, error) {
	if at := slices.Index(e.recorded, s); at >= 0 {
		e.recorded = append(slices.Delete(e.recorded, at, at+1), s)
		if r := e.recordings[s]; !e.tooFine(r) {
			return r, nil
		}
		e.forget(len(e.recorded) - 1)
	}
	if len(e.recorded) == recordingsMax {
		e.forget(0)
	}
	w := recorder{d: e.dev, l: e.list(s), shape: s}
	size := manySteps
	if w.l.fused {
		size = max(fewSteps, e.fewAtOnce)
	}
	r := &recording{size: size}
	for from, to := 0, 0; from < len(w.l.steps); from = to {
		c, err := w.commands(func(c C.VkCommandBuffer) error {
			if from == 0 {
				w.clear(c)
			}
			// What need not wait for the last step of a piece belongs to it.
			for ; to < len(w.l.steps) && (to < from+size || !w.waits(&w.l.steps[to])); to++ {
				if err := w.step(c, &w.l.steps[to]); err != nil {
					return err
				}
			}
			if to == len(w.l.steps) {
				w.logits(c)
			}
			return nil
		})
		if err != nil {
			r.free(e.dev)
			return nil, err
		}
		r.pieces = append(r.pieces, c)
	}
	e.recordings[s] = r
	e.recorded = append(e.recorded, s)
	return r, nil
}

// tooFine reports whether r has more pieces than it needs: each costs the host 5 µs.
func (e *executable) tooFine(r *recording) bool {
	return len(r.pieces) > 1 && 2*r.size <= e.fewAtOnce
}

// forget frees the i-th recording.
func (e *executable) forget(i int) {
	e.recordings[e.recorded[i]].free(e.dev)
	delete(e.recordings, e.recorded[i])
	e.recorded = slices.Delete(e.recorded, i, i+1)
}

// recorder writes steps to command buffers, with barriers where they are needed.
type recorder struct {
	d             *Device
	l             *lowering // nil for commands that are no steps
	shape         shape
	reads, writes []int // slots, since the last barrier
}

// commands records a command buffer that waits for those before it.
func (w *recorder) commands(record func(c C.VkCommandBuffer) error) (C.VkCommandBuffer, error) {
	var c C.VkCommandBuffer
	if err := check("recording", C.commands_begin(w.d.gpu, &c)); err != nil {
		return nil, err
	}
	w.barrier(c) // whatever was submitted before
	err := record(c)
	if err == nil {
		err = check("recording", C.commands_end(w.d.gpu, c))
	}
	if err != nil {
		C.commands_free(w.d.gpu, c)
		return nil, err
	}
	return c, nil
}

// barrier makes what is recorded next wait for all before it.
func (w *recorder) barrier(c C.VkCommandBuffer) {
	C.record_barrier(w.d.gpu, c)
	w.reads, w.writes = nil, nil
}

// steps records steps [from, to) of the list.
func (w *recorder) steps(c C.VkCommandBuffer, from, to int) error {
	for i := from; i < to; i++ {
		if err := w.step(c, &w.l.steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *recorder) step(c C.VkCommandBuffer, s *step) error {
	call := s.call(w.shape)
	if call.x == 0 {
		return nil
	}
	pipeline, err := w.d.pipes.get(call.shader, call.threads, call.constants)
	if err != nil {
		return err
	}
	if w.waits(s) {
		w.barrier(c)
	}
	w.reads, w.writes = append(w.reads, w.l.slotsOf(s.reads, w.shape)...), append(w.writes, w.l.slotsOf(s.writes, w.shape)...)
	w.d.dispatch(c, pipeline, call)
	return nil
}

// dispatch records a call whose pipeline is at hand.
func (d *Device) dispatch(c C.VkCommandBuffer, pipeline C.VkPipeline, call call) {
	C.record_dispatch(d.gpu, c, pipeline, unsafe.Pointer(&call.push[0]), C.uint32_t(len(call.push)), C.uint32_t(call.x), C.uint32_t(call.y), C.uint32_t(call.z))
}

// waits reports whether s reads or writes what others since the last barrier wrote or read.
func (w *recorder) waits(s *step) bool {
	reads, writes := w.l.slotsOf(s.reads, w.shape), w.l.slotsOf(s.writes, w.shape)
	return overlap(reads, w.writes) || overlap(writes, w.reads) || overlap(writes, w.writes)
}

// logits copies them to the host, unless only the best are wanted, which are there.
func (w *recorder) logits(c C.VkCommandBuffer) {
	rows := w.shape.selected
	if w.shape.best > 0 {
		rows = 0
	}
	w.copyOut(c, w.l.p.Logits, rows)
}

// copyOut copies the first rows of a value's floats to the start of readback.
func (w *recorder) copyOut(c C.VkCommandBuffer, v op.Value, rows int) {
	e := w.l.e
	if bytes := 4 * rows * e.p.Values[v].Width; bytes > 0 {
		w.barrier(c)
		at := w.l.place(w.l.floats[v], w.shape)
		C.record_copy(e.dev.gpu, c, e.values.buffer.handle, C.uint64_t(at), e.readback.buffer.handle, 0, C.uint64_t(bytes))
	}
	C.record_host_barrier(e.dev.gpu, c)
}

// play submits r's pieces, some at a time, while ctx lasts, and waits for them.
func (d *Device) play(ctx context.Context, r *recording) error {
	atOnce := 1
	if r.each > 0 {
		atOnce = max(1, int(submissionMax/r.each))
	}
	start, next, under := time.Now(), 0, 0 // under: submissions under way
	slot := 0
	var err error
	for next < len(r.pieces) && err == nil && ctx.Err() == nil {
		if under == C.SLOTS {
			err = check("waiting", C.wait_done(d.gpu, C.int(slot))) // the older one
			under--
		}
		if err == nil {
			n := min(atOnce, len(r.pieces)-next)
			err = check("submitting", C.submit(d.gpu, C.int(slot), &r.pieces[next], C.uint32_t(n)))
			next, under, slot = next+n, under+1, (slot+1)%C.SLOTS
		}
	}
	for ; under > 0 && err == nil; under-- {
		err = check("waiting", C.wait_done(d.gpu, C.int((slot+C.SLOTS-under)%C.SLOTS)))
	}
	if err != nil {
		d.lost = true
		return err
	}
	if next == len(r.pieces) {
		r.each = max(1, time.Since(start)/time.Duration(len(r.pieces)))
	}
	return ctx.Err()
}

// once records commands, runs them and frees them.
func (w *recorder) once(record func(c C.VkCommandBuffer) error) error {
	c, err := w.commands(record)
	if err != nil {
		return err
	}
	r := &recording{pieces: []C.VkCommandBuffer{c}}
	defer r.free(w.d)
	return w.d.play(context.Background(), r)
}

// walk runs the steps up to each tapped value, and shows it.
func (e *executable) walk(ctx context.Context, b *op.Batch, s shape) error {
	from, l := 0, e.plain
	e.tapping = true
	defer func() { e.tapping = false }()
	for i, st := range l.steps {
		last := i == len(l.steps)-1
		if !st.tapped && !last {
			continue
		}
		w := recorder{d: e.dev, l: l, shape: s}
		v := st.value
		rows := l.rows(v, s)
		err := w.once(func(c C.VkCommandBuffer) error {
			err := w.steps(c, from, i+1)
			w.copyOut(c, v, rows)
			return err
		})
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if st.tapped {
			b.Tap(e.p.Values[v].Name, words[float32](e.readback, 0, rows*e.p.Values[v].Width))
		}
		from = i + 1
	}
	// The list ends with the logits.
	return ctx.Err()
}

// subgroups is how many subgroups a workgroup of so many threads has.
func (d *Device) subgroups(threads int) int { return threads / int(d.found.subgroup) }
