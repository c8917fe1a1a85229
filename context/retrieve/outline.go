package retrieve

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"tandem/context/syntax"
)

const outlineIndent = "    "

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
