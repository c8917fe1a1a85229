package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explain is what `tandem doctor --explain` says.
func (h house) explain(args ...string) (e explained) {
	h.t.Helper()
	out := h.run("", append([]string{"doctor", "--json", "-n", "3", "--explain"}, args...)...)
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return e
}

// stages are the names of the stages, and a reason in the place of the answer.
func (e explained) stages() string {
	var names []string
	for _, s := range e.Stages {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func TestDoctorExplain(t *testing.T) {
	h := newHouse(t)
	source := h.write("project/src/a.py", "def f(x):\n    return x\n")
	if err := os.MkdirAll(filepath.Join(h.dir, "project", ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write("project/.gitignore", "gen/\n")
	off := h.write("off.toml", "[lsp.languages]\npython = false\n")
	manual := h.write("manual.toml", "[lsp]\ntrigger = \"manual\"\n")
	for _, test := range []struct {
		name   string
		args   []string
		stages string
		reason string
	}{
		{"served", []string{source + ":2:12"}, "document settings file trigger load model", "the model had"},
		{"secret", []string{h.write("project/.env", "KEY=x\n") + ":1:1"}, "document settings file answer", "keys and passwords"},
		{"ignored", []string{h.write("project/gen/b.py", "x = \n") + ":1:5"}, "document settings file answer", ".gitignore:1"},
		{"language", []string{source + ":2:12", "--config", off}, "document settings answer", `turns "python" off`},
		{"another language", []string{source + ":2:12", "--config", off, "--language", "starlark"}, "document settings file trigger load model", "the model had"},
		{"manual", []string{source + ":2:12", "--config", manual}, "document settings file trigger answer", "nobody asked"},
		{"no model", []string{source + ":2:12", "--model", "qwen2.5-coder-0.5b"}, "document settings file trigger model load answer", "tandem pull"},
		{"outside", []string{h.write("elsewhere/c.txt", "x\n") + ":1:2", "--folder", filepath.Dir(source)}, "document settings file trigger load model", "the model had"},
	} {
		h := house{t, h.dir, h.model}
		e := h.explain(append([]string{test.args[0], "--model", h.model, "--device", "ref"}, test.args[1:]...)...)
		if !strings.HasPrefix(e.stages(), test.stages) || !strings.Contains(e.Reason, test.reason) || e.Text != "" && e.Outcome != "suggestion" {
			t.Errorf("%s: stages %s, want %s; %+v", test.name, e.stages(), test.stages, e)
		}
		if !strings.HasPrefix(test.args[0], filepath.Join(h.dir, "elsewhere")) && e.Folder != filepath.Join(h.dir, "project") {
			t.Errorf("%s: folder %s", test.name, e.Folder)
		}
	}
	if out := h.run("", "doctor", "--model", h.model, "--device", "ref", "-n", "3", "--explain", source+":2:12"); !strings.Contains(out, "no secret and not ignored") || !strings.Contains(out, ", python, in ") {
		t.Errorf("printed %s", out)
	}
	if line, code := h.fail("doctor", "--explain", source+":99:1"); code != 1 || !strings.Contains(line, "line 99") {
		t.Errorf("a line that is not there: %s, code %d", line, code)
	}
}
