package vulkan

// #include "binding.h"
import "C"

import (
	"fmt"
	"os"
	"strings"

	"tandem/kernels/op"
)

// In an awaiting list steps wait for each other by themselves: no barrier stands
// between two, which would let the GPU run empty and fill again for each. A later
// step's workgroups start as soon as there is room, fetch their weights, and look at
// their input until it has come (await.glsl). Each value has memory of its own, which
// is filled with what no value is before the first step, so that nothing that is read
// is overwritten in a run.

// AwaitEnv is the environment variable that makes steps of few rows wait for each
// other without barriers ("on") or with them ("off"), for tests and bug reports.
const AwaitEnv = "TANDEM_VULKAN_AWAIT"

// awaitBytesMax is with how many bytes of weights at most awaiting was a gain, by what
// the device's name begins with. Larger models' steps are long, and workgroups that
// wait beside them take from them more than barriers do. Only measured devices: Vulkan
// does not promise that workgroups start in the order of their dispatches.
var awaitBytesMax = map[string]int{"NVIDIA H200": 2 << 30}

// awaits reports whether lists of a program with so many bytes of weights await.
func (d *Device) awaits(weightBytes int) bool {
	switch os.Getenv(AwaitEnv) {
	case "on":
		return true
	case "off":
		return false
	}
	for device, most := range awaitBytesMax {
		if strings.HasPrefix(name(d.found), device) {
			return weightBytes <= most
		}
	}
	return false
}

// absent is what memory is filled with, as await.glsl has it.
const absent = 0xff808080

// awaitsIn reports whether the steps of a batch of that shape wait by themselves. With
// long contexts, whose splits a step of its own joins, it was a loss (docs/bench.md):
// the list is recorded with barriers then.
func (l *lowering) awaitsIn(s shape) bool { return l.awaits && s.splits <= ownSplitsMax }

// partialsOf is the memory of an attention's splits.
func (l *lowering) partialsOf(layer int, s shape) int {
	if m, ok := l.partials[layer]; ok && l.awaitsIn(s) {
		return m
	}
	return partialsMemory
}

// place is where memory m lies in the executable's values. In an awaiting list it
// follows from the number of rows, so that there is no more to fill than they use.
func (l *lowering) place(m int, s shape) int {
	if !l.awaits || m < fixedMemory {
		return l.slotAt[l.memory[m].slot]
	}
	at, _ := l.awaited(s)
	for i := fixedMemory; i < m; i++ {
		at += l.size(i, s)
	}
	return at
}

// awaited is the part of the executable's values that is filled.
func (l *lowering) awaited(s shape) (from, bytes int) {
	for i := fixedMemory; i < len(l.memory); i++ {
		bytes += l.size(i, s)
	}
	return l.slotAt[partialsMemory] + l.slots[partialsMemory], bytes
}

// size is what memory i of an awaiting list takes.
func (l *lowering) size(i int, s shape) int {
	m := &l.memory[i]
	if m.slot < 0 {
		return 0
	}
	n := s.rows * m.rowBytes
	if m.perSplit {
		n *= min(s.splitsRoom(), ownSplitsMax)
	}
	var own layout
	own.add(n)
	return own.bytes
}

// ownSlots gives each memory of an awaiting list a slot of its own, and finds out what
// needs no barrier: what is written once and read by steps that can wait.
func (l *lowering) ownSlots() {
	writers, patient := make([]int, len(l.memory)), make([]bool, len(l.memory))
	for m := range patient {
		patient[m] = true
	}
	for i := range l.steps {
		st := &l.steps[i]
		for _, m := range st.writes {
			writers[m]++
			l.memory[m].slot = m
		}
		for _, m := range st.reads {
			patient[m] = patient[m] && st.awaits
			l.memory[m].slot = m
		}
	}
	for m := range l.memory {
		l.memory[m].awaited = patient[m] && (writers[m] == 1 || m < fixedMemory)
	}
	l.slots = make([]int, fixedMemory)
	for m := range fixedMemory {
		l.memory[m].slot = m
	}
}

// awaitedMax is the most that is filled.
func (l *lowering) awaitedMax() int {
	_, bytes := l.awaited(shape{rows: l.opt.RowsMax, splits: ownSplitsMax})
	return bytes
}

// partialsMemories are all that an attention's splits may lie in.
func (l *lowering) partialsMemories(o *op.Attention) []int {
	all := []int{partialsMemory}
	if !l.awaits {
		return all
	}
	if _, ok := l.partials[o.Layer]; !ok {
		m := l.newMemory(l.opt.RowsMax, 4*o.QHeads*(o.HeadDim+2))
		l.memory[m].perSplit = true
		l.partials[o.Layer] = m
	}
	return append(all, l.partials[o.Layer])
}

// clear fills what steps wait for.
func (w *recorder) clear(c C.VkCommandBuffer) {
	if !w.l.awaitsIn(w.shape) {
		return
	}
	from, bytes := w.l.awaited(w.shape)
	C.record_fill(w.d.gpu, c, w.l.e.values.buffer.handle, C.uint64_t(from), C.uint64_t(bytes), absent)
	w.barrier(c)
}

// lateAddress is where a step tells that it waited in vain.
func (e *executable) lateAddress() uint64 { return e.late.address() }

// inTime reports an error if a step of the last run waited in vain.
func (e *executable) inTime() error {
	if words[uint32](e.late, 0, 1)[0] == 0 {
		return nil
	}
	e.dev.lost = true
	return fmt.Errorf("vulkan: %s runs steps in another order: set %s=off: %w", name(e.dev.found), AwaitEnv, op.ErrDeviceLost)
}
