package syntax

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// definition is what the matches at one node say together.
type definition struct {
	kind       Kind
	pattern    int // that gave the kind: the first in the file wins
	start, end int
	body       int    // where it begins; it reaches to end. -1: none
	names      []span // more than one in "ID, Owner string"
	prefixes   []span // words around the node that belong to its header
	receiver   string // the type of a method that is written outside of it
}

type span struct{ start, end int }

// collect asks for the definitions and imports that touch from..to. Definitions
// come by where they begin, an outer one before what is in it.
func (l *Language) collect(v view, from, to int) ([]definition, []Import) {
	byNode := map[span]*definition{}
	imports := importList{text: v.text, at: map[int]int{}}
	l.defs.run(v, from, to, func(pattern int, captures []capture) {
		if !imports.add(captures) {
			merge(byNode, v.text, pattern, captures)
		}
	})
	var defs []definition
	for _, d := range byNode {
		if d.kind != "" && !(d.kind == Variable && imports.has(d.start, d.end)) {
			defs = append(defs, *d)
		}
	}
	slices.SortFunc(defs, func(a, b definition) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	return joinBodies(defs), imports.list
}

// merge adds a match to the definition that it is about.
func merge(byNode map[span]*definition, text string, pattern int, captures []capture) {
	i := slices.IndexFunc(captures, func(c capture) bool { return c.name == "def" || strings.HasPrefix(c.name, "def.") })
	if i < 0 {
		return
	}
	node := span{captures[i].start, captures[i].end}
	d := byNode[node]
	if d == nil {
		d = &definition{start: node.start, end: node.end, body: -1}
		byNode[node] = d
	}
	for _, c := range captures {
		at := span{c.start, c.end}
		switch c.name {
		case "def":
		case "name":
			d.names = insert(d.names, at)
		case "prefix":
			d.prefixes = insert(d.prefixes, at)
		case "body":
			if d.body < 0 && at.start > d.start { // a missing body is empty, where the node ends
				d.body = at.start
			}
		case "receiver":
			d.receiver = text[c.start:c.end]
		default:
			if d.kind == "" || pattern < d.pattern {
				d.kind, d.pattern = Kind(strings.TrimPrefix(c.name, "def.")), pattern
			}
		}
	}
}

// insert keeps spans ordered and free of doubles.
func insert(spans []span, s span) []span {
	i, found := slices.BinarySearchFunc(spans, s, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	if found {
		return spans
	}
	return slices.Insert(spans, i, s)
}

// joinBodies makes one definition of two that have one body: "const f = () => …"
// is a function and a closure in it, "typedef struct x { … } y" two names of a type.
func joinBodies(defs []definition) []definition {
	byBody := map[int]int{} // the start of a body → index in out
	out := defs[:0]
	for _, d := range defs {
		if i, seen := byBody[d.body]; seen && d.body >= 0 {
			for _, name := range d.names {
				out[i].names = insert(out[i].names, name)
			}
			continue
		}
		byBody[d.body] = len(out)
		out = append(out, d)
	}
	return out
}

// header is the text of a definition without its body, on one line.
func (d *definition) header(text string) string {
	end := d.end
	if d.body >= 0 {
		end = d.body
	}
	own := text[d.start:end]
	if d.kind == Variable || d.kind == Constant || d.kind == Field {
		own, _, _ = strings.Cut(own, "\n") // a value may go on for pages
	}
	var parts []string
	size := 0
	for _, p := range d.prefixes {
		parts = append(parts, text[p.start:min(p.end, p.start+maxSignature)])
	}
	parts = append(parts, own[:min(len(own), 2*maxSignature)])
	for _, name := range d.names {
		if d.body >= 0 && name.start > d.body { // typedef struct { … } name
			parts = append(parts, text[name.start:name.end])
		}
	}
	var words []string
	for _, part := range parts {
		for word := range strings.FieldsSeq(part) {
			if size > maxSignature {
				break
			}
			words = append(words, word)
			size += len(word) + 1
		}
	}
	line := strings.ToValidUTF8(strings.Join(words, " "), "") // parts may be cut in a character
	return strings.TrimRight(cut(line, maxSignature), " ,;")
}

// cut shortens s to at most most bytes, in whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const dots = "…"
	most -= len(dots)
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + dots
}

// name is the first one; a closure has none.
func (d *definition) name(text string) string {
	if len(d.names) == 0 {
		return ""
	}
	return text[d.names[0].start:d.names[0].end]
}
