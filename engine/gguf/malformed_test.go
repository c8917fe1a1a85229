package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"tandem/kernels/op"
)

// raw builds files field by field, right or wrong.
type raw []byte

func (r raw) u8(n uint8) raw   { return append(r, n) }
func (r raw) u32(n uint32) raw { return binary.LittleEndian.AppendUint32(r, n) }
func (r raw) u64(n uint64) raw { return binary.LittleEndian.AppendUint64(r, n) }
func (r raw) text(s string) raw {
	return append(r.u64(uint64(len(s))), s...)
}

// key starts a key of the given value type.
func (r raw) key(name string, k kind) raw { return r.text(name).u32(uint32(k)) }

// array starts an array value.
func (r raw) array(name string, elem kind, n uint64) raw {
	return r.key(name, kindArray).u32(uint32(elem)).u64(n)
}

// tensor describes a tensor.
func (r raw) tensor(name string, t op.DType, offset uint64, dims ...uint64) raw {
	r = r.text(name).u32(uint32(len(dims)))
	for _, d := range dims {
		r = r.u64(d)
	}
	return r.u32(uint32(t)).u64(offset)
}

// data pads the header to 32 bytes and appends n bytes of tensor data.
func (r raw) data(n int) raw {
	return append(r, make([]byte, -len(r)&31+n)...)
}

// head starts a version 3 file.
func head(tensors, keys uint64) raw { return raw("GGUF").u32(3).u64(tensors).u64(keys) }

// swapped is the header of a big-endian file.
func swapped(version uint32) raw {
	r := binary.BigEndian.AppendUint32(raw("GGUF"), version)
	return raw(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(r, 1), 1)).data(64)
}

// f32 is a valid file with one tensor of four values; key is put before it.
func f32(keys uint64, key raw) raw {
	return append(head(1, keys), key...).tensor("w", op.F32, 0, 4).data(16)
}

const huge = math.MaxUint64

// malformed lists kinds of broken file; want is what the error must name.
var malformed = []struct {
	name string
	data raw
	want string
}{
	// The file's own fields.
	{"empty", raw{}, "magic"},
	{"one byte", raw("G"), "magic"},
	{"another format", raw("PK\x03\x04").data(64), "magic"},
	{"magic in small letters", raw("gguf").u32(3).u64(0).u64(0), "magic"},
	{"the format before GGUF", raw("tjgg").u32(3).u64(0).u64(0), "magic"},
	{"only the magic", raw("GGUF"), "version"},
	{"cut inside the version", raw("GGUF\x03\x00"), "version"},
	{"version 0", raw("GGUF").u32(0).u64(0).u64(0), "neither 2 nor 3"},
	{"version 1", raw("GGUF").u32(1).u64(0).u64(0), "version"},
	{"version 4", raw("GGUF").u32(4).u64(0).u64(0), "version"},
	{"version of all ones", raw("GGUF").u32(math.MaxUint32).u64(0).u64(0), "version"},
	{"big endian, version 3", swapped(3), "big endian"},
	{"big endian, version 2", swapped(2), "big endian"},
	{"cut before the tensor count", raw("GGUF").u32(3), "tensor count"},
	{"cut inside the tensor count", raw("GGUF").u32(3).u32(1), "tensor count"},
	{"cut before the key count", raw("GGUF").u32(3).u64(0), "key count"},
	{"tensor count of all ones", head(huge, 0), "tensor count"},
	{"tensor count over the limit", head(maxTensors+1, 0).data(1 << 20), "tensor count"},
	{"tensor count over the bytes", head(1000, 0).data(64), "tensor count"},
	{"key count of all ones", head(0, huge), "key count"},
	{"key count over the limit", head(0, maxKeys+1).data(1 << 20), "key count"},
	{"key count over the bytes", head(0, 1000).data(64), "key count"},
	{"one key too many", f32(2, raw{}.key("a", kindUint32).u32(1)), "tensor 0"},
	{"one key too few", append(head(1, 1), raw{}.key("a", kindUint32).u32(1).key("b", kindUint32).u32(1)...).tensor("w", op.F32, 0, 4).data(16), "tensor"},

	// Names of keys.
	{"key name of no bytes", f32(1, raw{}.key("", kindUint8).u8(1)), "name length"},
	{"key name too long", f32(1, raw{}.key(strings.Repeat("k", 256), kindUint8).u8(1)), "name length"},
	{"key name length of all ones", f32(1, raw{}.u64(huge)), "name length"},
	{"key name length past the end", head(0, 1).u64(200).u64(1), "name"},
	{"second key cut in its name length", head(0, 2).key("a", kindString).text("0123456789").u32(1), "key 1 name length"},
	{"key name with a zero byte", f32(1, raw{}.key("a\x00b", kindUint8).u8(1)), "printable"},
	{"key name with a line break", f32(1, raw{}.key("a\nb", kindUint8).u8(1)), "printable"},
	{"key name that is not UTF-8", f32(1, raw{}.key("a\xffb", kindUint8).u8(1)), "printable"},
	{"the same key twice", f32(2, raw{}.key("a", kindUint8).u8(1).key("a", kindUint8).u8(1)), "twice"},

	// Values.
	{"value type 13", f32(1, raw{}.key("a", 13).u64(0)), `key "a" type`},
	{"value type of all ones", f32(1, raw{}.key("a", math.MaxUint32).u64(0)), `key "a" type`},
	{"value type cut", head(0, 1).text("abcdefgh").u8(4).u8(0), `key "abcdefgh" type`},
	{"value missing", head(0, 1).key("abcdefgh", kindUint32), `key "abcdefgh" value`},
	{"value cut", head(0, 1).key("abcdefgh", kindUint64).u32(1), `key "abcdefgh" value`},
	{"bool of 2", f32(1, raw{}.key("a", kindBool).u8(2)), "neither true nor false"},
	{"string without length", head(0, 1).key("abcdefgh", kindString), "length"},
	{"string length of all ones", f32(1, raw{}.key("a", kindString).u64(huge)), "length"},
	{"string length that wraps around", f32(1, raw{}.key("a", kindString).u64(huge-30)), "length"},
	{"string length of 2^63", f32(1, raw{}.key("a", kindString).u64(1<<63)), "length"},
	{"string one byte past the end", head(0, 1).key("a", kindString).u64(3).u8('x').u8('y'), "length"},
	{"array without type", head(0, 1).key("abcdefgh", kindArray), "array type"},
	{"array without length", head(0, 1).key("abcdefgh", kindArray).u32(4), "array length"},
	{"array of arrays", f32(1, raw{}.array("a", kindArray, 1).u32(4).u64(1).u32(1)), "arrays of arrays"},
	{"array of type 13", f32(1, raw{}.array("a", 13, 1)), "array type"},
	{"array of type all ones", f32(1, raw{}.array("a", math.MaxUint32, 1)), "array type"},
	{"array length of all ones", f32(1, raw{}.array("a", kindUint8, huge)), "array length"},
	{"array length times size wraps around", f32(1, raw{}.array("a", kindUint64, 1<<61)), "array length"},
	{"array length over the limit", f32(1, raw{}.array("a", kindUint8, maxArrayValues+1)), "array length"},
	{"array length over the bytes", f32(1, raw{}.array("a", kindUint32, 1000)), "array length"},
	{"array of a million strings in no bytes", f32(1, raw{}.array("a", kindString, 1e6)), "array length"},
	{"array of strings cut in a length", head(0, 1).array("a", kindString, 2).text("a").u64(5)[:65], `[1] length`},
	{"array of strings with a length of all ones", f32(1, raw{}.array("a", kindString, 3).text("x").u64(huge)), `"a"[1] length`},
	{"array of strings with a string past the end", f32(1, raw{}.array("a", kindString, 2).text("x").u64(1e9)), `"a"[1] length`},
	{"array of bools with a 3", f32(1, raw{}.array("a", kindBool, 2).u8(1).u8(3)), `"a"[1] value`},
	{"architecture is a number", f32(1, raw{}.key("general.architecture", kindUint32).u32(1)), "general.architecture"},
	{"architecture is a novel", f32(1, raw{}.key("general.architecture", kindString).text(strings.Repeat("a", 300))), "general.architecture"},

	// Alignment.
	{"alignment 0", f32(1, raw{}.key("general.alignment", kindUint32).u32(0)), "general.alignment"},
	{"alignment 1", f32(1, raw{}.key("general.alignment", kindUint32).u32(1)), "general.alignment"},
	{"alignment 48", f32(1, raw{}.key("general.alignment", kindUint32).u32(48)), "general.alignment"},
	{"alignment of 128 KiB", f32(1, raw{}.key("general.alignment", kindUint32).u32(128<<10)), "general.alignment"},
	{"alignment of 2^31", f32(1, raw{}.key("general.alignment", kindUint32).u32(1<<31)), "general.alignment"},
	{"alignment below zero", f32(1, raw{}.key("general.alignment", kindInt32).u32(math.MaxUint32)), "general.alignment"},
	{"alignment is text", f32(1, raw{}.key("general.alignment", kindString).text("32")), "general.alignment"},
	{"alignment beyond the file", f32(1, raw{}.key("general.alignment", kindUint32).u32(64<<10)), "tensor data"},

	// Names and shapes of tensors.
	{"tensor missing", head(1, 0).data(64), "tensor 0 name length"},
	{"tensor name of no bytes", head(1, 0).tensor("", op.F32, 0, 4).data(16), "name length"},
	{"tensor name too long", head(1, 0).tensor(strings.Repeat("w", 256), op.F32, 0, 4).data(16), "name length"},
	{"tensor name length of all ones", head(1, 0).u64(huge).data(64), "name length"},
	{"tensor name with a control character", head(1, 0).tensor("w\x1b[2J", op.F32, 0, 4).data(16), "printable"},
	{"the same tensor twice", head(2, 0).tensor("w", op.F32, 0, 4).tensor("w", op.F32, 32, 4).data(64), "twice"},
	{"no dimensions", head(1, 0).tensor("w", op.F32, 0).data(64), "dimension count"},
	{"five dimensions", head(1, 0).tensor("w", op.F32, 0, 1, 1, 1, 1, 1).data(64), "dimension count"},
	{"dimension count of all ones", head(1, 0).text("w").u32(math.MaxUint32).data(64), "dimension count"},
	{"dimension of zero", head(1, 0).tensor("w", op.F32, 0, 4, 0).data(64), "dimension 1"},
	{"first dimension of zero", head(1, 0).tensor("w", op.F32, 0, 0, 4).data(64), "dimension 0"},
	{"dimension below zero", head(1, 0).tensor("w", op.F32, 0, 1<<63).data(64), "dimension 0"},
	{"dimension of all ones", head(1, 0).tensor("w", op.F32, 0, 4, huge).data(64), "dimension 1"},
	{"dimensions cut", head(1, 0).text("weights.of").u32(2).u64(4), "dimension 1"},
	{"dimensions whose product is 2^64", head(1, 0).tensor("w", op.F32, 0, 1<<32, 1<<32).data(64), "dimensions"},
	{"dimensions whose product wraps to 4", head(1, 0).tensor("w", op.F32, 0, 4, 1<<62+1, 4).data(64), "dimensions"},
	{"bytes of a row wrap around", head(1, 0).tensor("w", op.F32, 0, 1<<62).data(64), "dimensions"},
	{"one row too many", head(1, 0).tensor("w", op.F32, 0, 4, 5).data(64), "dimensions"},
	{"rows of a vector the file has no bytes for", head(1, 0).tensor("w", op.F32, 0, 1, 1, 1, 1<<40).data(64), "dimensions"},

	// Types and blocks.
	{"tensor type cut", head(1, 0).text("weights").u32(1).u64(4).u32(0)[:51], "type"},
	{"tensor type 4, removed from the format", head(1, 0).tensor("w", 4, 0, 32).data(64), `tensor "w" type`},
	{"tensor type of all ones", head(1, 0).tensor("w", math.MaxUint32, 0, 32).data(64), `tensor "w" type`},
	{"tensor type IQ4_XS", head(1, 0).tensor("w", 23, 0, 256).data(256), "IQ4_XS is not supported"},
	{"half a block of Q8_0", head(1, 0).tensor("w", op.Q8_0, 0, 16).data(64), "block of 32"},
	{"a row of 96 in Q4_K", head(1, 0).tensor("w", op.Q4_K, 0, 96, 8).data(1024), "block of 256"},
	{"blocks across rows", head(1, 0).tensor("w", op.Q4_0, 0, 8, 4).data(64), "block of 32"},

	// Offsets.
	{"offset missing", head(1, 0).text("weights").u32(1).u64(4).u32(0), "offset"},
	{"offset off the alignment", head(1, 0).tensor("w", op.F32, 4, 4).data(64), "multiple of the alignment"},
	{"offset off a wider alignment", append(head(1, 1), raw{}.key("general.alignment", kindUint32).u32(64)...).tensor("w", op.F32, 32, 4).data(128), "multiple of the alignment"},
	{"offset past the end", head(1, 0).tensor("w", op.F32, 1<<20, 4).data(64), "offset"},
	{"offset of all ones, aligned", head(1, 0).tensor("w", op.F32, huge-31, 4).data(64), "offset"},
	{"the last byte missing", head(1, 0).tensor("w", op.F32, 32, 8).data(63), "offset"},
	{"no data at all", head(1, 0).tensor("w", op.F32, 0, 4), "tensor"},
	{"data cut inside the padding", head(1, 0).tensor("ww", op.F32, 0, 4), "tensor data"},
	{"two tensors at one place", head(2, 0).tensor("v", op.F32, 0, 4).tensor("w", op.F32, 0, 4).data(64), "overlap"},
	{"tensors that overlap by a block", head(2, 0).tensor("v", op.F32, 32, 4).tensor("w", op.F32, 0, 16).data(64), "overlap"},
}

func TestMalformed(t *testing.T) {
	if len(malformed) < 70 {
		t.Errorf("%d kinds of malformed file", len(malformed))
	}
	names := make(map[string]bool)
	for _, m := range malformed {
		if names[m.name] {
			t.Errorf("%q is there twice", m.name)
		}
		names[m.name] = true
		t.Run(m.name, func(t *testing.T) {
			_, err := Parse("bad.gguf", m.data)
			checkRefused(t, "bad.gguf", err, m.want)
			path := filepath.Join(t.TempDir(), "bad.gguf")
			if err := os.WriteFile(path, m.data, 0o600); err != nil {
				t.Fatal(err)
			}
			want := m.want
			if len(m.data) < headerBytes {
				want = "file" // too short to be mapped, whatever is in it
			}
			_, err = Open(path)
			checkRefused(t, path, err, want)
		})
	}
}

func checkRefused(t *testing.T, path string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	checkRefusal(t, path, err)
	if !strings.Contains(err.Error(), want) {
		t.Errorf("the error does not name %q: %v", want, err)
	}
}

// The parts that the table breaks are right when they are not broken.
func TestMalformedPartsAreRight(t *testing.T) {
	for _, data := range []raw{
		head(0, 0),
		f32(0, nil),
		f32(1, raw{}.key("general.alignment", kindUint64).u64(32)),
		f32(2, raw{}.array("a", kindString, 2).text("x").text("").array("b", kindBool, 2).u8(1).u8(0)),
		head(2, 0).tensor("v", op.F32, 32, 4).tensor("w", op.F32, 0, 8).data(48),
		head(1, 0).tensor("w", op.F32, 0, 1, 1, 1, 4).data(16),
		raw("GGUF").u32(2).u64(0).u64(0),
	} {
		f, err := Parse("good.gguf", data)
		if err != nil {
			t.Error(err)
			continue
		}
		checkConsistent(t, f, maxArrayValues)
	}
}

// A valid file cut at any byte is refused.
func TestCutAnywhere(t *testing.T) {
	whole := sample(t)
	for n := range whole {
		if _, err := Parse("cut.gguf", whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(whole))
		} else {
			checkRefusal(t, "cut.gguf", err)
		}
	}
}

// A header may be at most so long, even where the bytes are there.
func TestHeaderLimit(t *testing.T) {
	text := bytes.Repeat([]byte{'x'}, maxHeaderBytes)
	_, err := Parse("long.gguf", append(head(0, 1).key("a", kindString).u64(uint64(len(text))), text...))
	checkRefused(t, "long.gguf", err, "header is longer")
}

// The costliest headers that the limits let through stay far below 64 MiB.
func TestCostliestHeaders(t *testing.T) {
	name := func(i int) string { return fmt.Sprintf("%0*d", maxNameBytes, i) }
	most := head(maxTensors, maxKeys)
	for i := range maxKeys {
		most = most.key(name(i), kindBool).u8(1)
	}
	for i := range maxTensors {
		most = most.tensor(name(i), op.F32, uint64(32*i), 1, 1, 1, 1)
	}
	const arrays = 4
	texts := head(0, arrays)
	for i := range arrays {
		texts = append(texts.array(name(i), kindString, maxArrayValues), make([]byte, 8*maxArrayValues)...)
	}
	for what, data := range map[string]raw{"names": most.data(32 * maxTensors), "strings": texts} {
		before := allocated()
		if _, err := Parse("most.gguf", data); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if n := allocated() - before; n > 32<<20 {
			t.Errorf("%s: %d bytes were allocated", what, n)
		}
	}
}

// allocated is the bytes this process has ever allocated on the heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	checkRefused(t, dir, err, "not a regular file")
	missing := filepath.Join(dir, "missing.gguf")
	_, err = Open(missing)
	checkRefused(t, missing, err, "file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not fs.ErrNotExist: %v", err)
	}
}
