package syntax

import (
	"slices"
	"strings"
)

// Import is one module or file that the text asks for.
type Import struct {
	Path       string     // as written; without quotes, but with the brackets of <stdio.h>
	As         string     // the name it goes by here, if the text gives it one
	Names      []Imported // that are taken out of it
	Start, End int        // of the statement, or of its part
}

// Imported is a name taken out of a module; "*" stands for all of them.
type Imported struct {
	Name string
	As   string // the name it goes by here, if that is another
}

// Imports are the imports of the text in their order, wherever they stand.
func (t *Tree) Imports() []Import {
	_, imports := t.facts()
	return slices.Clone(imports)
}

// importList joins matches: each name of "from m import a, b" is one.
type importList struct {
	text string
	list []Import
	at   map[int]int // where the path stands → index in list
}

// add takes a match if it is an import's.
func (l *importList) add(captures []capture) bool {
	var node, path, name, as *capture
	for i := range captures {
		switch c := &captures[i]; c.name {
		case "import":
			node = c
		case "path":
			path = c
		case "imported":
			name = c
		case "as":
			as = c
		}
	}
	if node == nil || path == nil {
		return node != nil
	}
	i, seen := l.at[path.start]
	if !seen {
		i = len(l.list)
		l.at[path.start] = i
		l.list = append(l.list, Import{Path: unquote(l.of(path)), Start: node.start, End: node.end})
	}
	m := &l.list[i]
	m.Start, m.End = min(m.Start, node.start), max(m.End, node.end)
	switch {
	case name != nil:
		imported := Imported{Name: l.of(name), As: l.of(as)}
		if !slices.Contains(m.Names, imported) {
			m.Names = append(m.Names, imported)
		}
	case as != nil && m.As == "":
		m.As = l.of(as)
	}
	return true
}

// has reports whether an import lies at start..end: "const fs = require("fs")"
// defines nothing of its own.
func (l *importList) has(start, end int) bool {
	return slices.ContainsFunc(l.list, func(m Import) bool { return m.Start == start && m.End == end })
}

func (l *importList) of(c *capture) string {
	if c == nil {
		return ""
	}
	return l.text[c.start:c.end]
}

// unquote takes off quotes; what is escaped inside stays so.
func unquote(s string) string {
	if len(s) >= 2 && strings.IndexByte("\"'`", s[0]) >= 0 && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
