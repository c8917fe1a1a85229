package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// kind is a value type of the format.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// size is the bytes of a number or bool, 0 for the other kinds and for numbers
// that are no kind.
func (k kind) size() int {
	switch k {
	case kindUint8, kindInt8, kindBool:
		return 1
	case kindUint16, kindInt16:
		return 2
	case kindUint32, kindInt32, kindFloat32:
		return 4
	case kindUint64, kindInt64, kindFloat64:
		return 8
	}
	return 0
}

// value says where a key's value lies. Numbers are copied, the rest stays in
// the file's bytes [at, end).
type value struct {
	kind    kind
	elem    kind   // of an array
	n       int    // bytes of a string, elements of an array
	bits    uint64 // a number or bool, zero-extended as stored
	at, end int
}

// value reads and checks one value.
func (c *cursor) value() value {
	v := value{kind: kind(c.u32("type"))}
	v.at = c.pos
	switch {
	case c.err != nil:
	case v.kind == kindString:
		v.n = int(c.skipString())
		v.at = c.pos - v.n
	case v.kind == kindArray:
		c.array(&v)
	case v.kind.size() > 0:
		v.bits = load(c.take("value", uint64(v.kind.size())))
		if v.kind == kindBool && v.bits > 1 {
			c.fail("value", remedyFetch, "%d is neither true nor false", v.bits)
		}
	default:
		c.fail("type", remedyFetch, "value type %d is unknown", uint32(v.kind))
	}
	v.end = c.pos
	return v
}

// array walks an array without making it.
func (c *cursor) array(v *value) {
	v.elem = kind(c.u32("array type"))
	n := c.u64("array length")
	each := uint64(v.elem.size())
	switch {
	case c.err != nil:
		return
	case v.elem == kindString:
		each = 8
	case v.elem == kindArray:
		c.fail("array type", remedyConvert, "arrays of arrays are not supported")
		return
	case each == 0:
		c.fail("array type", remedyFetch, "value type %d is unknown", uint32(v.elem))
		return
	}
	v.n = c.bounded("array length", n, maxArrayValues, each)
	v.at = c.pos
	if v.elem == kindString {
		c.skipStrings(v.n)
		return
	}
	values := c.take("array", uint64(v.n)*each)
	if v.elem == kindBool {
		for i, b := range values {
			if b > 1 {
				c.index = i
				c.fail("value", remedyFetch, "%d is neither true nor false", b)
				c.index = -1
				return
			}
		}
	}
}

// skipString passes over a string and gives its length in bytes.
func (c *cursor) skipString() uint64 {
	n := c.u64("length")
	c.take("length", n)
	if c.err != nil {
		return 0
	}
	return n
}

// skipStrings passes over the n strings of an array: skipString in a loop that
// is fast over the hundreds of thousands of a vocabulary.
func (c *cursor) skipStrings(n int) {
	for c.index = range n {
		if rest := c.data[c.pos:]; len(rest) >= 8 {
			if size := binary.LittleEndian.Uint64(rest); size <= uint64(len(rest)-8) {
				c.pos += 8 + int(size)
				continue
			}
		}
		if c.skipString(); c.err != nil { // which words the error
			return
		}
	}
	c.index = -1
}

// load reads a little-endian number of 1, 2, 4 or 8 bytes; 0 from none.
func load(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// asInt reads bits of kind k as an integer: any width, a bool, or a float
// without fraction, for converters disagree on types.
func asInt(k kind, bits uint64) (int64, bool) {
	switch k {
	case kindInt8:
		return int64(int8(bits)), true
	case kindInt16:
		return int64(int16(bits)), true
	case kindInt32:
		return int64(int32(bits)), true
	case kindFloat32, kindFloat64:
		x, _ := asFloat(k, bits)
		// The upper bound is 2^63, the first value that does not fit.
		if x != math.Trunc(x) || x < math.MinInt64 || x >= -math.MinInt64 {
			return 0, false
		}
		return int64(x), true
	case kindInt64:
		return int64(bits), true
	case kindUint8, kindUint16, kindUint32, kindUint64, kindBool:
		return int64(bits), bits <= math.MaxInt64
	}
	return 0, false
}

// asFloat reads bits of kind k as a float: a float or an integer.
func asFloat(k kind, bits uint64) (float64, bool) {
	switch k {
	case kindFloat32:
		return float64(math.Float32frombits(uint32(bits))), true
	case kindFloat64:
		return math.Float64frombits(bits), true
	case kindUint64:
		return float64(bits), true
	case kindBool:
		return 0, false
	}
	i, ok := asInt(k, bits)
	return float64(i), ok
}

// Int reads a number stored as an integer of any width, a bool, or a float
// without fraction.
func (f *File) Int(key string) (int64, bool) {
	v, ok := f.values[key]
	if !ok {
		return 0, false
	}
	return asInt(v.kind, v.bits)
}

// Float reads a number stored as a float or an integer.
func (f *File) Float(key string) (float64, bool) {
	v, ok := f.values[key]
	if !ok {
		return 0, false
	}
	return asFloat(v.kind, v.bits)
}

// Bool reads a bool, or an integer that is 0 or 1.
func (f *File) Bool(key string) (bool, bool) {
	i, ok := f.Int(key)
	return i == 1, ok && (i == 0 || i == 1)
}

// Text reads a string.
func (f *File) Text(key string) (string, bool) {
	v, ok := f.values[key]
	if !ok || v.kind != kindString {
		return "", false
	}
	return f.copied(key, v)
}

// Texts reads an array of strings, copied out of the file.
func (f *File) Texts(key string) ([]string, bool) {
	v, ok := f.values[key]
	if !ok || v.kind != kindArray || v.elem != kindString {
		return nil, false
	}
	// One copy holds every string; the lengths in it are checked again, for
	// another process may have written to the file since it was opened.
	rest, ok := f.copied(key, v)
	if !ok {
		return nil, false
	}
	out := make([]string, v.n)
	for i := range out {
		if len(rest) < 8 || load64(rest) > uint64(len(rest)-8) {
			f.setErr(fmt.Errorf("gguf: %s: key %q[%d] length: changed since the file was opened: open it again", f.path, key, i))
			return nil, false
		}
		end := 8 + int(load64(rest))
		out[i], rest = rest[8:end], rest[end:]
	}
	return out, true
}

// load64 reads a little-endian number from the first 8 bytes of s.
func load64(s string) uint64 {
	n := uint64(0)
	for i := range 8 {
		n |= uint64(s[i]) << (8 * i)
	}
	return n
}

// Ints reads an array of integers of any width (or what [File.Int] takes as
// one); a single number is an array of one.
func (f *File) Ints(key string) ([]int64, bool) { return numbers(f, key, asInt) }

// Floats reads an array of numbers as f32; a single number is an array of one.
func (f *File) Floats(key string) ([]float32, bool) {
	return numbers(f, key, func(k kind, bits uint64) (float32, bool) {
		x, ok := asFloat(k, bits)
		return float32(x), ok
	})
}

// numbers converts the elements of a numeric array; false if one of them fails.
func numbers[T any](f *File, key string, convert func(kind, uint64) (T, bool)) ([]T, bool) {
	v, ok := f.values[key]
	if !ok {
		return nil, false
	}
	if v.kind != kindArray {
		x, ok := convert(v.kind, v.bits)
		return []T{x}, ok
	}
	size := v.elem.size()
	if size == 0 {
		return nil, false
	}
	out, whole := make([]T, v.n), true
	err := f.read(key, v, func(b []byte) {
		for i := range out {
			x, ok := convert(v.elem, load(b[i*size:(i+1)*size]))
			out[i], whole = x, whole && ok
		}
	})
	if err != nil || !whole {
		return nil, false
	}
	return out, true
}

// copied copies the bytes of a string or an array.
func (f *File) copied(key string, v value) (s string, ok bool) {
	err := f.read(key, v, func(b []byte) { s = string(b) })
	return s, err == nil
}

// read lets use read the bytes of v; a fault is kept for Err.
func (f *File) read(key string, v value, use func(b []byte)) error {
	err := fmt.Errorf("the file is closed")
	if v.end <= len(f.data) {
		err = guard(func() { use(f.data[v.at:v.end]) })
	}
	if err != nil {
		err = fmt.Errorf("gguf: %s: key %s: %w", f.path, strconv.Quote(key), err)
		f.setErr(err)
	}
	return err
}
