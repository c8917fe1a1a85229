package op

import (
	"fmt"
	"runtime/debug"
)

// Tensor is a weight as its file holds it: row-major, Rows x Cols, each row
// Type.RowBytes(Cols) bytes. A vector has one row.
//
// Data usually lies in a mapped file, which another process may cut short at
// any time: read it through [Tensor.CopyRows] or [Tensor.Guard], which turn the
// fault into an error.
type Tensor struct {
	Name string
	File string // path of the file it came from, for messages
	Type DType
	Rows int
	Cols int
	Data []byte

	// Drop, nil where Data is not mapped, tells the system that nobody will read
	// part of Data soon: its pages need not stay in this process's memory. They
	// come back by themselves when they are read after all.
	Drop func(part []byte)
}

// RowBytes is the size of one row in bytes.
func (t *Tensor) RowBytes() int { return t.Type.RowBytes(t.Cols) }

// Row is row r as stored. Only inside [Tensor.Guard].
func (t *Tensor) Row(r int) []byte {
	n := t.RowBytes()
	return t.Data[r*n : (r+1)*n : (r+1)*n]
}

// CopyRows copies rows [from, from+n) as stored to dst.
// It fails when the file was cut short since it was opened.
func (t *Tensor) CopyRows(dst []byte, from, n int) error {
	b := t.RowBytes()
	return t.Guard(func() { copy(dst, t.Data[from*b:(from+n)*b]) })
}

// DropRows lets go of the memory that holds rows [from, from+n) of a mapped file,
// for a device that has made its own copy of them. Data stays as readable as before.
func (t *Tensor) DropRows(from, n int) {
	if b := t.RowBytes(); t.Drop != nil {
		t.Drop(t.Data[from*b : (from+n)*b])
	}
}

// Floats dequantises the whole tensor. Meant for small ones: norms, biases, tables.
func (t *Tensor) Floats() ([]float32, error) {
	out := make([]float32, t.Rows*t.Cols)
	err := t.Guard(func() {
		for r := range t.Rows {
			Dequantize(t.Type, out[r*t.Cols:(r+1)*t.Cols], t.Row(r))
		}
	})
	return out, err
}

// memoryFault is what the runtime panics with under SetPanicOnFault.
type memoryFault interface {
	error
	Addr() uintptr
}

// Guard runs read, which may touch t.Data, and turns a memory fault (the file
// was truncated while mapped) into an error that names the file. Other panics pass.
func (t *Tensor) Guard(read func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(memoryFault); !ok {
				panic(r)
			}
			err = fmt.Errorf("%s: tensor %q: %w", t.File, t.Name, ErrFileCutShort)
		}
	}()
	read()
	return nil
}
