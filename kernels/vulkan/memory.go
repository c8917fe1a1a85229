package vulkan

// #include "binding.h"
import "C"

import (
	"fmt"
	"unsafe"

	"tandem/kernels/op"
)

// region is memory on the GPU, or that the GPU sees.
type region struct {
	buffer C.struct_buffer
}

// The kinds of memory, as binding.h has them.
const (
	deviceMemory   = C.MEMORY_DEVICE   // the GPU's own
	uploadMemory   = C.MEMORY_UPLOAD   // that the host writes
	readbackMemory = C.MEMORY_READBACK // that the host reads
)

// alloc takes memory, at least a few bytes of it. It belongs to the caller, who frees it.
func (d *Device) alloc(kind uint32, bytes int, what string) (*region, error) {
	bytes = max(bytes, 16)
	if bytes > d.allocationMax {
		return nil, fmt.Errorf("vulkan: %s: %d MB in one piece, %s allows %d MB: %w", what, bytes>>20, name(d.found), d.allocationMax>>20, op.ErrOutOfMemory)
	}
	r := &region{}
	err := check(fmt.Sprintf("%s: %d MB", what, bytes>>20), C.buffer_create(d.gpu, kind, C.uint64_t(bytes), &r.buffer))
	if err != nil {
		return nil, err
	}
	if d.unseen && kind == deviceMemory {
		r.buffer.host = nil
	}
	return r, nil
}

func (d *Device) release(r *region) {
	if r != nil && r.buffer.handle != 0 {
		C.buffer_destroy(d.gpu, &r.buffer)
	}
}

func (r *region) address() uint64 { return uint64(r.buffer.address) }

// bytes is the region as the host sees it.
func (r *region) bytes() []byte {
	return unsafe.Slice((*byte)(r.buffer.host), r.buffer.bytes)
}

// words are n numbers of 32 bits from a byte offset on.
func words[T int32 | uint32 | float32](r *region, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(r.buffer.host, offset)), n)
}

// layout adds up aligned pieces of one region.
type layout struct{ bytes int }

// pieceAlignment is enough for vectors of 16 bytes, and a cache line of any GPU.
const pieceAlignment = 256

func (l *layout) add(bytes int) (offset int) {
	offset = l.bytes
	l.bytes += (bytes + pieceAlignment - 1) / pieceAlignment * pieceAlignment
	return offset
}
