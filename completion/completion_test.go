package completion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tandem/engine"
)

// scripted is an engine that says one text, a few bytes at a time.
type scripted struct {
	says string
	stop engine.StopReason
	err  error
	info engine.Info

	mu   sync.Mutex
	seen []engine.Request
	sent int // bytes emitted for the last request that asked for text
}

// generations are the requests so far that asked for text.
func (s *scripted) generations() []engine.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func (s *scripted) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if req.MaxTokens == 0 { // a prefill ahead of time
		return engine.Result{Stop: engine.StopLimit}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, req)
	s.sent = 0
	if err := ctx.Err(); err != nil {
		return engine.Result{Stop: engine.StopCancelled}, err
	}
	for _, r := range s.says {
		s.sent += len(string(r))
		if !emit(string(r)) {
			return engine.Result{Stop: engine.StopCaller}, s.err
		}
	}
	return engine.Result{Stop: s.stop}, s.err
}

func (s *scripted) CountTokens(text string) int { return (len(text) + 3) / 4 }
func (s *scripted) Info() engine.Info           { return s.info }
func (s *scripted) Close() error                { return nil }

// at makes a document of text with its cursor at the mark.
func at(text string) Document {
	before, after, _ := strings.Cut(text, "¦")
	return Document{Path: "a.go", Text: before + after, Offset: len(before)}
}

// atIn is at for a file of another language.
func atIn(path, text string) Document {
	doc := at(text)
	doc.Path = path
	return doc
}

// TestRules has no parser look at its texts: they are not whole files.
func TestRules(t *testing.T) {
	for _, test := range []struct{ name, doc, says, want, stop string }{
		{"line: text to the right", "x = f(¦, c)\ny\n", "a, b\nc", "a, b", "line"},
		{"line: blanks to the right are none", "\t¦  \n", "x = 1\n\ty = 2\n\n", "x = 1\n\ty = 2", "blank"},
		{"line: own closing bracket stays", "x = f(¦)\n", "g()", "g()", "token"},
		{"line: doubled closing bracket goes", "x = f(¦)\n", "g())", "g()", "token"},
		{"line: doubled rest goes", "for ¦ in xs:\n", "x in xs:", "x", "token"},
		{"line: doubled sign goes", "a ¦;\n", "= 1;", "= 1", "token"},
		{"line: a line break first", "f(a, ¦)\n", "\n  b", "", "line"},
		{"a statement and no more", "x = ¦\n", "1\ny = 2\n", "1", "line"},
		{"a statement below a complete one", "x = 1¦\n", "\ny = 2\nz = 3\n", "\ny = 2", "line"},
		{"blank line ends", "def f():¦\n", "\n    return 1\n\ndef g():", "\n    return 1", "blank"},
		{"own line complete", "import os¦\n", "\n\n\ndef g():", "", "blank"},
		{"dedent ends", "def f():\n    ¦\n", "x = 1\n    return x\ny = 2", "x = 1\n    return x", "dedent"},
		{"return to the start ends", "if x:¦\n", "\n    f()\ny = 2\n", "\n    f()", "block"},
		{"on an empty line statements go on", "f {\n\t¦\n}\n", "if x {\n\t\tf()\n\t}\n\treturn y\n}\n", "if x {\n\t\tf()\n\t}\n\treturn y", "bracket"},
		{"a closing bracket stays", "func f() {¦\n", "\n\treturn\n}\nfunc g() {", "\n\treturn\n}", "block"},
		{"else after a bracket stays", "\tif x {¦\n", "\n\t\ta()\n\t} else {\n\t\tb()\n\t}\n\tc()\n", "\n\t\ta()\n\t} else {\n\t\tb()\n\t}", "block"},
		{"a blank line in brackets", "\t¦\n", "f(a,\n\n\t\tb)\n\tg()\n\n", "f(a,\n\n\t\tb)\n\tg()", "blank"},
		{"indentation by the model", "def f():\n¦\n", "    a = 1\n    return a\nb", "    a = 1\n    return a", "dedent"},
		{"blank lines first", "def f():\n    ¦\n", "\n\n    a = 1\nb", "a = 1", "dedent"},
		{"the next line again", "a = 1\n¦\n\nprint(a)\n", "b = 2\nprint(a)\n", "b = 2", "suffix"},
		{"the next line at once", "\tre¦\n\treturn x\n", "turn x\n", "", "suffix"},
		{"the next line, unfinished", "¦\nfoo()\n", "foo()\nx", "", "suffix"},
		{"the body is there", "if x¦\n\tf()\n", ":\n\tg()\n", ":", "line"},
		{"the body is there, the cursor above it", "if x:\n¦\n\tf()\n", "\tg()\n\th()\n\n", "\tg()\n\th()", "blank"},
		{"another indentation is another line", "if a {\n\tif b {¦\n}\n", "\n\t\tc()\n\t}\n", "\n\t\tc()\n\t}", "token"},
		{"too many lines", "¦\n", numbered(30), strings.TrimSuffix(numbered(maxLines), "\n"), "lines"},
		{"special token spelled out", "x = ¦\n", "1<|file_sep|>b", "1", "special"},
		{"only blanks", "x¦\n", "  \n", "", "token"},
		{"carriage returns", "\t¦\r\n\ty\r\n", "x\r\n\ty\r\n", "x", "suffix"},
		{"nothing", "¦", "", "", "token"},
	} {
		e := &scripted{says: test.says, stop: engine.StopToken}
		c := New(e)
		got, err := c.Complete(context.Background(), at(test.doc), Options{CheckTime: -1})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got.Text != test.want || got.Stop != test.stop {
			t.Errorf("%s: %q (%s), want %q (%s)", test.name, got.Text, got.Stop, test.want, test.stop)
		}
	}
}

// numbered are lines that differ.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d\n", i)
	}
	return b.String()
}

// A suggestion must end the decoding as soon as its rule is sure.
func TestRulesStopTheEngine(t *testing.T) {
	for _, test := range []struct{ doc, says, needed string }{
		{"x = f(¦)\n", "a\nmore text", "a\n"},
		{"if x:¦\n", "\n    f()\ny = 2\nmore", "\n    f()\ny"},
		{"x = 1 ¦\n", "+ 1\ny = 2", "+ 1\ny"},
		{"x = f(a, ¦) + b\n", "c) + b\nmore", "c)"},
		{"for {\n\t¦\n}\n", "x()\n}\nmore", "x()\n}"},
		{"f(¦)\n", "func() {\n\tx()\n})\nmore", "func() {\n\tx()\n})\n"},
		{"f(¦)\n", "\n\ta,\n)\nmore", "\n\ta,\n)"},
		{"// ¦\nx\n", "say\n// more", "say\n"},
		{"a\n¦\n", "x1()\nx1()\nx1()\nmore", "x1()\nx1()\nx1()\n"},
		{"x = ¦\n", "1\n\nmore", "1\n\n"},
		{"x = ¦\n", "1<|endoftext|>more", "1<|endoftext|>"},
	} {
		e := &scripted{says: test.says, stop: engine.StopToken}
		if _, err := New(e).Complete(context.Background(), at(test.doc), Options{}); err != nil {
			t.Fatal(err)
		}
		if e.sent != len(test.needed) {
			t.Errorf("%q: %q decoded, want %q", test.doc, test.says[:e.sent], test.needed)
		}
	}
}

// What the token limit cuts in the middle of a line is not shown.
func TestLimitDropsTheBrokenLine(t *testing.T) {
	for says, want := range map[string]string{
		"a = 1\nb = 2\nc =": "a = 1\nb = 2",
		"a = 1 +":           "a = 1 +",
		"\n    a = 1 +":     "\n    a = 1 +",
	} {
		e := &scripted{says: says, stop: engine.StopLimit}
		got, err := New(e).Complete(context.Background(), atIn("a.txt", "¦\n"), Options{})
		if err != nil || got.Text != want || got.Stop != "limit" {
			t.Errorf("%q: %q (%s), %v, want %q", says, got.Text, got.Stop, err, want)
		}
	}
}

func TestRequest(t *testing.T) {
	e := &scripted{info: engine.Info{Model: "Qwen2.5 Coder 0.5B Instruct AWQ"}}
	c := New(e)
	for _, opts := range []Options{{}, {Layout: "psm", NoHeal: true, MaxTokens: 7}} {
		if _, err := c.Complete(context.Background(), at("a.b¦\nc"), opts); err != nil {
			t.Fatal(err)
		}
	}
	first, second := e.seen[0], e.seen[1]
	if n := len(first.Prompt); first.Prompt[n-1].Text != "a.b" || !first.Heal || first.MaxTokens != maxTokens {
		t.Errorf("default request %+v", first)
	}
	if n := len(second.Prompt); second.Prompt[n-1].Text != "<|fim_middle|>" || second.Heal || second.MaxTokens != 7 {
		t.Errorf("request with options %+v", second)
	}
	if !strings.Contains(strings.Join(first.StopTokens, " "), "<|file_sep|>") {
		t.Errorf("stop tokens %q", first.StopTokens)
	}
}

// A short context bounds the window; the prompt never takes the decode's room.
func TestWindowFitsTheContext(t *testing.T) {
	e := &scripted{info: engine.Info{MaxTokens: 256}}
	doc := at(strings.Repeat("aaaa = 1\n", 4000) + "¦" + strings.Repeat("\nbbbb = 2", 4000))
	if _, err := New(e).Complete(context.Background(), doc, Options{MaxTokens: 32}); err != nil {
		t.Fatal(err)
	}
	tokens := 0
	for _, p := range e.seen[0].Prompt {
		if p.Special {
			tokens++
		} else {
			tokens += e.CountTokens(p.Text)
		}
	}
	if tokens+32 > 256 || tokens < 60 {
		t.Errorf("a prompt of %d tokens in a context of 256", tokens)
	}
}

func TestErrors(t *testing.T) {
	c := New(&scripted{says: "x", err: errors.New("no special token")})
	if _, err := c.Complete(context.Background(), at("a¦"), Options{}); err == nil || !strings.Contains(err.Error(), "a.go, layout psm: no special token") {
		t.Errorf("the engine's error: %v", err)
	}
	if _, err := c.Complete(context.Background(), at("a¦"), Options{Layout: "spm"}); err == nil {
		t.Error("an unknown layout is accepted")
	}
	for _, offset := range []int{-1, 3, 1} {
		doc := Document{Path: "a.go", Text: "é", Offset: offset}
		if _, err := c.Complete(context.Background(), doc, Options{}); err == nil {
			t.Errorf("a cursor at byte %d of %q is accepted", offset, doc.Text)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(&scripted{}).Complete(ctx, at("a¦"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled completion: %v", err)
	}
}

func TestType(t *testing.T) {
	e := &scripted{says: "!", stop: engine.StopToken}
	var typed []string
	err := New(e).Type(context.Background(), at("a¦\nz"), "bé", Options{Layout: "plain"}, func(s Suggestion) error {
		typed = append(typed, s.Typed+s.Text)
		return nil
	})
	if err != nil || strings.Join(typed, ",") != "!,b!,bé!" {
		t.Errorf("typed %q, %v", typed, err)
	}
	if p := e.seen[2].Prompt; p[len(p)-1].Text != "abé" {
		t.Errorf("the last prompt is %+v", p)
	}
	stop := errors.New("enough")
	if err := New(e).Type(context.Background(), at("a¦"), "bc", Options{}, func(Suggestion) error { return stop }); err != stop {
		t.Errorf("the error of each: %v", err)
	}
}

func TestDefaultLayout(t *testing.T) {
	for _, test := range []struct {
		info engine.Info
		want string
	}{
		{engine.Info{Model: "Qwen2.5 Coder 0.5B Instruct AWQ"}, "spm-tail"},
		{engine.Info{Path: "/m/qwen2.5-coder-7b-q8_0.gguf"}, "psm-line"},
		{engine.Info{Model: "Smollm2 135M 8k Lc100K Mix1 Ep2"}, "plain"},
		{engine.Info{Model: "starcoder2"}, "psm"},
	} {
		if got := DefaultLayout(test.info).Name(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.info, got, test.want)
		}
	}
}

func TestSuggestionJSON(t *testing.T) {
	out, err := json.Marshal(Suggestion{Text: "a"})
	want := `{"text":"a","layout":"","prompt_tokens":0,"cached_tokens":0,"prefill_tokens":0,"decoded_tokens":0,"ttft_ms":0,"total_ms":0,"stop":""}`
	if err != nil || string(out) != want {
		t.Errorf("%s, %v, want %s", out, err, want)
	}
}
