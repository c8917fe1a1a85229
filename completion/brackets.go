package completion

import (
	"slices"
	"strings"
)

// readAround finds what is open at the cursor and where the text behind it ends
// that.
func (r *rule) readAround(before, after string) {
	if r.lexis.unknown {
		before, after = r.left, r.rest
	} else {
		var known bool
		before, known = itemBefore(before)
		r.whole = known
		after = after[:min(len(after), aroundBytesMax)]
	}
	s := newScanner(r.lexis, nil)
	s.scan(before, 0, len(before), func(closing) bool { return true })
	if strings.HasPrefix(strings.TrimLeft(r.rest, " "), ">") && angleOpen(r.left) && s.top().kind == bracket {
		s.open = append(s.open, pair{closer: ">", at: len(before) - 1})
	}
	widths := make([]int, len(s.open))
	for i, p := range s.open {
		widths[i] = indent(before[strings.LastIndexByte(before[:p.at], '\n')+1:])
		s.open[i].at -= len(before) // so that what is on the cursor's line can be told
	}
	r.open = s.open
	r.ends = slices.Repeat([]int{never}, len(r.open))
	r.findEnds(after, widths)
}

// findEnds reads on behind the cursor, to the end of what it stands in. widths are
// the indentations of the lines that hold what is open.
func (r *rule) findEnds(after string, widths []int) {
	s := newScanner(r.lexis, r.open)
	if top := s.top(); top.kind != bracket && !top.inLine() && !endsBelow(r.lexis, top, after) {
		s.open = s.open[:len(s.open)-1]
		s.base = len(s.open)
	}
	at := 0
	for text := range strings.Lines(after) {
		if at > 0 && s.own() == 0 && s.top().kind == bracket && topLevel(text) {
			return
		}
		from := at
		at += len(text)
		s.scan(after, from, at, func(c closing) bool {
			at := c.at
			if at >= len(r.rest) {
				at = below
			}
			switch {
			case c.whose == base:
				if at == below && blank(text[:c.at-from]) {
					s.open = s.open[:outermost(r.open[:len(s.open)+1], widths, indent(text))]
				}
				r.ends[len(s.open)] = at
			case c.whose == nobody && s.own() == 0 && !(r.lexis.stray && c.closer == ")"):
				// What it ends is further out; what is open in between never ends.
				if i := lastOpen(s.open, c.closer); i >= 0 {
					r.ends[i] = at
					s.open = s.open[:i]
				}
			}
			return true
		})
		if len(s.open) == 0 {
			return
		}
	}
}

// outermost is which of open a closing sign ends that begins a line indented by
// width: the innermost, but where one further out begins a line that is indented
// so, what is inside of that is not closed yet.
func outermost(open []pair, widths []int, width int) int {
	n := len(open) - 1
	for i := n; i >= 0 && open[i].closer == open[n].closer; i-- {
		if widths[i] == width {
			return i
		}
	}
	return n
}

// lastOpen is the innermost of open that closer ends.
func lastOpen(open []pair, closer string) int {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].closer == closer {
			return i
		}
	}
	return -1
}

// endsBelow reports whether text ends the string or comment p that it begins in.
// A string's quotes look alike: where their number is even, p's is missing.
func endsBelow(l *lexis, p pair, text string) bool {
	if p.kind == comment {
		end, next := strings.Index(text, p.closer), strings.Index(text, l.comment[0])
		return end >= 0 && (next < 0 || end < next)
	}
	return strings.Count(text, p.closer)%2 == 1
}

// itemBefore is the end of text from the beginning of the definition at the left
// edge that the cursor is in, and whether that was found.
func itemBefore(text string) (item string, known bool) {
	for end := len(text); end > 0; {
		start := strings.LastIndexByte(text[:end], '\n') + 1
		if topLevel(text[start:]) {
			return text[start:], true
		}
		if len(text)-start > aroundBytesMax {
			return text[start:], false
		}
		end = start - 1
	}
	return text, true
}

// topLevel reports whether line begins something at the left edge. A label may
// stand there inside of a function.
func topLevel(line string) bool {
	if line == "" || !isWord(rune(line[0])) && line[0] != '@' {
		return false
	}
	line, _, _ = strings.Cut(line, "\n")
	return !strings.HasSuffix(trimEnd(line), ":") || strings.ContainsAny(line, " (")
}

// angleOpen reports whether left ends in the < of a type's arguments.
func angleOpen(left string) bool {
	i := strings.LastIndexByte(left, '<')
	return i > 0 && !strings.Contains(left[i:], ">") && (isWord(rune(left[i-1])) || left[i-1] == ' ' && i == len(left)-1)
}

// endsInRest reports whether rest ends something that is open.
func (r *rule) endsInRest() bool {
	return slices.ContainsFunc(r.ends, func(at int) bool { return at >= 0 }) || !strings.ContainsAny(r.rest, ")]}>\"'`")
}

// owed counts what the cursor's line opens and nothing ends.
func (r *rule) owed() int {
	n := 0
	for i, p := range r.open {
		if p.kind == bracket && -p.at <= len(r.left) && r.ends[i] == never {
			n++
		}
	}
	return n
}

// where says where what c closes is ended already; ok is false if c may close it,
// as far as anybody can tell.
func (r *rule) where(c closing, s *scanner) (at int, ended bool) {
	switch {
	case c.whose == within:
		return never, false
	case c.whose == base:
		at = r.ends[len(s.open)]
		return at, at != never
	case s.own() > 0 || c.closer == ")" && r.lexis.stray || c.closer == ">":
		return never, false // not understood
	}
	return below, r.whole
}

// read reads a suggestion up to the sign, if there is one, that closes something
// again. It gives how much was open of its own at the beginning of each line.
func (r *rule) read(text string) (end int, depths []int, owes []bool) {
	s := newScanner(r.lexis, r.open)
	owed := r.owed()
	end = len(text)
	at := 0
	for line := range strings.Lines(text) {
		depths = append(depths, s.own()+owed)
		from, first := at, at+len(line)-len(strings.TrimLeft(line, " \t"))
		at += len(line)
		owes = append(owes, false)
		s.scan(text, from, at, func(c closing) bool {
			if _, ended := r.where(c, s); ended {
				end = c.at
				return false
			}
			if c.whose == base && c.pair.kind == bracket {
				if -c.pair.at <= len(r.left) {
					owed = max(0, owed-1)
				}
				owes[len(owes)-1] = owes[len(owes)-1] || c.at == first
			}
			return true
		})
		if end < len(text) {
			break
		}
	}
	return end, append(depths, s.own()+owed), owes
}
