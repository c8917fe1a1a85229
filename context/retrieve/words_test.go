package retrieve

import (
	"fmt"
	"strings"
	"testing"
)

func TestCode(t *testing.T) {
	for _, test := range []struct{ language, text, want string }{
		{"python", "a = 'b' # c\nd", "a =        \nd"},
		{"python", "\"\"\"a\nb\"\"\" c", "    \n     c"},
		{"python", "a = 'open\nb", "a = 'open\nb"},
		{"go", "a /* b\n */ c // d\n`e` f", "a     \n    c     \n    f"},
		{"rust", "fn a<'b>(c: &'b str) // d", "fn a<'b>(c: &'b str)     "},
		{"lua", "a -- b\nc", "a     \nc"},
		{"shellscript", `a "$b" 'c' # d`, `a "$b"        `},
		{"c", `a "\"b" c`, `a       c`},
	} {
		if got := code(test.language, test.text); got != test.want {
			t.Errorf("%s: %q is %q, want %q", test.language, test.text, got, test.want)
		}
	}
	if got := uncommented("go", `a("b") // c`); got != `a("b")     ` {
		t.Errorf("without comments %q", got)
	}
}

func TestChainAt(t *testing.T) {
	for text, want := range map[string]string{
		"x := a.b.":      "[{a false} {b false}]",
		"a.b(c.d(), e).": "[{a false} {b true}]",
		"p->q?.r::":      "[{p false} {q false} {r false}]",
		"a":              "[]",
		"(a + b).":       "[]",
		").":             "[]",
		".":              "[]",
		"":               "[]",
		"a[3].":          "[]",
	} {
		if got := fmt.Sprint(chainAt(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if n := len(chainAt(strings.Repeat("a.", 1000))); n != maxChain {
		t.Errorf("%d steps, at most %d", n, maxChain)
	}
}

func TestDeclares(t *testing.T) {
	for text, want := range map[string]bool{
		"x = 1": true, "x: int": true, "x := f()": true, "(x *T)": true, "(x T)": true, "T x;": true, "x?: T": true,
		"x == 1": false, "x.y": false, "return x": false, "f(x)": false, "x => 1": false,
	} {
		at := strings.IndexByte(text, 'x')
		if got := declares(text, at, at+1); got != want {
			t.Errorf("%q declares x: %v", text, got)
		}
	}
}

func TestShownSignature(t *testing.T) {
	for signature, want := range map[string]string{
		"def f():":                         "  def f():",
		"@property def f(self):":           "  @property\n  def f(self):",
		"@app.route('/a(b)') def f():":     "  def f():",
		"@dataclass(frozen=True) class A:": "  @dataclass(frozen=True)\n  class A:",
		"@Override public long sum(int a)": "  public long sum(int a)",
		"@":                                "  ",
		"@a(":                              "  ",
	} {
		s := symbol{signature: signature}
		if got := s.shown("  "); got != want {
			t.Errorf("%q is shown as %q, want %q", signature, got, want)
		}
	}
}

// FuzzChunks asks at any place of any text, of which the index knows another
// version.
func FuzzChunks(f *testing.F) {
	languages := []string{"python", "go", "typescript", "rust", "c", "java", "lua", "shellscript", ""}
	for i, test := range definitionTests {
		f.Add(test.archive, i, 100, 3, 40)
	}
	f.Add("import a.\n\x00\xff(", 0, -5, 900, 1)
	f.Add("use {{{::*", 3, 4, 0, 300)
	fixture := newFixture(f, shop)
	f.Fuzz(func(t *testing.T, text string, language, offset, shown, budget int) {
		if len(text) > 1<<12 {
			t.Skip()
		}
		q := fixture.q
		q.Language = languages[uint(language)%uint(len(languages))]
		q.Path = fixture.path("shop/open" + q.Language)
		q.Text, q.Offset, q.Shown, q.Budget = text, offset, [2]int{offset - shown, offset + shown}, min(budget, 4096)
		fixture.r.index.put(newFacts(q.Path, q.Language, "x\n"+text))
		got := fixture.r.Chunks(t.Context(), q)
		if got.Tokens > max(q.Budget, 0) {
			t.Errorf("%d tokens of %d", got.Tokens, q.Budget)
		}
		for _, r := range got.Reports {
			if r.Failed || r.Missed {
				t.Errorf("%+v", r)
			}
		}
		for _, c := range got.Chunks {
			if !strings.HasSuffix(c.Text, "\n") || c.Path == "" || c.Start > c.End {
				t.Errorf("chunk %+v", c)
			}
		}
	})
}
