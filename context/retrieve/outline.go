package retrieve

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tandem/context/syntax"
)

// Of the retrievers that show outlines.
const (
	maxOutlines   = 12  // files whose outline one retriever gives
	moduleFiles   = 3   // of one imported package
	weightModule  = 0.3 // of an import that nothing near the cursor uses
	outlineIndent = "    "
)

// outlined is a file by what speaks for its outline.
type outlined struct {
	*facts
	weight float64
}

// imports is the retriever of what the imported files define.
func (s *search) imports(ctx context.Context) []Chunk {
	near := map[string]float64{}
	for _, in := range s.interests() {
		near[in.name] = max(near[in.name], in.weight)
	}
	var list []outlined
	r := s.resolver(s.own)
	for _, m := range s.own.imports {
		if ctx.Err() != nil {
			return nil
		}
		weight := max(weightModule, near[moduleName(m)])
		files := map[string]bool{}
		if len(m.Names) == 0 {
			list = s.appendOutlined(list, r, m.Path, "", weight, near, files)
		}
		for _, name := range m.Names {
			list = s.appendOutlined(list, r, m.Path, name.Name, max(weight, near[local(name)]), near, files)
		}
	}
	slices.SortStableFunc(list, func(a, b outlined) int { return cmp.Compare(b.weight, a.weight) })
	var chunks []Chunk
	seen := map[string]bool{s.Path: true}
	for _, o := range list {
		if ctx.Err() != nil || len(chunks) == maxOutlines {
			break
		}
		if text := o.outline(s.limit); text != "" && !seen[o.path] {
			chunks = append(chunks, Chunk{file: o.path, Text: text, End: o.lines})
		}
		seen[o.path] = true
	}
	return chunks
}

// moduleName is what a module goes by in the file that imports it.
func moduleName(m syntax.Import) string {
	if m.As != "" {
		return m.As
	}
	return m.Path[strings.LastIndexAny(m.Path, "./:")+1:]
}

// appendOutlined adds the files that an import means. Of a package of many it
// takes those that define most of what is named near the cursor.
func (s *search) appendOutlined(list []outlined, r resolver, module, name string, weight float64, near map[string]float64, seen map[string]bool) []outlined {
	t, _ := r.target(module, name)
	var found []outlined
	for _, file := range t.files {
		f := s.fileAt(file)
		if f == nil || seen[f.path] {
			continue
		}
		seen[f.path] = true
		o := outlined{facts: f}
		for i := range f.symbols {
			if f.symbols[i].holder < 0 {
				o.weight += near[f.symbols[i].name]
			}
		}
		found = append(found, o)
	}
	slices.SortStableFunc(found, func(a, b outlined) int { return cmp.Compare(b.weight, a.weight) })
	for _, o := range found[:min(len(found), moduleFiles)] {
		list = append(list, outlined{o.facts, weight})
	}
	return list
}

// outline is the signatures of a file that others see, at most most bytes in
// whole lines. Where that is too little, fields and variables are left out, then
// all that is in something else.
func (f *facts) outline(most int) string {
	for _, wanted := range []func(*symbol) bool{
		func(*symbol) bool { return true },
		func(s *symbol) bool {
			return s.kind != syntax.Field && s.kind != syntax.Variable && s.kind != syntax.Constant
		},
	} {
		if text := f.outlineOf(most, wanted); len(text) <= most {
			return text
		}
	}
	text := f.outlineOf(most, func(s *symbol) bool { return s.holder < 0 && (s.isType() || s.runs()) })
	return text[:strings.LastIndexByte(text[:min(len(text), most)], '\n')+1]
}

// outlineOf stops at the first line that goes beyond most.
func (f *facts) outlineOf(most int, wanted func(*symbol) bool) string {
	var b strings.Builder
	depths := make([]int, len(f.symbols))
	last := int32(-1) // two names of one definition are one line
	for i := range f.symbols {
		s := &f.symbols[i]
		if s.holder >= 0 {
			depths[i] = depths[s.holder] + 1
		}
		if s.local || s.isPrivate(f.family) || !wanted(s) || s.line == last && s.kind == syntax.Field {
			continue
		}
		last = s.line
		b.WriteString(s.shown(strings.Repeat(outlineIndent, min(depths[i], maxDepth))))
		b.WriteByte('\n')
		if b.Len() > most {
			break
		}
	}
	return b.String()
}

// isPrivate reports whether other files are not meant to use a symbol, or cannot
// see more of it than its beginning.
func (s *symbol) isPrivate(family string) bool {
	if !s.runs() && !s.isType() && strings.HasSuffix(s.signature, "[") {
		return true
	}
	switch family {
	case "python":
		return strings.HasPrefix(s.name, "_") && s.name != "__init__" && s.name != "__call__"
	case "go":
		first, _ := utf8.DecodeRuneInString(s.name)
		return !unicode.IsUpper(first)
	}
	return strings.HasPrefix(s.name, "#")
}
