package lsp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tandem/lsp"
)

// TestDocument holds docs/lsp-extensions.md against the code: every method, field
// and state of one stands in the other.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/lsp-extensions.md")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"jsonrpc", "method", "params", "id", "result", "uri", "line", "character", "title", "command", "arguments", lsp.CommandAccepted, "tandem"}
	for _, v := range []any{lsp.Status{}, lsp.SuggestionParams{}, lsp.PartialParams{}, lsp.PlaceParams{}, lsp.Stats{}, lsp.Explanation{}, lsp.ExplanationStage{}, lsp.DebugParams{}, lsp.Debug{}, lsp.DebugDocument{}} {
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			known = append(known, name)
		}
	}
	consts := constants(t, "extensions.go")
	known = append(known, consts...)
	known = append(known, lsp.SettingNames()...)
	for _, name := range known {
		if !strings.Contains(string(text), `"`+name+`"`) && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("the document does not have %q", name)
		}
	}
	for _, m := range regexp.MustCompile(`"([^"\n]*)":|"(tandem[/.][^"\n]*)"`).FindAllStringSubmatch(string(text), -1) {
		if name := m[1] + m[2]; !slices.Contains(known, name) && name != "*" && name != "markdown" {
			t.Errorf("the document has %q, the code does not", name)
		}
	}
}

// constants are the texts of a file's constants.
func constants(t *testing.T, file string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			for _, v := range spec.(*ast.ValueSpec).Values {
				texts = append(texts, strings.Trim(v.(*ast.BasicLit).Value, `"`))
			}
		}
	}
	return texts
}
