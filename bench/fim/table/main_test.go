package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/bench/fim"
)

func TestTable(t *testing.T) {
	report := fim.Summarise("psm", []fim.Result{
		{Kind: fim.LineStart, Exact: true, Similarity: 1},
		{Kind: fim.LineStart, Similarity: 0.5},
		{Kind: fim.LineStart, Similarity: 0},
		{Kind: fim.MidWord, Exact: true, Similarity: 1},
	})
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.psm.heal.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := print(&out, []string{path}); err != nil {
		t.Fatal(err)
	}
	const want = `| exact, % | line start (3) | mid word (1) | random span (0) | repository (0) | all (4) | edit similarity |
|---|---|---|---|---|---|---|
| small.psm.heal | 33.3 | 100.0 | - | - | 50.0 | 0.625 |
`
	if out.String() != want {
		t.Errorf("\n%swant\n%s", out.String(), want)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := print(&out, []string{path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken report: %v", err)
	}
}
