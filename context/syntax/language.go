package syntax

import (
	"embed"
	"path/filepath"
	"strings"
	"sync"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/bash"
	"github.com/smacker/go-tree-sitter/c"
	"github.com/smacker/go-tree-sitter/cpp"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/lua"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/rust"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"
)

//go:embed queries/*.scm
var queryFiles embed.FS

// Language is one that can be parsed. There is one value for each, for the life
// of the process, safe for concurrent use; grammar and queries are loaded by the
// first Parse.
type Language struct {
	name    string
	file    string // in queries/
	grammar func() *sitter.Language
	blocks  blocks
	quotes  string // that begin a string on one line

	once   sync.Once
	lang   *sitter.Language
	defs   *query // definitions and imports
	tokens *query
	err    error
}

// blocks says how a language begins and ends its blocks.
type blocks int

const (
	braces blocks = iota
	indents
	words // "do", "end"
)

var (
	langGo         = &Language{name: "go", file: "go.scm", grammar: golang.GetLanguage, quotes: "\"`"}
	langPython     = &Language{name: "python", file: "python.scm", grammar: python.GetLanguage, blocks: indents, quotes: `"'`}
	langJavaScript = &Language{name: "javascript", file: "javascript.scm", grammar: javascript.GetLanguage, quotes: "\"'`"}
	langTypeScript = &Language{name: "typescript", file: "typescript.scm", grammar: typescript.GetLanguage, quotes: "\"'`"}
	langTSX        = &Language{name: "typescriptreact", file: "typescript.scm", grammar: tsx.GetLanguage, quotes: "\"'`"}
	langRust       = &Language{name: "rust", file: "rust.scm", grammar: rust.GetLanguage, quotes: `"`}
	langC          = &Language{name: "c", file: "c.scm", grammar: c.GetLanguage, quotes: `"`}
	langCPP        = &Language{name: "cpp", file: "cpp.scm", grammar: cpp.GetLanguage, quotes: `"`}
	langJava       = &Language{name: "java", file: "java.scm", grammar: java.GetLanguage, quotes: `"`}
	langLua        = &Language{name: "lua", file: "lua.scm", grammar: lua.GetLanguage, blocks: words, quotes: `"'`}
	langBash       = &Language{name: "shellscript", file: "bash.scm", grammar: bash.GetLanguage, blocks: words, quotes: `"'`}
)

// Languages are all of them.
func Languages() []*Language {
	return []*Language{langGo, langPython, langJavaScript, langTypeScript, langTSX, langRust, langC, langCPP, langJava,
		langLua, langBash}
}

// Name is the identifier that editors use for the language.
func (l *Language) Name() string { return l.name }

// ByName finds a language by the identifier that an editor gives a document, or
// by another usual name. Text of an unknown language completes without a tree.
func ByName(name string) (*Language, bool) {
	switch strings.ToLower(name) {
	case "go", "golang":
		return langGo, true
	case "python", "py":
		return langPython, true
	case "javascript", "javascriptreact", "js", "jsx":
		return langJavaScript, true
	case "typescript", "ts":
		return langTypeScript, true
	case "typescriptreact", "tsx":
		return langTSX, true
	case "rust", "rs":
		return langRust, true
	case "c":
		return langC, true
	case "cpp", "c++", "cxx":
		return langCPP, true
	case "java":
		return langJava, true
	case "lua":
		return langLua, true
	case "shellscript", "bash", "sh", "shell":
		return langBash, true
	}
	return nil, false
}

// ByPath finds a language by a file's name. A header ".h" is taken for C, which
// only its includer could know better.
func ByPath(path string) (*Language, bool) {
	switch base := filepath.Base(path); base {
	case ".bashrc", ".bash_profile", ".bash_aliases", ".profile", "PKGBUILD":
		return langBash, true
	case "SConstruct", "SConscript", "wscript":
		return langPython, true
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".go":
		return langGo, true
	case ".py", ".pyi", ".pyw":
		return langPython, true
	case ".js", ".jsx", ".mjs", ".cjs":
		return langJavaScript, true
	case ".ts", ".mts", ".cts":
		return langTypeScript, true
	case ".tsx":
		return langTSX, true
	case ".rs":
		return langRust, true
	case ".c", ".h":
		return langC, true
	case ".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".inl", ".tpp":
		return langCPP, true
	case ".java":
		return langJava, true
	case ".lua":
		return langLua, true
	case ".sh", ".bash":
		return langBash, true
	}
	return nil, false
}
