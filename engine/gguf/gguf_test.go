package gguf

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tandem/kernels/op"
)

// realFiles are the model files of this machine: downloaded weights, and the
// vocabularies and golden models of the reference folder.
func realFiles(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	weights, _ := filepath.Glob(filepath.Join(cache, "tandem", "models", "*.gguf"))
	if len(weights) == 0 {
		t.Log("left out: no downloaded weights; run `make demo` or `tandem pull`")
	}
	reference, _ := filepath.Glob(filepath.Join(sharedFolder(), "*", "*.gguf"))
	goldens, _ := filepath.Glob(filepath.Join(sharedFolder(), "goldens", "*", "*.gguf"))
	if len(reference)+len(goldens) == 0 {
		t.Log("left out: no reference files; set TANDEM_SHARED to their folder")
	}
	files := append(append(weights, reference...), goldens...)
	if len(files) == 0 {
		t.Skip("no model file on this machine: run `tandem pull` or set TANDEM_SHARED")
	}
	return files
}

func TestRealFiles(t *testing.T) {
	for _, path := range realFiles(t) {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		checkConsistent(t, f, maxArrayValues)
		if f.Arch() == "" || f.Path() != path {
			t.Errorf("%s: architecture %q, path %q", path, f.Arch(), f.Path())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func open(t *testing.T, data []byte) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWrittenIsRead(t *testing.T) {
	f := open(t, sample(t))
	checkConsistent(t, f, maxArrayValues)
	if f.Arch() != "sample" {
		t.Errorf("architecture %q", f.Arch())
	}
	if s, ok := f.Text("text"); !ok || s != "häß\x00lich" {
		t.Errorf("text %q", s)
	}
	if s, ok := f.Texts("texts"); !ok || !reflect.DeepEqual(s, []string{"a", "", "bcd"}) {
		t.Errorf("texts %q", s)
	}
	if s, ok := f.Texts("none"); !ok || len(s) != 0 {
		t.Errorf("none %q %v", s, ok)
	}
	if n, ok := f.Ints("ints"); !ok || !reflect.DeepEqual(n, []int64{1, -2, 3}) {
		t.Errorf("ints %v", n)
	}
	if x, ok := f.Floats("floats"); !ok || !reflect.DeepEqual(x, []float32{1, 2.5}) {
		t.Errorf("floats %v", x)
	}
	cube, ok := f.Tensor("cube")
	if !ok || cube.Rows != 60 || cube.Cols != 2 || cube.File != f.Path() || !reflect.DeepEqual(f.Dims("cube"), []int64{2, 3, 4, 5}) {
		t.Errorf("cube %+v of shape %v", cube, f.Dims("cube"))
	}
	for i, tensor := range f.Tensors() {
		if !bytes.Equal(tensor.Data, bytes.Repeat([]byte{byte(i)}, len(tensor.Data))) {
			t.Errorf("tensor %q holds another's bytes", tensor.Name)
		}
	}
	if _, ok := f.Tensor("absent"); ok || f.Dims("absent") != nil {
		t.Error("an absent tensor was found")
	}
}

// Converters disagree on the types of numbers.
func TestNumbersAreReadTolerantly(t *testing.T) {
	f := open(t, write(t, []KV{
		{"u8", uint8(200)}, {"i8", int8(-3)}, {"u16", uint16(60000)}, {"i16", int16(-300)}, {"u32", uint32(4e9)}, {"i32", int32(-7)},
		{"u64", uint64(1 << 40)}, {"i64", int64(-1 << 40)}, {"f32", float32(32)}, {"f64", -2.0}, {"true", true},
		{"half", 0.5}, {"over", uint64(math.MaxUint64)}, {"large", 1e300}, {"2^63", float64(1 << 63)}, {"nan", float32(math.NaN())}, {"text", "1"},
		{"one", uint8(1)}, {"zero", int64(0)}, {"mixed", []float32{1, 2}}, {"broken", []float64{1, 0.5}},
	}, nil))
	for key, want := range map[string]int64{"u8": 200, "i8": -3, "u16": 60000, "i16": -300, "u32": 4e9, "i32": -7, "u64": 1 << 40, "i64": -1 << 40, "f32": 32, "f64": -2, "true": 1} {
		if n, ok := f.Int(key); !ok || n != want {
			t.Errorf("Int(%s) = %d, %v", key, n, ok)
		}
		if x, ok := f.Float(key); key != "true" && (!ok || x != float64(want)) {
			t.Errorf("Float(%s) = %g, %v", key, x, ok)
		}
		if n, ok := f.Ints(key); !ok || len(n) != 1 || n[0] != want {
			t.Errorf("Ints(%s) = %v, %v", key, n, ok)
		}
	}
	for _, key := range []string{"half", "over", "large", "2^63", "nan", "text", "mixed", "absent"} {
		if n, ok := f.Int(key); ok {
			t.Errorf("Int(%s) = %d", key, n)
		}
	}
	for key, want := range map[string]bool{"true": true, "one": true, "zero": false} {
		if b, ok := f.Bool(key); !ok || b != want {
			t.Errorf("Bool(%s) = %v, %v", key, b, ok)
		}
	}
	if b, ok := f.Bool("u8"); ok {
		t.Errorf("Bool(200) = %v", b)
	}
	if n, ok := f.Ints("mixed"); !ok || !reflect.DeepEqual(n, []int64{1, 2}) {
		t.Errorf("Ints(mixed) = %v, %v", n, ok)
	}
	if n, ok := f.Ints("broken"); ok {
		t.Errorf("Ints(broken) = %v", n)
	}
	for _, key := range []string{"u8", "mixed", "absent"} {
		if s, ok := f.Text(key); ok {
			t.Errorf("Text(%s) = %q", key, s)
		}
		if s, ok := f.Texts(key); ok {
			t.Errorf("Texts(%s) = %q", key, s)
		}
	}
}

func TestClosedFileAnswersNothing(t *testing.T) {
	f := open(t, sample(t))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if s, ok := f.Texts("texts"); ok || f.Err() == nil {
		t.Errorf("%q, %v", s, f.Err())
	}
	if n, ok := f.Int("i32"); !ok || n != -70000 {
		t.Errorf("a copied number is gone: %d", n)
	}
}

// A file that another process wrote to since it was opened is still no panic.
func TestTextsOfAChangedFile(t *testing.T) {
	data := sample(t)
	f, err := Parse("changed.gguf", data)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[f.values["texts"].at:], bytes.Repeat([]byte{0xff}, 8))
	if s, ok := f.Texts("texts"); ok || f.Err() == nil || !strings.Contains(f.Err().Error(), `"texts"[0] length`) {
		t.Errorf("%q, %v", s, f.Err())
	}
}

func TestWriteRefuses(t *testing.T) {
	failing := errors.New("disk full")
	zeros := func(n int) func(int, io.Writer) error {
		return func(_ int, w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	f32 := func(name string, dims ...int64) []TensorInfo { return []TensorInfo{{name, op.F32, dims}} }
	for _, c := range []struct {
		name    string
		meta    []KV
		tensors []TensorInfo
		data    func(int, io.Writer) error
		want    string
	}{
		{"a number without width", []KV{{"n", 1}}, nil, nil, "int cannot be written"},
		{"an empty key", []KV{{"", true}}, nil, nil, "printable"},
		{"a key twice", []KV{{"a", true}, {"a", true}}, nil, nil, "twice"},
		{"an odd alignment", []KV{{"general.alignment", uint32(33)}}, nil, nil, "power of two"},
		{"an architecture that is no text", []KV{{"general.architecture", true}}, nil, nil, "not a name"},
		{"a tensor twice", nil, append(f32("w", 4), f32("w", 4)...), zeros(16), "twice"},
		{"no dimensions", nil, f32("w"), zeros(0), "dimensions"},
		{"a dimension of zero", nil, f32("w", 4, 0), zeros(0), "shape"},
		{"an endless shape", nil, f32("w", 1<<40, 1<<40), zeros(0), "shape"},
		{"a broken block", nil, []TensorInfo{{"w", op.Q4_K, []int64{128}}}, zeros(72), "block of 256"},
		{"an unknown type", nil, []TensorInfo{{"w", 4, []int64{32}}}, zeros(16), "not supported"},
		{"too little data", nil, f32("w", 4), zeros(15), "15 bytes"},
		{"too much data", nil, f32("w", 4), zeros(17), "17 bytes"},
		{"a failing source", nil, f32("w", 4), func(int, io.Writer) error { return failing }, "disk full"},
	} {
		err := Write(io.Discard, c.meta, c.tensors, c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := Write(fullDisk{}, nil, f32("w", 1<<20), zeros(4<<20)); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("a full disk: %v", err)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }
