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
		before, r.whole = nearBefore(before)
		after = after[:min(len(after), aroundBytesMax)]
	}
	s := newScanner(r.lexis, nil)
	for at := 0; at < len(before); {
		line := before[at:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
			if s.top().kind == bracket && topLevel(line) {
				s.open = s.open[:0] // whatever was forgotten above does not matter here
			}
		}
		s.scan(before, at, at+len(line), func(closing) bool { return true })
		at += len(line)
	}
	if strings.HasPrefix(strings.TrimLeft(r.rest, " "), ">") && angleOpen(r.left) && s.top().kind == bracket {
		s.open = append(s.open, pair{closer: ">", at: len(before) - 1})
	}
	for i := range s.open {
		s.open[i].at -= len(before) // so that what is on the cursor's line can be told
	}
	r.open = s.open
	r.findEnds(after)
}

// findEnds reads on behind the cursor, to the end of what it stands in.
func (r *rule) findEnds(after string) {
	r.ends = slices.Repeat([]int{never}, len(r.open))
	s := newScanner(r.lexis, r.open)
	if top := s.top(); top.kind != bracket && !top.inLine() && !endsBelow(r.lexis, top, after) {
		s.open = s.open[:len(s.open)-1]
		s.base = len(s.open)
	}
	var ended []int // of r.open, in the order of their ends
	at := 0
	for line := range strings.Lines(after) {
		if at > 0 && s.own() == 0 && s.top().kind == bracket && topLevel(line) {
			break
		}
		from := at
		at += len(line)
		s.scan(after, from, at, func(c closing) bool {
			if c.whose == nobody && s.own() == 0 && !(r.lexis.stray && c.closer == ")") {
				// What it ends is further out; what is open in between never ends.
				if i := lastOpen(s.open, c.closer); i >= 0 {
					s.open, c.whose = s.open[:i], base
				}
			}
			if c.whose == base {
				ended = append(ended, len(s.open))
				r.ends[len(s.open)] = c.at
			}
			return true
		})
	}
	r.endOuter(ended)
	for i, at := range r.ends {
		if at >= len(r.rest) {
			r.ends[i] = below
		}
	}
}

// endOuter takes what ends to be the outermost of what is open, where its signs
// allow that: what was opened last is what nobody has closed yet.
func (r *rule) endOuter(ended []int) {
	n := len(ended)
	for i, j := range ended {
		if r.open[j].closer != r.open[n-1-i].closer || r.open[n-1-i].kind != bracket {
			return
		}
	}
	ends := slices.Repeat([]int{never}, len(r.open))
	for i, j := range ended {
		ends[n-1-i] = r.ends[j]
	}
	r.ends = ends
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

// nearBefore is the end of text from which on brackets are counted, and whether
// none that is open can be missing there.
func nearBefore(text string) (near string, whole bool) {
	if len(text) <= aroundBytesMax {
		return text, true
	}
	near = text[len(text)-aroundBytesMax:]
	at := 0
	for line := range strings.Lines(near) {
		if at > 0 && topLevel(line) {
			return near[at:], true
		}
		at += len(line)
	}
	return near, false
}

// topLevel reports whether line begins something at the left edge. A label may
// stand there inside of a function.
func topLevel(line string) bool {
	if line == "" || !isWord(rune(line[0])) && line[0] != '@' {
		return false
	}
	line, _, _ = strings.Cut(line, "\n")
	return !endsBlock(line) && (!strings.HasSuffix(trimEnd(line), ":") || strings.ContainsAny(line, " ("))
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

// where says where the document ends what c, which s has read, closes; ended is
// false if it does not, as far as anybody can tell.
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
func (r *rule) read(text string, done bool) (end int, depths []int, owes []bool) {
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
				if reopens(s, c, text[:at]) || !done && !strings.HasSuffix(line, "\n") {
					return true // as long as the line goes on, it may open that again
				}
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

// reopens reports whether line opens again what c, the sign that s has just read
// in it, has closed, as in «} else {»: then nothing is closed too often.
func reopens(s *scanner, c closing, line string) bool {
	ahead := newScanner(s.lexis, s.open)
	ahead.scan(line, c.at+len(c.closer), len(line), func(closing) bool { return true })
	return ahead.own() > 0 && ahead.open[ahead.base].closer == c.closer
}
