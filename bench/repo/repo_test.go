package repo

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/context/retrieve"
	"tandem/context/workspace"
	"tandem/internal/bug"
)

func TestMain(m *testing.M) {
	bug.Panic = true
	os.Exit(m.Run())
}

const line = `{"id":"p-1","package":"p","version":"1.0","path":"p/a.py","prefix":"x = ","suffix":"\n","target":"f()","cross_names":["f"],"cross_files":[{"path":"p/b.py"}]}`

func TestRead(t *testing.T) {
	second := strings.Replace(line, "p-1", "p-2", 1)
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(line + "\n\n" + second))
	zip.Close()
	for _, in := range []string{line + "\n\n" + second + "\n", zipped.String()} {
		items, err := Read(strings.NewReader(in))
		if err != nil || len(items) != 2 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		want := Item{"p-1", "p", "1.0", "p/a.py", "x = ", "\n", "f()", []string{"f"}}
		if fmt.Sprint(items[0]) != fmt.Sprint(want) || items[1].ID != "p-2" {
			t.Errorf("%+v, want %+v", items, want)
		}
	}
}

// What cannot be evaluated is named with its line, and nothing is read outside.
func TestReadRefuses(t *testing.T) {
	with := func(old, new string) string {
		return line + "\n\n" + strings.Replace(strings.Replace(line, "p-1", "p-2", 1), old, new, 1)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(line))
	zip.Close()
	for name, test := range map[string]struct{ in, want string }{
		"no JSON":      {with("{", ""), "line 3"},
		"no list":      {with(`["f"]`, `"f"`), "line 3"},
		"no names":     {with(`"cross_names":["f"],`, ""), "cross_names"},
		"no target":    {with("f()", ""), "line 3"},
		"no package":   {with(`"p"`, `""`), "line 3"},
		"no version":   {with("1.0", ""), "line 3"},
		"twice":        {line + "\n" + line, "a second item"},
		"path above":   {with("p/a.py", "../a.py"), "leads out"},
		"full path":    {with("p/a.py", "/a.py"), "leads out"},
		"package path": {with(`"p"`, `"../p"`), "no name of a package"},
		"long line":    {with("x = ", strings.Repeat("x", 1<<20)), "longer than"},
		"broken zip":   {zipped.String()[:zipped.Len()/2], "line 1"},
	} {
		if items, err := Read(strings.NewReader(test.in)); err == nil || items != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d items, %v, want %q", name, len(items), err, test.want)
		}
	}
}

func TestEvery(t *testing.T) {
	items := make([]Item, 5)
	for i := range items {
		items[i].ID = fmt.Sprint(i)
	}
	for k, want := range map[int]string{0: "01234", 1: "01234", 2: "024", 4: "04", 9: "0"} {
		got := ""
		for _, item := range Every(items, k) {
			got += item.ID
		}
		if got != want {
			t.Errorf("every %d: %s, want %s", k, got, want)
		}
	}
}

// unpacked is a folder of packages with one of them: files by path.
func unpacked(t *testing.T, files map[string]string) Packages {
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, "p-1.0", filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Packages(root)
}

// The package p: a.py uses what b.py defines; the lines with "secret" are only in
// the files as they lie on the disk.
var (
	files = map[string]string{
		"p/a.py": "from p.b import Store\n\ndef open_store(path):\n    store = Store(path, 'secret_mode')\n    return store\n",
		"p/b.py": "class Store:\n    def __init__(self, path, mode):\n        self.path = path\n",
		"p/c.py": "from p.b import Store\n\ndef save(path):\n    store = Store(path, 'w')\n    return store\n",
	}
	item = Item{
		ID: "p-1", Package: "p", Version: "1.0", Path: "p/a.py",
		Prefix:     "from p.b import Store\n\ndef open_store(path):\n    store = ",
		Suffix:     "\n    return store\n",
		Target:     "Store(path, 'secret_mode')",
		CrossNames: []string{"Store"},
	}
)

// Whatever of the workspace is read, the file with the hole is what is there.
func TestOverlay(t *testing.T) {
	doc, err := unpacked(t, files).Open(item)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Language != "python" || doc.Text[:doc.Offset] != item.Prefix || doc.Text[doc.Offset:] != item.Suffix {
		t.Errorf("document %+v", doc)
	}
	listing, err := doc.Snapshot.Walk(context.Background(), workspace.Limits{})
	if err != nil || len(listing.Files) != len(files) {
		t.Fatalf("%d files, %v", len(listing.Files), err)
	}
	for _, f := range listing.Files {
		text, err := doc.Snapshot.Read(f.Path)
		if err != nil || strings.Contains(text.String(), "secret") {
			t.Errorf("%s: %v, reads %q", f.Path, err, text.String())
		}
	}
	if text, err := doc.Snapshot.Read(doc.Path); err != nil || text.String() != doc.Text {
		t.Errorf("the file with the hole reads %q, %v", text.String(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	packages := unpacked(t, files)
	dir := filepath.Join(string(packages), "p-1.0", "p")
	for link, target := range map[string]string{"link.py": "a.py", "folder": "."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("left out: no symbolic links here: %v", err)
		}
	}
	for _, test := range []struct{ pkg, path, want string }{
		{"q", "p/a.py", "bench/repo/fetch.sh"},
		{"p", "p/other.py", "not of this package"},
		{"p", "p", "not a regular file"},
		{"p", "p/link.py", "not a regular file"},
		{"p", "p/folder/a.py", "behind a link"},
		{"p", "p/.env", "not of this package"},
	} {
		bad := item
		bad.Package, bad.Path = test.pkg, test.path
		if _, err := packages.Open(bad); err == nil || !strings.Contains(err.Error(), "p-1") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want %q", test.pkg, test.path, err, test.want)
		}
	}
	secret := unpacked(t, map[string]string{".env": "KEY=1\n"})
	bad := item
	bad.Path = ".env"
	if _, err := secret.Open(bad); !errors.Is(err, workspace.ErrExcluded) {
		t.Errorf("a secret: %v", err)
	}
}

func TestLeak(t *testing.T) {
	twice := item
	twice.Prefix = "    store = Store(path, 'secret_mode')\n" + twice.Prefix
	whole := "def open_store(path):\n    store = Store(path, 'secret_mode')\n"
	for _, test := range []struct {
		name  string
		item  Item
		chunk retrieve.Chunk
		found bool
	}{
		{"the line", item, retrieve.Chunk{Path: "p/a.py", Text: whole}, true},
		{"the line, indented otherwise", item, retrieve.Chunk{Path: "p/a.py", Text: strings.ReplaceAll(whole, "    ", "\t")}, true},
		{"without it", item, retrieve.Chunk{Path: "p/a.py", Text: "def open_store(path):\n    store = \n"}, false},
		{"another file has it", item, retrieve.Chunk{Path: "p/c.py", Text: whole}, false},
		{"the file has it elsewhere", twice, retrieve.Chunk{Path: "p/a.py", Text: whole}, false},
	} {
		if _, found := leak(test.item, []retrieve.Chunk{{Path: "p/b.py", Text: "x\n"}, test.chunk}); found != test.found {
			t.Errorf("%s: found %v, want %v", test.name, found, test.found)
		}
	}
}

func TestRecall(t *testing.T) {
	chunks := []retrieve.Chunk{{Text: "class Store(Base):\n"}, {Text: "x = load_file(y)\n"}}
	for names, want := range map[string]float64{"Store": 1, "Store load_file": 1, "Sto": 0, "load": 0, "Base other": 0.5, "": 1} {
		if got := recall(strings.Fields(names), chunks); got != want {
			t.Errorf("recall of %q is %g, want %g", names, got, want)
		}
	}
	if got := recall([]string{"Store"}, nil); got != 0 {
		t.Errorf("recall of nothing is %g", got)
	}
}
