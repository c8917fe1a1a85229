package typing

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tandem/internal/editor"
)

// stamp is a time of a test's trace, in seconds.
func stamp(seconds float64) string {
	return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second))).Format(time.RFC3339Nano)
}

// recorded is a trace's file: each txn is a time in seconds and patches as JSON.
func recorded(t testing.TB, start, end string, txns ...any) []byte {
	t.Helper()
	type txn struct {
		Time    string          `json:"time"`
		Patches json.RawMessage `json:"patches"`
	}
	var list []txn
	for i := 0; i < len(txns); i += 2 {
		list = append(list, txn{stamp(txns[i].(float64)), json.RawMessage(txns[i+1].(string))})
	}
	data, err := json.Marshal(map[string]any{"startContent": start, "endContent": end, "txns": list})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// typed is a trace that types text key by key at the end of start, every seconds.
func typed(t testing.TB, start, text string, seconds float64) *Trace {
	t.Helper()
	txns := []any{}
	for i, r := range []rune(text) {
		patch, _ := json.Marshal([]any{[]any{len([]rune(start)) + i, 0, string(r)}})
		txns = append(txns, float64(i)*seconds, string(patch))
	}
	trace, err := Parse(recorded(t, start, start+text, txns...))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// TestParse: positions count code points, edits bytes, and several patches of a
// txn stand on each other.
func TestParse(t *testing.T) {
	trace, err := Parse(recorded(t, "", "é😀x!y",
		0.0, `[[0,0,"é😀"]]`,
		1.0, `[[2,0,"ab"],[2,1,""],[2,1,"x"]]`,
		2.0, `[]`,
		9.0, `[[3,0,"!y"]]`))
	if err != nil {
		t.Fatal(err)
	}
	if trace.Start != "é😀" || trace.End != "é😀x!y" || len(trace.Steps) != 2 {
		t.Fatalf("%+v", trace)
	}
	first, second := trace.Steps[0], trace.Steps[1]
	if want := []editor.Edit{{Start: 6, End: 6, Text: "ab"}, {Start: 6, End: 7}, {Start: 6, End: 7, Text: "x"}}; !reflect.DeepEqual(first.Edits, want) || first.Cursor() != 7 {
		t.Errorf("edits %v, cursor %d", first.Edits, first.Cursor())
	}
	if second.Txn != 3 || second.Cursor() != 9 || second.Gap != 8*time.Second || second.At != gapMax {
		t.Errorf("%+v", second)
	}
	docs := trace.before([]int{0, 1})
	if docs[0] != "é😀" || docs[1] != "é😀x" {
		t.Errorf("documents %q", docs)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct {
		want string // part of the error
		data []byte
	}{
		{"no trace", []byte("x")},
		{"0 txns", []byte("{}")},
		{"txn 1: patch at 2", recorded(t, "", "a", 0.0, `[[0,0,"a"]]`, 0.0, `[[2,0,"b"]]`)},
		{"txn 1: patch at 0, 2 deleted", recorded(t, "", "", 0.0, `[[0,0,"é"]]`, 0.0, `[[0,2,""]]`)},
		{"patch at -1", recorded(t, "a", "a", 0.0, `[[-1,0,"b"]]`)},
		{"-1 deleted", recorded(t, "a", "a", 0.0, `[[1,-1,"b"]]`)},
		{"[position, deleted, inserted]", recorded(t, "a", "a", 0.0, `[[1,1]]`)},
		{"not endContent", recorded(t, "a", "b", 0.0, `[[1,0,"b"]]`)},
		{"cannot unmarshal", recorded(t, "a", "b", 0.0, `[[1,0,7]]`)},
		{"grows beyond", recorded(t, strings.Repeat("a", documentBytesMax), "b", 0.0, `[[1,0,"b"]]`)},
	} {
		if _, err := Parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80q: error %v, want %q", test.data, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(recorded(f, "", "é😀x", 0.0, `[[0,0,"é😀"]]`, 1.0, `[[2,0,"ab"],[2,1,""],[2,1,"x"]]`))
	f.Add(recorded(f, "aé", "é", 0.0, `[[0,1,""]]`, 0.0, `[[1,0,"x"]]`, 7.0, `[[1,1,""]]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		trace, err := Parse(data)
		if err != nil {
			return
		}
		doc := player{text: []byte(trace.Start)}
		for i, s := range trace.Steps {
			if i > 0 && (s.At < trace.Steps[i-1].At || s.At-trace.Steps[i-1].At > gapMax) {
				t.Fatalf("step %d at %v, the one before at %v", i, s.At, trace.Steps[i-1].At)
			}
			for _, e := range s.Edits {
				doc.splice(e)
			}
			if s.Cursor() > len(doc.text) {
				t.Fatalf("step %d: cursor %d in %d bytes", i, s.Cursor(), len(doc.text))
			}
		}
		if string(doc.text) != trace.End {
			t.Fatalf("played to %q, want %q", doc.text, trace.End)
		}
		for _, m := range trace.FindMoments() {
			if !strings.HasPrefix(trace.typed(m.Step, m.Cursor), m.Typed) {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// TestSpread: ties are spread over their second, gaps are capped.
func TestSpread(t *testing.T) {
	for _, test := range []struct{ stamps, want []float64 }{
		{nil, []float64{}},
		{[]float64{7}, []float64{0}},
		{[]float64{0, 0, 0, 0}, []float64{0, 0.25, 0.5, 0.75}},
		{[]float64{0, 0, 1, 1}, []float64{0, 0.5, 1, 1.5}},
		{[]float64{0, 0.1, 0.1, 0.2}, []float64{0, 0.1, 0.15, 0.2}},
		{[]float64{0, 4, 4}, []float64{0, 4, 4.5}},
		{[]float64{0, 0, 86400}, []float64{0, 0.5, 5.5}},
		{[]float64{5, 3, 4}, []float64{0, 0, 1}},
	} {
		var stamps []time.Time
		for _, s := range test.stamps {
			stamps = append(stamps, time.UnixMilli(int64(s*1000)))
		}
		got := []float64{}
		for _, at := range spread(stamps) {
			got = append(got, at.Seconds())
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: %v, want %v", test.stamps, got, test.want)
		}
	}
}

// TestMoments: behind a sign where a word begins, and after a pause; not where
// the cursor jumped, something was deleted, or little is typed.
func TestMoments(t *testing.T) {
	trace, err := Parse(recorded(t, "", "x = one\ntwo\n",
		0.0, `[[0,0,"\n"]]`,
		1.0, `[[0,0,"x"]]`,
		1.0, `[[1,0," "]]`,
		1.0, `[[2,0,"= one"]]`, // a moment: behind a space
		1.0, `[[8,0,"t"]]`, // elsewhere
		4.0, `[[9,0,"wo"]]`, // little
		4.0, `[[11,0,"\n"]]`,
		4.0, `[[7,0," "]]`,
		4.0, `[[8,0,"more and"]]`, // behind a space, but on
		4.0, `[[7,9,""]]`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range trace.FindMoments() {
		got = append(got, fmt.Sprintf("%d %d %s", m.Step, m.Cursor, m.Typed))
	}
	if want := []string{"2 2 = one", "7 8 more and"}; !reflect.DeepEqual(got, want) {
		t.Errorf("moments %q, want %q", got, want)
	}
	paused := typed(t, "", "abcdefgh", 2)
	if got := len(paused.FindMoments()); got != 3 { // before c, d and e; behind that too little is typed
		t.Errorf("%d moments after pauses, want 3", got)
	}
	for _, test := range []struct{ want, line string }{
		{"line 1: the trace has no txn 99", `{"txn":99}`},
		{"line 1: txn 3 of the trace does not begin", `{"txn":3,"next_typed":"= two"}`},
		{"line 2", "{\"txn\":3,\"next_typed\":\"= o\"}\nx"},
	} {
		if _, err := trace.ParseMoments([]byte(test.line)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.line, err, test.want)
		}
	}
}

// TestMomentsBeside: a file beside the trace has the moments, gzipped or not.
func TestMomentsBeside(t *testing.T) {
	trace := typed(t, "", "let x = 1;", 0)
	path := filepath.Join(t.TempDir(), "a.json.gz")
	if got, err := trace.Moments(path); err != nil || len(got) != 2 || got[0].Typed != "x = 1;" {
		t.Errorf("found %+v, %v", got, err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write([]byte(`{"txn":6,"next_typed":"= 1"}`))
	zip.Close()
	if err := os.WriteFile(strings.TrimSuffix(path, ".json.gz")+".points.jsonl.gz", packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := trace.Moments(path); err != nil || len(got) != 1 || got[0].Typed != "= 1" {
		t.Errorf("read %+v, %v", got, err)
	}
}

// TestRecorded holds what is found in a real trace against the moments that came
// with it.
func TestRecorded(t *testing.T) {
	shared := os.Getenv("TANDEM_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	path := filepath.Join(shared, "quality", "rustcode.json.gz")
	trace, err := ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("left out: no %s: set TANDEM_SHARED to the folder that has it", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	given, err := trace.Moments(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range trace.FindMoments() {
		if i >= len(given) || m.Step != given[i].Step || !strings.HasPrefix(m.Typed, given[i].Typed) {
			t.Fatalf("moment %d: found %+v, given %+v", i, m, given[min(i, len(given)-1)])
		}
	}
	if n := len(trace.FindMoments()); n != len(given) {
		t.Errorf("%d moments found, %d given", n, len(given))
	}
}

func TestSpreadMoments(t *testing.T) {
	all := make([]Moment, 10)
	for i := range all {
		all[i].Step = i
	}
	for n, want := range map[int][]int{1: {5}, 2: {2, 7}, 5: {1, 3, 5, 7, 9}, 20: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		var got []int
		for _, m := range Spread(all, n) {
			got = append(got, m.Step)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d of 10: %v, want %v", n, got, want)
		}
	}
}

func TestRight(t *testing.T) {
	for _, test := range []struct {
		suggestion, typed string
		want              int
	}{{"", "abc", 0}, {"abc", "", 0}, {"abcd", "abx", 2}, {"ab", "abc", 2}, {"é😀x", "é😀y", 2}, {"b", "ab", 0}} {
		if got := right(test.suggestion, test.typed); got != test.want {
			t.Errorf("%q of %q: %d, want %d", test.suggestion, test.typed, got, test.want)
		}
	}
}
