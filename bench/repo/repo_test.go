package repo

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tandem/bench/fim"
	"tandem/context/retrieve"
	"tandem/context/workspace"
	"tandem/engine"
	"tandem/internal/bug"
)

func TestMain(m *testing.M) {
	bug.Panic = true
	os.Exit(m.Run())
}

const line = `{"id":"p-1","package":"p","version":"1.0","path":"p/a.py","prefix":"x = ","suffix":"\n","target":"f()","cross_names":["f"],"cross_files":[{"path":"p/b.py"}]}`

func TestRead(t *testing.T) {
	second := strings.Replace(line, "p-1", "p-2", 1)
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(line + "\n\n" + second))
	zip.Close()
	for _, in := range []string{line + "\n\n" + second + "\n", zipped.String()} {
		items, err := Read(strings.NewReader(in))
		if err != nil || len(items) != 2 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		want := Item{"p-1", "p", "1.0", "p/a.py", "x = ", "\n", "f()", []string{"f"}}
		if fmt.Sprint(items[0]) != fmt.Sprint(want) || items[1].ID != "p-2" {
			t.Errorf("%+v, want %+v", items, want)
		}
	}
}

// What cannot be evaluated is named with its line, and nothing is read outside.
func TestReadRefuses(t *testing.T) {
	with := func(old, new string) string {
		return line + "\n\n" + strings.Replace(strings.Replace(line, "p-1", "p-2", 1), old, new, 1)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(line))
	zip.Close()
	for name, test := range map[string]struct{ in, want string }{
		"no JSON":      {with("{", ""), "line 3"},
		"no list":      {with(`["f"]`, `"f"`), "line 3"},
		"no names":     {with(`"cross_names":["f"],`, ""), "cross_names"},
		"no target":    {with("f()", ""), "line 3"},
		"no package":   {with(`"p"`, `""`), "line 3"},
		"no version":   {with("1.0", ""), "line 3"},
		"twice":        {line + "\n" + line, "a second item"},
		"path above":   {with("p/a.py", "../a.py"), "leads out"},
		"full path":    {with("p/a.py", "/a.py"), "leads out"},
		"package path": {with(`"p"`, `"../p"`), "no name of a package"},
		"long line":    {with("x = ", strings.Repeat("x", 1<<20)), "longer than"},
		"broken zip":   {zipped.String()[:zipped.Len()/2], "line 1"},
	} {
		if items, err := Read(strings.NewReader(test.in)); err == nil || items != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d items, %v, want %q", name, len(items), err, test.want)
		}
	}
}

func TestEvery(t *testing.T) {
	items := make([]Item, 5)
	for i := range items {
		items[i].ID = fmt.Sprint(i)
	}
	for k, want := range map[int]string{0: "01234", 1: "01234", 2: "024", 4: "04", 9: "0"} {
		got := ""
		for _, item := range Every(items, k) {
			got += item.ID
		}
		if got != want {
			t.Errorf("every %d: %s, want %s", k, got, want)
		}
	}
}

// unpacked is a folder of packages with one of them: files by path.
func unpacked(t *testing.T, files map[string]string) Packages {
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, "p-1.0", filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Packages(root)
}

// The package p: a.py uses what b.py defines; the lines with "secret" are only in
// the files as they lie on the disk.
var (
	files = map[string]string{
		"p/a.py": "from p.b import Store\n\ndef open_store(path):\n    store = Store(path, 'secret_mode')\n    return store\n",
		"p/b.py": "class Store:\n    def __init__(self, path, mode):\n        self.path = path\n",
		"p/c.py": "from p.b import Store\n\ndef save(path):\n    store = Store(path, 'w')\n    return store\n",
	}
	item = Item{
		ID: "p-1", Package: "p", Version: "1.0", Path: "p/a.py",
		Prefix:     "from p.b import Store\n\ndef open_store(path):\n    store = ",
		Suffix:     "\n    return store\n",
		Target:     "Store(path, 'secret_mode')",
		CrossNames: []string{"Store"},
	}
)

// Whatever of the workspace is read, the file with the hole is what is there.
func TestOverlay(t *testing.T) {
	doc, err := unpacked(t, files).Open(item)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Language != "python" || doc.Text[:doc.Offset] != item.Prefix || doc.Text[doc.Offset:] != item.Suffix {
		t.Errorf("document %+v", doc)
	}
	listing, err := doc.Snapshot.Walk(context.Background(), workspace.Limits{})
	if err != nil || len(listing.Files) != len(files) {
		t.Fatalf("%d files, %v", len(listing.Files), err)
	}
	for _, f := range listing.Files {
		text, err := doc.Snapshot.Read(f.Path)
		if err != nil || strings.Contains(text.String(), "secret") {
			t.Errorf("%s: %v, reads %q", f.Path, err, text.String())
		}
	}
	if text, err := doc.Snapshot.Read(doc.Path); err != nil || text.String() != doc.Text {
		t.Errorf("the file with the hole reads %q, %v", text.String(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	packages := unpacked(t, files)
	dir := filepath.Join(string(packages), "p-1.0", "p")
	for link, target := range map[string]string{"link.py": "a.py", "folder": "."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("left out: no symbolic links here: %v", err)
		}
	}
	for _, test := range []struct{ pkg, path, want string }{
		{"q", "p/a.py", "bench/repo/fetch.sh"},
		{"p", "p/other.py", "not of this package"},
		{"p", "p", "not a regular file"},
		{"p", "p/link.py", "not a regular file"},
		{"p", "p/folder/a.py", "behind a link"},
		{"p", "p/.env", "not of this package"},
	} {
		bad := item
		bad.Package, bad.Path = test.pkg, test.path
		if _, err := packages.Open(bad); err == nil || !strings.Contains(err.Error(), "p-1") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want %q", test.pkg, test.path, err, test.want)
		}
	}
	secret := unpacked(t, map[string]string{".env": "KEY=1\n"})
	bad := item
	bad.Path = ".env"
	if _, err := secret.Open(bad); !errors.Is(err, workspace.ErrExcluded) {
		t.Errorf("a secret: %v", err)
	}
}

func TestLeak(t *testing.T) {
	twice := item
	twice.Prefix = "    store = Store(path, 'secret_mode')\n" + twice.Prefix
	whole := "def open_store(path):\n    store = Store(path, 'secret_mode')\n"
	for _, test := range []struct {
		name  string
		item  Item
		chunk retrieve.Chunk
		found bool
	}{
		{"the line", item, retrieve.Chunk{Path: "p/a.py", Text: whole}, true},
		{"the line, indented otherwise", item, retrieve.Chunk{Path: "p/a.py", Text: strings.ReplaceAll(whole, "    ", "\t")}, true},
		{"without it", item, retrieve.Chunk{Path: "p/a.py", Text: "def open_store(path):\n    store = \n"}, false},
		{"another file has it", item, retrieve.Chunk{Path: "p/c.py", Text: whole}, false},
		{"the file has it elsewhere", twice, retrieve.Chunk{Path: "p/a.py", Text: whole}, false},
	} {
		if _, found := leak(test.item, []retrieve.Chunk{{Path: "p/b.py", Text: "x\n"}, test.chunk}); found != test.found {
			t.Errorf("%s: found %v, want %v", test.name, found, test.found)
		}
	}
}

func TestRecall(t *testing.T) {
	chunks := []retrieve.Chunk{{Text: "class Store(Base):\n"}, {Text: "x = load_file(y)\n"}}
	for names, want := range map[string]float64{"Store": 1, "Store load_file": 1, "Sto": 0, "load": 0, "Base other": 0.5, "": 1} {
		if got := recall(strings.Fields(names), chunks); got != want {
			t.Errorf("recall of %q is %g, want %g", names, got, want)
		}
	}
	if got := recall([]string{"Store"}, nil); got != 0 {
		t.Errorf("recall of nothing is %g", got)
	}
}

// scripted answers by what a prompt holds; everything it is asked is kept.
type scripted struct {
	answer func(prompt string) string

	promptsMu sync.Mutex
	prompts   []string
}

func (s *scripted) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if req.MaxTokens == 0 { // a prefill ahead of time
		return engine.Result{Stop: engine.StopLimit}, ctx.Err()
	}
	var prompt strings.Builder
	for _, p := range req.Prompt {
		prompt.WriteString(p.Text)
	}
	s.promptsMu.Lock()
	s.prompts = append(s.prompts, prompt.String())
	s.promptsMu.Unlock()
	for piece := range strings.SplitAfterSeq(s.answer(prompt.String()), " ") {
		if !emit(piece) {
			return engine.Result{Stop: engine.StopCaller}, nil
		}
	}
	return engine.Result{Stop: engine.StopToken, PromptTokens: s.CountTokens(prompt.String())}, ctx.Err()
}

func (s *scripted) CountTokens(text string) int { return (len(text) + 3) / 4 }
func (s *scripted) Info() engine.Info           { return engine.Info{Model: "Qwen2.5 Coder 0.5B"} }
func (s *scripted) Close() error                { return nil }

func (s *scripted) asked() []string {
	s.promptsMu.Lock()
	defer s.promptsMu.Unlock()
	return slices.Clone(s.prompts)
}

// Repeated requests are answered as before, asked once, and stopped as before.
func TestMemory(t *testing.T) {
	e := &scripted{answer: func(prompt string) string { return "a b " + prompt }}
	m := remember(e)
	say := func(prompt string, stop string) (text string, res engine.Result) {
		req := engine.Request{Prompt: []engine.Piece{{Text: prompt}}, MaxTokens: 9}
		res, err := m.Generate(context.Background(), req, func(piece string) bool { text += piece; return piece != stop })
		if err != nil {
			t.Fatal(err)
		}
		return text, res
	}
	for range 2 {
		if text, res := say("x", ""); text != "a b x" || res.PromptTokens != 1 || res.Stop != engine.StopToken {
			t.Errorf("%q, %+v", text, res)
		}
		if text, res := say("y", "b "); text != "a b " || res.Stop != engine.StopCaller {
			t.Errorf("%q, %+v", text, res)
		}
	}
	if n := len(e.asked()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Generate(ctx, engine.Request{MaxTokens: 9}, func(string) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := m.Generate(context.Background(), engine.Request{MaxTokens: 9}, func(string) bool { return true }); err != nil || len(e.asked()) != 4 {
		t.Errorf("after a cancel: %v, %d requests", err, len(e.asked()))
	}
}

func TestArms(t *testing.T) {
	names := func(arms []Arm) string {
		var all []string
		for _, a := range arms {
			all = append(all, fmt.Sprintf("%s/%s/%s", a.Name, a.Against, strings.Join(a.retrievers, "+")))
		}
		return strings.Join(all, " | ")
	}
	three := []string{"x", "y", "z"}
	for got, want := range map[string]string{
		names(Arms(false, three)):        "without// | with/without/x+y+z",
		names(Arms(true, []string{"x"})): "without// | with/without/x",
		names(Arms(true, three)): "without// | with/without/x+y+z | only x/without/x | only y/without/y | only z/without/z | " +
			"all but x/with/y+z | all but y/with/x+z | all but z/with/x+y",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

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
