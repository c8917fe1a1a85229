package repo

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tandem/bench/fim"
)

// A difference between two arms of independent items is binomial: its quantiles
// are known.
func TestBootstrap(t *testing.T) {
	var all []pair
	for i := range 100 {
		p := pair{arm: 1}
		if i >= 30 {
			p.against = 1
		}
		all = append(all, p)
	}
	d := bootstrap(all, difference) // of Binomial(100, 0.3): 21 and 39
	if d.Value != 0.3 || math.Abs(float64(d.Low)-0.21) > 0.0101 || math.Abs(float64(d.High)-0.39) > 0.0101 {
		t.Errorf("difference %+v, want 0.3 (0.21 to 0.39)", d)
	}
	r := bootstrap(all, ratio) // 100 over Binomial(100, 0.7): 61 and 79
	if math.Abs(float64(r.Value)-100.0/70) > 1e-9 || math.Abs(float64(r.Low)-100.0/79) > 0.02 || math.Abs(float64(r.High)-100.0/61) > 0.03 {
		t.Errorf("ratio %+v, want 1.43 (1.27 to 1.64)", r)
	}
	if again := bootstrap(all, ratio); again != r {
		t.Errorf("another time %+v, was %+v", again, r)
	}
	// Pairing: arms that are equal item by item differ by nothing for certain.
	same := slices.Clone(all)
	for i := range same {
		same[i].arm = same[i].against
	}
	if d := bootstrap(same, difference); d != (Estimate{}) {
		t.Errorf("equal arms differ by %+v", d)
	}
}

func TestRatioOfNothing(t *testing.T) {
	for _, test := range []struct {
		pairs            []pair
		value, low, high string
	}{
		{nil, "1", "1", "1"},
		{[]pair{{0, 0}, {0, 0}}, "1", "1", "1"},
		{[]pair{{1, 0}}, "null", "null", "null"},
		{[]pair{{0, 1}}, "0", "0", "0"},
	} {
		out, err := json.Marshal(bootstrap(test.pairs, ratio))
		want := fmt.Sprintf(`{"value":%s,"low":%s,"high":%s}`, test.value, test.low, test.high)
		if err != nil || string(out) != want {
			t.Errorf("%v: %s, %v, want %s", test.pairs, out, err, want)
		}
	}
}

func TestSummarise(t *testing.T) {
	result := func(arm, id string, exact bool, recall float64, sources ...string) Result {
		r := Result{Result: fim.Result{TaskID: id, Exact: exact, Similarity: recall}, Arm: arm, Recall: recall, Layout: "psm", PromptTokens: 100 * len(sources)}
		for _, s := range sources {
			r.Chunks = append(r.Chunks, Chunk{Source: s})
		}
		return r
	}
	o := Options{Arms: Arms(false, []string{"x"}), Setting: Setting{Model: "m"}}
	r := Summarise(o, map[string][]Result{
		Without: {result(Without, "1", true, 0), result(Without, "2", false, 0)},
		With:    {result(With, "1", true, 1, "x", "x"), result(With, "2", true, 0.5, "x", "y")},
	})
	without, with := r.Arms[0], r.Arms[1]
	if r.Items != 2 || r.Layout != "psm" || r.Ratio.Value != 2 || r.Setting.Model != "m" || len(r.Results) != 4 {
		t.Errorf("report %+v", r)
	}
	if without.Exact != 1 || without.Difference != nil || len(without.Chunks) != 0 {
		t.Errorf("without: %+v", without)
	}
	if with.Exact != 2 || with.Recall != 0.75 || with.PromptTokens != 200 || with.Difference.Value != 0.5 || with.Chunks["x"] != 1.5 || with.Chunks["y"] != 0.5 {
		t.Errorf("with: %+v", with)
	}
}

func TestLogGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	setting := Setting{Model: "m", Retrievers: []string{"x"}}
	log, known, err := OpenLog(path, setting)
	if err != nil || len(known) != 0 {
		t.Fatalf("%v, %v", known, err)
	}
	first := Result{Result: fim.Result{TaskID: "1", Exact: true}, Arm: With, Chunks: []Chunk{{"a", "x", "<é>\n"}}}
	for _, r := range []Result{first, {Arm: "cut off"}} {
		if err := log.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	log.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "1 2"} {
		log, known, err = OpenLog(path, setting)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range known {
			ids = append(ids, r.TaskID)
		}
		if strings.Join(ids, " ") != want || fmt.Sprint(known[0]) != fmt.Sprint(first) {
			t.Errorf("%+v, want the items %s", known, want)
		}
		if err := log.Add(Result{Result: fim.Result{TaskID: "2"}}); err != nil {
			t.Fatal(err)
		}
		log.Close()
	}
	other := setting
	other.ContextTokens = 7
	if _, _, err := OpenLog(path, other); err == nil || !strings.Contains(err.Error(), "new file") {
		t.Errorf("another setting: %v", err)
	}
	for name, bad := range map[string]string{"line 1": "something else\n", "line 2": `{"model":"m","layout":"","max_tokens":0,"context_tokens":0,"retrievers":["x"]}` + "\n{\"x\":1}\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenLog(path, setting); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", bad, err)
		}
		if text, _ := os.ReadFile(path); string(text) != bad {
			t.Errorf("a file that is no log was changed to %q", text)
		}
	}
}
