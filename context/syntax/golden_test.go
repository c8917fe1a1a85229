package syntax

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// patient is a limit that a busy machine under the race detector keeps.
var patient = Options{Limit: 20 * time.Second}

// fixture is a file of testdata: code that parses, with insertions in ⟦⟧ that
// are left out but for the one that is asked about; a cursor stands at its end.
type fixture struct {
	name    string // of the file
	lang    *Language
	text    string   // without insertions
	cursors []cursor // in their order
}

type cursor struct {
	inserted string
	text     string // with this insertion
	offset   int    // behind it
}

func fixtures(t testing.TB) []fixture {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		lang, ok := ByPath(name)
		if !ok {
			t.Fatalf("%s: of no known language", name)
		}
		marked, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, newFixture(name, lang, string(marked)))
	}
	if len(all) != len(Languages()) {
		t.Fatalf("%d fixtures for %d languages", len(all), len(Languages()))
	}
	return all
}

func newFixture(name string, lang *Language, marked string) fixture {
	f := fixture{name: name, lang: lang}
	pieces := strings.Split(marked, "⟦")
	f.text = pieces[0]
	var at []int
	for _, piece := range pieces[1:] {
		inserted, rest, _ := strings.Cut(piece, "⟧")
		f.cursors = append(f.cursors, cursor{inserted: inserted})
		at = append(at, len(f.text))
		f.text += rest
	}
	for i := range f.cursors {
		c := &f.cursors[i]
		c.text, c.offset = f.text[:at[i]]+c.inserted+f.text[at[i]:], at[i]+len(c.inserted)
	}
	return f
}

func mustParse(t testing.TB, lang *Language, text string) *Tree {
	t.Helper()
	tree, err := Parse(lang, text, patient)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Close)
	return tree
}

// TestGolden holds all that a tree tells against what people read once.
func TestGolden(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			got := describe(t, f)
			path := "testdata/" + f.name + ".golden"
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: run with -update and read the difference; got\n%s", path, got)
			}
		})
	}
}

func describe(t *testing.T, f fixture) string {
	var b strings.Builder
	tree := mustParse(t, f.lang, f.text)
	fmt.Fprintf(&b, "# errors: %d\n\n# symbols\n", tree.ErrorsIn(0, len(f.text)))
	for _, s := range tree.Symbols() {
		fmt.Fprintf(&b, "%s %s", s.Kind, s.Name)
		if s.Parent != "" {
			fmt.Fprintf(&b, " in %s", s.Parent)
		}
		fmt.Fprintf(&b, " %d..%d: %s\n", s.Start, s.End, s.Signature)
	}
	b.WriteString("\n# imports\n")
	for _, m := range tree.Imports() {
		fmt.Fprintf(&b, "%s", m.Path)
		if m.As != "" {
			fmt.Fprintf(&b, " as %s", m.As)
		}
		for _, n := range m.Names {
			fmt.Fprintf(&b, ", %s", n.Name)
			if n.As != "" {
				fmt.Fprintf(&b, " as %s", n.As)
			}
		}
		fmt.Fprintf(&b, " %d..%d\n", m.Start, m.End)
	}
	fmt.Fprintf(&b, "\n# outline\n%s\n# outline in 400 bytes\n%s", tree.Outline(1<<20), tree.Outline(400))
	for _, c := range f.cursors {
		tree := mustParse(t, f.lang, c.text)
		line := lineAt(c.text, c.offset)
		fmt.Fprintf(&b, "\n# cursor: %s|%s\n", strings.TrimSpace(c.text[line.start:c.offset]), c.text[c.offset:line.end])
		for _, s := range tree.Scopes(c.offset, patient) {
			fmt.Fprintf(&b, "%s %s %d..%d..%d: %s\n", s.Kind, s.Name, s.Start, s.Body, s.End, s.Header)
		}
		fmt.Fprintf(&b, "errors %d, in string or comment %v, identifiers %s\n", tree.ErrorsIn(0, len(c.text)),
			tree.InStringOrComment(c.offset), strings.Join(tree.Identifiers(c.offset-200, c.offset), " "))
	}
	return b.String()
}
