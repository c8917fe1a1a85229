package models

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	names := map[string]bool{}
	for _, m := range List() {
		if err := m.check(); err != nil {
			t.Error(err)
		}
		if names[m.Name] {
			t.Errorf("%s is listed twice", m.Name)
		}
		names[m.Name] = true
		if m.Bytes == 0 || m.Licence == "" || m.Arch == "" || !m.Verified && m.Note == "" {
			t.Errorf("%s: something is missing: %+v", m.Name, m)
		}
		if m.Hub == (HubSource{}) && len(m.Packages) == 0 {
			t.Errorf("%s has no source", m.Name)
		}
		if m.SHA256 == "" && (m.Verified || m.Hub == (HubSource{})) {
			t.Errorf("%s: only the hub can tell its hash", m.Name)
		}
		if got, err := Find(m.Name); err != nil || got.File != m.Name+".gguf" {
			t.Errorf("%s: found %q, %v", m.Name, got.File, err)
		}
	}
	List()[0].Packages[0] = "changed"
	if List()[0].Packages[0] == "changed" {
		t.Error("the list is the caller's and changed for all")
	}
}

// TestWeights holds the rows that others use, too, against ours.
func TestWeights(t *testing.T) {
	dir := os.Getenv("TANDEM_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(dir, "weights", "weights.tsv"))
	if err != nil {
		t.Skipf("left out: the table of weights is not here: set TANDEM_SHARED to the folder that has weights/weights.tsv (%v)", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		row := strings.Split(line, "\t")
		m, err := Find(row[0])
		if err != nil {
			t.Error(err)
			continue
		}
		origin := strings.TrimSpace(m.Hub.Repo + " " + m.Hub.File)
		if m.SHA256 != row[1] || m.Licence != row[3] || m.Arch != row[4] || strings.Join(m.Packages, " ") != row[5] || m.Member != row[6] ||
			origin != "" && origin != row[7] {
			t.Errorf("%+v\nis not\n%q", m, row)
		}
	}
}

// TestDrafters: a model that drafts is in the list, far smaller, and of the same family.
func TestDrafters(t *testing.T) {
	drafted := 0
	for _, m := range List() {
		if m.Drafter == "" {
			continue
		}
		drafted++
		small, err := Find(m.Drafter)
		family, _, _ := strings.Cut(m.Name, "-coder-")
		if err != nil || small.Bytes*5 > m.Bytes || !strings.HasPrefix(small.Name, family+"-coder-") || small.Drafter != "" || small.SHA256 == "" {
			t.Errorf("%s drafts for %s: %v", m.Drafter, m.Name, err)
		}
	}
	if drafted != 4 {
		t.Errorf("models draft for %d others, want 4", drafted)
	}
}

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"qwen2.5-coder": "qwen2.5-coder-3b", "Qwen2.5-Coder-7B": "qwen2.5-coder-7b", "qwen2.5-coder-7b-bse": "qwen2.5-coder-7b-base",
		"smollm2": "smollm2-135m", "gemma": "gemma3-270m",
	} {
		_, err := Find(name)
		if err == nil || !strings.Contains(err.Error(), `the nearest is "`+want+`"`) || !strings.Contains(err.Error(), "smollm2-135m") {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := Find(strings.Repeat("x", 1<<20)); err == nil {
		t.Error("found")
	}
}

func TestDir(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	if dir, err := Dir(); err != nil || dir != filepath.Join(cache, "tandem", "models") {
		t.Errorf("%s, %v", dir, err)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	const name = "smollm2-135m"
	known, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}

	_, m, err := Resolve(dir, name)
	if !errors.Is(err, ErrNotPulled) || !strings.Contains(err.Error(), "tandem pull smollm2-135m") || m == nil || m.Name != name {
		t.Errorf("not there: %v, %v", m, err)
	}
	path := Path(dir, name)
	if err := os.WriteFile(path, []byte("too short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Resolve(dir, name); !errors.Is(err, ErrNotPulled) || !strings.Contains(err.Error(), "9 bytes") {
		t.Errorf("too short: %v", err)
	}
	if err := os.Truncate(path, known.Bytes); err != nil { // a hole: no disk is used
		t.Fatal(err)
	}
	if got, m, err := Resolve(dir, name); err != nil || got != path || m == nil || m.SHA256 != known.SHA256 {
		t.Errorf("there: %q, %v, %v", got, m, err)
	}
	t.Setenv("XDG_CACHE_HOME", dir)
	if _, _, err := Resolve("", name); !errors.Is(err, ErrNotPulled) {
		t.Errorf("in the usual folder: %v", err)
	}

	if got, m, err := Resolve(dir, path); err != nil || got != path || m != nil {
		t.Errorf("path: %q, %v, %v", got, m, err)
	}
	for _, test := range []struct{ path, want string }{
		{filepath.Join(dir, "nothing.gguf"), "no such file"},
		{"nothing.gguf", "no such file"},
		{dir, "not a file"},
		{"qwen", "the nearest is"},
		{"", "the nearest is"},
	} {
		if _, _, err := Resolve(dir, test.path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.path, err, test.want)
		}
	}
}
