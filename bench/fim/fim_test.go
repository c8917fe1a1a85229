package fim

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFormats(t *testing.T) {
	const lines = `{"task_id":"a","kind":"line_start","prefix":"p","suffix":"s","target":"t"}

{"task_id":"RandomSpanInfillingLight/HumanEval/1/1","entry_point":"f","prompt":"x ","canonical_solution":"= 1","suffix":"\n","test":""}
{"id":"pkg-7","path":"a.py","line":3,"prefix":"return ","suffix":"\n","target":"foo()","cross_names":["foo"],"cross_files":{}}
{"id":"pkg-8","prefix":"retu","suffix":"\n","target":"rn x"}
`
	want := []Item{
		{"a", LineStart, "p", "s", "t"},
		{"RandomSpanInfillingLight/HumanEval/1/1", RandomSpan, "x ", "\n", "= 1"},
		{"pkg-7", Repository, "return ", "\n", "foo()"},
		{"pkg-8", MidWord, "retu", "\n", "rn x"},
	}
	want[0].Kind = MidWord // "p" and "t" touch: the text decides
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(lines))
	zip.Close()
	for _, in := range []string{lines, zipped.String()} {
		items, err := Read(strings.NewReader(in))
		if err != nil || fmt.Sprint(items) != fmt.Sprint(want) {
			t.Errorf("%v, %v, want %v", items, err, want)
		}
	}
}

func TestReadRefusesWhatIsNoItem(t *testing.T) {
	for _, in := range []string{"{}", "[1]", "not json", `{"task_id":"a","prefix":"p"}`, "\x1f\x8bbroken",
		`{"task_id":"` + strings.Repeat("a", itemBytesMax) + `"}`} {
		if items, err := Read(strings.NewReader(in)); err == nil {
			t.Errorf("%.20q is read as %v", in, items)
		}
	}
}

func TestScore(t *testing.T) {
	for _, test := range []struct {
		name, kind, target, text, answer string
		exact                            bool
	}{
		{"same", LineStart, "    return x", "    return x", "return x", true},
		{"more lines than asked", LineStart, "    return x", "    return x\n\ndef g():", "return x", true},
		{"a line break first", LineStart, "return x", "\n    return x\ny", "return x", true},
		{"nothing", LineStart, "return x", "", "", false},
		{"inside a word", MidWord, "rn x", "rn x\n", "rn x", true},
		{"a space splits the word", MidWord, "rn x", " rn x", " rn x", false},
		{"a line break splits the word", MidWord, "rn x", "\nrn x", "", false},
		{"two lines", RandomSpan, "\n  a\n  b", "\n  a\n  b\n  c", "a\n  b", true},
		{"blank lines inside count", RandomSpan, "a\n\nb", "a\nb", "a\nb", false},
		{"end of the target", Repository, "foo()", "foo() + 1", "foo() + 1", false},
	} {
		item := Item{TaskID: test.name, Kind: test.kind, Target: test.target}
		got := Score(item, test.text)
		if got.Text != test.answer || got.Exact != test.exact {
			t.Errorf("%s: %q, exact %v, want %q, %v", test.name, got.Text, got.Exact, test.answer, test.exact)
		}
	}
}

// Text after Enough must not change the answer, whatever it is; that is what
// lets a source end early.
func TestEnoughIsEnough(t *testing.T) {
	for _, kind := range Kinds() {
		for _, target := range []string{"a", "\n a\n b", "a\n\nb"} {
			item := Item{Kind: kind, Target: target}
			for _, text := range []string{"a\n", "\n\na\nb\n", "\n a\n b\n", "x\ny\nz\n", "\n\n\n\n"} {
				for _, more := range []string{"", "c", "\nc", "  c\nd"} {
					if item.Enough(text) && item.Answer(text) != item.Answer(text+more) {
						t.Errorf("%s %q: %q is enough, but %q more changes %q to %q", kind, target, text, more, item.Answer(text), item.Answer(text+more))
					}
				}
			}
		}
	}
	if !(Item{Kind: LineStart, Target: "a"}).Enough("b\n") || (Item{Kind: LineStart, Target: "a"}).Enough("\n\nb") {
		t.Error("a line is enough when it ends, not before it begins")
	}
}

func TestSimilarity(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1}, {"a", "", 0}, {"abc", "abc", 1}, {"abc", "xyz", 0},
		{"kitten", "sitting", 1 - 3.0/7}, {"größe", "grösse", 1 - 2.0/6}, {"ab", "ba", 0},
	} {
		if got := Similarity(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%q and %q: %g, want %g", test.a, test.b, got, test.want)
		}
		if got := Similarity(test.b, test.a); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%q and %q the other way: %g, want %g", test.b, test.a, got, test.want)
		}
	}
	if got := Similarity(strings.Repeat("a", 1<<20), strings.Repeat("a", 1<<20)); got != 1 {
		t.Errorf("long texts: %g", got)
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for p, want := range map[int]float64{0: 1, 50: 3, 95: 5, 100: 5} {
		if got := percentile(values, p); got != want {
			t.Errorf("p%d of %v is %g, want %g", p, values, got, want)
		}
	}
	if percentile(nil, 50) != 0 {
		t.Error("a percentile of nothing")
	}
}

func TestEveryKeepsProgramsTogether(t *testing.T) {
	items := []Item{
		{TaskID: "a1", Prefix: "a", Target: "bc"}, {TaskID: "a2", Prefix: "ab", Target: "c"},
		{TaskID: "b", Prefix: "b", Target: "c"},
		{TaskID: "c1", Prefix: "c", Target: "cc"}, {TaskID: "c2", Prefix: "cc", Suffix: "c"},
	}
	for k, want := range map[int]string{0: "a1 a2 b c1 c2", 1: "a1 a2 b c1 c2", 2: "a1 a2 c1 c2", 3: "a1 a2"} {
		var names []string
		for _, item := range Every(items, k) {
			names = append(names, item.TaskID)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("every %d: %s, want %s", k, got, want)
		}
	}
}

// server is a llama-server that answers every completion with the same pieces.
func server(t *testing.T, prompts *[]string, pieces ...string) string {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tokenize", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"tokens":[1,2,3]}`)
	})
	mux.HandleFunc("POST /completion", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Prompt      string  `json:"prompt"`
			Predict     int     `json:"n_predict"`
			Temperature float64 `json:"temperature"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Predict == 0 || req.Temperature != 0 {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		*prompts = append(*prompts, req.Prompt)
		for i, piece := range pieces {
			out, _ := json.Marshal(map[string]any{"content": piece, "stop": i == len(pieces)-1})
			fmt.Fprintf(w, "data: %s\n\n", out)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestPeer(t *testing.T) {
	var prompts []string
	url := server(t, &prompts, "ret", "urn x", "\n", "more", "")
	items := []Item{
		{TaskID: "1", Kind: LineStart, Prefix: "def f(x):\n", Suffix: "\n", Target: "    return x"},
		{TaskID: "2", Kind: LineStart, Prefix: "a\n", Suffix: "\nb", Target: "c"},
	}
	var seen int
	report, err := Run(context.Background(), Peer(url), items, 0, func(Result) error { seen++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if report.Items != 2 || report.Exact != 1 || seen != 2 || report.Results[1].Text != "return x" {
		t.Errorf("%+v", report)
	}
	if want := "<|fim_prefix|>a\n<|fim_suffix|>\nb<|fim_middle|>"; prompts[1] != want {
		t.Errorf("prompt %q, want %q", prompts[1], want)
	}
}

func TestPeerErrors(t *testing.T) {
	var prompts []string
	item := []Item{{TaskID: "1", Kind: LineStart, Prefix: "a\n", Target: "b"}}
	for name, url := range map[string]string{
		"ends early": server(t, &prompts),
		"not found":  server(t, &prompts) + "/nowhere",
		"not there":  "http://127.0.0.1:1",
	} {
		if _, err := Run(context.Background(), Peer(url), item, 5, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The committed set must be what the reports say it is.
func TestCommittedSet(t *testing.T) {
	path := filepath.Join("..", "..", "testdata", "fim", "fim_midword.jsonl.gz")
	if stat, err := os.Stat(path); err != nil || stat.Size() > 1_400_000 {
		t.Fatalf("%v, %v", stat, err)
	}
	items, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	count, names := map[string]int{}, map[string]bool{}
	for _, item := range items {
		count[item.Kind]++
		if names[item.TaskID] {
			t.Errorf("two items %s", item.TaskID)
		}
		names[item.TaskID] = true
		if InWord(item.Prefix, item.Target) != (item.Kind == MidWord) {
			t.Errorf("%s: %q¦%q is no %s", item.TaskID, item.Prefix[max(0, len(item.Prefix)-10):], item.Target, item.Kind)
		}
		if item.Want() == "" || !Score(item, item.Target+"\nmore").Exact {
			t.Errorf("%s: its own target does not score", item.TaskID)
		}
	}
	for _, kind := range Kinds() {
		if count[kind] < 60 {
			t.Errorf("%d items of kind %s", count[kind], kind)
		}
	}
}
