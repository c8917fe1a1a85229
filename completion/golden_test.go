package completion_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/completion"
	"tandem/engine"
)

var record = flag.Bool("record", false, "ask the models for what the files of testdata/golden lack")

const (
	goldenMark   = "‸" // the cursor of a document, and around what is shown
	goldensMin   = 100 // cases: a place and what one model said there
	goldenTokens = 64
)

// goldenModels are those whose outputs are recorded.
var goldenModels = []string{"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}

// golden is a file of testdata/golden: a place in a document and what became of
// what each model said there.
//
//	why the place is worth a case, in prose
//	-- file name.go --
//	the document, with the mark ‸ at its cursor; its lines end in \r\n if the
//	name is followed by ", crlf"
//	-- MODEL, the engine's reason to stop --
//	all that the model said
//	-- shown, the suggestion's reason to stop --
//	the cursor's line with the suggestion between two marks; what it replaces
//	is gone
//
// To add one, write the part down to the document and run
//
//	go test ./completion -run TestGolden -record
type golden struct {
	path    string
	prose   string
	file    string
	crlf    bool
	before  string // the cursor
	after   string
	outputs []output
}

// output is what one model said.
type output struct {
	model string
	stop  engine.StopReason
	raw   string
	shown string // the section, with its header
}

// TestGolden plays what the models said to the completer. It wants no weights.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "golden", "*", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	var files []*golden
	for _, path := range paths {
		g := readGolden(t, path)
		files = append(files, g)
	}
	if *record {
		recordGoldens(t, files)
	}
	for _, g := range files {
		if len(g.outputs) != len(goldenModels) {
			t.Errorf("%s: %d outputs, want one of each of %d models; add them with -record", g.path, len(g.outputs), len(goldenModels))
		}
		for i := range g.outputs {
			cases++
			o := &g.outputs[i]
			shown := g.play(t, *o)
			if shown != o.shown && !*update {
				t.Errorf("%s, %s said %q:\n%s\nwant\n%s", g.path, o.model, o.raw, shown, o.shown)
			}
			o.shown = shown
		}
		if *update || *record {
			g.write(t)
		}
	}
	if cases < goldensMin {
		t.Errorf("%d cases, want at least %d", cases, goldensMin)
	}
}

// play completes with an engine that says what a model said, in one piece and
// character by character: that must not matter.
func (g *golden) play(t *testing.T, o output) string {
	t.Helper()
	var shown [2]string
	for i, whole := range []bool{true, false} {
		c := completion.New(replay{o, whole})
		s, err := c.Complete(context.Background(), g.document(), completion.Options{CheckTime: time.Minute})
		if err != nil {
			t.Fatalf("%s: %v", g.path, err)
		}
		if s.Replace > len(firstLine(g.after)) {
			t.Fatalf("%s: replaces %d bytes", g.path, s.Replace)
		}
		line := lastLine(g.before) + goldenMark + s.Text + goldenMark + strings.TrimSuffix(firstLine(g.after[s.Replace:]), "\r")
		shown[i] = fmt.Sprintf("-- shown, %s --\n%s\n", s.Stop, strings.ReplaceAll(line, "\r\n", "\n"))
	}
	if shown[0] != shown[1] {
		t.Errorf("%s, %s: said at once\n%s\ncharacter by character\n%s", g.path, o.model, shown[0], shown[1])
	}
	return shown[0]
}

func (g *golden) document() completion.Document {
	return completion.Document{Path: g.file, Text: g.before + g.after, Offset: len(g.before)}
}

// replay is an engine that says one output.
type replay struct {
	output
	whole bool
}

// Generate says it.
func (r replay) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if req.MaxTokens == 0 {
		return engine.Result{Stop: engine.StopLimit}, ctx.Err()
	}
	if r.whole {
		emit(r.raw)
		return engine.Result{Stop: r.stop}, ctx.Err()
	}
	for _, c := range r.raw {
		if !emit(string(c)) {
			return engine.Result{Stop: engine.StopCaller}, ctx.Err()
		}
	}
	return engine.Result{Stop: r.stop}, ctx.Err()
}

func (replay) CountTokens(text string) int { return (len(text) + 3) / 4 }
func (replay) Info() engine.Info           { return engine.Info{} }
func (replay) Close() error                { return nil }

// recordGoldens asks each model for what it has not said yet.
func recordGoldens(t *testing.T, files []*golden) {
	for _, model := range goldenModels {
		var e engine.Engine
		for _, g := range files {
			if g.said(model) {
				continue
			}
			if e == nil {
				e = openModel(t, model)
			}
			all := &listener{Engine: e}
			opts := completion.Options{MaxTokens: goldenTokens}
			if _, err := completion.New(all).Complete(t.Context(), g.document(), opts); err != nil {
				t.Fatal(err)
			}
			g.outputs = append(g.outputs, output{model: model, stop: all.stop, raw: all.said})
			g.write(t)
		}
	}
}

func (g *golden) said(model string) bool {
	for _, o := range g.outputs {
		if o.model == model {
			return true
		}
	}
	return false
}

// listener lets an engine say all it has to say, and keeps it.
type listener struct {
	engine.Engine
	said string
	stop engine.StopReason
}

// Generate ends where the model does, not where the rules do.
func (l *listener) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if req.MaxTokens == 0 {
		return engine.Result{Stop: engine.StopLimit}, ctx.Err()
	}
	l.said = ""
	res, err := l.Engine.Generate(ctx, req, func(text string) bool {
		l.said += text
		return true
	})
	l.stop = res.Stop
	emit(l.said)
	return res, err
}

// readGolden reads a file; what it lacks is left empty.
func readGolden(t *testing.T, path string) *golden {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{path: path}
	for i, s := range sections(string(text)) {
		name, what, _ := strings.Cut(s.header, ", ")
		body := strings.TrimSuffix(s.body, "\n")
		n := len(g.outputs)
		switch {
		case i == 0:
			g.prose = s.body
		case strings.HasPrefix(name, "file "):
			g.file, g.crlf = strings.TrimPrefix(name, "file "), what == "crlf"
			if g.crlf {
				body = strings.ReplaceAll(body, "\n", "\r\n")
			}
			found := false
			g.before, g.after, found = strings.Cut(body, goldenMark)
			if !found || strings.Contains(g.after, goldenMark) {
				t.Fatalf("%s: not one cursor", path)
			}
		case name == "shown" && n > 0:
			g.outputs[n-1].shown = "-- " + s.header + " --\n" + s.body
		default:
			g.outputs = append(g.outputs, output{model: name, stop: engine.StopReason(what), raw: body})
		}
	}
	if g.file == "" || strings.TrimSpace(g.prose) == "" {
		t.Fatalf("%s: no document or no word about it", path)
	}
	return g
}

// section is what stands under a line «-- header --».
type section struct{ header, body string }

func sections(text string) []section {
	all := []section{{}}
	for line := range strings.Lines(text) {
		header, found := strings.CutPrefix(line, "-- ")
		if header, end := strings.CutSuffix(header, " --\n"); found && end {
			all = append(all, section{header: header})
			continue
		}
		all[len(all)-1].body += line
	}
	return all
}

func (g *golden) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	document, header := g.before+goldenMark+g.after, "file "+g.file
	if g.crlf {
		document, header = strings.ReplaceAll(document, "\r\n", "\n"), header+", crlf"
	}
	fmt.Fprintf(&b, "%s-- %s --\n%s\n", g.prose, header, document)
	for _, o := range g.outputs {
		fmt.Fprintf(&b, "-- %s, %s --\n%s\n%s", o.model, o.stop, o.raw, o.shown)
	}
	if err := os.WriteFile(g.path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
