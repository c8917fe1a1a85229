//go:build unix

package gguf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tandem/kernels/op"
)

// A mapped file that another process cuts short is an error that names it, from
// tensors and from keys, and never the end of this process.
func TestFileCutShortWhileOpen(t *testing.T) {
	long := strings.Repeat("x", 1<<20) // so that each part has pages of its own
	f := open(t, write(t,
		[]KV{{"general.architecture", "cut"}, {"first", []string{long}}, {"text", long}, {"texts", []string{long}}, {"ints", make([]int32, 1<<19)}, {"n", int32(7)}},
		[]TensorInfo{{"w", op.F32, []int64{1 << 18, 2}}}))
	w := f.Tensors()[0]
	row := make([]byte, w.RowBytes())
	if err := w.CopyRows(row, 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Texts("texts"); !ok || f.Err() != nil {
		t.Fatalf("before: %v", f.Err())
	}
	if err := os.Truncate(f.Path(), 4096); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"CopyRows": w.CopyRows(row, 1, 1),
		"Guard":    w.Guard(func() { row[0] = w.Row(0)[0] }),
	} {
		if !errors.Is(err, op.ErrFileCutShort) || !strings.Contains(err.Error(), f.Path()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range []string{"text", "texts", "ints"} {
		text, isText := f.Text(key)
		texts, isTexts := f.Texts(key)
		ints, isInts := f.Ints(key)
		if isText || isTexts || isInts {
			t.Errorf("%s: %d bytes, %d texts, %d ints were read from nowhere", key, len(text), len(texts), len(ints))
		}
	}
	if err := f.Err(); !errors.Is(err, op.ErrFileCutShort) || !strings.Contains(err.Error(), f.Path()) || !strings.Contains(err.Error(), `"text"`) {
		t.Errorf("Err: %v", err)
	}
	if n, ok := f.Int("n"); !ok || n != 7 || f.Arch() != "cut" {
		t.Errorf("copied values are gone: %d, %q", n, f.Arch())
	}
}

// The same while the header is being read.
func TestFileCutShortWhileOpening(t *testing.T) {
	f := open(t, write(t, []KV{{"first", strings.Repeat("x", 1<<20)}, {"n", int32(7)}}, nil))
	if err := os.Truncate(f.Path(), 4096); err != nil {
		t.Fatal(err)
	}
	_, err := Parse(f.Path(), f.data)
	if !errors.Is(err, op.ErrFileCutShort) || !strings.HasPrefix(err.Error(), "gguf: "+f.Path()+": header: ") {
		t.Errorf("%v", err)
	}
}

// Opening a pipe must not wait for somebody to write to it.
func TestOpenRefusesAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.gguf")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipes here: %v: run the test on a local disk", err)
	}
	_, err := Open(path)
	checkRefused(t, path, err, "not a regular file")
}
