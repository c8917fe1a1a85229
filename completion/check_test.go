package completion

import (
	"context"
	"strings"
	"testing"
	"time"

	"tandem/context/syntax"
	"tandem/engine"
)

// TestCheck cuts suggestions to what parses.
func TestCheck(t *testing.T) {
	for _, test := range []struct{ path, doc, text, want string }{
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "g(1)", "g(1)"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "g(1)\n\th(2", "g(1)"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "g(1)\n\th(2))\n\ti()", "g(1)"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "for i := range 3 {\n\t\tg(i)", "for i := range 3 {\n\t\tg(i)\n\t}"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "g(func() {\n\t\tif x {\n\t\t\th()", "g(func() {\n\t\tif x {\n\t\t\th()\n\t\t}\n\t})"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "if x {\n\t\tg()\n\t}\n\tfor y {", "if x {\n\t\tg()\n\t}"},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "go func(", ""},
		{"a.go", "package a\n\nfunc f() {\n\t¦\n}\n", "value := 1 +", "value := 1"},
		{"a.go", "package a\n\nfunc f() {\n\tg(¦)\n}\n", "a, b", "a, b"},
		{"a.go", "package a\n\nfunc f() {\n\tg(¦)\n}\n", "a, b(", "a, b"},
		{"a.py", "def f():\n    ¦\n\nx = 1\n", "return [1", ""},
		{"a.py", "def f():\n    ¦\n\nx = 1\n", "y = 1\n    return [y", "y = 1"},
		{"a.py", "def f(:\n    ¦\n\nx = 1\n", "y = 1", "y = 1"}, // it did not parse before
		{"a.lua", "local x = 1\n¦\n", "if x then\n  y()\nend", "if x then\n  y()\nend"},
		{"a.txt", "¦\n", "if (", "if ("}, // no grammar
		{"a.go", "package a\n// ¦\n", "see f(", "see f("},
		{"a.c", "MACRO\nint x;\n¦\nMACRO\nint z\n", "OTHER", "OTHER"}, // for all anybody knows
		{"a.c", "int x;\n¦\nint z;\n", "int y;[", "int y;"},
	} {
		doc := atIn(test.path, test.doc)
		var c checker
		got := c.begin(doc, time.Minute).cut(Suggestion{Text: test.text}, ruleAt(doc), time.Minute)
		c.close()
		if got.Text != test.want || (got.Stop == "syntax") != (got.Text != test.text) {
			t.Errorf("%s: %q, said %q: %q (%s), want %q", test.path, test.doc, test.text, got.Text, got.Stop, test.want)
		}
	}
}

// A session's suggestions are checked with a tree that follows its document, and
// nothing of that is left when it ends.
func TestSessionChecks(t *testing.T) {
	before := syntax.Live()
	e := &scripted{says: "g(1)\n\th(2", stop: engine.StopToken}
	c := New(e)
	patient := Options{CheckTime: time.Minute}
	s := c.NewSession()
	for i := range 3 {
		doc := at("package a\n\nfunc f() {\n" + strings.Repeat("\tx()\n", i) + "\t¦\n}\n")
		got, err := s.Complete(context.Background(), doc, patient)
		if err != nil || got.Text != "g(1)" || got.Stop != "syntax" {
			t.Errorf("%q: %+v, %v", doc.Text, got, err)
		}
	}
	// Another grammar begins anew, and a long file has none.
	for path, want := range map[string]string{"a.py": "g(1)", "a.rs": "g(1)\n\th(2"} {
		doc := atIn(path, "¦\n")
		if path == "a.rs" {
			doc.Text += strings.Repeat("x\n", checkedBytesMax)
		}
		if got, err := s.Complete(context.Background(), doc, patient); err != nil || got.Text != want {
			t.Errorf("%s: %+v, %v, want %q", path, got, err, want)
		}
	}
	s.Stop()
	until(t, func() bool { return syntax.Live() == before })
}

// What ends out of order, or behind the end, is closed all the same.
func TestCheckerCloses(t *testing.T) {
	before := syntax.Live()
	var c checker
	var checks []*check
	for _, text := range []string{"package a\n", "package b\n", "package c\n"} {
		checks = append(checks, c.begin(Document{Path: "a.go", Text: text}, time.Minute))
	}
	for _, k := range checks {
		<-k.done
	}
	if got := syntax.Live().Trees; got != before.Trees+1 || c.tree.Text() != "package c\n" {
		t.Errorf("%d trees are open, the last is of %q", got-before.Trees, c.tree.Text())
	}
	// The tree of an older check is closed: it has no opinion any more.
	if got := checks[0].cut(Suggestion{Text: "("}, rule{lexis: lexisGo}, time.Minute); got.Text != "(" {
		t.Errorf("a check without a tree: %+v", got)
	}
	late := c.begin(Document{Path: "a.go", Text: "package d\n"}, time.Minute)
	c.close()
	<-late.done
	c.close()
	if got := syntax.Live(); got != before {
		t.Errorf("before: %+v, after: %+v", before, got)
	}
}

// Without an answer in time a suggestion goes unchecked.
func TestCheckInTime(t *testing.T) {
	doc := at("package a\n¦\n")
	never := &check{text: doc.Text, offset: doc.Offset, done: make(chan struct{})}
	if got := never.cut(Suggestion{Text: "("}, ruleAt(doc), time.Microsecond); got.Text != "(" {
		t.Errorf("a parse that does not end: %+v", got)
	}
	var c checker
	defer c.close()
	k := c.begin(doc, time.Minute)
	<-k.done
	if got := k.cut(Suggestion{Text: "("}, ruleAt(doc), 0); got.Text != "(" {
		t.Errorf("no time for the suggestion: %+v", got)
	}
}
