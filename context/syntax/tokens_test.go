package syntax

import (
	"strings"
	"testing"
)

// TestInStringOrComment has a cursor "|" in each text.
func TestInStringOrComment(t *testing.T) {
	for _, test := range []struct {
		lang *Language
		text string
		want bool
	}{
		{langGo, "package a // b|", true},
		{langGo, "package a // b\n|", false},
		{langGo, "package a /* b */|", false},
		{langGo, "package a /* b |*/", true},
		{langGo, "package a\nvar x = \"a|\"", true},
		{langGo, "package a\nvar x = |\"a\"", false},
		{langGo, "package a\nvar x = \"a\"|", false},
		{langGo, "package a\nvar x = `a\n|b`", true},
		{langGo, "package a\nfunc f() { g(\"a|\n}", true}, // not closed
		{langGo, "package a\nfunc f() { g(\"a\", |\n}", false},
		{langPython, "x = f\"a {b|}\"", false},
		{langPython, "x = f\"a| {b}\"", true},
		{langPython, "\"\"\"a\n|\n\"\"\"", true},
		{langJavaScript, "x = `a ${b.|c} d`", false},
		{langJavaScript, "x = `a ${b} |d`", true},
		{langRust, "fn f<'a>(x: &'a str) { x.| }", false},
		{langBash, "echo \"a |\"", true},
		{langBash, "# a|", true},
		{langLua, "-- a|\nx = 1", true},
		{langLua, "|", false},
	} {
		at := strings.IndexByte(test.text, '|')
		tree := mustParse(t, test.lang, test.text[:at]+test.text[at+1:])
		if got := tree.InStringOrComment(at); got != test.want {
			t.Errorf("%s: %q: %v", test.lang.name, test.text, got)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	text := "package a\n\nfunc f(x int) { if y := g(x); y > 1 { return x.z } }\n"
	tree := mustParse(t, langGo, text)
	for _, test := range []struct {
		from, to int
		want     string
	}{
		{0, len(text), "z x y g int f a"},
		{-5, 99999, "z x y g int f a"},
		{strings.Index(text, "if"), strings.Index(text, " > 1"), "y x g"},
		{3, 2, ""},
	} {
		if got := strings.Join(tree.Identifiers(test.from, test.to), " "); got != test.want {
			t.Errorf("%d..%d: %q, want %q", test.from, test.to, got, test.want)
		}
	}
}
