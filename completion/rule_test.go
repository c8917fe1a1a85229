package completion

import (
	"strings"
	"testing"

	"tandem/engine"
)

// fits are suggestions and what stands right of the cursor: ¦ is the cursor, want
// the line that comes of both.
var fits = []struct{ path, doc, says, want string }{
	// Brackets that an editor has closed.
	{"a.go", "f(¦)", "a, b)", "f(a, b)"},
	{"a.go", "f(¦)", "a, b", "f(a, b)"},
	{"a.go", "f(¦)", "a) + g(b)", "f(a) + g(b)"},
	{"a.go", "f(¦)", "a) + g(b", "f(a) + g(b)"},
	{"a.go", "f(g(¦))", "a))", "f(g(a))"},
	{"a.go", "f(g(¦))", "a)", "f(g(a))"},
	{"a.go", "f(g(¦))", "a), b)", "f(g(a), b)"},
	{"a.go", "f(¦)", "a[0])", "f(a[0])"},
	{"a.go", "x := []int{¦}", "1, 2}", "x := []int{1, 2}"},
	{"a.go", "x[¦] = 1", "i] = 1", "x[i] = 1"},
	{"a.js", "f(¦);", "a);", "f(a);"},
	{"a.js", "if (¦)", "x > 0) {", "if (x > 0)"},
	{"a.js", "if (¦)", "x > 0) {\n  f();\n}\ng();", "if (x > 0) {\n  f();\n}"},
	{"a.js", "f(¦);", "() => {\n  g();\n});\nh();", "f(() => {\n  g();\n});"},
	{"a.js", "f(() => {¦});", "\n  g();\n});\nh();", "f(() => {\n  g();\n});"},
	{"a.js", "  f({¦});", "\n    a: 1,\n", "  f({\n    a: 1,\n  });"},
	{"a.py", "def f(¦)", "self, a):\n    return a", "def f(self, a):"},
	{"a.py", "def f(¦):", "self, a):\n    return a", "def f(self, a):"},
	{"a.py", "x = [¦]", "a for a in b]\nc", "x = [a for a in b]"},
	{"a.rs", "x.map(|¦|)", "y| y + 1)", "x.map(|y| y + 1)"},
	{"a.ts", "x: Map<¦>", "string, Set<number>>", "x: Map<string, Set<number>>"},
	{"a.ts", "if (a < ¦) {", "b) {", "if (a < b) {"},
	{"a.yml", "a: [¦]", "b, c]\nd", "a: [b, c]"},
	{"a.sh", "x=$(¦)", "ls $(pwd))\ny", "x=$(ls $(pwd))"},
	// Quotes.
	{"a.go", `f("¦")`, `a", b)`, `f("a", b)`},
	{"a.go", `f("¦")`, `a(")`, `f("a(")`},
	{"a.go", `f("¦")`, `a`, `f("a")`},
	{"a.go", `f("¦", c)`, `a", b, c)`, `f("a", c)`},
	{"a.py", `x["¦"]`, `a"]`, `x["a"]`},
	{"a.py", `f(f"{¦}")`, `a.b}: {c}")`, `f(f"{a.b}: {c}")`},
	{"a.py", `f(f"{¦}")`, `a.b}: {c`, `f(f"{a.b}: {c}")`},
	{"a.js", "f(`${¦}`)", "a}`)", "f(`${a}`)"},
	{"a.js", "f(`${¦}`)", "a}/${b", "f(`${a}/${b}`)"},
	{"a.c", "f('¦')", "a')", "f('a')"},
	{"a.go", "// (¦)", "see f)", "// (see f)"},
	{"a.py", `"""¦"""`, "Adds.\"\"\"\nx", `"""Adds."""`},
	// Text right of the cursor.
	{"a.py", "for ¦ in xs:", "x in xs:\n    y", "for x in xs:"},
	{"a.py", "for ¦ in xs:", "x in ys:", "for x in ys: in xs:"},
	{"a.go", "if ¦ {", "x > 0 {", "if x > 0 {"},
	{"a.go", "if f(¦) == 0 {", "a, b) != 1 {", "if f(a, b) == 0 {"},
	{"a.go", "x = ¦ + c", "a + b + c", "x = a + b + c"},
	{"a.go", "x = ¦b", "a + b", "x = a + b"},
	{"a.go", "x = ¦b", "b", "x = b"},
	{"a.go", "x = ¦b + c", "b + ", "x = b + c"},
	{"a.go", "return en¦ry", "t", "return entry"},
	{"a.go", "return en¦ry.x", "try.x", "return entry.x"},
	{"a.cc", "C() : ¦ {}", "a(b) {}", "C() : a(b) {}"},
	{"a.ts", "f({ ¦ })", "a, b })", "f({ a, b })"},
	{"a.go", "f(¦, b)", "g(a, b)", "f(g(a, b), b)"},
	{"a.go", "f(¦, b)", "g(a", "f(g, b)"},
	{"a.go", "f(¦, b)", `"a`, "f(, b)"},
	{"a.java", "int ¦;", "a = 1; // one", "int a = 1;"},
	// Too much is closed, or not enough.
	{"a.go", "func f() {\n\tx(¦\n}", "a)\n}", "\tx(a)"},
	{"a.go", "func f() {\n\tx(a¦\n\t)\n}", ", b)", "\tx(a, b"},
	{"a.go", "func f() {\n\tif a {\n\t\tx()\n\t¦\n}", "}\n}\n\nb", "\t}"},
	{"a.go", "func f() {\n\tif a {\n\t\tx()\n\t¦\n\t\ty()\n\t}\n}", "} else {\n\t\ty()", "\t} else {"},
	{"a.go", "func f() {\n\tx()¦", "\n}\n\nfunc g() {\n}", "\tx()\n}"},
	{"a.txt", "a ¦", ":)\nb", "a :)"},
	{"a.go", "// f is one.¦", "\nfunc f() int {\n\treturn 1\n}\n\nfunc g", "// f is one.\nfunc f() int {\n\treturn 1\n}"},
	{"a.py", "def f():\n    \"\"\"Adds.¦\n    \"\"\"", "\n    More.\n    Yet more.", "    \"\"\"Adds.\n    More."},
	{"a.sh", "case x in\n  ¦\n  *)\n    b ;;\nesac", "a)\n    c ;;", "  a)\n    c ;;"},
}

func TestFit(t *testing.T) {
	for _, test := range fits {
		doc := atIn(test.path, test.doc+"\n")
		r := ruleAt(doc)
		s := r.finish(test.says, engine.Result{Stop: engine.StopToken})
		line := doc.Text[strings.LastIndexByte(doc.Text[:doc.Offset], '\n')+1 : doc.Offset]
		rest, _, _ := strings.Cut(doc.Text[doc.Offset:], "\n")
		if got := line + s.Text + rest[s.Replace:]; got != test.want {
			t.Errorf("%s: %q, said %q: %q (%q, %d replaced, %s), want %q", test.path, test.doc, test.says, got, s.Text, s.Replace, s.Stop, test.want)
		}
	}
}

func TestRepeats(t *testing.T) {
	for _, test := range []struct{ doc, says, want string }{
		{"¦\nfoo(a)\nbar(b)\n", "x()\nfoo( a )\nbar(b)\n", "x()\nfoo( a )\nbar(b)"}, // other words
		{"¦\nfoo(a, b)\nbar(b)\n", "x()\nfoo(a,  b)\n", "x()"},
		{"    ¦\n  foo(a)\n  bar(b)\n", "x()\n    foo(a)\n    bar(b)\n", "x()"},
		{"    ¦\n  foo(a)\n", "foo(a)\n    x()\n", ""},
		{"    ¦\n  end\n", "end\n", "end"},
		{"x(1)\nx(1)\n¦\n", "x(1)\nx(1)\n", ""},
		{"¦\n", "x(1)\nx(1)\nx(1)\n", "x(1)"},
		{"¦\n", "x(1)\ny(1)\nx(1)\ny(1)\n", "x(1)\ny(1)"},
		{"¦\n", "x(1)\nx(2)\nx(3)\n", "x(1)\nx(2)\nx(3)"},
		{"x = ¦\n", "[" + strings.Repeat("0, 1, ", 20), "[0, 1, "},
		{"x = ¦\n", "[" + strings.Repeat("0, ", 10) + "0]", "[" + strings.Repeat("0, ", 10) + "0]"},
		{"if x {\n\t¦\n\ty()\n}\n", "z()\n\treturn 1\n", "z()"},
		{"if x {\n\t¦\n}\n", "z()\n\treturn 1\n", "z()\n\treturn 1"},
	} {
		s := ruleAt(atIn("a.lua", test.doc)).finish(test.says, engine.Result{Stop: engine.StopToken})
		if strings.TrimSpace(s.Text) != strings.TrimSpace(test.want) {
			t.Errorf("%q, said %q: %q (%s), want %q", test.doc, test.says, s.Text, s.Stop, test.want)
		}
	}
}

func TestIndentation(t *testing.T) {
	for _, test := range []struct{ doc, says, want string }{
		{"f {\n\ta\n\t¦\n}\n", "if x {\n        b()\n    }", "if x {\n\t\tb()\n\t}"},
		{"f {\n\ta\n\t¦\n}\n", "if x {\n    b()\n  }", "if x {\n\tb()\n\t}"},
		{"f {\n    a\n    ¦\n}\n", "if x {\n\t\tb()\n\t}", "if x {\n        b()\n    }"},
		{"f {\n  a\n  ¦\n}\n", "if x {\n\t\tb()\n\t}", "if x {\n    b()\n  }"},
		{"f:\n    a\n    ¦\n", "    b\n", "b"},
		{"f:\n    a:\n    ¦\n", "    b\n", "    b"},
		{"f {\n    a {\n        ¦\n    }\n}\n", "x()\n      y()\n      z()\n", "x()\n        y()\n        z()"},
		{"f:\n    ¦\n", "\n\n    b\n    c\n", "b\n    c"},
		{"f:\n    a\n    ¦\n", "b  \n    c\t\n", "b\n    c"},
		{"x = ¦\n", " 1", "1"},
		{"x = 1; ¦}\n", " ", ""},
		{"f {\r\n\t¦\r\n}\r\n", "a\n\tb\n", "a\r\n\tb"},
		{"¦", "a:\n\tb\n", "a:\n\tb"}, // nothing tells what the file wants
	} {
		s := ruleAt(atIn("a.py", test.doc)).finish(test.says, engine.Result{Stop: engine.StopToken})
		if s.Text != test.want {
			t.Errorf("%q, said %q: %q (%s), want %q", test.doc, test.says, s.Text, s.Stop, test.want)
		}
	}
}

func TestFences(t *testing.T) {
	for _, test := range []struct{ doc, says, want string }{
		{"x = ¦\n", "1\n```\nThis is", "1"},
		{"  ¦\n", "```go\nx", ""},
		{"# A\n\n```sh\n¦\n", "ls\n```\nmore", "ls\n```\nmore"},
		{"x = ¦\n", "`a```", "`a```"},
	} {
		s := ruleAt(atIn("a.md", test.doc)).finish(test.says, engine.Result{Stop: engine.StopToken})
		if s.Text != test.want {
			t.Errorf("%q, said %q: %q (%s), want %q", test.doc, test.says, s.Text, s.Stop, test.want)
		}
	}
}

// FuzzRule holds what must be true of every suggestion: it ends in bounds, has
// none of the marks, and what the stream showed last is no surprise.
func FuzzRule(f *testing.F) {
	for _, path := range []string{"a.go", "a.py", "a.js", "a.rs", "a.c", "a.lua", "a.sh", "a.txt"} {
		f.Add(path, "f(", ")\n", "a)\n")
		f.Add(path, "\t\"", "\"))\n}\n", "b\", c)\r\n\n}")
		f.Add(path, "x = `${", "}`", "'\\''}`\n\"\"\"")
		f.Add(path, "  /* '", "", "é\xff*/ {\n\t\t)]}")
	}
	f.Fuzz(func(t *testing.T, path, before, after, says string) {
		r := ruleAt(Document{Path: path, Text: before + after, Offset: len(before)})
		for i := range says {
			r.cut(says[:i], false)
		}
		for _, stop := range []engine.StopReason{engine.StopToken, engine.StopLimit} {
			s := r.finish(says, engine.Result{Stop: stop})
			if s.Replace < 0 || s.Replace > len(r.rest) || s.Text == "" && s.Replace > 0 {
				t.Fatalf("%d bytes of %q are replaced by %q", s.Replace, r.rest, s.Text)
			}
			for text := range r.shorter(s.Text) {
				if len(text) > 2*len(s.Text)+len(s.Text)*len(r.left) {
					t.Fatalf("%q is no shorter than %q", text, s.Text)
				}
			}
		}
	})
}
