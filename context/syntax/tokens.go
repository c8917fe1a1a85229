package syntax

import (
	"slices"
	"strings"
)

// Identifiers are the names that the text uses in from..to, each once, the one
// nearest to to first. Keywords and literals are none.
func (t *Tree) Identifiers(from, to int) []string {
	from, to = t.clamp(from, to)
	var found []span
	t.tokensIn(from, to, func(kind string, s span) {
		if kind == "identifier" && s.start >= from && s.end <= to {
			found = insert(found, s)
		}
	})
	seen := map[string]bool{}
	var names []string
	for _, s := range slices.Backward(found) {
		name := t.text[s.start:s.end]
		if name != "" && !seen[name] && len(names) < maxIdentifiers {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// InStringOrComment reports whether text typed at offset goes into a string or
// a comment. Code inside a string (`${here}`) is neither.
func (t *Tree) InStringOrComment(offset int) bool {
	offset, _ = t.clamp(offset, offset)
	innermost, kind := span{-1, -1}, ""
	t.tokensIn(max(offset-1, 0), offset, func(k string, s span) {
		inside := s.start < offset && offset < s.end
		if k == "comment" && s.start < offset && offset == s.end {
			inside = !strings.HasSuffix(t.text[s.start:s.end], "*/") // to the end of the line
		}
		if inside && k != "identifier" && s.start > innermost.start {
			innermost, kind = s, k
		}
	})
	if kind != "" {
		return kind != "code"
	}
	line := lineAt(t.text, offset)
	return t.ErrorsIn(line.start, line.end) > 0 && openQuote(t.text[line.start:offset], t.lang.quotes)
}

// openQuote reports whether a line that does not parse stops inside a string.
func openQuote(line, quotes string) bool {
	var open byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case open == 0 && strings.IndexByte(quotes, c) >= 0:
			open = c
		case c == open:
			open = 0
		}
	}
	return open != 0
}

func (t *Tree) tokensIn(from, to int, visit func(kind string, s span)) {
	v, ok := t.view()
	if !ok {
		return
	}
	defer v.close()
	t.lang.tokens.run(v, from, to, func(_ int, captures []capture) {
		for _, c := range captures {
			visit(c.name, span{c.start, c.end})
		}
	})
}

// clamp puts a range into the text.
func (t *Tree) clamp(from, to int) (int, int) {
	from = min(max(from, 0), len(t.text))
	return from, min(max(to, from), len(t.text))
}

// lineAt is the line around offset, without its end.
func lineAt(text string, offset int) span {
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	end := strings.IndexByte(text[offset:], '\n')
	if end < 0 {
		return span{start, len(text)}
	}
	return span{start, offset + end}
}
