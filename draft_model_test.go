package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/models"
)

// TestDraftPath: which model drafts, by the setting and by what is here.
func TestDraftPath(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	big, err := models.Find("qwen2.5-coder-7b")
	if err != nil {
		t.Fatal(err)
	}
	small, err := models.Find(big.Drafter)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	check := func(setting string, known *models.Model, want, wantErr string) {
		t.Helper()
		path, err := flags{DraftModel: setting}.draftPath(known)
		if path != want || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: %q, %v; want %q, %q", setting, path, err, want, wantErr)
		}
	}
	check(draftAuto, &big, "", "") // never downloaded by itself
	check(small.Name, &big, "", "tandem pull "+small.Name)
	check("qwen2.5-coder-0.5", nil, "", "the nearest is")
	path := models.Path(dir, small.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, small.Bytes); err != nil { // a hole: no disk is used
		t.Fatal(err)
	}
	check(draftAuto, &big, path, "")
	check(draftAuto, &small, "", "")
	check(draftAuto, nil, "", "")
	check(draftNone, &big, "", "")
	check(small.Name, &small, path, "")
	check(path, nil, path, "")
}

// TestDraftModel: the flag and the setting load a model that drafts, and one
// with another vocabulary is refused with both names.
func TestDraftModel(t *testing.T) {
	h := newHouse(t)
	other := filepath.Join(h.dir, "other.gguf")
	h.run("", "synth", "tiny-llama", other)
	plain := h.run("", "generate", "some words", "-n", "8", "--model", h.model)
	if got := h.run("", "generate", "some words", "-n", "8", "--model", h.model, "--draft-model", h.model); got != plain {
		t.Errorf("%q with a draft model, %q without", got, plain)
	}
	h.write("tandem/config.toml", "model = '"+h.model+"'\ndraft_model = '"+other+"'\n")
	if out := h.run("", "doctor"); !strings.Contains(out, other) {
		t.Errorf("doctor says %s", out)
	}
	if line, code := h.fail("generate", "some words", "-n", "8"); code != 1 || !strings.Contains(line, h.model) || !strings.Contains(line, other) || !strings.Contains(line, "the same family") {
		t.Errorf("another vocabulary: code %d, %s", code, line)
	}
	h.run("", "generate", "some words", "-n", "8", "--draft-model", "none")
}
