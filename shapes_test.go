package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/shapes")

// build makes the binary that the tests run, once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tandem-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tandem")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// house is a user's account with a model of random weights in it.
type house struct {
	t     *testing.T
	dir   string
	model string
}

func newHouse(t *testing.T) house {
	h := house{t: t, dir: t.TempDir()}
	h.model = filepath.Join(h.dir, "tiny.gguf")
	h.run("", "synth", "tiny-qwen2", h.model)
	return h
}

// command prepares a run in this house, away from the real user's files.
func (h house) command(args ...string) *exec.Cmd {
	h.t.Helper()
	path, err := build()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.CommandContext(h.t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+h.dir, "XDG_STATE_HOME="+h.dir, "XDG_CACHE_HOME="+h.dir, "NO_COLOR=")
	return cmd
}

// run gives what a command prints; it must succeed and say nothing else.
func (h house) run(stdin string, args ...string) string {
	h.t.Helper()
	cmd := h.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		h.t.Fatalf("tandem %s: %v: %s", strings.Join(args, " "), err, &errs)
	}
	return string(out)
}

// fail gives the one line that a command that fails writes, and its exit code.
func (h house) fail(args ...string) (line string, code int) {
	h.t.Helper()
	cmd := h.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	line, rest, _ := strings.Cut(errs.String(), "\n")
	if err == nil || out.Len() > 0 || rest != "" || !strings.HasPrefix(line, "tandem: ") {
		h.t.Errorf("tandem %s: %v, printed %q and %q", strings.Join(args, " "), err, &out, &errs)
	}
	return line, cmd.ProcessState.ExitCode()
}

func (h house) write(name, text string) string {
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// TestJSONShapes holds the keys and types of everything that --json prints.
func TestJSONShapes(t *testing.T) {
	h := newHouse(t)
	source := h.write("a.py", "def f(x):\n    return x\n\nprint(f(1))\n")
	items := h.write("items.jsonl", `{"task_id":"a","kind":"mid_word","prefix":"x = fo","suffix":"\n","target":"o(1)"}`+"\n")
	trace := h.write("trace.json", typedTrace)
	h.write("packages/p-1/b.py", "def foo(x):\n    return x\n")
	h.write("packages/p-1/a.py", "from b import foo\n\nx = foo(1)\n")
	lines := h.write("lines.jsonl", `{"id":"p-1","package":"p","version":"1","path":"a.py","prefix":"from b import foo\n\nx = ","suffix":"\n","target":"foo(1)","cross_names":["foo"]}`+"\n")
	on := func(args ...string) []string { return append(args, "--model", h.model, "--json") }
	for _, test := range []struct {
		name  string
		stdin string
		args  []string
	}{
		{"complete", "", on("complete", source+":2:12", "-n", "3")},
		{"complete_type", "", on("complete", source+":2:12", "-n", "3", "--type", "x+")},
		{"generate", "", on("generate", "x = ", "-n", "3")},
		{"logits", "", on("logits", "x = 1", "--top", "2", "--all")},
		{"logits_ids", "", on("logits", "--ids", "5,6,7", "--top", "2")},
		{"tokenize", "x = 1", on("tokenize")},
		{"bench", "", on("bench", "-p", "8", "-n", "2", "-r", "1", "--cancels", "2", "--profile")},
		{"bench_typing", "", on("bench", "typing", trace, "-n", "4")},
		{"bench_typing_paced", "", on("bench", "typing", trace, "-n", "4", "--paced")},
		{"bench_typing_for", "", on("bench", "typing", trace, "-n", "4", "--for", "1ms")},
		{"eval_fim", "", on("eval", "fim", items, "-n", "4")},
		{"eval_repo", "", on("eval", "repo", lines, "--packages", filepath.Join(h.dir, "packages"), "-n", "4", "--ablate")},
		{"models", "", on("models")},
		{"doctor", "", on("doctor")},
		{"doctor_explain", "", on("doctor", "--explain", source+":2:12", "-n", "3")},
		{"version", "", on("version")},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := house{t, h.dir, h.model}
			var got []string
			d := json.NewDecoder(strings.NewReader(h.run(test.stdin, test.args...)))
			for d.More() {
				var v any
				if err := d.Decode(&v); err != nil {
					t.Fatal(err)
				}
				got = append(got, shapeOf("", v)...)
			}
			slices.Sort(got)
			compareShape(t, test.name, strings.Join(slices.Compact(got), "\n")+"\n")
		})
	}
}

// compareShape compares with the golden shape, or makes it anew.
func compareShape(t *testing.T, name, got string) {
	golden := filepath.Join("testdata", "shapes", name+".txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v: go test . -run JSONShapes -update makes it", err)
	}
	if got != string(want) {
		t.Errorf("the shape changed:\n%swant:\n%s", got, want)
	}
}

// shapeOf lists the values in v, "path type" each. An empty list tells nothing
// of its elements.
func shapeOf(path string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var lines []string
		for key, value := range v {
			lines = append(lines, shapeOf(path+"."+key, value)...)
		}
		return lines
	case []any:
		lines := []string{path + " array"}
		for _, value := range v {
			lines = append(lines, shapeOf(path+"[]", value)...)
		}
		return lines
	case string:
		return []string{path + " string"}
	case float64:
		return []string{path + " number"}
	case bool:
		return []string{path + " bool"}
	}
	return []string{path + " null"}
}
