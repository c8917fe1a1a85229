package gguf

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"tandem/kernels/op"
)

// FuzzGGUF: whatever the bytes are, Parse refuses them or gives a file whose
// accessors agree with each other, and that Write can write again unchanged.
func FuzzGGUF(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz.gguf", data)
		if err != nil {
			checkRefusal(t, "fuzz.gguf", err)
			return
		}
		checkConsistent(t, file, maxArrayValues)
		again, err := Parse("again.gguf", rewrite(t, file, maxArrayValues))
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		checkEqual(t, file, again)
	})
}

// seeds are small valid files: made ones, and the headers of the golden models
// with short arrays and small tensors.
func seeds(tb testing.TB) [][]byte {
	out := [][]byte{sample(tb), write(tb, nil, nil)}
	files, _ := filepath.Glob(filepath.Join(sharedFolder(), "goldens", "*", "*.gguf"))
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		file, err := Parse(path, data)
		if err != nil {
			tb.Fatal(err)
		}
		for i, t := range file.tensors {
			file.dims[i] = []int64{int64(t.Type.BlockValues())}
			t.Data = t.Data[:t.Type.BlockBytes()]
		}
		out = append(out, rewrite(tb, file, 8))
	}
	return out
}

// sharedFolder is where the reference files lie, which may be nowhere.
func sharedFolder() string {
	if dir := os.Getenv("TANDEM_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared")
}

// sample is a file with every kind of value and of tensor.
func sample(tb testing.TB) []byte {
	meta := []KV{
		{"general.architecture", "sample"},
		{"u8", uint8(200)}, {"i8", int8(-3)}, {"u16", uint16(60000)}, {"i16", int16(-300)},
		{"u32", uint32(4e9)}, {"i32", int32(-70000)}, {"u64", uint64(math.MaxUint64)}, {"i64", int64(-1 << 40)},
		{"f32", float32(0.5)}, {"f64", 3.0}, {"yes", true}, {"no", false}, {"text", "häß\x00lich"}, {"empty", ""},
		{"texts", []string{"a", "", "bcd"}}, {"none", []string{}}, {"ints", []int32{1, -2, 3}}, {"floats", []float32{1, 2.5}},
		{"bytes", []uint8{1, 2}}, {"bools", []bool{true, false}}, {"longs", []uint64{1, 2}}, {"general.alignment", uint32(64)},
	}
	var tensors []TensorInfo
	for _, t := range op.DTypes {
		tensors = append(tensors, TensorInfo{Name: "t." + t.String(), Type: t, Dims: []int64{int64(t.BlockValues()), 2}})
	}
	tensors = append(tensors, TensorInfo{"vector", op.F32, []int64{3}}, TensorInfo{"cube", op.F16, []int64{2, 3, 4, 5}})
	return write(tb, meta, tensors)
}

// write writes a file whose tensors hold their index in every byte.
func write(tb testing.TB, meta []KV, tensors []TensorInfo) []byte {
	tb.Helper()
	var out bytes.Buffer
	err := Write(&out, meta, tensors, func(i int, w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte{byte(i)}, int(tensors[i].Bytes())))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// rewrite writes f again with its arrays cut to arrayMax values.
func rewrite(tb testing.TB, f *File, arrayMax int) []byte {
	tb.Helper()
	var meta []KV
	for _, key := range f.keys {
		v := f.values[key]
		v.n = min(v.n, arrayMax)
		x := decode(f, key, v)
		if key == keyAlignment {
			a, _ := f.Int(key)
			x = uint32(a) // the one type that Write takes for it
		}
		meta = append(meta, KV{key, x})
	}
	tensors := make([]TensorInfo, len(f.tensors))
	for i, t := range f.tensors {
		tensors[i] = TensorInfo{t.Name, t.Type, f.dims[i]}
	}
	var out bytes.Buffer
	err := Write(&out, meta, tensors, func(i int, w io.Writer) error {
		_, err := w.Write(f.tensors[i].Data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// decode gives a value as the Go type that Write writes in the same kind.
func decode(f *File, key string, v value) any {
	switch {
	case v.kind == kindString:
		s, _ := f.Text(key)
		return s
	case v.kind == kindArray && v.elem == kindString:
		s, _ := f.Texts(key)
		return s[:v.n]
	case v.kind == kindArray:
		size := v.elem.size()
		out := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(decodeNumber(v.elem, 0))), v.n, v.n)
		for i := range v.n {
			at := v.at + i*size
			out.Index(i).Set(reflect.ValueOf(decodeNumber(v.elem, load(f.data[at:at+size]))))
		}
		return out.Interface()
	}
	return decodeNumber(v.kind, v.bits)
}

func decodeNumber(k kind, bits uint64) any {
	switch k {
	case kindUint8:
		return uint8(bits)
	case kindInt8:
		return int8(bits)
	case kindUint16:
		return uint16(bits)
	case kindInt16:
		return int16(bits)
	case kindUint32:
		return uint32(bits)
	case kindInt32:
		return int32(bits)
	case kindFloat32:
		return math.Float32frombits(uint32(bits))
	case kindBool:
		return bits == 1
	case kindUint64:
		return bits
	case kindInt64:
		return int64(bits)
	case kindFloat64:
		return math.Float64frombits(bits)
	}
	panic(fmt.Sprintf("kind %d is no number", k))
}

// checkRefusal holds an error to the form that every one must have:
// "gguf: PATH: FIELD: what: remedy".
func checkRefusal(tb testing.TB, path string, err error) {
	tb.Helper()
	rest, ok := cutPrefix(err.Error(), "gguf: "+path+": ")
	if !ok || bytes.Count(rest, []byte(": ")) < 2 {
		tb.Errorf("not of the form \"gguf: %s: FIELD: what: remedy\": %v", path, err)
	}
	if len(err.Error()) > 2000 {
		tb.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func cutPrefix(s, prefix string) ([]byte, bool) {
	return bytes.CutPrefix([]byte(s), []byte(prefix))
}

// checkConsistent touches everything a File answers, but for arrays of more
// than arrayMax values.
func checkConsistent(tb testing.TB, f *File, arrayMax int) {
	tb.Helper()
	for _, key := range f.Keys() {
		if v := f.values[key]; v.kind == kindArray && v.n > arrayMax {
			continue
		}
		_, isText := f.Text(key)
		_, isInt := f.Int(key)
		_, isFloat := f.Float(key)
		_, isBool := f.Bool(key)
		texts, isTexts := f.Texts(key)
		ints, isInts := f.Ints(key)
		floats, isFloats := f.Floats(key)
		if !isText && !isInt && !isFloat && !isBool && !isTexts && !isInts && !isFloats {
			tb.Errorf("key %q: no accessor answers", key)
		}
		if n := f.values[key].n; f.values[key].kind == kindArray && max(len(texts), len(ints), len(floats)) != n {
			tb.Errorf("key %q: %d texts, %d ints, %d floats of %d", key, len(texts), len(ints), len(floats), n)
		}
	}
	for _, t := range f.Tensors() {
		values := int64(1)
		for _, d := range f.Dims(t.Name) {
			values *= d
		}
		if !t.Type.Known() || t.Rows < 1 || t.Cols < 1 || int64(t.Rows)*int64(t.Cols) != values || t.Cols%t.Type.BlockValues() != 0 {
			tb.Errorf("tensor %q: %s (%d, %d) of shape %v", t.Name, t.Type, t.Rows, t.Cols, f.Dims(t.Name))
		}
		if len(t.Data) != t.Rows*t.RowBytes() || cap(t.Data) != len(t.Data) {
			tb.Errorf("tensor %q: %d bytes for (%d, %d) %s", t.Name, len(t.Data), t.Rows, t.Cols, t.Type)
		}
		if same, ok := f.Tensor(t.Name); !ok || same != t {
			tb.Errorf("tensor %q: not found by its name", t.Name)
		}
		if err := t.CopyRows(make([]byte, t.RowBytes()), t.Rows-1, 1); err != nil {
			tb.Error(err)
		}
	}
	if err := f.Err(); err != nil {
		tb.Error(err)
	}
}

// checkEqual compares everything but the paths and the alignment's type.
func checkEqual(tb testing.TB, a, b *File) {
	tb.Helper()
	if !reflect.DeepEqual(a.keys, b.keys) || a.arch != b.arch || len(a.tensors) != len(b.tensors) {
		tb.Fatalf("keys %q became %q, %d tensors %d", a.keys, b.keys, len(a.tensors), len(b.tensors))
	}
	for _, key := range a.keys {
		va, vb := a.values[key], b.values[key]
		if key != keyAlignment && (va.kind != vb.kind || va.elem != vb.elem || va.n != vb.n || va.bits != vb.bits ||
			!bytes.Equal(a.data[va.at:va.end], b.data[vb.at:vb.end])) {
			tb.Errorf("key %q: %+v became %+v", key, va, vb)
		}
	}
	for i, t := range a.tensors {
		if u := b.tensors[i]; t.Name != u.Name || t.Type != u.Type || t.Rows != u.Rows || t.Cols != u.Cols || !bytes.Equal(t.Data, u.Data) {
			tb.Errorf("tensor %q %s (%d, %d) became %q %s (%d, %d)", t.Name, t.Type, t.Rows, t.Cols, u.Name, u.Type, u.Rows, u.Cols)
		}
	}
}
