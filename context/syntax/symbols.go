package syntax

import (
	"slices"
	"strings"
)

// Symbol is a definition that has a name.
type Symbol struct {
	Name       string
	Kind       Kind
	Parent     string // name of what it is defined in, or of its receiver; "" for none
	Start, End int    // of the whole definition
	Signature  string // the header on one line, at most 240 bytes

	depth int  // how many definitions are around it
	local bool // in code that runs
}

// facts are worked out by the first question that wants them.
func (t *Tree) facts() ([]definition, []Import) {
	t.factsOnce.Do(func() {
		if v, ok := t.view(); ok {
			defer v.close()
			t.defs, t.imports = t.lang.collect(v, 0, len(t.text))
		}
	})
	return t.defs, t.imports
}

// Symbols are the definitions of the text in their order: functions, methods,
// types, fields, top-level constants and variables. The variables of a function
// are not among them.
func (t *Tree) Symbols() []Symbol {
	defs, _ := t.facts()
	var symbols []Symbol
	var around []definition // from the outside in
	for _, d := range defs {
		for len(around) > 0 && around[len(around)-1].end <= d.start {
			around = around[:len(around)-1]
		}
		symbols = append(symbols, symbolsOf(d, around, t.text)...)
		if len(around) < maxScopes {
			around = append(around, d)
		}
	}
	return symbols
}

// symbolsOf gives a definition's symbols, one for each name.
func symbolsOf(d definition, around []definition, text string) []Symbol {
	s := Symbol{Kind: d.kind, Parent: d.receiver, Start: d.start, End: d.end, depth: len(around)}
	s.local = slices.ContainsFunc(around, func(a definition) bool { return a.kind.runs() })
	if n := len(around); n > 0 {
		parent := around[n-1]
		if parent.kind.runs() && (d.kind == Variable || d.kind == Constant) {
			return nil
		}
		if parent.kind == Field && d.kind == Field {
			return nil // of an enumerator, which shows them itself
		}
		if d.kind == Function && parent.kind.holds() {
			s.Kind = Method
		}
		if s.Parent == "" {
			s.Parent = parent.name(text)
		}
	}
	var symbols []Symbol
	for _, name := range d.names {
		if s.Name = text[name.start:name.end]; s.Name == "" {
			continue // made up by the parser
		}
		if s.Signature == "" {
			s.Signature = d.header(text)
		}
		symbols = append(symbols, s)
	}
	return symbols
}

// Outline is what a reader of another file should see of this one: the
// signatures in their order, one a line, indented by what they are in, at most
// most bytes in whole lines. Where that is too little, fields and variables are
// left out first.
func (t *Tree) Outline(most int) string {
	symbols := t.Symbols()
	text := outline(symbols, most, func(Symbol) bool { return true })
	if len(text) > most {
		text = outline(symbols, most, func(s Symbol) bool { return s.Kind != Field && s.Kind != Variable && s.Kind != Constant })
	}
	if len(text) > most {
		text = text[:strings.LastIndexByte(text[:most], '\n')+1]
	}
	return text
}

// outline stops at the first line that goes beyond most.
func outline(symbols []Symbol, most int, wanted func(Symbol) bool) string {
	var b strings.Builder
	last := -1 // where the symbol before began: two names of one definition are one line
	for _, s := range symbols {
		if s.local || s.Start == last || !wanted(s) {
			continue
		}
		last = s.Start
		b.WriteString(strings.Repeat("  ", s.depth))
		b.WriteString(s.Signature)
		b.WriteByte('\n')
		if b.Len() > most {
			break
		}
	}
	return b.String()
}
