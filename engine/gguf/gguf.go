// Package gguf reads and writes GGUF weight files, versions 2 and 3, little
// endian. A file is mapped read-only and trusted in nothing: every count,
// length, offset and shape is held against the bytes that are there before
// anything is allocated, so that a broken file is an error that names the field.
//
// It knows the container and no model: which keys and tensors an architecture
// needs is for engine/model, what a tensor's blocks mean for kernels/op.
package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"tandem/kernels/op"
)

// Limits of what is read, far above any known model's file. They keep the work
// and the memory of opening a hostile file small.
const (
	maxHeaderBytes = 48 << 20 // everything before the tensors' data; Gemma 3n's is 15 MB
	maxKeys        = 4096     // real files have 20 to 80
	maxArrayValues = 1 << 20  // the largest vocabularies have 262,144 tokens
	maxTensors     = 16384    // DeepSeek V3 has 1,086
	maxNameBytes   = 255      // of a key or a tensor; ggml stops at 64 for tensors
	maxDims        = 4
	minAlignment   = 8 // the format asks for a multiple of 8
	maxAlignment   = 64 << 10
)

const (
	keyArchitecture  = "general.architecture"
	keyAlignment     = "general.alignment"
	defaultAlignment = 32

	remedyFetch   = "the file is damaged or cut short: fetch it again"
	remedyConvert = "convert the model again with a current converter"
)

// File is an open GGUF file. Its methods may be called from several goroutines,
// Close after all others; what they return belongs to the file and must not be
// modified, and a tensor's Data is valid until Close.
//
// The file may be cut short by another process at any time. Numbers and names
// were copied when it was opened; [File.Text] and the array accessors read the
// mapping, and when it is gone they answer false and [File.Err] tells why.
type File struct {
	path    string
	data    []byte
	unmap   func() error // nil when data is not a mapping
	arch    string
	keys    []string
	values  map[string]value
	tensors []*op.Tensor
	dims    [][]int64
	byName  map[string]int // index into tensors and dims

	errMu sync.Mutex
	err   error // first fault met by an accessor
}

// Open maps the file at path and reads its header. Every error reads
// "gguf: PATH: FIELD: what is wrong: remedy".
func Open(path string) (*File, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, data)
	if err != nil {
		unmap()
		return nil, err
	}
	f.unmap = unmap
	for _, t := range f.tensors {
		t.Drop = f.drop
	}
	return f, nil
}

// Drop lets go of the memory in which this process holds the file, for when all
// that is needed often has been copied: what is read later comes back from the
// system's own cache, or from the disk. Where files are not mapped (Windows) it does
// nothing, and the file stays in memory until Close.
func (f *File) Drop() { f.drop(f.data) }

// drop is Drop for a part of data. What lies elsewhere, as a tensor's data that was
// put in the place of the file's, stays.
func (f *File) drop(part []byte) {
	if f.unmap == nil || len(part) == 0 {
		return
	}
	from := int(uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&f.data[0])))
	if from < 0 || from > len(f.data)-len(part) {
		return
	}
	dropBytes(f.data, from, from+len(part))
}

// mapFile gives the bytes of a regular file and the function that frees them.
func mapFile(path string) ([]byte, func() error, error) {
	// Stat comes first because opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("gguf: %s: file: not a regular file: name a .gguf file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	defer file.Close()
	// The size is asked again: the file may have changed since.
	if info, err = file.Stat(); err != nil {
		return nil, nil, fileError(path, err)
	}
	if info.Size() < headerBytes {
		return nil, nil, fmt.Errorf("gguf: %s: file: %d bytes are less than a header: %s", path, info.Size(), remedyFetch)
	}
	if info.Size() > math.MaxInt {
		return nil, nil, fmt.Errorf("gguf: %s: file: %d bytes are more than this processor can address: use a smaller model", path, info.Size())
	}
	data, unmap, err := mapBytes(file, int(info.Size()))
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %s: file: cannot be mapped: %w: free some memory and try again", path, err)
	}
	return data, unmap, nil
}

// fileError words an error of the file system, whose own text repeats the path.
func fileError(path string, err error) error {
	if wrapped := (*fs.PathError)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("gguf: %s: file: %w: check the path and its permissions", path, err)
}

// Close frees the mapping. Reading a tensor's Data afterwards is a fault.
func (f *File) Close() error {
	if f.unmap == nil {
		return nil
	}
	unmap := f.unmap
	f.unmap, f.data = nil, nil
	if err := unmap(); err != nil {
		return fmt.Errorf("gguf: %s: file: cannot be unmapped: %w", f.path, err)
	}
	return nil
}

// Path is the path the file was opened with.
func (f *File) Path() string { return f.path }

// Arch is general.architecture, "" if absent.
func (f *File) Arch() string { return f.arch }

// Keys lists the metadata keys in file order.
func (f *File) Keys() []string { return f.keys }

// Tensors lists the tensors in file order. Rows is the product of all
// dimensions but the first, Cols the first.
func (f *File) Tensors() []*op.Tensor { return f.tensors }

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*op.Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return nil, false
	}
	return f.tensors[i], true
}

// Dims is a tensor's shape as stored, fastest dimension first, nil for an
// unknown tensor.
func (f *File) Dims(name string) []int64 {
	i, ok := f.byName[name]
	if !ok {
		return nil
	}
	return f.dims[i]
}

// Err is the first fault that an accessor met because the file was cut short,
// changed or closed since it was opened; nil if there was none. Look at it
// after reading what a model needs.
func (f *File) Err() error {
	f.errMu.Lock()
	defer f.errMu.Unlock()
	return f.err
}

func (f *File) setErr(err error) {
	f.errMu.Lock()
	defer f.errMu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// guard runs read, which may touch a mapping, and reports a memory fault as
// op.ErrFileCutShort. It is op.Tensor.Guard for what is not a tensor.
func guard(read func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(interface{ Addr() uintptr }); !ok {
				panic(r)
			}
			err = op.ErrFileCutShort
		}
	}()
	read()
	return nil
}
