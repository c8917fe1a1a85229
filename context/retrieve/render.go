package retrieve

import (
	"cmp"
	"slices"
	"strings"

	"tandem/context/syntax"
	"tandem/context/workspace"
)

// Of what is rendered.
const (
	wholeLines    = 12 // a definition of so many lines is shown whole
	headLines     = 24 // of source, of a signature that is too long for one
	maxMembers    = 96 // of a type that are looked at
	maxOwnFields  = 24 // "self.x = …" in a class
	ownFieldBytes = 80
)

// render shows a definition: whole if it is short, else what one needs to use
// it. members are those of a type that are wanted, by their index.
func (d *defining) render(t site, members map[int]bool) (Chunk, bool) {
	s := t.symbol()
	source, ok := d.read(t.path)
	if !ok {
		return Chunk{}, false
	}
	line, end, whole, found := source.locate(t.facts, s)
	if found && d.isShown(t.path, line, end) || !found && t.path == d.Path {
		return Chunk{}, false
	}
	c := Chunk{file: t.path}
	if found {
		c.Start, c.End = line, end
	}
	if whole && end-line <= wholeLines {
		if text := source.lines(line, end, d.limit+1); strings.Count(text, "\n") == end-line {
			c.Text, c.verbatim = text, true
			return c, true
		}
	}
	if s.isType() {
		c.Text = d.renderType(t, source, members)
		return c, true
	}
	c.Text = d.header(t.facts, t.at, source) + "\n"
	return c, true
}

// header is a symbol's signature with its indentation. One that is too long for
// a signature is taken out of the source.
func (d *defining) header(f *facts, at int, source *reading) string {
	s := &f.symbols[at]
	line, end, _, found := source.locate(f, s)
	if !found {
		return s.shown("")
	}
	first := source.Line(line)
	indent := first[:indentOf(first)]
	if isBalanced(s.signature) {
		return s.shown(indent)
	}
	var words []string
	size, depth := 0, 0
	for n := line; n < min(end, line+headLines) && size < d.limit; n++ {
		text, _, _ := strings.Cut(source.Line(n), "  "+commentOf(f.family))
		words = append(words, strings.Fields(text)...)
		size += len(text)
		depth += strings.Count(text, "(") - strings.Count(text, ")")
		if depth <= 0 && n > line {
			break
		}
	}
	return strings.ToValidUTF8(indent+strings.Join(words, " "), "\uFFFD")
}

func isBalanced(signature string) bool {
	return strings.Count(signature, "(") <= strings.Count(signature, ")")
}

// shown is the signature as a line, with a line above it for each decorator that
// says how the symbol is used.
func (s *symbol) shown(indent string) string {
	var b strings.Builder
	rest := s.signature
	for strings.HasPrefix(rest, "@") {
		end := 1
		for end < len(rest) && (isWord(rest[end]) || rest[end] == '.') {
			end++
		}
		name := rest[1:end]
		if end < len(rest) && rest[end] == '(' {
			end = closing(rest, end)
		}
		if slices.Contains(shownDecorators, name) {
			b.WriteString(indent + rest[:end] + "\n")
		}
		rest = strings.TrimLeft(rest[end:], " ")
	}
	b.WriteString(indent + rest)
	return b.String()
}

// shownDecorators change how something is called; the others are its own affair.
var shownDecorators = []string{"property", "staticmethod", "classmethod", "dataclass", "dataclasses.dataclass", "cached_property",
	"functools.cached_property", "contextmanager", "contextlib.contextmanager"}

// closing is the offset behind the bracket that closes the one at open, or the end.
func closing(text string, open int) int {
	depth := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// member is a line about a type.
type member struct {
	text string
	rank int // the less the more wanted
	file int // of the type's files
	line int
}

// renderType shows a type's header and of its members what has room: those that
// are wanted, what it is made by, fields, methods; private ones last.
func (d *defining) renderType(t site, source *reading, wanted map[int]bool) string {
	head := d.header(t.facts, t.at, source)
	members := d.members(t, source, wanted)
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.rank, b.rank) })
	room := d.limit - len(head) - 1
	kept := members[:0]
	for _, m := range members {
		if len(m.text)+1 > room {
			continue
		}
		room -= len(m.text) + 1
		kept = append(kept, m)
	}
	slices.SortStableFunc(kept, func(a, b member) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line)) })
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, m := range kept {
		b.WriteString(m.text + "\n")
	}
	return b.String()
}

// members are the members of a type by its file, and in a language whose methods
// stand anywhere in the package, by the other files.
func (d *defining) members(t site, source *reading, wanted map[int]bool) []member {
	name := t.symbol().name
	var all []member
	for i, f := range d.packageOf(t.facts) {
		last := int32(-1)
		for at := range f.symbols {
			s := &f.symbols[at]
			inside := f == t.facts && s.holder == int32(t.at)
			if !inside && (s.holder >= 0 && f.symbols[s.holder].kind != syntax.Impl || s.parent != name || s.local) || len(all) == maxMembers {
				continue
			}
			if s.kind == syntax.Field && s.line == last {
				continue // two names of one definition
			}
			last = s.line
			m := member{text: s.signature, rank: rankOf(s, f == t.facts && wanted[at]), file: i, line: int(s.line)}
			if f == t.facts {
				m.text = d.header(f, at, source)
			}
			all = append(all, m)
		}
	}
	if f := t.facts; f.family == "python" || f.family == "javascript" {
		all = append(all, ownFields(t.symbol(), source.Text)...)
	}
	return all
}

func rankOf(s *symbol, wanted bool) int {
	switch {
	case wanted:
		return 0
	case s.name == "__init__" || s.name == "constructor" || s.name == "new":
		return 1
	case s.kind == syntax.Field:
		return 2
	case strings.HasPrefix(s.name, "_") || strings.HasPrefix(s.name, "#"):
		return 5
	}
	return 3
}

// ownFields are the fields that a class's own code makes: "self.x = …".
func ownFields(s *symbol, text workspace.Text) []member {
	var fields []member
	seen := map[string]bool{}
	for n := int(s.line); n < min(int(s.end), text.Lines()) && len(fields) < maxOwnFields; n++ {
		line := text.Line(n)
		own := strings.TrimLeft(line, " \t")
		rest, ok := strings.CutPrefix(own, "self.")
		if !ok {
			rest, ok = strings.CutPrefix(own, "this.")
		}
		end := 0
		for end < len(rest) && isWord(rest[end]) {
			end++
		}
		name := rest[:end]
		rest = strings.TrimLeft(rest[end:], " ")
		if !ok || name == "" || seen[name] || !strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, "==") {
			continue
		}
		seen[name] = true
		if len(line) > ownFieldBytes {
			line = strings.ToValidUTF8(line[:ownFieldBytes], "") + "…"
		}
		rank := 4
		if strings.HasPrefix(name, "_") {
			rank = 5
		}
		fields = append(fields, member{text: line, rank: rank, line: n})
	}
	return fields
}
