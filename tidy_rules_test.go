package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	maxFileLines       = 800
	maxFuncLines       = 70
	maxPackageDocLines = 10
)

// layer says what a package may import of the project beside internal, and of
// other modules beside the standard library.
type layer struct {
	pkg      string
	project  []string
	external []string
}

// layers is docs/architecture.md, "Import direction"; the first match counts.
// Tests may import what they please: they wire real parts together as main does.
var layers = []layer{
	{"internal/...", nil, nil},
	{"lsp", []string{"completion/...", "context/workspace", "engine"}, []string{"go.lsp.dev"}},
	{"openai", []string{"completion/prompt", "completion/chat", "engine", "engine/sample"}, nil},
	{"bench/accuracy", []string{"engine/...", "kernels/...", "models"}, nil}, // a program: wires as main does
	{"bench/compare", []string{"bench/...", "models"}, nil},
	{"bench/draft", []string{"bench/speed", "engine/...", "kernels/...", "models"}, nil},
	{"bench/...", []string{"bench/...", "lsp", "completion/...", "context/...", "engine/...", "kernels/op"}, nil},
	{"completion/...", []string{"completion/...", "context/...", "engine", "engine/sample"}, nil},
	{"engine", []string{"engine/...", "kernels/op"}, nil},
	{"engine/gguf", []string{"kernels/op"}, []string{"golang.org/x/sys"}},
	{"engine/kvcache", []string{"kernels/op"}, []string{"github.com/dgraph-io/ristretto/v2"}},
	{"engine/...", []string{"engine/gguf", "kernels/op"}, nil},
	{"kernels/op", nil, nil},
	{"kernels/kerneltest", []string{"kernels/..."}, nil},
	{"kernels/...", []string{"kernels/op"}, []string{"golang.org/x/sys"}},
	{"config", nil, []string{"github.com/BurntSushi/toml"}},
	{"models", nil, []string{"github.com/schollz/progressbar/v3", "golang.org/x/sys", "golang.org/x/term"}},
	{"context/retrieve", []string{"context/syntax", "context/workspace"}, []string{"github.com/sourcegraph/conc"}},
	{"context/...", nil, []string{"github.com/smacker/go-tree-sitter"}},
	{"sandbox", nil, nil},
	{"", []string{"bench/...", "completion/...", "config", "context/...", "engine/...", "kernels/...", "lsp", "models", "openai", "sandbox"},
		[]string{"github.com/alecthomas/kong", "github.com/schollz/progressbar/v3", "golang.org/x/sys"}},
}

func checkImports(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if f.ast == nil || f.isTest() {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(f.pkg(), []string{l.pkg}) })
		if i < 0 {
			complain(f.path, "package %q has no row in the table of layers", f.pkg())
			continue
		}
		for _, imported := range imports(f) {
			if allowedImport(layers[i], imported) {
				continue
			}
			complain(f.path, "%q must not import %q", f.pkg(), imported)
		}
	}
}

func imports(f source) []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

func allowedImport(l layer, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if rest, ours := strings.CutPrefix(imported, "tandem/"); ours {
		if matches(rest, []string{"internal/..."}) {
			return l.pkg != "internal/..."
		}
		return matches(rest, l.project)
	}
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(l.external, func(module string) bool { return matches(imported, []string{module + "/..."}) })
}

// connecting packages may use the network: docs/architecture.md, invariant 8.
// bench/fim asks a peer that its user started on the same machine.
var connecting = []string{"models", "openai", "engine/remote", "bench/fim"}

func checkConnections(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if f.ast == nil || f.isTest() || matches(f.pkg(), connecting) {
			continue
		}
		for _, p := range imports(f) {
			if p == "net" || p == "net/http" {
				complain(f.path, "%q must not import %q: only %s open connections", f.pkg(), p, strings.Join(connecting, ", "))
			}
		}
	}
}

// longFuncs may be longer than the limit: forward passes are read from top to
// bottom beside their paper.
var longFuncs = map[string]bool{
	"engine/model/qwen2.go: qwen2": true,
	"engine/model/llama.go: llama": true,
}

func checkSizes(files []source, complain func(string, string, ...any)) {
	counted := []string{".go", ".c", ".h", ".py", ".sh", ".md", ".comp", ".glsl", ".lua", ".ts"}
	for _, f := range files {
		n := strings.Count(f.text, "\n")
		if slices.Contains(counted, path.Ext(f.path)) && f.isWrittenByHand() && n > maxFileLines {
			complain(f.path, "%d lines, at most %d", n, maxFileLines)
		}
		if f.ast == nil || !f.isWrittenByHand() {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && f.lines(fn) > maxFuncLines && !longFuncs[f.path+": "+fn.Name.Name] {
				complain(f.path, "%s: %d lines, at most %d", fn.Name.Name, f.lines(fn), maxFuncLines)
			}
		}
	}
}

// leftovers are spelled in halves so that this file is none.
var leftovers = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"}

func checkLeftovers(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if !f.isText() || strings.Contains(f.path, "testdata/") {
			continue // testdata may hold other people's code
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, word := range leftovers {
				if strings.Contains(line, word) {
					complain(f.path, "line %d: %s: do it or open an issue", i+1, word)
				}
			}
		}
	}
}

// exits end the process from inside.
var exits = []string{"log.Fatal", "log.Fatalf", "log.Fatalln", "os.Exit"}

func checkCalls(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if f.ast == nil {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				complain(f.path, "line %d: init: call it from where it is needed", f.line(fn.Pos()))
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if name := sel.Sel.Name; ok && f.ast.Name.Name != "main" && slices.Contains(exits, x.Name+"."+name) && !f.isTest() {
				complain(f.path, "line %d: %s.%s: return an error, main exits", f.line(sel.Pos()), x.Name, name)
			}
			return true
		})
	}
}

func checkDocs(files []source, complain func(string, string, ...any)) {
	docLines := map[string]int{} // by package
	for _, f := range files {
		if f.ast == nil || f.isTest() {
			continue
		}
		if f.ast.Doc != nil {
			docLines[f.pkg()] += f.lines(f.ast.Doc)
		} else {
			docLines[f.pkg()] += 0
		}
		if f.ast.Name.Name != "main" && f.isWrittenByHand() {
			checkExported(f, complain)
		}
	}
	for pkg, n := range docLines {
		if n == 0 || n > maxPackageDocLines {
			complain(pkg+"/", "package doc of %d lines, want 1 to %d", n, maxPackageDocLines)
		}
	}
}

func checkExported(f source, complain func(string, string, ...any)) {
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && d.Name.Name != "Error" {
				complain(f.path, "%s has no comment", d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			for _, spec := range d.Specs {
				if name, documented := describes(spec); name != "" && !documented && d.Doc == nil {
					complain(f.path, "%s has no comment", name)
				}
			}
		}
	}
}

// exportedReceiver reports whether fn is a function or a method of an exported type.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// describes gives a spec's first exported name and whether it has a comment.
func describes(spec ast.Spec) (name string, documented bool) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			return s.Name.Name, s.Doc != nil || s.Comment != nil
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() {
				return n.Name, s.Doc != nil || s.Comment != nil
			}
		}
	}
	return "", false
}

// generators make the project's generated files: each prints its file.
var generators = map[string][]string{}

// checkGenerated holds the list of generators against the files that say they
// are generated; TestGeneratedFresh runs them.
func checkGenerated(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if f.isWrittenByHand() == (generators[f.path] != nil) {
			complain(f.path, "generated: %v, has a generator: %v", !f.isWrittenByHand(), generators[f.path] != nil)
		}
	}
}

// machines are names that mean something on one machine only, in halves.
var machines = []string{
	"/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/",
	"proxy.gol" + "ang.org", "sum.gol" + "ang.org", "py" + "pi.org", "pythonhos" + "ted.org", "registry.np" + "mjs.org",
}

func checkMachines(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if !f.isText() || path.Base(f.path) == "go.sum" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, name := range machines {
				if strings.Contains(line, name) {
					complain(f.path, "line %d: %q is a place of one machine or network", i+1, name)
				}
			}
		}
	}
}

var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}

func checkNames(files []source, complain func(string, string, ...any)) {
	for _, f := range files {
		if f.ast != nil && slices.Contains(vague, f.ast.Name.Name) {
			complain(f.path, "package %s: name it for what it knows", f.ast.Name.Name)
		}
	}
}

const tidyDoc = "// Package x is one.\npackage x\n"

func blankLines(n int) string { return strings.Repeat("\n", n) }

// breaches are small projects of one file: most break one rule, the others
// stand beside them and do not.
var breaches = []struct {
	rule       func([]source, func(string, string, ...any))
	path, text string
	want       string // in the one complaint; "" for none
}{
	{checkImports, "engine/x.go", "package engine\nimport _ \"tandem/completion\"", `must not import "tandem/completion"`},
	{checkImports, "engine/x.go", "package engine\nimport _ \"tandem/kernels/cpu\"", `"engine" must not import`},
	{checkImports, "engine/x.go", "package engine\nimport _ \"tandem/kernels/op\"\nimport _ \"tandem/internal/bug\"", ""},
	{checkImports, "engine/sample/x.go", "package sample\nimport _ \"tandem/engine\"", "must not import"},
	{checkImports, "kernels/op/x.go", "package op\nimport _ \"golang.org/x/sys/unix\"", "must not import"},
	{checkImports, "kernels/ref/x.go", "package ref\nimport _ \"tandem/kernels/cpu\"", "must not import"},
	{checkImports, "internal/bug/x.go", "package bug\nimport _ \"tandem/internal/trace\"", "must not import"},
	{checkImports, "models/x.go", "package models\nimport _ \"tandem/config\"", "must not import"},
	{checkImports, "context/syntax/x.go", "package syntax\nimport _ \"tandem/engine\"", "must not import"},
	{checkImports, "lsp/x.go", "package lsp\nimport _ \"tandem/sandbox\"", "must not import"},
	{checkImports, "x.go", "package main\nimport _ \"tandem/sandbox\"", ""},
	{checkImports, "x.go", "package main\nimport _ \"example.org/x\"", "must not import"},
	{checkImports, "engine/x_test.go", "package engine\nimport _ \"tandem/kernels/cpu\"", ""},
	{checkImports, "other/x.go", "package other", "has no row"},
	{checkConnections, "engine/x.go", "package engine\nimport _ \"net/http\"", "open connections"},
	{checkConnections, "models/x.go", "package models\nimport _ \"net/http\"", ""},
	{checkSizes, "a/x.go", tidyDoc + blankLines(maxFileLines), "at most 800"},
	{checkSizes, "a/x.c", blankLines(maxFileLines + 1), "at most 800"},
	{checkSizes, "a/x.c", blankLines(maxFileLines), ""},
	{checkSizes, "a/x.gguf", blankLines(maxFileLines + 1), ""},
	{checkSizes, "a/x.go", "package a\nfunc f() {" + blankLines(maxFuncLines) + "}", "f: 71 lines"},
	{checkSizes, "a/x.go", "package a\nfunc f() {" + blankLines(maxFuncLines-1) + "}", ""},
	{checkSizes, "engine/model/qwen2.go", "package a\nfunc qwen2() {" + blankLines(maxFuncLines) + "}", ""},
	{checkLeftovers, "a/x.c", "int x; // TO" + "DO: more", "line 1"},
	{checkLeftovers, "README.md", "a\nFIX" + "ME\n", "line 2"},
	{checkLeftovers, "a/x.go", "package a // what to do", ""},
	{checkCalls, "a/x.go", "package a\nfunc init() {}", "init"},
	{checkCalls, "a/x.go", "package a\ntype t int\nfunc (t) init() {}", ""},
	{checkCalls, "a/x.go", "package a\nfunc f() { log.Fatalf(``) }", "return an error"},
	{checkCalls, "a/x.go", "package a\nfunc f() { os.Exit(1) }", "return an error"},
	{checkCalls, "x.go", "package main\nfunc main() { os.Exit(1) }", ""},
	{checkDocs, "a/x.go", "package a", "package doc of 0 lines"},
	{checkDocs, "a/x.go", strings.Repeat("// doc\n", 11) + "package a", "package doc of 11 lines"},
	{checkDocs, "a/x.go", tidyDoc + "func F() {}", "F has no comment"},
	{checkDocs, "a/x.go", tidyDoc + "type T int // one", ""},
	{checkDocs, "a/x.go", tidyDoc + "var V int", "V has no comment"},
	{checkDocs, "a/x.go", tidyDoc + "// T is one.\ntype T[E any] int\nfunc (T[E]) M() {}", "M has no comment"},
	{checkDocs, "a/x.go", tidyDoc + "// T is one.\ntype T int\nfunc (T) Error() string { return `` }", ""},
	{checkDocs, "a/x.go", tidyDoc + "type t int\nfunc (t) M() {}", ""},
	{checkGenerated, "a/x.go", "// Code generated by y. DO NOT EDIT.\n\npackage a", "has a generator: false"},
	{checkGenerated, "a/x.go", "package a", ""},
	{checkMachines, "docs/x.md", "see /ro" + "ot/x", "line 1"},
	{checkMachines, "a/x.py", "\nhost = 'py" + "pi.org'", "line 2"},
	{checkMachines, "go.sum", "py" + "pi.org", ""},
	{checkNames, "a/x.go", "package util", "name it"},
	{checkNames, "a/x.go", "package a", ""},
}

// TestTidyBites holds each rule against its breaches.
func TestTidyBites(t *testing.T) {
	for _, test := range breaches {
		f, err := parseSource(test.path, test.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		test.rule([]source{f}, func(path, format string, args ...any) {
			got = append(got, format)
			if test.want != "" && !strings.Contains(fmt.Sprintf(format, args...), test.want) {
				t.Errorf("%s %q: %q, want %q", path, test.text, fmt.Sprintf(format, args...), test.want)
			}
		})
		if len(got) != min(len(test.want), 1) {
			t.Errorf("%s %.80q: %d complaints %q, want %q", test.path, test.text, len(got), got, test.want)
		}
	}
}
