package lsp

import (
	"strings"
	"testing"

	"tandem/context/workspace"
)

// TestFollow: which edits are the beginning of what was suggested.
func TestFollow(t *testing.T) {
	const old = "f(al)\n"
	for _, test := range []struct {
		name   string
		now    []string // states of the document behind the one of the suggestion
		wanted string   // of each, whether it follows: y or n
	}{
		{"all", []string{"f(alpha, beta)\n"}, "y"},
		{"letter by letter", []string{"f(alp)\n", "f(alph)\n", "f(alpha)\n"}, "yyy"},
		{"a word, and what replaces the rest", []string{"f(alpha)\n", "f(alpha, beta)\n"}, "yy"},
		{"put in, and nothing replaced", []string{"f(alpha, beta))\n"}, "y"},
		{"another text", []string{"f(alpine)\n"}, "n"},
		{"not any more after another text", []string{"f(ale)\n", "f(alpha)\n"}, "nn"},
		{"elsewhere", []string{"pha, f(al)\n"}, "n"},
		{"elsewhere as well", []string{"g(alpha)\n"}, "n"},
		{"too much", []string{"f(alpha, beta)\n", "f(alpha, beta), 1\n"}, "yn"},
		{"nothing", []string{"f(al)\n"}, "n"},
		{"taken away", []string{"f(al\n"}, "n"},
		{"all taken away", []string{""}, "n"},
	} {
		var s suggestions
		s.add(&suggestion{path: "a.go", version: 7, text: "pha, beta)", start: 4, end: 5})
		s.add(&suggestion{path: "b.go", version: 7, text: "pha, beta)", start: 4, end: 5})
		before, got := document(t, "a.go", 7, old), ""
		for i, text := range test.now {
			now := document(t, "a.go", int32(8+i), text)
			if s.follow(before, now) {
				got += "y"
			} else {
				got += "n"
			}
			before = now
		}
		if got != test.wanted {
			t.Errorf("%s: %q: %s, want %s", test.name, strings.Join(test.now, " "), got, test.wanted)
		}
	}
}

func document(t *testing.T, path string, version int32, text string) workspace.Document {
	t.Helper()
	held, err := workspace.NewText(text)
	if err != nil {
		t.Fatal(err)
	}
	return workspace.Document{Path: path, Version: version, Text: held}
}
