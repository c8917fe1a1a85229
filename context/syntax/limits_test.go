package syntax

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	sitter "github.com/smacker/go-tree-sitter"
)

// askAll puts every question to a tree at a place, and holds what is true of all
// answers.
func askAll(t testing.TB, tree *Tree, offset int) {
	t.Helper()
	in := func(what string, start, end int) {
		if start < 0 || end < start || end > len(tree.text) {
			t.Fatalf("%s at %d..%d of %d bytes", what, start, end, len(tree.text))
		}
	}
	for _, s := range tree.Symbols() {
		in("symbol", s.Start, s.End)
		if s.Name == "" || len(s.Signature) > maxSignature || strings.Contains(s.Signature, "\n") {
			t.Fatalf("symbol %+v", s)
		}
	}
	for _, m := range tree.Imports() {
		in("import", m.Start, m.End)
	}
	for _, s := range tree.Scopes(offset, Options{}) {
		in("scope", s.Start, s.End)
		in("header", s.Start, s.Body)
	}
	for _, most := range []int{0, 10, 1000} {
		if o := tree.Outline(most); len(o) > most || o != "" && !strings.HasSuffix(o, "\n") {
			t.Fatalf("an outline of %d bytes: %q", most, o)
		}
	}
	for _, name := range tree.Identifiers(offset-100, offset) {
		if name == "" {
			t.Fatal("an identifier without a name")
		}
	}
	tree.InStringOrComment(offset)
	all, left := tree.ErrorsIn(0, len(tree.text)), tree.ErrorsIn(0, offset)
	if left > all {
		t.Fatalf("%d errors, %d of them in a part", all, left)
	}
}

// hostile are texts that break what recurses or takes its time.
func hostile(n int) []string {
	return []string{
		strings.Repeat("(", n), strings.Repeat("[", n), strings.Repeat("{", n), strings.Repeat(")", n), strings.Repeat("}", n),
		strings.Repeat("(", n/2) + "x" + strings.Repeat(")", n/2),
		"x = " + strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
		strings.Repeat("{\n", n/3) + strings.Repeat("}\n", n/3),
		strings.Repeat("a.", n/2), strings.Repeat("a+", n/2), strings.Repeat("!", n), strings.Repeat("-", n), strings.Repeat("*", n),
		strings.Repeat("a(", n/2), strings.Repeat("f{g(", n/4), strings.Repeat("<a>", n/3), strings.Repeat("a<", n/2),
		strings.Repeat("if x {", n/6), strings.Repeat("if (x) ", n/7), strings.Repeat("if x then ", n/10), strings.Repeat("function f() ", n/13),
		strings.Repeat("def f():\n", n/9), strings.Repeat("class A {", n/9), strings.Repeat("fn f() {", n/8), strings.Repeat("$(", n/2),
		strings.Repeat("`${", n/3), strings.Repeat("f\"{", n/3), strings.Repeat("<<A\n", n/4), strings.Repeat("\"", n), strings.Repeat("/*", n/2),
		strings.Repeat("\x00", n), strings.Repeat("\xff", n), strings.Repeat("\xf0\x9f\x98\x80", n/4), strings.Repeat("\r", n),
		strings.Repeat("#if X\n", n/6), strings.Repeat("x\n", n/2), strings.Repeat("import a\n", n/9), strings.Repeat("é=\n", n/4),
		indented(n),
	}
}

// indented is blocks in blocks by ever more white space.
func indented(n int) string {
	var b strings.Builder
	for depth := 0; b.Len() < n; depth++ {
		b.WriteString(strings.Repeat(" ", depth) + "if x:\n")
	}
	return b.String()
}

// TestHostile must end, and not by a crash: what is too slow is an error.
func TestHostile(t *testing.T) {
	texts := append(hostile(5_000), hostile(100_000)[:9]...)
	for _, lang := range Languages() {
		for _, text := range texts {
			tree, err := Parse(lang, text, Options{Limit: 40 * time.Millisecond})
			if errors.Is(err, ErrTooSlow) {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %.12q…: %v", lang.Name(), text, err)
			}
			askAll(t, tree, len(text))
			tree.Close()
		}
	}
}

// TestLate ends a text at every place in the middle of a parse.
func TestLate(t *testing.T) {
	text := strings.Repeat("é\xff😀\xf0\x9f\x98 ", 3)
	for at := range len(text) {
		in := input{text: text, deadline: time.Now().Add(time.Hour)}
		in.read(uint32(at), sitter.Point{})
		in.end, in.late = at+1, true
		if got := in.read(uint32(at), sitter.Point{}); string(got) != text[at:at+1] {
			t.Fatalf("the end of a chunk is asked for again: %q", got)
		}
		if got := in.read(uint32(at+1), sitter.Point{}); got != nil {
			t.Fatalf("late, and the text goes on: %q", got)
		}
	}
}

func TestLimits(t *testing.T) {
	f := fixtures(t)[3]
	text := f.large()
	if _, err := Parse(f.lang, strings.Repeat("\n", MaxBytes+1), patient); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a text that is too long: %v", err)
	}
	if tree, err := Parse(f.lang, text, Options{Limit: time.Microsecond}); !errors.Is(err, ErrTooSlow) || tree != nil {
		t.Errorf("a limit of a microsecond: %v", err)
	}
	tree := mustParse(t, f.lang, text)
	if _, err := tree.Edit("x"+text+text, Options{Limit: time.Microsecond}); !errors.Is(err, ErrTooSlow) {
		t.Errorf("a limit of a microsecond, for an edit: %v", err)
	}
	if tree.ErrorsIn(0, len(text)) != 0 || len(tree.Symbols()) == 0 {
		t.Error("the parse after one that was too slow went wrong")
	}
	tree.Close()
	askAll(t, tree, 10)
	if _, err := tree.Edit("x", patient); err == nil {
		t.Error("a closed tree was edited")
	}
}

// TestLive opens and closes, edits and fails, and must leave nothing behind.
func TestLive(t *testing.T) {
	before := Live()
	for _, f := range fixtures(t) {
		tree, err := Parse(f.lang, f.text, patient)
		if err != nil {
			t.Fatal(err)
		}
		if Live().Trees != before.Trees+1 {
			t.Fatalf("%s: one tree is open, and %+v", f.name, Live())
		}
		for _, c := range f.cursors {
			next, err := tree.Edit(c.text, patient)
			if err != nil {
				t.Fatal(err)
			}
			askAll(t, next, c.offset)
			tree.Close()
			tree.Close()
			tree = next
			tree.Edit(strings.Repeat(c.text, 30), Options{Limit: time.Microsecond})
		}
		tree.Close()
	}
	if Live() != before {
		t.Errorf("before: %+v, after: %+v", before, Live())
	}
}

// TestShared reads one tree in several goroutines while it is edited and closed.
func TestShared(t *testing.T) {
	before := Live()
	for _, f := range fixtures(t) {
		tree, err := Parse(f.lang, f.text, patient)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				askAll(t, tree, len(f.text)*i/4)
				if next, err := tree.Edit(f.text[:len(f.text)/2], patient); err == nil {
					askAll(t, next, i)
					next.Close()
				}
			})
		}
		wg.Go(tree.Close)
		wg.Wait()
	}
	if Live() != before {
		t.Errorf("before: %+v, after: %+v", before, Live())
	}
}

func TestChanged(t *testing.T) {
	for _, test := range []struct {
		old, text             string
		start, oldEnd, newEnd int
	}{
		{"", "", 0, 0, 0},
		{"abc", "abc", 3, 3, 3},
		{"", "abc", 0, 0, 3},
		{"aa", "aaa", 2, 2, 3},
		{"abc", "axc", 1, 2, 2},
		{"xé", "xè", 1, 3, 3},   // one first byte
		{"xĩy", "xũy", 1, 3, 3}, // one last byte
		{"é", "é\xa9", 2, 2, 3},
	} {
		start, oldEnd, newEnd := changed(test.old, test.text)
		if start != test.start || oldEnd != test.oldEnd || newEnd != test.newEnd {
			t.Errorf("%q, %q: %d..%d and %d..%d, want %d..%d and %d..%d", test.old, test.text, start, oldEnd, start, newEnd,
				test.start, test.oldEnd, test.start, test.newEnd)
		}
	}
}

func TestLanguages(t *testing.T) {
	for name, want := range map[string]string{"go": "go", "TypeScriptReact": "typescriptreact", "tsx": "typescriptreact",
		"javascriptreact": "javascript", "sh": "shellscript", "c++": "cpp", "cobol": "", "": ""} {
		if got, ok := ByName(name); ok != (want != "") || ok && got.Name() != want {
			t.Errorf("ByName(%q): %v, want %q", name, got, want)
		}
	}
	for path, want := range map[string]string{"a/b.go": "go", "x.h": "c", "X.HPP": "cpp", "m.mjs": "javascript", "s.pyi": "python",
		"home/.bashrc": "shellscript", "v.tsx": "typescriptreact", "v.mts": "typescript", "go": "", "a.txt": "", "": ""} {
		if got, ok := ByPath(path); ok != (want != "") || ok && got.Name() != want {
			t.Errorf("ByPath(%q): %v, want %q", path, got, want)
		}
	}
	for _, l := range Languages() {
		if got, ok := ByName(l.Name()); !ok || got != l {
			t.Errorf("ByName(%q) is another", l.Name())
		}
	}
}

func FuzzParse(f *testing.F) {
	for i, l := range Languages() {
		for _, text := range hostile(60) {
			f.Add(uint8(i), text, uint16(len(text)/2), l.Name())
		}
	}
	for _, fixture := range fixtures(f) {
		for i, l := range Languages() {
			if l == fixture.lang {
				f.Add(uint8(i), fixture.text, uint16(300), "x(")
			}
		}
	}
	f.Fuzz(func(t *testing.T, lang uint8, text string, offset uint16, insert string) {
		before := Live()
		l := Languages()[int(lang)%len(Languages())]
		tree, err := Parse(l, text, Options{})
		if errors.Is(err, ErrTooSlow) || errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := min(int(offset), len(text))
		askAll(t, tree, at)
		next, err := tree.Edit(text[:at]+insert+text[at:], Options{})
		tree.Close()
		if err == nil {
			askAll(t, next, at+len(insert))
			next.Close()
		}
		if Live() != before {
			t.Fatalf("before: %+v, after: %+v", before, Live())
		}
		if utf8.ValidString(text) {
			for _, s := range tree.Symbols() {
				if !utf8.ValidString(s.Signature) {
					t.Fatalf("%q is cut in a character", s.Signature)
				}
			}
		}
	})
}
