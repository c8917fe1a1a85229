package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// The rules of docs/style.md and docs/architecture.md that a program can check.
// Each rule gets every file of the project and names what breaks it;
// tidy_rules_test.go shows for each that it bites.

// source is one tracked file.
type source struct {
	path string // with slashes, from the project's root
	text string
	ast  *ast.File // nil unless it is Go
	fset *token.FileSet
}

// rule is one thing to hold to.
type rule struct {
	name  string
	check func(files []source, complain func(path, format string, args ...any))
}

var rules = []rule{
	{"imports go down the layers", checkImports},
	{"only named packages open connections", checkConnections},
	{"files and functions are short", checkSizes},
	{"nothing is left to do", checkLeftovers},
	{"no hidden start-up and no exit outside main", checkCalls},
	{"packages and exported names are documented", checkDocs},
	{"generated files are listed", checkGenerated},
	{"no names of machines", checkMachines},
	{"packages are named for what they know", checkNames},
}

func TestTidy(t *testing.T) {
	files := tracked(t)
	for _, r := range rules {
		t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
			r.check(files, func(path, format string, args ...any) {
				t.Errorf(path+": "+format, args...)
			})
		})
	}
}

// tracked reads the files that git knows or would add.
func tracked(t *testing.T) []source {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("left out: tidy reads the list of files from git, which says %v: run it in a clone", err)
	}
	var files []source
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseSource(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func parseSource(name, text string) (source, error) {
	f := source{path: name, text: text, fset: token.NewFileSet()}
	if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
		return f, nil
	}
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, text, parser.ParseComments)
	return f, err
}

func (f source) pkg() string {
	if dir := path.Dir(f.path); dir != "." {
		return dir
	}
	return ""
}

func (f source) isTest() bool          { return strings.HasSuffix(f.path, "_test.go") }
func (f source) line(p token.Pos) int  { return f.fset.Position(p).Line }
func (f source) lines(n ast.Node) int  { return f.line(n.End()) - f.line(n.Pos()) + 1 }
func (f source) isText() bool          { return !strings.ContainsRune(f.text, 0) }
func (f source) isWrittenByHand() bool { return f.ast == nil || !ast.IsGenerated(f.ast) }

// matches reports whether a package is one of patterns: a path, or a path and
// everything below it ("engine/...").
func matches(pkg string, patterns []string) bool {
	for _, p := range patterns {
		tree, isTree := strings.CutSuffix(p, "/...")
		if pkg == p || isTree && (pkg == tree || strings.HasPrefix(pkg, tree+"/")) {
			return true
		}
	}
	return false
}

// TestThirdParty holds THIRD_PARTY.md against the modules in the binary.
func TestThirdParty(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	text, err := os.ReadFile("THIRD_PARTY.md")
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(out))
	if missing := unlisted(modules, string(text)); len(missing) > 0 {
		t.Errorf("THIRD_PARTY.md has no row for %q", missing)
	}
	if got := unlisted([]string{"example.org/a", "example.org/ab"}, "| example.org/ab | MIT |"); len(got) != 1 || got[0] != "example.org/a" {
		t.Errorf("of two modules, one of them listed, %q are missing", got)
	}
}

// unlisted are the modules that have no row in text.
func unlisted(modules []string, text string) []string {
	var missing []string
	for _, m := range modules {
		if !strings.Contains(text, "| "+m+" |") && !slices.Contains(missing, m) {
			missing = append(missing, m)
		}
	}
	return missing
}
