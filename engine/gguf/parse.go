package gguf

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"tandem/kernels/op"
)

const (
	magic       = "GGUF"
	headerBytes = 4 + 4 + 8 + 8 // magic, version, tensor count, key count

	// The least that a key (name length, one letter, type, one byte) and a
	// tensor (name length, one letter, dimension count, one dimension, type,
	// offset) take in the header.
	keyBytesMin    = 8 + 1 + 4 + 1
	tensorBytesMin = 8 + 1 + 4 + 8 + 4 + 8
)

// Parse reads the file whose bytes are data; path is for messages. The File's
// tensors are slices of data. Errors are as [Open]'s.
func Parse(path string, data []byte) (*File, error) {
	f := &File{path: path, data: data}
	c := newCursor(path, data)
	if err := guard(func() { f.parse(c) }); err != nil {
		return nil, fmt.Errorf("gguf: %s: header: %w", path, err)
	}
	if c.err != nil {
		return nil, c.err
	}
	return f, nil
}

// parse reads the header: the file's own fields, the keys, the tensors' shapes.
func (f *File) parse(c *cursor) {
	if m := c.take("magic", 4); m != nil && string(m) != magic {
		c.fail("magic", "name a .gguf file", "%q is not %q", m, magic)
	}
	switch version := c.u32("version"); version {
	case 2, 3:
	case bits.ReverseBytes32(2), bits.ReverseBytes32(3):
		c.fail("version", "convert it to little endian", "the file is big endian")
	default:
		c.fail("version", remedyConvert, "%d is neither 2 nor 3", version)
	}
	tensorCount := c.count("tensor count", maxTensors, tensorBytesMin)
	keyCount := c.count("key count", maxKeys, keyBytesMin)
	f.parseKeys(c, keyCount)
	f.arch = f.architecture(c)
	align := f.alignment(c)
	offsets := f.parseTensors(c, tensorCount)
	f.bindTensors(c, offsets, align)
}

func (f *File) parseKeys(c *cursor, n int) {
	f.values = make(map[string]value)
	for i := 0; i < n && c.err == nil; i++ {
		c.at("key", i, "")
		key := c.name()
		c.at("key", i, key)
		if _, ok := f.values[key]; ok {
			c.fail("name", remedyConvert, "the key is there twice")
		}
		v := c.value()
		if c.err == nil {
			f.keys = append(f.keys, key)
			f.values[key] = v
		}
	}
	c.at("", 0, "")
}

// architecture copies the model's architecture, "" if absent.
func (f *File) architecture(c *cursor) string {
	v, ok := f.values[keyArchitecture]
	if !ok || c.err != nil {
		return ""
	}
	if v.kind != kindString || v.n > maxNameBytes {
		c.at("key", 0, keyArchitecture)
		c.fail("value", remedyConvert, "not a name")
		return ""
	}
	return string(f.data[v.at:v.end])
}

// alignment is what tensor data is aligned to, in bytes.
func (f *File) alignment(c *cursor) uint64 {
	if _, ok := f.values[keyAlignment]; !ok || c.err != nil {
		return defaultAlignment
	}
	a, ok := f.Int(keyAlignment)
	if !ok || a < minAlignment || a > maxAlignment || a&(a-1) != 0 {
		c.at("key", 0, keyAlignment)
		c.fail("value", remedyConvert, "not a power of two between %d and %d", minAlignment, maxAlignment)
		return defaultAlignment
	}
	return uint64(a)
}

// parseTensors reads names, shapes and types and gives the tensors' offsets.
func (f *File) parseTensors(c *cursor, n int) []uint64 {
	var offsets []uint64
	f.byName = make(map[string]int)
	for i := 0; i < n && c.err == nil; i++ {
		c.at("tensor", i, "")
		name := c.name()
		c.at("tensor", i, name)
		if _, ok := f.byName[name]; ok {
			c.fail("name", remedyConvert, "the tensor is there twice")
		}
		dims := c.dims()
		t := &op.Tensor{Name: name, File: f.path, Type: op.DType(c.u32("type"))}
		if c.err == nil && !t.Type.Known() {
			c.fail("type", "use a file whose types are among "+knownTypes(), "%s is not supported", typeName(t.Type))
		}
		offset := c.u64("offset")
		if c.err == nil {
			f.byName[name] = i
			f.tensors = append(f.tensors, t)
			f.dims = append(f.dims, dims)
			offsets = append(offsets, offset)
		}
	}
	c.at("", 0, "")
	return offsets
}

var dimensionFields = [maxDims]string{"dimension 0", "dimension 1", "dimension 2", "dimension 3"}

// dims reads a shape.
func (c *cursor) dims() []int64 {
	n := c.u32("dimension count")
	if c.err == nil && (n == 0 || n > maxDims) {
		c.fail("dimension count", remedyFetch, "%d is not between 1 and %d", n, maxDims)
	}
	if c.err != nil {
		return nil
	}
	dims := make([]int64, n)
	for i := range dims {
		field := dimensionFields[i]
		d := c.u64(field)
		if c.err == nil && (d == 0 || d > math.MaxInt64) {
			c.fail(field, remedyFetch, "%d is not a size", d)
		}
		dims[i] = int64(d)
	}
	return dims
}

// bindTensors gives every tensor its rows, columns and bytes, which must lie in
// the data section, aligned, and apart from every other tensor's.
func (f *File) bindTensors(c *cursor, offsets []uint64, align uint64) {
	if c.err != nil || len(f.tensors) == 0 {
		return
	}
	start := (uint64(c.pos) + align - 1) &^ (align - 1)
	if start > uint64(len(f.data)) {
		c.fail("tensor data", remedyFetch, "it would start at byte %d of %d", start, len(f.data))
		return
	}
	section := f.data[start:]
	for i, t := range f.tensors {
		c.at("tensor", i, t.Name)
		bytes, ok := sizeTensor(t, f.dims[i])
		switch {
		case t.Cols%t.Type.BlockValues() != 0:
			c.fail("dimension 0", remedyConvert, "%d is not a multiple of %s's block of %d", t.Cols, t.Type, t.Type.BlockValues())
		case !ok || bytes > uint64(len(section)):
			c.fail("dimensions", remedyFetch, "%v of %s are more bytes than the %d of the file's data", f.dims[i], t.Type, len(section))
		case offsets[i]%align != 0:
			c.fail("offset", remedyFetch, "%d is not a multiple of the alignment %d", offsets[i], align)
		case offsets[i] > uint64(len(section))-bytes:
			c.fail("offset", remedyFetch, "%d bytes from %d end past the %d of the file's data", bytes, offsets[i], len(section))
		}
		if c.err != nil {
			return
		}
		end := offsets[i] + bytes
		t.Data = section[offsets[i]:end:end]
	}
	c.at("", 0, "")
	f.checkOverlap(c, offsets)
}

// sizeTensor sets t's rows and columns and gives its size in bytes, false if
// that is more than can be.
func sizeTensor(t *op.Tensor, dims []int64) (uint64, bool) {
	rows, fits := uint64(1), true
	for _, d := range dims[1:] {
		var over uint64
		over, rows = bits.Mul64(rows, uint64(d))
		fits = fits && over == 0
	}
	over1, rowBytes := bits.Mul64(uint64(dims[0])/uint64(t.Type.BlockValues()), uint64(t.Type.BlockBytes()))
	over2, bytes := bits.Mul64(rows, rowBytes)
	if !fits || over1 != 0 || over2 != 0 || rows > math.MaxInt || uint64(dims[0]) > math.MaxInt {
		return 0, false
	}
	t.Rows, t.Cols = int(rows), int(dims[0])
	return bytes, true
}

// checkOverlap refuses tensors that share bytes.
func (f *File) checkOverlap(c *cursor, offsets []uint64) {
	order := make([]int, len(offsets))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(offsets[a], offsets[b]) })
	for i := 1; i < len(order); i++ {
		before, after := f.tensors[order[i-1]], f.tensors[order[i]]
		if offsets[order[i]] < offsets[order[i-1]]+uint64(len(before.Data)) {
			c.at("tensor", order[i], after.Name)
			c.fail("offset", remedyFetch, "its bytes overlap those of tensor %q", before.Name)
			return
		}
	}
}

// knownTypes lists the supported formats for messages.
func knownTypes() string {
	names := make([]string, len(op.DTypes))
	for i, t := range op.DTypes {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

// typeName is the name by which users know a format that is not supported.
func typeName(t op.DType) string {
	if name, ok := otherTypes[t]; ok {
		return name
	}
	return t.String()
}

// otherTypes are the formats of ggml's enum ggml_type that no device reads.
var otherTypes = map[op.DType]string{
	9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
	19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32",
	27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}
