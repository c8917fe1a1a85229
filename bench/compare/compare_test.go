package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/bench/speed"
)

var results = []result{
	{"small", test{"prefill", 512, 0}, speed.Spread{Median: 300, Min: 290, Max: 310}, speed.Spread{Median: 100, Min: 90, Max: 105}},
	{"small", test{"decode", 64, 4096}, speed.Spread{Median: 30, Min: 30, Max: 30}, speed.Spread{Median: 40, Min: 39, Max: 41}},
	{"large <&>", test{"decode", 64, 0}, speed.Spread{Median: 3, Min: 2, Max: 4}, speed.Spread{Median: 2, Min: 1, Max: 3}},
}

func TestTable(t *testing.T) {
	var b strings.Builder
	writeTable(&b, results[:2])
	want := `| model | case | tandem | llama.cpp | ratio |
|---|---|---|---|---|
| small | prefill 512 | 300.0 (290.0-310.0) | 100.0 (90.0-105.0) | 3.00 |
| small | decode 64 at depth 4096 | 30.0 (30.0-30.0) | 40.0 (39.0-41.0) | 0.75 |
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", &b, want)
	}
}

// TestSVG reads the plot as XML: two bars a case, each from the same line on and
// as long as its speed beside the peer's.
func TestSVG(t *testing.T) {
	var b strings.Builder
	if err := writeSVG(&b, results); err != nil {
		t.Fatal(err)
	}
	type element struct {
		Class string  `xml:"class,attr"`
		X     float64 `xml:"x,attr"`
		Width float64 `xml:"width,attr"`
		Y     float64 `xml:"y,attr"`
		Text  string  `xml:",chardata"`
	}
	var svg struct {
		Rects []element `xml:"rect"`
		Texts []element `xml:"text"`
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	if err := d.Decode(&svg); err != nil {
		t.Fatalf("the plot is no XML: %v\n%s", err, &b)
	}
	if _, err := d.Token(); err != io.EOF && err != nil {
		t.Error(err)
	}
	bars := svg.Rects[3:] // behind the paper and the legend
	if len(bars) != 6 {
		t.Fatalf("%d bars, want 6\n%s", len(bars), &b)
	}
	for i, r := range results {
		own, peer := bars[2*i], bars[2*i+1]
		if own.Class != "own" || peer.Class != "peer" || own.X != plotLeft || peer.X != plotLeft || own.Y >= peer.Y {
			t.Errorf("%v: bars %+v, %+v", r.test, own, peer)
		}
		if got, want := own.Width/peer.Width, r.ratio(); got < want*0.98 || got > want*1.02 {
			t.Errorf("%v: bars in the ratio %v, want %v", r.test, got, want)
		}
	}
	var texts []string
	for _, e := range svg.Texts {
		texts = append(texts, e.Text)
	}
	for _, want := range []string{"300.0, 3.00 times", "decode 64 at depth 4096", "small", "large <&>"} {
		if !strings.Contains("\n"+strings.Join(texts, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("no %q in %q", want, texts)
		}
	}
}

// TestRuns: kept runs give the table of the measurement, and one program alone none.
func TestRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	const both = `{"model": "m", "kind": "decode", "tokens": 64, "program": "tandem", "tokens_per_second": 30}
{"model": "m", "kind": "decode", "tokens": 64, "program": "llama.cpp", "tokens_per_second": 10}
{"model": "m", "kind": "decode", "tokens": 64, "program": "tandem", "tokens_per_second": 50}
`
	for text, want := range map[string]float64{both: 4, both[:strings.Index(both, "\n")]: 0, both + "{": 0} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readRuns(path)
		if want == 0 {
			if err == nil {
				t.Errorf("%s: no error", text)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0].ratio() != want || got[0].test != (test{"decode", 64, 0}) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// TestSpeeds: a report that is not of the case is refused.
func TestSpeeds(t *testing.T) {
	prefill, deep := test{"prefill", 512, 0}, test{"decode", 64, 4096}
	const (
		ownPrefill  = `{"prefill": [{"tokens": 512, "depth": 0, "tokens_per_second": {"median": 7}}], "decode": [{"tokens": 1, "depth": 0}]}`
		ownDecode   = `{"prefill": [], "decode": [{"tokens": 64, "depth": 4096, "tokens_per_second": {"median": 8}}]}`
		peerPrefill = `[{"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 9}]`
		peerDecode  = `[{"n_prompt": 0, "n_gen": 64, "n_depth": 4096, "avg_ts": 10}]`
		peerTwo     = `[{"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 9}, {"n_prompt": 0, "n_gen": 64, "n_depth": 0, "avg_ts": 10}]`
	)
	for _, c := range []struct {
		parse func([]byte, test) (float64, error)
		out   string
		of    test
		want  float64 // 0: an error
	}{
		{tandemSpeed, ownPrefill, prefill, 7}, {tandemSpeed, ownDecode, deep, 8},
		{tandemSpeed, ownPrefill, deep, 0}, {tandemSpeed, ownDecode, prefill, 0}, {tandemSpeed, "", prefill, 0},
		{llamaSpeed, peerPrefill, prefill, 9}, {llamaSpeed, peerDecode, deep, 10},
		{llamaSpeed, peerDecode, prefill, 0}, {llamaSpeed, peerDecode, test{"prefill", 64, 4096}, 0},
		{llamaSpeed, peerTwo, prefill, 0}, {llamaSpeed, "error", prefill, 0},
	} {
		if got, err := c.parse([]byte(c.out), c.of); got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%v of %s: %v, %v, want %v", c.of, c.out, got, err, c.want)
		}
	}
}
