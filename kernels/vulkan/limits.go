package vulkan

// #include "binding.h"
import "C"

import (
	"context"
	"fmt"
	"time"

	"tandem/kernels/op"
)

const (
	limitBytes   = 512 << 20 // read and written; larger than any cache
	limitRepeats = 5
	// Copies of copy.comp in one timing, so that neither its beginning nor its end
	// counts for much. A software driver takes as long for one.
	copyPasses    = 16
	copyPassesCPU = 1
	copyThreads   = 256
	copyItems     = 2 // 16 bytes each, of a thread; 4.16 TB/s of an H200, 4 make 4.11
	peakChains    = 8 // of peak.comp, 8 operations each
	peakThreads   = 128
	peakRounds    = 8192
	// Workgroups of peak.comp: enough to fill a large GPU, for a few milliseconds. A
	// software driver has few threads, and each is slow.
	peakGroups    = 4096
	peakGroupsCPU = 16
)

// Limits measures what the GPU allows right now: the best of five timings of copies
// within its memory by a shader, reads and writes in GB/s, and packed products of
// int8 from registers in 10^12 operations per second. (The driver's own copies may
// be made by an engine that is far slower than the shaders' access.)
func (d *Device) Limits(ctx context.Context) (readGBs, teraOps float64, err error) {
	d.runMu.Lock()
	defer d.runMu.Unlock()
	a, err := d.alloc(deviceMemory, limitBytes/2, "limits")
	if err != nil {
		return 0, 0, err
	}
	defer d.release(a)
	b, err := d.alloc(deviceMemory, limitBytes/2, "limits")
	if err != nil {
		return 0, 0, err
	}
	defer d.release(b)
	groups, passes := peakGroups, copyPasses
	if d.software {
		groups, passes = peakGroupsCPU, copyPassesCPU
	}
	copies, err := d.pipes.get("copy", copyThreads, []uint32{copyItems})
	if err != nil {
		return 0, 0, err
	}
	copyAll := call{push: push{}.address(a.address(), b.address()), x: limitBytes / 2 / 16 / copyThreads / copyItems, y: 1, z: 1}
	peak := call{shader: "peak", threads: peakThreads, push: push{}.address(a.address()).number(peakRounds), x: groups, y: 1, z: 1}
	for range limitRepeats {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		took, err := d.time(func(c C.VkCommandBuffer) {
			for range passes {
				d.dispatch(c, copies, copyAll)
			}
		})
		if err != nil {
			return 0, 0, err
		}
		readGBs = max(readGBs, limitBytes*float64(passes)/took.Seconds()/1e9)
		if took, err = d.timeCalls(peak, 1); err != nil {
			return 0, 0, err
		}
		teraOps = max(teraOps, float64(groups)*peakThreads*peakChains*8*peakRounds/took.Seconds()/1e12)
	}
	return readGBs, teraOps, nil
}

// timeCalls is how long n dispatches of c take, one after the other.
func (d *Device) timeCalls(c call, n int) (time.Duration, error) {
	pipeline, err := d.pipes.get(c.shader, c.threads, c.constants)
	if err != nil {
		return 0, err
	}
	return d.time(func(commands C.VkCommandBuffer) {
		for range n {
			d.dispatch(commands, pipeline, c)
			C.record_barrier(d.gpu, commands)
		}
	})
}

// time is how long commands take by the GPU's clock.
func (d *Device) time(record func(c C.VkCommandBuffer)) (time.Duration, error) {
	if d.found.timestamp_bits == 0 {
		return 0, fmt.Errorf("vulkan: limits: %s has no clock: %w", name(d.found), op.ErrNotSupported)
	}
	var queries C.VkQueryPool
	if err := check("timestamps", C.queries_create(d.gpu, 2, &queries)); err != nil {
		return 0, err
	}
	defer C.queries_destroy(d.gpu, queries)
	w := recorder{d: d}
	err := w.once(func(c C.VkCommandBuffer) error {
		C.record_reset(d.gpu, c, queries, 2)
		C.record_timestamp(d.gpu, c, queries, 0)
		record(c)
		C.record_timestamp(d.gpu, c, queries, 1)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var ticks [2]uint64
	if err := check("timestamps", C.queries_read(d.gpu, queries, 2, (*C.uint64_t)(&ticks[0]))); err != nil {
		return 0, err
	}
	return d.duration(ticks[0], ticks[1]), nil
}

// duration is the time between two of the GPU's timestamps.
func (d *Device) duration(from, to uint64) time.Duration {
	mask := ^uint64(0) >> (64 - uint(d.found.timestamp_bits))
	return max(1, time.Duration(float64((to-from)&mask)*float64(d.found.ns_per_tick)))
}
