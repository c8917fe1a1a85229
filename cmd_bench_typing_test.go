package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/bench/typing"
)

// typedTrace types into a Python file; the senseless model has something to say
// to it or not.
const typedTrace = `{"startContent": "", "endContent": "def f(x):\n    return x + 1\n", "txns": [
	{"time": "2020-01-01T00:00:00.000Z", "patches": [[0, 0, "def f(x):\n    return\n"]]},
	{"time": "2020-01-01T00:00:01.000Z", "patches": [[20, 0, " "]]},
	{"time": "2020-01-01T00:00:01.010Z", "patches": [[21, 0, "x + 1"]]}]}`

// TestBenchTyping replays through the real command and its own server.
func TestBenchTyping(t *testing.T) {
	h := newHouse(t)
	trace := h.write("trace.json", typedTrace)
	flags := []string{"--model", h.model, "--device", "ref", "-n", "4", "--document", "a.py", "--language", "python"}
	plot := filepath.Join(h.dir, "plot.svg")
	out := h.run("", append([]string{"bench", "typing", trace, "--json", "--svg", plot}, flags...)...)
	var r typing.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(r.Moments) != 1 || len(r.Moments[0].Keys) != 1 || r.Cold.Samples != 1 || r.Moments[0].Stats.DecodedTokens == 0 || r.Peer != nil {
		t.Errorf("report %s", out)
	}
	if text, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(text), "<svg") {
		t.Errorf("plot %.40q, %v", text, err)
	}
	for part, args := range map[string][]string{
		"cold":                               nil,
		"overtaken":                          {"--paced"},
		"the document is the trace's at the": {"--for", "1ms"},
	} {
		if out := h.run("", append(append([]string{"bench", "typing", trace}, args...), flags...)...); !strings.Contains(out, part) {
			t.Errorf("%v: no %q in\n%s", args, part, out)
		}
	}
	for want, args := range map[string][]string{
		"none.json":          {"none.json"},
		"no trace":           {h.model},
		"use 1 or more":      {trace, "--keys", "0"},
		"nothing is typed":   {h.write("still.json", `{"startContent":"a","endContent":"a","txns":[{"time":"2020-01-01T00:00:00Z","patches":[]}]}`)},
		"llama-server runni": append([]string{trace, "--peer", "http://127.0.0.1:1"}, flags...),
	} {
		if line, code := h.fail(append([]string{"bench", "typing"}, args...)...); code != 1 || !strings.Contains(line, want) {
			t.Errorf("%v: code %d, %q, want %q", args, code, line, want)
		}
	}
}
