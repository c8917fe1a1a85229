package retrieve

import (
	"slices"
	"strings"

	"tandem/context/syntax"
)

// site is a symbol of a file.
type site struct {
	*facts
	at int // in symbols
}

func (t site) symbol() *symbol { return &t.symbols[t.at] }

// define is where a target's item is defined.
func (s *search) define(t target) (site, bool) { return s.follow(t, map[string]bool{}) }

// follow goes through what files take out of others and hand on; seen are the
// places where it was already.
func (s *search) follow(t target, seen map[string]bool) (site, bool) {
	var files []*facts
	for _, file := range t.files {
		if f := s.fileAt(file); f != nil && len(seen) < maxFollowed && !seen[file+"\x00"+t.item] {
			seen[file+"\x00"+t.item] = true
			if at, ok := f.topLevel(t.item); ok {
				return site{f, at}, true
			}
			files = append(files, f)
		}
	}
	for _, f := range files {
		r := s.resolver(f)
		for _, m := range f.imports {
			for _, name := range m.Names {
				wanted := t.item
				if name.Name != "*" {
					if local(name) != t.item {
						continue
					}
					wanted = name.Name
				}
				next, ok := r.target(m.Path, wanted)
				if !ok || next.item == "" {
					continue
				}
				if found, ok := s.follow(next, seen); ok {
					return found, true
				}
			}
		}
	}
	return site{}, false
}

// moduleName is what a module goes by in the file that imports it.
func moduleName(m syntax.Import) string {
	if m.As != "" {
		return m.As
	}
	return m.Path[strings.LastIndexAny(m.Path, "./:")+1:]
}

// local is the name that what is imported goes by: in some languages the last
// step of a path.
func local(m syntax.Imported) string {
	if m.As != "" {
		return m.As
	}
	return m.Name[strings.LastIndexAny(m.Name, ":.")+1:]
}

// topLevel finds a symbol that others may take out of a file.
func (f *facts) topLevel(name string) (int, bool) {
	for i := range f.symbols {
		if f.symbols[i].name == name && f.isTopLevel(i) {
			return i, true
		}
	}
	return 0, false
}

func (f *facts) isTopLevel(i int) bool {
	s := &f.symbols[i]
	switch {
	case s.local || s.kind == syntax.Field || s.kind == syntax.Impl:
		return false
	case s.holder >= 0:
		return f.symbols[s.holder].kind == syntax.Module
	}
	return s.parent == "" || f.family == "lua" // which writes a module's functions so
}

// meanings says what names mean in files. It belongs to one goroutine and lives
// as long as its search.
type meanings struct {
	*search
	imported map[*facts]map[string]imported
	beside   map[string]map[string]site // by folder: what its files define
}

func newMeanings(s *search) meanings {
	return meanings{s, map[*facts]map[string]imported{}, map[string]map[string]site{}}
}

// imported is where a name that a file imports comes from.
type imported struct {
	target
	module bool // the name is the module's, not one out of it
}

// importedBy are the names that a file's imports define.
func (d *meanings) importedBy(f *facts) map[string]imported {
	if names, known := d.imported[f]; known {
		return names
	}
	names := map[string]imported{}
	r := d.resolver(f)
	for _, m := range f.imports {
		for _, name := range m.Names {
			if t, ok := r.target(m.Path, name.Name); ok && name.Name != "*" {
				names[local(name)] = imported{t, t.item == ""}
			}
		}
		if len(m.Names) > 0 && m.As == "" {
			continue
		}
		if t, ok := r.target(m.Path, ""); ok {
			names[moduleName(m)] = imported{t, t.item == ""}
		}
	}
	d.imported[f] = names
	return names
}

// meaning is what a name at the top of a file means there: something imported, or
// defined in the file or beside it.
func (d *meanings) meaning(f *facts, name, qualifier string) (site, bool) {
	names := d.importedBy(f)
	if qualifier != "" {
		from, ok := names[qualifier]
		if !ok {
			return site{}, false
		}
		if from.module {
			from.item = name
		}
		return d.define(from.target)
	}
	if from, ok := names[name]; ok && (!from.module || f.family == "javascript") {
		if from.module { // what a module exports by default has its name, if any
			from.item = name
		}
		if t, ok := d.define(from.target); ok {
			return t, true
		}
	}
	if at, ok := f.topLevel(name); ok {
		return site{f, at}, true
	}
	t, ok := d.definedBeside(f)[name]
	return t, ok
}

// definedBeside is what files define that f sees without an import.
func (d *meanings) definedBeside(f *facts) map[string]site {
	folder := folderOf(f.path)
	if isTest(f.path) {
		folder += " tests" // which see more
	}
	if names, known := d.beside[folder]; known {
		return names
	}
	names := map[string]site{}
	for _, file := range d.resolver(f).siblings() {
		g := d.fileAt(file)
		for i := 0; g != nil && i < len(g.symbols); i++ {
			if _, known := names[g.symbols[i].name]; !known && g.isTopLevel(i) {
				names[g.symbols[i].name] = site{g, i}
			}
		}
	}
	d.beside[folder] = names
	return names
}

// step is a part of what stands before a dot.
type step struct {
	name string
	call bool // parentheses follow it
}

// chainAt is the names before the dot at the end of text, "a", "b" and "c" of
// "a.b(x).c.": empty where there is no dot.
func chainAt(text string) []step {
	var chain []step
	for len(chain) < maxChain {
		rest := text
		for _, dot := range [...]string{"?.", ".", "->", "::"} {
			if cut, ok := strings.CutSuffix(text, dot); ok {
				rest = cut
				break
			}
		}
		if len(rest) == len(text) {
			break
		}
		call := strings.HasSuffix(rest, ")")
		if call {
			rest = rest[:opening(rest)]
		}
		word, start := wordBefore(rest, len(rest))
		if word == "" {
			return nil
		}
		chain, text = append(chain, step{word, call}), rest[:start]
	}
	slices.Reverse(chain)
	return chain
}

// opening is the offset of the bracket that the last one closes.
func opening(text string) int {
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// receiver is the type, or at least the definition, of what stands before the
// dot at the end of text. It follows declarations as they are written: no types
// are worked out.
func (d *meanings) receiver(text string) (site, bool) {
	chain := chainAt(text)
	if len(chain) == 0 {
		return site{}, false
	}
	names := d.importedBy(d.own)
	if from, ok := names[chain[0].name]; ok && from.module {
		if len(chain) == 1 {
			return site{}, false // a module, which has no one place: see [meanings.module]
		}
		from.item = chain[1].name
		t, ok := d.define(from.target)
		if !ok {
			return site{}, false
		}
		return d.walk(t, chain[2:])
	}
	if t, ok := d.base(text, chain[0]); ok {
		return d.walk(t, chain[1:])
	}
	return site{}, false
}

// module is the files of the module that stands before the dot at the end of text.
func (d *meanings) module(text string) []string {
	chain := chainAt(text)
	if len(chain) != 1 {
		return nil
	}
	if from, ok := d.importedBy(d.own)[chain[0].name]; ok && from.module {
		return from.files
	}
	return nil
}

// base is what the first name of a chain is.
func (d *meanings) base(text string, first step) (site, bool) {
	if first.name == "self" || first.name == "this" {
		return d.around()
	}
	if t, ok := d.meaning(d.own, first.name, ""); ok {
		return d.typeOf(t)
	}
	declared := -1
	eachWord(text, func(start, end int) {
		if text[start:end] == first.name && declares(text, start, end) {
			declared = start
		}
	})
	if declared < 0 {
		return site{}, false
	}
	from := strings.LastIndexByte(text[:declared], '\n') + 1
	line := text[from:endOf(text, declared, "\n")]
	// What follows the name, then what stands before it.
	for _, part := range [...]string{line[declared-from+len(first.name):], line[:declared-from]} {
		if t, ok := d.typeIn(d.own, part, false); ok {
			return t, true
		}
	}
	return site{}, false
}

// around is the innermost type that the cursor is in.
func (d *meanings) around() (site, bool) {
	best := -1
	for i := range d.own.symbols {
		if s := &d.own.symbols[i]; s.isType() && int(s.line) <= d.line && d.line < int(s.end)+1 {
			best = i
		}
	}
	return site{d.own, max(best, 0)}, best >= 0
}

// typeOf is a type itself, and of all else the type in its signature.
func (d *meanings) typeOf(t site) (site, bool) {
	s := t.symbol()
	if s.isType() || s.kind == syntax.Type {
		return t, true
	}
	return d.typeIn(t.facts, strings.Replace(s.signature, s.name, " ", 1), s.runs())
}

// typeIn is the type that a piece of f names: of a function's signature the
// last, where languages write what comes out, but for those that write it first.
func (d *meanings) typeIn(f *facts, text string, signature bool) (site, bool) {
	text = uncommented(f.family, text[:min(len(text), maxChunkBytes)]) // Python may quote types
	var found []site
	eachWord(text, func(start, end int) {
		if len(found) > maxChain || found != nil && !signature {
			return
		}
		t, ok := d.meaning(f, text[start:end], qualifierOf(text, start))
		if !ok {
			return
		}
		if !t.symbol().isType() && t.symbol().kind != syntax.Type {
			if signature || !t.symbol().runs() {
				return
			}
			if t, ok = d.typeOf(t); !ok {
				return
			}
		}
		found = append(found, t)
	})
	switch {
	case len(found) == 0:
		return site{}, false
	case signature && f.family != "java" && f.family != "c":
		return found[len(found)-1], true
	}
	return found[0], true
}

// walk goes from a type to what the names of a chain lead to.
func (d *meanings) walk(t site, chain []step) (site, bool) {
	for _, step := range chain {
		next, ok := d.member(t, step.name)
		if !ok {
			return site{}, false
		}
		t = next
	}
	return t, true
}

// member is the type of a type's member.
func (d *meanings) member(t site, name string) (site, bool) {
	for _, t := range d.lineage(t) {
		if found, ok := d.ownMember(t, name); ok {
			return d.typeOf(found)
		}
		if found, ok := d.ownField(t, name); ok {
			return found, true
		}
	}
	return site{}, false
}

// lineage is a type and what it is based on, the nearest first.
func (d *meanings) lineage(t site) []site {
	all := []site{t}
	for i := 0; i < len(all); i++ {
		t, s := all[i], all[i].symbol()
		signature := strings.Replace(s.signature, s.name, " ", 1)
		eachWord(signature, func(start, end int) {
			base, ok := d.meaning(t.facts, signature[start:end], qualifierOf(signature, start))
			if ok && base.symbol().isType() && len(all) < maxLineage && !slices.Contains(all, base) {
				all = append(all, base)
			}
		})
	}
	return all
}

// ownMember is what a type defines itself.
func (d *meanings) ownMember(t site, name string) (site, bool) {
	for _, f := range d.packageOf(t.facts) {
		for i := range f.symbols {
			if s := &f.symbols[i]; s.name == name && s.parent == t.symbol().name && !s.local {
				return site{f, i}, true
			}
		}
	}
	return site{}, false
}

// ownField is the type of a field that a class's own code makes.
func (d *meanings) ownField(t site, name string) (site, bool) {
	if t.family != "python" && t.family != "javascript" {
		return site{}, false
	}
	source, ok := d.read(t.path)
	if !ok {
		return site{}, false
	}
	line, end, _, ok := source.locate(t.facts, t.symbol())
	for n := line; ok && n < min(end, source.Lines()); n++ {
		text := strings.TrimLeft(source.Line(n), " \t")
		for _, self := range [...]string{"self.", "this."} {
			rest, own := strings.CutPrefix(text, self+name)
			if !own || rest == "" || isWord(rest[0]) || !declares(text, len(self), len(self)+len(name)) {
				continue
			}
			if found, ok := d.typeIn(t.facts, rest, false); ok {
				return found, true
			}
			return d.parameter(source, n, rest, t.facts)
		}
	}
	return site{}, false
}

// parameter is the type of a field that is set to a parameter, whose type the
// lines above say.
func (d *meanings) parameter(source *reading, line int, value string, f *facts) (site, bool) {
	value = strings.TrimLeft(value, " =")
	end := 0
	for end < len(value) && isWord(value[end]) {
		end++
	}
	for n := line; n >= max(line-headLines, 0) && end > 0; n-- {
		text := source.Line(n)
		if at := strings.Index(text, value[:end]+":"); at >= 0 {
			return d.typeIn(f, text[at+end:], false)
		}
	}
	return site{}, false
}

// packageOf is the files in which members of a type of f may stand.
func (d *meanings) packageOf(f *facts) []*facts {
	files := []*facts{f}
	if f.family == "go" {
		for _, file := range d.resolver(f).siblings() {
			if g := d.fileAt(file); g != nil {
				files = append(files, g)
			}
		}
	}
	return files
}
