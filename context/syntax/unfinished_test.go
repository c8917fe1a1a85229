package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// unfinished are what people have typed when they ask for more. Those of two
// lines leave a block open, which is only fair where code runs.
func unfinished(l *Language) []string {
	all := []string{"foo.", "if (foo.", "if foo.", "x = foo(bar, ", "x = \"foo", "foo(bar).baz[", "for (a in "}
	switch l {
	case langPython:
		return append(all, "if foo:\nfoo.", "foo(bar, {\nfoo.")
	case langLua:
		return append(all, "if foo then\nfoo.", "foo(bar, {\nfoo.", "foo(function(x)\nfoo.")
	case langBash:
		return []string{"echo \"$", "if [ -n \"$", "x=$(foo ", "for a in ", "foo | ", "if [ -n \"$x\" ]; then\nfoo "}
	case langGo, langRust:
		return append(all, "if foo {\nfoo.bar(", "foo(bar, {\nfoo.")
	}
	return append(all, "if (foo) {\nfoo.", "foo(bar, {\nfoo.")
}

// TestUnfinished writes unfinished code behind the lines of the fixtures: what
// is around the cursor must be what is around an empty line there. The parser's
// recovery is not perfect, and where a block is left open nobody's can be.
func TestUnfinished(t *testing.T) {
	var lines, blocks struct{ places, wrong int }
	for _, f := range fixtures(t) {
		tree := mustParse(t, f.lang, f.text)
		for i, code := range unfinished(f.lang) {
			count := &lines
			if strings.Contains(code, "\n") {
				count = &blocks
			}
			for number, at := i%3, 0; at < len(f.text); number++ {
				line := lineAt(f.text, at)
				at = line.end + 1
				if number%3 > 0 {
					continue // each code behind other lines: all behind all takes long
				}
				want, got, runs := scopesBehind(t, tree, line, code)
				if count == &blocks && !runs {
					continue
				}
				count.places++
				if got != want {
					count.wrong++
					t.Logf("%s: %q behind %q is in %q, not %q", f.name, code, f.text[line.start:line.end], got, want)
				}
			}
		}
	}
	if 200*lines.wrong > lines.places || 10*blocks.wrong > blocks.places {
		t.Errorf("wrong: %d of %d in a line, at most 0.5%% are allowed; %d of %d in an open block, at most 10%%",
			lines.wrong, lines.places, blocks.wrong, blocks.places)
	}
	t.Logf("%+v in a line, %+v in an open block", lines, blocks)
}

// scopesBehind gives the scopes behind a line for an empty line and for code, and
// whether they end with code that runs.
func scopesBehind(t *testing.T, tree *Tree, line span, code string) (want, got string, runs bool) {
	content := tree.text[line.start:line.end]
	indent := content[:len(content)-len(strings.TrimLeft(content, " \t"))]
	edit := func(insert string) string {
		edited, err := tree.Edit(tree.text[:line.end]+"\n"+insert+tree.text[line.end:], patient)
		if err != nil {
			t.Fatal(err)
		}
		defer edited.Close()
		scopes := edited.Scopes(line.end+1+len(insert), patient)
		runs = len(scopes) > 0 && scopes[len(scopes)-1].Kind.runs()
		return names(scopes)
	}
	got = edit(indent + strings.ReplaceAll(code, "\n", "\n  "+indent))
	want = edit(indent)
	return want, got, runs
}

func names(scopes []Scope) string {
	var b strings.Builder
	for _, s := range scopes {
		fmt.Fprintf(&b, "/%s %s", s.Kind, s.Name)
	}
	return b.String()
}
