package cpu

// #include "cpu.h"
import "C"

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"tandem/kernels/op"
)

// weightSet is a program's weights in one block of memory: matrices as tiles,
// vectors as floats. A tensor used twice (a tied head) is stored once.
type weightSet struct {
	memory  unsafe.Pointer
	bytes   int
	places  map[*op.Tensor]place
	vectors map[*float32]int
	tensors []*op.Tensor
	floats  [][]float32
}

// place is where a tensor's first tile lies, and how far it is from one to the next.
type place struct{ offset, stride int }

// alignment of a tile and of a vector: a cache line.
const alignment = 64

// prefetchSlack is what the kernels may prefetch beyond the last tile.
const prefetchSlack = 4096

func newWeightSet(p *op.Program) (*weightSet, error) {
	s := &weightSet{places: map[*op.Tensor]place{}, vectors: map[*float32]int{}}
	for _, o := range p.Ops {
		switch o := o.(type) {
		case *op.Embed:
			s.addTensor(o.Table)
		case *op.Norm:
			s.addVector(o.Weight)
		case *op.MatMul:
			s.addTensor(o.Weight)
			s.addVector(o.Bias)
		case *op.GatedMatMul:
			s.addPair(o.Gate, o.Up)
		}
	}
	if s.memory = C.cpu_alloc(C.size_t(s.bytes + prefetchSlack)); s.memory == nil {
		return nil, fmt.Errorf("cpu: %d MB for the weights: %w", s.bytes>>20, op.ErrOutOfMemory)
	}
	for _, v := range s.floats {
		copy(unsafe.Slice((*float32)(unsafe.Add(s.memory, s.vectors[&v[0]])), len(v)), v)
	}
	return s, nil
}

func (s *weightSet) close() {
	C.cpu_free(s.memory)
	s.memory = nil
}

func (s *weightSet) reserve(bytes int) (offset int) {
	offset = s.bytes
	s.bytes += (bytes + alignment - 1) / alignment * alignment
	return offset
}

func (s *weightSet) addTensor(t *op.Tensor) {
	if _, ok := s.places[t]; !ok {
		s.places[t] = place{s.reserve(tileCount(t) * tileBytes(t)), tileBytes(t)}
		s.tensors = append(s.tensors, t)
	}
}

// addPair lays the tiles of two matrices that are read in turns out in turns: one
// stream of memory in place of two.
func (s *weightSet) addPair(a, b *op.Tensor) {
	_, placed := s.places[a]
	if _, ok := s.places[b]; ok || placed || a == b || tileCount(a) != tileCount(b) {
		s.addTensor(a)
		s.addTensor(b)
		return
	}
	stride := tileBytes(a) + tileBytes(b)
	offset := s.reserve(tileCount(a) * stride)
	s.places[a], s.places[b] = place{offset, stride}, place{offset + tileBytes(a), stride}
	s.tensors = append(s.tensors, a, b)
}

func (s *weightSet) addVector(v []float32) {
	if len(v) == 0 {
		return
	}
	if _, ok := s.vectors[&v[0]]; !ok {
		s.vectors[&v[0]] = s.reserve(4 * len(v))
		s.floats = append(s.floats, v)
	}
}

func tileCount(t *op.Tensor) int { return (t.Rows + C.TILE_ROWS - 1) / C.TILE_ROWS }
func tileBytes(t *op.Tensor) int { return int(C.tile_bytes(C.int(t.Type), C.int(t.Cols))) }

// tiles describes t to the kernels; its data is filled by pack.
func (s *weightSet) tiles(t *op.Tensor) C.struct_weight {
	return C.struct_weight{
		_type: C.int32_t(t.Type), rows: C.int32_t(t.Rows), cols: C.int32_t(t.Cols),
		tiles: C.int32_t(tileCount(t)), tile_bytes: C.size_t(tileBytes(t)), tile_stride: C.size_t(s.places[t].stride),
		data: (*C.uint8_t)(unsafe.Add(s.memory, s.places[t].offset)),
	}
}

func (s *weightSet) vector(v []float32) *C.float {
	return (*C.float)(unsafe.Add(s.memory, s.vectors[&v[0]]))
}

const (
	// packTiles is how many tiles are packed at a time: their rows are copied out
	// of the mapped file first, where a file cut short becomes an error, and C never
	// touches the mapping.
	packTiles = 8
	// packBytes is about how much of the file a worker takes at a time. Then it lets
	// go of that part of the mapping, so that the model is not in memory twice. Much
	// less would come back at once: the system maps what lies around a page that is read.
	packBytes = 1 << 20
)

// packJob is the tiles [from, to) of a tensor.
type packJob struct {
	t        *op.Tensor
	from, to int
}

// packJobs cuts the tensors into jobs of about packBytes.
func (s *weightSet) packJobs() []packJob {
	var jobs []packJob
	for _, t := range s.tensors {
		step := max(1, packBytes/(packTiles*C.TILE_ROWS*t.RowBytes())) * packTiles
		for from := 0; from < tileCount(t); from += step {
			jobs = append(jobs, packJob{t, from, min(from+step, tileCount(t))})
		}
	}
	return jobs
}

// pack repacks all tensors with the given number of goroutines.
func (s *weightSet) pack(ctx context.Context, threads int, progress func(float64)) error {
	jobs := make(chan packJob)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			var staging []byte
			for j := range jobs {
				var err error
				if staging, err = s.packJob(ctx, j, staging); err != nil {
					cancel(err)
				}
				done.Add(int64((j.to - j.from) * tileBytes(j.t)))
			}
		})
	}
	for _, j := range s.packJobs() {
		if ctx.Err() != nil {
			break
		}
		jobs <- j
		if progress != nil {
			progress(float64(done.Load()) / float64(s.bytes))
		}
	}
	close(jobs)
	workers.Wait()
	return context.Cause(ctx)
}

// packJob packs j's tiles and lets go of the file's rows.
func (s *weightSet) packJob(ctx context.Context, j packJob, staging []byte) (_ []byte, err error) {
	for tile := j.from; tile < j.to && ctx.Err() == nil; tile += packTiles {
		if staging, err = s.packRun(j.t, tile, staging); err != nil {
			return staging, err
		}
	}
	from := j.from * C.TILE_ROWS
	j.t.DropRows(from, min(j.to*C.TILE_ROWS, j.t.Rows)-from)
	return staging, nil
}

// packRun packs up to packTiles tiles of t from the given one on.
func (s *weightSet) packRun(t *op.Tensor, tile int, staging []byte) ([]byte, error) {
	from := tile * C.TILE_ROWS
	rows := min(packTiles*C.TILE_ROWS, t.Rows-from)
	if need := rows * t.RowBytes(); len(staging) < need {
		staging = make([]byte, need)
	}
	if err := t.CopyRows(staging, from, rows); err != nil {
		return staging, err
	}
	at := s.places[t]
	to := unsafe.Add(s.memory, at.offset+tile*at.stride)
	for r := 0; r < rows; r += C.TILE_ROWS {
		C.tile_pack(C.int(t.Type), C.int(t.Cols), C.int(min(C.TILE_ROWS, rows-r)),
			(*C.uint8_t)(&staging[r*t.RowBytes()]), (*C.uint8_t)(unsafe.Add(to, r/C.TILE_ROWS*at.stride)))
	}
	return staging, nil
}
