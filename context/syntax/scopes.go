package syntax

import (
	"slices"

	sitter "github.com/smacker/go-tree-sitter"
)

// Scope is a definition around a place.
type Scope struct {
	Kind       Kind
	Name       string // "" for a closure
	Start, End int
	Body       int    // where it begins: Start..Body is the header, Body..End the body
	Header     string // on one line, at most 240 bytes
}

// Scopes are the definitions around offset from the outside in. One whose header
// is being written in the line of offset is not around it yet.
//
// An unfinished line can make the parser lose what is around it. Then a text
// without that line is asked, and if that is not enough, one that ends there with
// everything closed. In such a text the line's own closures are taken on trust,
// and a Scope whose end nobody knows ends at offset. The options are for parsing
// those, twice at most.
func (t *Tree) Scopes(offset int, o Options) []Scope {
	v, ok := t.view()
	if !ok {
		return nil
	}
	defer v.close()
	offset, _ = t.clamp(offset, offset)
	best := t.lang.scopesAt(v, offset)
	if t.lang.blocks != indents && v.sound(offset) {
		return best
	}
	inLine := slices.DeleteFunc(slices.Clone(best), func(s Scope) bool {
		return s.Kind != Closure || s.Start < lineAt(t.text, offset).start
	})
	for _, r := range repairs(t.lang, t.text, offset) {
		scopes, sound := t.repaired(r, offset, o)
		if sound {
			return append(scopes, inLine...)
		}
		if len(scopes) > len(best) {
			best = scopes
		}
	}
	return best
}

// repaired asks a repaired text.
func (t *Tree) repaired(r repair, offset int, o Options) (scopes []Scope, sound bool) {
	tree, err := t.Edit(r.text, o)
	if err != nil {
		return nil, false
	}
	defer tree.Close()
	v, _ := tree.view()
	defer v.close()
	scopes = t.lang.scopesAt(v, r.offset)
	for i := range scopes {
		switch s := &scopes[i]; {
		case r.cut:
			s.End = offset
		case s.End >= r.offset:
			s.End = min(max(s.End-(len(r.text)-len(t.text)), offset), len(t.text))
		}
	}
	return scopes, v.sound(r.offset)
}

// scopesAt is what one tree says.
func (l *Language) scopesAt(v view, offset int) []Scope {
	defs, _ := l.collect(v, offset, min(offset+1, len(v.text)))
	line := lineAt(v.text, offset)
	var scopes []Scope
	for i := range defs {
		d := &defs[i]
		inside := d.start < offset && (offset < d.end || offset == d.end && l.blocks == indents)
		writing := d.start >= line.start && offset <= d.body
		if !inside || writing || d.body < 0 || len(scopes) == maxScopes {
			continue
		}
		s := Scope{Kind: d.kind, Name: d.name(v.text), Start: d.start, End: d.end, Body: d.body, Header: d.header(v.text)}
		if n := len(scopes); n > 0 && s.Kind == Function && scopes[n-1].Kind.holds() {
			s.Kind = Method
		}
		scopes = append(scopes, s)
	}
	return scopes
}

// sound reports whether the top-level node around offset parses.
func (v view) sound(offset int) bool {
	root := v.tree.RootNode()
	if !root.HasError() {
		return true
	}
	if root.IsError() {
		return false
	}
	cursor := sitter.NewTreeCursor(root)
	defer cursor.Close()
	if cursor.GoToFirstChildForByte(uint32(max(offset-1, 0))) < 0 {
		return false
	}
	return !cursor.CurrentNode().HasError()
}
