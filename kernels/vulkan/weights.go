package vulkan

// #include "binding.h"
import "C"

import (
	"context"
	"fmt"
	"sync"
	"unsafe"

	"tandem/internal/machine"
	"tandem/kernels/op"
)

const (
	// regionBytes is the most that one region of weights takes: small enough that
	// every driver gives it, and few of them hold a large model.
	regionBytes = 512 << 20
	// stagingBytes is how much is repacked on the host before it is copied over.
	stagingBytes = 16 << 20
)

// weights are a Program's tensors and vectors on the GPU. A tensor used twice is
// stored once.
type weights struct {
	dev     *Device
	regions []*region
	sizes   []int // of the regions, while they are planned
	tensors []*op.Tensor
	vectors [][]float32
	at      map[any]place // by *op.Tensor, and by *float32 of a vector's first value
	bytes   int
}

// place is an offset in a region.
type place struct{ region, offset int }

// newWeights plans the memory of p's weights, checks that the kernels know them and
// that there is room, also for so many bytes of KV pages, and allocates.
func newWeights(d *Device, p *op.Program, pagesBytes int) (*weights, error) {
	w := &weights{dev: d, at: map[any]place{}}
	for _, o := range p.Ops {
		var tensors []*op.Tensor
		switch o := o.(type) {
		case *op.Embed:
			tensors = []*op.Tensor{o.Table}
		case *op.Norm:
			w.addVector(o.Weight)
		case *op.MatMul:
			tensors = []*op.Tensor{o.Weight}
			w.addVector(o.Bias)
		case *op.GatedMatMul:
			tensors = []*op.Tensor{o.Gate, o.Up}
			if o.Gate.Type.IsFloat() != o.Up.Type.IsFloat() {
				return nil, fmt.Errorf("vulkan: %s is %v but %s is %v: %w", o.Gate.Name, o.Gate.Type, o.Up.Name, o.Up.Type, op.ErrNotSupported)
			}
		}
		for _, t := range tensors {
			if err := w.addTensor(t); err != nil {
				return nil, err
			}
		}
	}
	if err := d.fits(w.bytes, pagesBytes); err != nil {
		return nil, err
	}
	for _, bytes := range w.sizes {
		r, err := d.alloc(deviceMemory, bytes, "weights")
		if err != nil {
			w.close()
			return nil, err
		}
		w.regions = append(w.regions, r)
	}
	return w, nil
}

// fits says what to do if there is no room for so many bytes.
func (d *Device) fits(weights, pages int) error {
	free := d.FreeBytes()
	if int64(weights+pages) <= free {
		return nil
	}
	return fmt.Errorf("vulkan: the model takes %.2f GB of weights and %.2f GB of KV pages, %s has %.2f of %.2f GB free: choose a smaller --model or --context, or --device cpu: %w",
		float64(weights)/1e9, float64(pages)/1e9, name(d.found), float64(free)/1e9, float64(d.found.heap_bytes)/1e9, op.ErrOutOfMemory)
}

func (w *weights) close() {
	for _, r := range w.regions {
		w.dev.release(r)
	}
	w.regions = nil
}

// reserve finds room for bytes, in one piece.
func (w *weights) reserve(bytes int) place {
	last := len(w.sizes) - 1
	if last < 0 || w.sizes[last]+bytes+pieceAlignment > min(regionBytes, w.dev.allocationMax) {
		w.sizes = append(w.sizes, 0)
		last++
	}
	l := layout{w.sizes[last]}
	at := place{last, l.add(bytes)}
	w.bytes += l.bytes - w.sizes[last]
	w.sizes[last] = l.bytes
	return at
}

func (w *weights) addTensor(t *op.Tensor) error {
	if _, ok := w.at[t]; ok {
		return nil
	}
	if !t.Type.Known() || t.Cols%max(groupOf(t.Type), t.Type.BlockValues()) != 0 {
		return fmt.Errorf("vulkan: %s: %v with %d columns: %w", t.Name, t.Type, t.Cols, op.ErrNotSupported)
	}
	if len(t.Data) != t.Rows*t.RowBytes() {
		return fmt.Errorf("vulkan: %s: %d bytes, needs %d", t.Name, len(t.Data), t.Rows*t.RowBytes())
	}
	w.at[t] = w.reserve(packedBytes(t, t.Rows) + 4) // the last scale may be read as half a word
	w.tensors = append(w.tensors, t)
	return nil
}

// groups is the number of groups in a row.
func groups(t *op.Tensor) int { return t.Cols / groupOf(t.Type) }

// packedBytes is what n rows of t take on the GPU.
func packedBytes(t *op.Tensor, n int) int {
	bytes := 0
	for _, plane := range planeSizes(t.Type, n*groups(t)) {
		bytes += plane
	}
	return bytes
}

func (w *weights) addVector(v []float32) {
	if len(v) == 0 {
		return
	}
	if _, ok := w.at[&v[0]]; !ok {
		w.at[&v[0]] = w.reserve(4 * len(v))
		w.vectors = append(w.vectors, v)
	}
}

// host is so many bytes of a region as the host sees them, nil where it does not.
func (w *weights) host(p place, bytes int) []byte {
	if r := w.regions[p.region]; r.buffer.host != nil {
		return r.bytes()[p.offset:][:bytes:bytes]
	}
	return nil
}

func (w *weights) address(p place) uint64 { return w.regions[p.region].address() + uint64(p.offset) }

func (w *weights) tensor(t *op.Tensor) uint64 { return w.address(w.at[t]) }

// vector is v's address, 0 if there is none.
func (w *weights) vector(v []float32) uint64 {
	if len(v) == 0 {
		return 0
	}
	return w.address(w.at[&v[0]])
}

// upload brings everything to the GPU: repacked to where it stays if the host sees
// that, else through staging buffers; while one is being copied, the next is filled.
func (w *weights) upload(ctx context.Context, progress func(float64)) error {
	u := &uploader{dev: w.dev}
	defer u.close()
	for _, v := range w.vectors {
		if err := u.vector(w, v); err != nil {
			return err
		}
	}
	done := 0
	for _, t := range w.tensors {
		packed := packedBytes(t, 1)
		step := max(1, min(stagingBytes, w.dev.allocationMax/2)/max(packed, 1))
		for from := 0; from < t.Rows; from += step {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(step, t.Rows-from)
			if err := u.rows(w, t, from, n); err != nil {
				return err
			}
			t.DropRows(from, n)
			done += n * packed
			if progress != nil {
				progress(min(1, float64(done)/float64(w.bytes)))
			}
		}
	}
	return u.finish()
}

// uploader moves data through two staging buffers in turns.
type uploader struct {
	dev     *Device
	staging [C.SLOTS]*region
	flight  [C.SLOTS]C.VkCommandBuffer // under way, nil if none
	slot    int
}

// begin gives a staging buffer of at least so many bytes that nothing reads.
func (u *uploader) begin(bytes int) (*region, error) {
	u.slot = (u.slot + 1) % C.SLOTS
	if err := u.wait(u.slot); err != nil {
		return nil, err
	}
	if s := u.staging[u.slot]; s != nil && int(s.buffer.bytes) >= bytes {
		return s, nil
	}
	u.dev.release(u.staging[u.slot])
	u.staging[u.slot] = nil
	var err error
	u.staging[u.slot], err = u.dev.alloc(readbackMemory, max(bytes, min(stagingBytes, u.dev.allocationMax)), "staging")
	return u.staging[u.slot], err
}

// copied is a piece of staging and where it goes.
type copied struct {
	from, bytes int
	to          place
}

// send starts the copies of the staging buffer that begin gave.
func (u *uploader) send(w *weights, pieces []copied) error {
	u.dev.runMu.Lock()
	defer u.dev.runMu.Unlock()
	var c C.VkCommandBuffer
	if err := check("staging", C.commands_begin(u.dev.gpu, &c)); err != nil {
		return err
	}
	for _, p := range pieces {
		if p.bytes > 0 {
			C.record_copy(u.dev.gpu, c, u.staging[u.slot].buffer.handle, C.uint64_t(p.from), w.regions[p.to.region].buffer.handle, C.uint64_t(p.to.offset), C.uint64_t(p.bytes))
		}
	}
	C.record_barrier(u.dev.gpu, c)
	err := check("staging", C.commands_end(u.dev.gpu, c))
	if err == nil {
		err = check("staging", C.submit(u.dev.gpu, C.int(u.slot), &c, 1))
	}
	if err != nil {
		C.commands_free(u.dev.gpu, c)
		return err
	}
	u.flight[u.slot] = c
	return nil
}

func (u *uploader) wait(slot int) error {
	c := u.flight[slot]
	if c == nil {
		return nil
	}
	u.flight[slot] = nil
	u.dev.runMu.Lock()
	defer u.dev.runMu.Unlock()
	err := check("copying weights", C.wait_done(u.dev.gpu, C.int(slot)))
	C.commands_free(u.dev.gpu, c)
	return err
}

func (u *uploader) finish() error {
	for slot := range u.flight {
		if err := u.wait(slot); err != nil {
			return err
		}
	}
	return nil
}

func (u *uploader) close() {
	u.finish() // an error was reported by whoever came first
	for _, r := range u.staging {
		u.dev.release(r)
	}
}

func (u *uploader) vector(w *weights, v []float32) error {
	if own := w.host(w.at[&v[0]], 4*len(v)); own != nil {
		copy(unsafe.Slice((*float32)(unsafe.Pointer(&own[0])), len(v)), v)
		return nil
	}
	s, err := u.begin(4 * len(v))
	if err != nil {
		return err
	}
	copy(words[float32](s, 0, len(v)), v)
	return u.send(w, []copied{{0, 4 * len(v), w.at[&v[0]]}})
}

// rows repacks rows [from, from+n) of t, some on each core, and sends them.
func (u *uploader) rows(w *weights, t *op.Tensor, from, n int) error {
	all, first, some := planeSizes(t.Type, t.Rows*groups(t)), planeSizes(t.Type, from*groups(t)), planeSizes(t.Type, n*groups(t))
	var pieces []copied
	var parts [][]byte // of the staging buffer, by plane
	at, to := layout{}, w.at[t]
	for i := range all {
		pieces = append(pieces, copied{at.add(some[i]), some[i], place{to.region, to.offset + first[i]}})
		to.offset += all[i]
	}
	if w.regions[to.region].buffer.host != nil {
		for _, p := range pieces {
			parts = append(parts, w.host(p.to, p.bytes))
		}
		return repackRows(t, from, n, parts)
	}
	s, err := u.begin(at.bytes)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		parts = append(parts, s.bytes()[p.from:][:p.bytes])
	}
	if err := repackRows(t, from, n, parts); err != nil {
		return err
	}
	return u.send(w, pieces)
}

// repackRows repacks rows [from, from+n) to parts, their share of each plane.
func repackRows(t *op.Tensor, from, n int, parts [][]byte) error {
	workers := min(machine.Cores(), n)
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			row := make([]byte, t.RowBytes())
			for r := i * n / workers; r < (i+1)*n/workers && errs[i] == nil; r++ {
				if errs[i] = t.CopyRows(row, from+r, 1); errs[i] != nil {
					return
				}
				to := make([][]byte, len(parts))
				for p, part := range parts {
					to[p] = part[len(part)/n*r:]
				}
				repackRow(t.Type, row, groups(t), to)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
