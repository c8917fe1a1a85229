package completion_test

import (
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// parses reports whether text is a file of lang that parses, and what is wrong
// with it. It says aloud what it cannot check here.
func parses(t *testing.T, lang, text string) (ok bool, problem string) {
	t.Helper()
	switch lang {
	case "go":
		_, err := parser.ParseFile(token.NewFileSet(), "", text, parser.AllErrors)
		return problemOf(err)
	case "python":
		python, err := exec.LookPath("python3")
		if err != nil {
			noPython.Do(func() { t.Log("python3 is not in PATH: Python is only checked for balanced brackets; install it") })
			return balanced(text, "#")
		}
		cmd := exec.CommandContext(t.Context(), python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return false, lines[len(lines)-1]
		}
		return true, ""
	case "typescript":
		noTypeScript.Do(func() {
			t.Log("TypeScript is only checked for balanced brackets and quotes; docs/bench.md has the compiler's own verdict")
		})
		return balanced(text, "//")
	}
	t.Fatalf("no parser for %s", lang)
	return false, ""
}

var noPython, noTypeScript sync.Once

func problemOf(err error) (bool, string) {
	if err != nil {
		return false, err.Error()
	}
	return true, ""
}

// balanced reports whether text's brackets and quotes match outside of comments
// that begin with the given sign. Template strings are taken as strings.
func balanced(text, comment string) (ok bool, problem string) {
	var open []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.HasPrefix(text[i:], comment):
			i += strings.IndexByte(text[i:]+"\n", '\n')
		case comment == "//" && strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				return false, "a comment does not end"
			}
			i += end + 3
		case c == '"' || c == '\'' || c == '`':
			n := stringLen(text[i:])
			if n == 0 {
				return false, "a string does not end: " + firstLine(text[i:])
			}
			i += n - 1
		case strings.IndexByte("([{", c) >= 0:
			open = append(open, ")]}"[strings.IndexByte("([{", c)])
		case strings.IndexByte(")]}", c) >= 0:
			if len(open) == 0 || open[len(open)-1] != c {
				return false, "unexpected " + string(c)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return false, "missing " + string(open)
	}
	return true, ""
}

// stringLen is the length of the string literal that text begins with, 0 if it
// does not end on its line (or, for templates and """, anywhere).
func stringLen(text string) int {
	quote := text[:1]
	if strings.HasPrefix(text, `"""`) {
		quote = `"""`
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\n' && quote != "`" && quote != `"""`:
			return 0
		}
	}
	return 0
}

func TestBalanced(t *testing.T) {
	for text, want := range map[string]bool{
		"f(a[1], { b: '}' }); // )": true,
		"x = `a${b}\n(`; /* ( */":   true,
		"f(":                        false, "f(]": false, "a }": false, "'abc\n'": false, "/* (": false,
	} {
		if got, problem := balanced(text, "//"); got != want {
			t.Errorf("%q: %v %s", text, got, problem)
		}
	}
}
