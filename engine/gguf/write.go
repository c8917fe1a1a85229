package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"tandem/kernels/op"
)

// KV is a metadata entry to write. Value is a string, a bool, an integer or
// float of a stated width (int32, uint64, float32 ...; not int), or a slice of
// one of these.
type KV struct {
	Key   string
	Value any
}

// TensorInfo describes a tensor to write. Dims is its shape as stored, fastest
// dimension first; a matrix of rows x cols is {cols, rows}.
type TensorInfo struct {
	Name string
	Type op.DType
	Dims []int64
}

// Bytes is the size of the tensor's data; the shape must be one that [Write] accepts.
func (t TensorInfo) Bytes() int64 {
	values := int64(1)
	for _, d := range t.Dims {
		values *= d
	}
	return values / int64(t.Type.BlockValues()) * int64(t.Type.BlockBytes())
}

// Write writes a GGUF v3 file as a stream, so that its size is not bounded by
// memory: data is called for each tensor in order and writes its blocks, exactly
// as many bytes as the shape needs. An entry "general.alignment" is obeyed.
// What Write accepts, [Open] accepts.
func Write(w io.Writer, meta []KV, tensors []TensorInfo, data func(i int, w io.Writer) error) error {
	align, err := checkMeta(meta)
	if err != nil {
		return err
	}
	if err := checkTensors(tensors); err != nil {
		return err
	}
	out := &writer{w: bufio.NewWriterSize(w, 1<<20)}
	out.header(meta, tensors, align)
	for i, t := range tensors {
		out.pad(align)
		want := out.written + t.Bytes()
		if out.err == nil {
			out.err = data(i, out)
		}
		if out.err == nil && out.written != want {
			out.err = fmt.Errorf("%d bytes were written and %s needs %d", out.written-want+t.Bytes(), t.Type, t.Bytes())
		}
		if out.err != nil {
			return fmt.Errorf("gguf: writing: tensor %q: %w", t.Name, out.err)
		}
	}
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("gguf: writing: %w", out.err)
	}
	return nil
}

// checkMeta holds the keys against what the reader takes and gives the alignment.
func checkMeta(meta []KV) (int64, error) {
	if len(meta) > maxKeys {
		return 0, fmt.Errorf("gguf: writing: %d keys are more than the limit of %d", len(meta), maxKeys)
	}
	align, seen := int64(defaultAlignment), make(map[string]bool)
	for _, kv := range meta {
		if err := checkName(kv.Key, seen); err != nil {
			return 0, fmt.Errorf("gguf: writing: key %q: %w", kv.Key, err)
		}
		if kv.Key == keyArchitecture {
			if arch, ok := kv.Value.(string); !ok || len(arch) > maxNameBytes {
				return 0, fmt.Errorf("gguf: writing: key %q: not a name", kv.Key)
			}
		}
		if kv.Key == keyAlignment {
			a, ok := kv.Value.(uint32)
			if !ok || a < minAlignment || a > maxAlignment || a&(a-1) != 0 {
				return 0, fmt.Errorf("gguf: writing: key %q: not a uint32 power of two between %d and %d", kv.Key, minAlignment, maxAlignment)
			}
			align = int64(a)
		}
	}
	return align, nil
}

func checkTensors(tensors []TensorInfo) error {
	if len(tensors) > maxTensors {
		return fmt.Errorf("gguf: writing: %d tensors are more than the limit of %d", len(tensors), maxTensors)
	}
	seen := make(map[string]bool)
	for _, t := range tensors {
		if err := checkName(t.Name, seen); err != nil {
			return fmt.Errorf("gguf: writing: tensor %q: %w", t.Name, err)
		}
		if err := checkShape(t); err != nil {
			return fmt.Errorf("gguf: writing: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func checkName(name string, seen map[string]bool) error {
	if name == "" || len(name) > maxNameBytes || !printable(name) {
		return fmt.Errorf("not a printable name of 1 to %d bytes", maxNameBytes)
	}
	if seen[name] {
		return fmt.Errorf("there twice")
	}
	seen[name] = true
	return nil
}

func checkShape(t TensorInfo) error {
	if !t.Type.Known() {
		return fmt.Errorf("%s is not supported", t.Type)
	}
	if len(t.Dims) == 0 || len(t.Dims) > maxDims {
		return fmt.Errorf("%d dimensions are not 1 to %d", len(t.Dims), maxDims)
	}
	values := int64(1)
	for _, d := range t.Dims {
		if d <= 0 || values > math.MaxInt64/8/d {
			return fmt.Errorf("shape %v is not possible", t.Dims)
		}
		values *= d
	}
	if t.Dims[0]%int64(t.Type.BlockValues()) != 0 {
		return fmt.Errorf("dimension 0, %d, is not a multiple of %s's block of %d", t.Dims[0], t.Type, t.Type.BlockValues())
	}
	return nil
}

// writer counts what it passes on. The first failure sticks.
type writer struct {
	w       *bufio.Writer
	written int64
	scratch []byte
	err     error
}

// Write is the io.Writer that tensor data is written to.
func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(b)
	w.written += int64(n)
	w.err = err
	return n, err
}

func (w *writer) pad(align int64) {
	w.Write(make([]byte, -w.written&(align-1)))
}

func (w *writer) u32(n uint32) {
	w.scratch = binary.LittleEndian.AppendUint32(w.scratch[:0], n)
	w.Write(w.scratch)
}

func (w *writer) u64(n uint64) {
	w.scratch = binary.LittleEndian.AppendUint64(w.scratch[:0], n)
	w.Write(w.scratch)
}

func (w *writer) text(s string) {
	w.u64(uint64(len(s)))
	if w.err == nil {
		var n int
		n, w.err = w.w.WriteString(s)
		w.written += int64(n)
	}
}

func (w *writer) header(meta []KV, tensors []TensorInfo, align int64) {
	w.Write([]byte(magic))
	w.u32(3)
	w.u64(uint64(len(tensors)))
	w.u64(uint64(len(meta)))
	for _, kv := range meta {
		w.text(kv.Key)
		if !w.value(kv.Value) && w.err == nil {
			w.err = fmt.Errorf("key %q: a %T cannot be written: give its width or use another type", kv.Key, kv.Value)
		}
	}
	offset := int64(0)
	for _, t := range tensors {
		w.text(t.Name)
		w.u32(uint32(len(t.Dims)))
		for _, d := range t.Dims {
			w.u64(uint64(d))
		}
		w.u32(uint32(t.Type))
		w.u64(uint64(offset))
		offset += (t.Bytes() + align - 1) &^ (align - 1)
	}
	if w.written > maxHeaderBytes && w.err == nil {
		w.err = fmt.Errorf("the header is longer than %d MiB", maxHeaderBytes>>20)
	}
}

// value writes type and value; false for a Go type that has no counterpart.
func (w *writer) value(v any) bool {
	switch v := v.(type) {
	case string:
		w.u32(uint32(kindString))
		w.text(v)
		return true
	case []string:
		w.array(kindString, len(v))
		for _, s := range v {
			w.text(s)
		}
		return true
	}
	return number(w, v)
}

// number writes a number, a bool, or a slice of them.
func number(w *writer, v any) bool {
	switch v := v.(type) {
	case bool, []bool:
		return scalarOrSlice(w, kindBool, v, func(b bool) uint64 {
			if b {
				return 1
			}
			return 0
		})
	case uint8, []uint8:
		return scalarOrSlice(w, kindUint8, v, func(n uint8) uint64 { return uint64(n) })
	case int8, []int8:
		return scalarOrSlice(w, kindInt8, v, func(n int8) uint64 { return uint64(n) })
	case uint16, []uint16:
		return scalarOrSlice(w, kindUint16, v, func(n uint16) uint64 { return uint64(n) })
	case int16, []int16:
		return scalarOrSlice(w, kindInt16, v, func(n int16) uint64 { return uint64(n) })
	case uint32, []uint32:
		return scalarOrSlice(w, kindUint32, v, func(n uint32) uint64 { return uint64(n) })
	case int32, []int32:
		return scalarOrSlice(w, kindInt32, v, func(n int32) uint64 { return uint64(n) })
	case uint64, []uint64:
		return scalarOrSlice(w, kindUint64, v, func(n uint64) uint64 { return n })
	case int64, []int64:
		return scalarOrSlice(w, kindInt64, v, func(n int64) uint64 { return uint64(n) })
	case float32, []float32:
		return scalarOrSlice(w, kindFloat32, v, func(x float32) uint64 { return uint64(math.Float32bits(x)) })
	case float64, []float64:
		return scalarOrSlice(w, kindFloat64, v, math.Float64bits)
	}
	return false
}

// scalarOrSlice writes v, a T or a []T, whose low k.size() bytes bits gives.
func scalarOrSlice[T any](w *writer, k kind, v any, bits func(T) uint64) bool {
	values, isSlice := v.([]T)
	if isSlice {
		w.array(k, len(values))
	} else {
		w.u32(uint32(k))
		values = []T{v.(T)}
	}
	for _, x := range values {
		w.scratch = binary.LittleEndian.AppendUint64(w.scratch[:0], bits(x))
		w.Write(w.scratch[:k.size()])
	}
	return true
}

// array writes the head of an array value.
func (w *writer) array(elem kind, n int) {
	if n > maxArrayValues && w.err == nil {
		w.err = fmt.Errorf("an array of %d values is longer than the limit of %d", n, maxArrayValues)
	}
	w.u32(uint32(kindArray))
	w.u32(uint32(elem))
	w.u64(uint64(n))
}
