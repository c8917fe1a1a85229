package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skipf("no links here: %v", err)
	}
}

func TestRead(t *testing.T) {
	w, dir := newFolder(t, map[string]string{
		"a.go": "package a\r\n\xff", "empty": "", "sub/b.go": "package b\n", ".env": "KEY=1", "keys/x.pem": "KEY", ".ssh/config": "x",
		gitIgnore: "*.log\n", "x.log": "log", "binary": strings.Repeat("x", binaryBytes-1) + "\x00", "late": strings.Repeat("x", binaryBytes) + "\x00",
		"most": strings.Repeat("x", MaxFileBytes), "huge": strings.Repeat("x", MaxFileBytes+1), ".git/config": "x",
	})
	outside := filepath.Join(t.TempDir(), "outside.go")
	writeFiles(t, filepath.Dir(outside), map[string]string{"outside.go": "outside"})
	for name, want := range map[string]any{
		"a.go": "package a\r\n\xff", "sub/b.go": "package b\n", "sub/../a.go": "package a\r\n\xff", "empty": "", "late": strings.Repeat("x", binaryBytes) + "\x00",
		"most": strings.Repeat("x", MaxFileBytes), "huge": ErrTooLarge, "binary": ErrBinary, "x.log": ErrExcluded,
		".env": ErrExcluded, "keys/x.pem": ErrExcluded, ".ssh/config": ErrExcluded, ".git/config": ErrExcluded,
		"sub": ErrNotRegular, ".": ErrNotRegular, "none.go": fs.ErrNotExist, "..": ErrOutside, "../x": ErrOutside,
		strings.Repeat("x/", maxPathBytes): ErrExcluded,
	} {
		checkRead(t, w, filepath.Join(dir, filepath.FromSlash(name)), want)
	}
	checkRead(t, w, outside, ErrOutside)
	checkRead(t, w, dir+"x", ErrOutside)
	checkRead(t, w, "a.go", ErrOutside)
}

// checkRead wants a text or an error.
func checkRead(t *testing.T, w *Workspace, path string, want any) {
	t.Helper()
	text, err := w.Snapshot().Read(path)
	switch want := want.(type) {
	case error:
		if !errors.Is(err, want) || text.Len() != 0 {
			t.Errorf("%.99s: %.20q, %v, want %v", path, text.String(), err, want)
		}
	case string:
		if err != nil || text.String() != want {
			t.Errorf("%.99s: %.20q, %v, want %.20q", path, text.String(), err, want)
		}
	}
}

func TestOpenDocumentsWin(t *testing.T) {
	w, dir := newFolder(t, map[string]string{"a.go": "disk", "b.go": "disk", gitIgnore: "b.go\n"})
	for _, name := range []string{"a.go", "b.go", "new.go", ".env"} {
		open(t, w, filepath.Join(dir, name), "editor")
	}
	checkRead(t, w, filepath.Join(dir, "a.go"), "editor")
	checkRead(t, w, filepath.Join(dir, "new.go"), "editor")
	checkRead(t, w, filepath.Join(dir, "b.go"), ErrExcluded)
	checkRead(t, w, filepath.Join(dir, ".env"), ErrExcluded)
	outside := filepath.Join(t.TempDir(), "c.go")
	open(t, w, outside, "editor")
	checkRead(t, w, outside, "editor")
	if err := w.Close(filepath.Join(dir, "a.go")); err != nil {
		t.Fatal(err)
	}
	checkRead(t, w, filepath.Join(dir, "a.go"), "disk")
}

func TestLinks(t *testing.T) {
	w, dir := newFolder(t, map[string]string{
		"a.go": "text", ".env": "KEY=1", "real/b.go": "b", "x.log": "log", gitIgnore: "*.log\nhidden\n",
	})
	outside := t.TempDir()
	writeFiles(t, outside, map[string]string{"c.go": "outside", "id_rsa": "KEY"})
	up, err := filepath.Rel(filepath.Join(dir), filepath.Join(outside, "c.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"inside.go": "a.go", "dir": "real", "dirup": "real/../a.go", "notes": ".env", "logs": "x.log", "hidden": "a.go", "two": "inside.go",
		"real/up.go": "../a.go", "out": filepath.Join(outside, "c.go"), "outdir": outside, "up": up, "key": filepath.Join(outside, "id_rsa"),
		"loop": "loop", "ping": "pong", "pong": "ping", "self": ".", "dangling": "none", "absolute": filepath.Join(dir, "a.go"),
		"upkey": "../.env",
	} {
		link(t, target, filepath.Join(dir, filepath.FromSlash(name)))
	}
	for name, want := range map[string]any{
		"inside.go": "text", "dir/b.go": "b", "dirup": "text", "two": "text", "real/up.go": "text", "dir/up.go": "text", "self/self/a.go": "text",
		"notes": ErrExcluded, "logs": ErrExcluded, "hidden": ErrExcluded, "self/.env": ErrExcluded, "self/notes": ErrExcluded,
		"out": ErrOutside, "outdir/c.go": ErrOutside, "up": ErrOutside, "key": ErrExcluded, "loop": ErrOutside, "ping": ErrOutside,
		"outdir": ErrOutside, "dangling": fs.ErrNotExist, "self": ErrNotRegular, "absolute": ErrOutside, "upkey": ErrExcluded,
		"outdir/id_rsa": ErrExcluded,
	} {
		checkRead(t, w, filepath.Join(dir, filepath.FromSlash(name)), want)
	}
	// A link that is open in the editor is what it leads to.
	for name, excluded := range map[string]bool{"inside.go": false, "notes": true, "logs": true, "hidden": true, "key": true, "upkey": true, "out": false} {
		path := filepath.Join(dir, name)
		open(t, w, path, "text")
		if reason := w.Snapshot().Excluded(path); excluded != (reason != "") {
			t.Errorf("%s is excluded by %q", name, reason)
		}
	}
	var names []string
	for _, f := range walkAll(t, w).Files {
		names = append(names, filepath.Base(f.Path))
	}
	slices.Sort(names)
	if want := []string{".gitignore", "a.go", "b.go"}; !slices.Equal(names, want) {
		t.Errorf("a walk finds %v, want %v", names, want)
	}
}

// TestFolderInFolder has rules of the outer folder end at the inner one.
func TestFolderInFolder(t *testing.T) {
	w, dir := newFolder(t, map[string]string{gitIgnore: "*.go\n", "a.go": "a", "in/a.go": "in", "in/b.txt": "in", "inner/a.go": "x"})
	checkRead(t, w, filepath.Join(dir, "in", "a.go"), ErrExcluded)
	if err := w.SetFolders(dir, filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	checkRead(t, w, filepath.Join(dir, "in", "a.go"), "in")
	checkRead(t, w, filepath.Join(dir, "inner", "a.go"), ErrExcluded)
	if files := walkAll(t, w).Files; len(files) != 3 || files[1].Path != filepath.Join(dir, "in", "a.go") {
		t.Errorf("a walk finds %v", files)
	}
}

// TestFolderMadeAgain has a folder deleted and made again, as version control does.
func TestFolderMadeAgain(t *testing.T) {
	w := New(nil)
	dir := filepath.Join(t.TempDir(), "project")
	if err := w.SetFolders(dir); err != nil {
		t.Fatal(err)
	}
	checkRead(t, w, filepath.Join(dir, "a.go"), fs.ErrNotExist)
	if list := walkAll(t, w); list.Skipped != 1 {
		t.Errorf("a missing folder: %+v", list)
	}
	for _, text := range []string{"one", "two"} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		writeFiles(t, dir, map[string]string{"a.go": text})
		checkRead(t, w, filepath.Join(dir, "a.go"), text)
	}
}
