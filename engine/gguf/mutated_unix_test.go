//go:build unix

package gguf

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// field is a number in a file's header.
type field struct {
	name string
	at   int
	size int
	// bound: no value far from the right one can be right, so that a huge one
	// must be refused.
	bound bool
}

// TestMutatedHeaderFields sets every field of every real file's header to 0, to
// 1, to its neighbours and to huge numbers. Each must be refused in good form,
// or give a file that is consistent, in bounded memory.
//
// The header is the file's own; the weights after it are a hole in a sparse file
// of the right length. Lengths of strings inside an array are sampled in the
// whole header, and because walking 300,000 of them for each of 10,000 mutations
// takes too long, the fields of the tensors are mutated in a second header whose
// arrays end after 64 values.
func TestMutatedHeaderFields(t *testing.T) {
	exhaustive := os.Getenv("TANDEM_EXHAUSTIVE") != ""
	if !exhaustive {
		t.Log("left out: four of the seven mutations of each field, in turn; set TANDEM_EXHAUSTIVE=1 for all")
	}
	for _, path := range realFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			header := f.data[:headerEnd(f)]
			mutateAll(t, exhaustive, header, sectionBytes(f), func(fields []field) []field {
				return slices.DeleteFunc(fields, func(x field) bool { return x.at >= keysEnd(f) })
			})
			mutateAll(t, exhaustive, shorten(f, 64), sectionBytes(f), func(fields []field) []field { return fields })
		})
	}
}

// mutateAll tries the mutations of the fields that choose leaves.
func mutateAll(t *testing.T, exhaustive bool, header []byte, section int64, choose func([]field) []field) {
	path, data := sparse(t, header, section)
	whole, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	checkConsistent(t, whole, maxArrayValues)
	fields := choose(fieldsOf(whole))
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	var tried, refused int
	var slowest time.Duration
	var bytesMax uint64
	for i, x := range fields {
		place := data[x.at : x.at+x.size]
		for j, n := range mutations(load(header[x.at:x.at+x.size]), x.size) {
			if !exhaustive && (i+j)%7 >= 3 {
				continue
			}
			store(place, n)
			before, start := allocated(), time.Now()
			f, err := Parse(path, data)
			slowest, bytesMax = max(slowest, time.Since(start)), max(bytesMax, allocated()-before)
			tried++
			if err != nil {
				refused++
				checkRefusal(t, path, err)
				continue
			}
			if x.bound && n > 1<<(8*x.size-3) {
				t.Errorf("%s = %d was accepted", x.name, n)
			}
			checkConsistent(t, f, 1000)
		}
		copy(place, header[x.at:])
	}
	if bytesMax > 64<<20 {
		t.Errorf("a Parse allocated %d bytes", bytesMax)
	}
	t.Logf("header of %d bytes: %d fields, %d mutations, %d refused; slowest %v, most memory %d KiB", len(header), len(fields), tried, refused, slowest, bytesMax>>10)
}

// sparse maps, for writing, a file of header and section bytes of nothing.
func sparse(t *testing.T, header []byte, section int64) (string, []byte) {
	path := filepath.Join(t.TempDir(), "mutated.gguf")
	if err := os.WriteFile(path, header, 0o600); err != nil {
		t.Fatal(err)
	}
	size := int64(len(header)) + section
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(data) })
	return path, data
}

// store writes n to the bytes of a field.
func store(field []byte, n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	copy(field, b[:])
}

// mutations of a field of size bytes that holds n.
func mutations(n uint64, size int) []uint64 {
	all := uint64(1)<<(8*size-1)<<1 - 1
	out := []uint64{0, 1, n - 1, n + 1, all, all>>1 + 1, 1 << (5 * size)}
	for i := range out {
		out[i] &= all
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(x uint64) bool { return x == n })
}

// fieldsOf lists the fields of f's header.
func fieldsOf(f *File) []field {
	fields := []field{{"magic", 0, 4, true}, {"version", 4, 4, true}, {"tensor count", 8, 8, true}, {"key count", 16, 8, true}}
	add := func(name string, at, size int, bound bool) {
		fields = append(fields, field{name, at, size, bound})
	}
	at := headerBytes
	for _, key := range f.keys {
		v := f.values[key]
		add(key+" name length", at, 8, true)
		add(key+" name", at+8, 1, false)
		add(key+" type", at+8+len(key), 4, true)
		switch {
		case v.kind == kindString:
			add(key+" length", v.at-8, 8, true)
		case v.kind != kindArray:
			add(key+" value", v.at, v.kind.size(), false)
		default:
			add(key+" array type", v.at-12, 4, true)
			add(key+" array length", v.at-8, 8, true)
			for i, at := range elements(f, v) {
				if i < 3 || i == v.n-1 || i%(v.n/8+1) == 0 {
					size := min(v.elem.size(), 8)
					if v.elem == kindString {
						size = 8
					}
					add(key+"["+strconv.Itoa(i)+"]", at, size, v.elem == kindString)
				}
			}
		}
		at = v.end
	}
	for i, t := range f.tensors {
		add(t.Name+" name length", at, 8, true)
		add(t.Name+" name", at+8, 1, false)
		at += 8 + len(t.Name)
		add(t.Name+" dimension count", at, 4, true)
		at += 4
		for d := range f.dims[i] {
			add(t.Name+" dimension "+strconv.Itoa(d), at, 8, true)
			at += 8
		}
		add(t.Name+" type", at, 4, true)
		add(t.Name+" offset", at+4, 8, true)
		at += 12
	}
	return fields
}

// elements gives where the elements of an array start, and its end.
func elements(f *File, v value) []int {
	starts, at := make([]int, v.n), v.at
	for i := range starts {
		starts[i] = at
		if v.elem == kindString {
			at += 8 + int(load(f.data[at:at+8]))
		} else {
			at += v.elem.size()
		}
	}
	return starts
}

// keysEnd is where the tensors' descriptions begin.
func keysEnd(f *File) int {
	if len(f.keys) == 0 {
		return headerBytes
	}
	return f.values[f.keys[len(f.keys)-1]].end
}

// headerEnd is where the padding before the tensors' data begins.
func headerEnd(f *File) int {
	end := keysEnd(f)
	for i, t := range f.tensors {
		end += 8 + len(t.Name) + 4 + 8*len(f.dims[i]) + 12
	}
	return end
}

// sectionBytes is the length of what follows the header, with room for padding
// of another length.
func sectionBytes(f *File) int64 {
	if len(f.tensors) == 0 {
		return 0
	}
	return int64(len(f.data)-headerEnd(f)) + defaultAlignment
}

// shorten is f's header with its arrays cut to n values.
func shorten(f *File, n int) []byte {
	out, at := slices.Clone(f.data[:headerBytes]), headerBytes
	for _, key := range f.keys {
		v := f.values[key]
		if v.kind == kindArray && v.n > n {
			out = append(out, f.data[at:v.at-8]...)
			out = binary.LittleEndian.AppendUint64(out, uint64(n))
			out = append(out, f.data[v.at:elements(f, v)[n]]...)
		} else {
			out = append(out, f.data[at:v.end]...)
		}
		at = v.end
	}
	return append(out, f.data[at:headerEnd(f)]...)
}
