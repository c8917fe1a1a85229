package retrieve

import (
	"encoding/json"
	"hash/maphash"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"tandem/context/syntax"
	"tandem/context/workspace"
)

// facts are what the index keeps of one text: no text and no tree, so that they
// may be older than the text that a query sees. They never change.
type facts struct {
	path    string
	family  string
	hash    uint64 // of the text
	lines   int
	symbols []symbol
	imports []syntax.Import
	module  string // that a manifest (go.mod, Cargo.toml, package.json) gives its folder

	// blocks holds hashes of the words of each blockLines lines, ascending;
	// those of block i begin at starts[i].
	blocks []uint32
	starts []int32
	words  []uint32 // of all blocks, ascending

	id int32 // in the index
}

// symbol is a definition by lines, which outlive an edit better than offsets do.
type symbol struct {
	name      string
	parent    string // what it belongs to, as syntax.Symbol has it
	signature string
	kind      syntax.Kind
	line, end int32  // end is not included
	first     uint32 // hashes of the first and the last line, by which they are
	last      uint32 // found again in a text that changed
	holder    int32  // index of the symbol around it, -1 for none
	local     bool   // in code that runs
}

// isType reports whether other symbols are members of this one.
func (s *symbol) isType() bool {
	switch s.kind {
	case syntax.Class, syntax.Struct, syntax.Interface, syntax.Enum, syntax.Trait, syntax.Impl, syntax.Module:
		return true
	}
	return false
}

func (s *symbol) runs() bool { return s.kind == syntax.Function || s.kind == syntax.Method }

var hashSeed = maphash.MakeSeed()

// newFacts reads a text. It parses, which may take as long as syntax.DefaultLimit;
// a text without a grammar, or one that it fails at, has words only.
func newFacts(path, language, text string) *facts {
	f := &facts{path: strings.Clone(path), hash: maphash.String(hashSeed, text)}
	var lang *syntax.Language
	f.family, lang = familyOf(language, path)
	lines, err := workspace.NewText(text)
	if err != nil || isGenerated(lines) {
		return f
	}
	f.lines = lines.Lines()
	f.module = moduleIn(filepath.Base(path), text)
	if lang != nil {
		if tree, err := syntax.Parse(lang, text, syntax.Options{}); err == nil {
			f.imports = importsOf(tree)
			f.symbols = symbolsOf(tree, lines)
			tree.Close()
		}
	}
	f.count(text, lines)
	return f
}

// isGenerated reports whether lines are too long to be written by people.
func isGenerated(t workspace.Text) bool { return t.Len()/t.Lines() > maxMeanLine }

func importsOf(tree *syntax.Tree) []syntax.Import {
	imports := tree.Imports()
	imports = slices.Clip(imports[:min(len(imports), maxImports)])
	for i := range imports {
		m := &imports[i]
		m.Path, m.As = strings.Clone(m.Path), strings.Clone(m.As)
		var names []syntax.Imported
		for _, name := range m.Names {
			names = appendNames(names, "", strings.Clone(name.Name), strings.Clone(name.As), maxDepth)
		}
		m.Names = slices.Clip(names)
	}
	return imports
}

// appendNames adds an imported name, or the several of "a::{b, c as d}", which
// Rust nests.
func appendNames(names []syntax.Imported, path, name, as string, depth int) []syntax.Imported {
	inner, list := strings.CutSuffix(name, "}")
	prefix, inner, _ := strings.Cut(inner, "{")
	if len(names) >= maxImports || depth == 0 {
		return names
	}
	if !list {
		return append(names, syntax.Imported{Name: path + name, As: as})
	}
	level, from := 0, 0
	for i := 0; i <= len(inner); i++ {
		switch {
		case i == len(inner) || inner[i] == ',' && level == 0:
			name, as := strings.TrimSpace(inner[from:i]), ""
			if !strings.HasSuffix(name, "}") {
				name, as, _ = strings.Cut(name, " as ")
			}
			if from = i + 1; name != "" {
				names = appendNames(names, path+prefix, name, as, depth-1)
			}
		case inner[i] == '{':
			level++
		case inner[i] == '}':
			level--
		}
	}
	return names
}

func symbolsOf(tree *syntax.Tree, lines workspace.Text) []symbol {
	all := tree.Symbols()
	all = all[:min(len(all), maxSymbols)]
	symbols := make([]symbol, 0, len(all))
	var around []int32 // from the outside in
	for i, s := range all {
		for n := len(around); n > 0 && all[around[n-1]].End <= s.Start; n-- {
			around = around[:n-1]
		}
		out := symbol{kind: s.Kind, signature: strings.Clone(headerOf(s.Signature)), holder: -1}
		if at := strings.Index(out.signature, s.Name); at >= 0 {
			out.name = out.signature[at : at+len(s.Name)]
		} else {
			out.name = strings.Clone(s.Name)
		}
		out.line, out.end = int32(lines.LineOf(s.Start)), int32(lines.LineOf(max(s.End-1, s.Start))+1)
		out.first, out.last = hashLine(lines.Line(int(out.line))), hashLine(lines.Line(int(out.end)-1))
		for _, a := range around {
			out.local = out.local || symbols[a].runs()
		}
		if n := len(around); n > 0 && all[around[n-1]].Start < s.Start { // two names of one definition are side by side
			out.holder = around[n-1]
		} else if n > 0 {
			out.holder = symbols[around[n-1]].holder
		}
		out.parent = parentOf(s.Parent, out.holder, symbols)
		symbols = append(symbols, out)
		around = append(around, int32(i))
		if len(around) > maxDepth {
			around = around[:maxDepth]
		}
	}
	return symbols
}

// headerOf takes off the comment between a header and the first statement of
// its block, which Python's grammar has in neither.
func headerOf(signature string) string {
	if i := strings.Index(signature, ": # "); i >= 0 {
		return signature[:i+1]
	}
	return signature
}

func parentOf(name string, holder int32, symbols []symbol) string {
	if holder >= 0 && symbols[holder].name == name {
		return symbols[holder].name
	}
	return strings.Clone(name)
}

func hashLine(line string) uint32 { return hashWord(strings.TrimSpace(line)) }

// count fills in the words, but for those of imports, in which all files are alike.
func (f *facts) count(text string, lines workspace.Text) {
	text = uncommented(f.family, text)
	skip := map[int]bool{}
	for _, m := range f.imports {
		for n := lines.LineOf(m.Start); n <= lines.LineOf(m.End-1); n++ {
			skip[n] = true
		}
	}
	var block []uint32
	for n := 0; n < lines.Lines() && n < maxWordLines; n++ {
		if n%blockLines == 0 {
			f.closeBlock(block)
			block = block[:0]
		}
		if !skip[n] {
			block = appendWords(block, text[lines.LineStart(n):lines.LineStart(n+1)])
		}
	}
	f.closeBlock(block)
	f.words = slices.Clone(f.blocks)
	slices.Sort(f.words)
	f.words = slices.Clip(slices.Compact(f.words))
	f.blocks, f.starts = slices.Clip(f.blocks), slices.Clip(f.starts)
}

// closeBlock ends a block and begins the next one.
func (f *facts) closeBlock(block []uint32) {
	slices.Sort(block)
	f.blocks = append(f.blocks, slices.Compact(block)...)
	f.starts = append(f.starts, int32(len(f.blocks)))
}

// block is the words of block i, none if it is not there.
func (f *facts) block(i int) []uint32 {
	if i < 0 || i+1 >= len(f.starts) {
		return nil
	}
	return f.blocks[f.starts[i]:f.starts[i+1]]
}

func appendWords(words []uint32, line string) []uint32 {
	eachWord(line, func(start, end int) {
		if end-start >= minWordBytes {
			words = append(words, hashWord(line[start:end]))
		}
	})
	return words
}

// size is about the memory that facts take, what the index has for them included.
func (f *facts) size() int64 {
	n := int(unsafe.Sizeof(*f)) + len(f.path) + 4*(len(f.blocks)+len(f.starts)+len(f.words)) + indexEntryBytes*(len(f.words)+1)
	for i := range f.symbols {
		n += int(unsafe.Sizeof(symbol{})) + len(f.symbols[i].signature) + indexEntryBytes
	}
	for i := range f.imports {
		n += int(unsafe.Sizeof(syntax.Import{})) + len(f.imports[i].Path)
		for _, name := range f.imports[i].Names {
			n += int(unsafe.Sizeof(name)) + len(name.Name) + len(name.As)
		}
	}
	return int64(n)
}

// isManifest reports whether a file gives its folder a name that imports use.
func isManifest(base string) bool {
	return base == "go.mod" || base == "Cargo.toml" || base == "package.json"
}

// moduleIn is the name that a manifest gives its folder.
func moduleIn(base, text string) string {
	switch base {
	case "go.mod":
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
				return strings.Clone(strings.Trim(fields[1], "\"`"))
			}
		}
	case "Cargo.toml":
		_, section, _ := strings.Cut(text, "[package]")
		for line := range strings.Lines(section) {
			key, value, _ := strings.Cut(line, "=")
			if strings.TrimSpace(key) == "name" {
				return strings.ReplaceAll(strings.Trim(strings.TrimSpace(value), `"'`), "-", "_") // as code spells it
			}
		}
	case "package.json":
		var manifest struct {
			Name string `json:"name"`
		}
		if json.Unmarshal([]byte(text), &manifest) == nil {
			return manifest.Name
		}
	}
	return ""
}
