package completion

import "strings"

// line is cut for a cursor whose line alone is to be completed. A sign that ends
// what the rest of the line ends, too, is the last.
func (r rule) line(text string, done bool) (kept, stop string) {
	first, _, more := strings.Cut(text, "\n")
	if more && blank(first) && r.rest == "" && r.comments() {
		n := len(r.open) - 1 // the comment is complete, and what it speaks of comes below
		r.open, r.ends = r.open[:n], r.ends[:n]
		return r.block(text, done)
	}
	if more && blank(first) && r.rest == "" && r.inText() {
		second, _, _ := strings.Cut(text[len(first)+1:], "\n")
		first, more = text[:len(first)+1+len(second)], len(first)+1+len(second) < len(text)
	}
	s := newScanner(r.lexis, r.open)
	end := len(first)
	s.scan(first, 0, len(first), func(c closing) bool {
		at, ended := r.where(c, s)
		if !ended || r.signs && at >= 0 {
			return true
		}
		if at == below && (reopens(s, c, first) || !more && !done) {
			return true
		}
		end = c.at
		return false
	})
	at, again := loops(first)
	switch {
	case end < len(first):
		return first[:end], "bracket"
	case again:
		return first[:at], "repeat"
	case more:
		return first, "line"
	}
	return text, ""
}

// inText reports whether the cursor is in a string or a comment.
func (r rule) inText() bool {
	n := len(r.open)
	return n > 0 && r.open[n-1].kind != bracket
}

// comments reports whether the cursor is in a comment that ends with its line.
func (r rule) comments() bool {
	return r.inText() && r.open[len(r.open)-1].kind == comment && r.open[len(r.open)-1].inLine()
}

// staysText reports whether text is a comment, or goes on in the string or comment
// that the cursor is in: there is nothing in it to be parsed.
func (r rule) staysText(text string) bool {
	if strings.Contains(text, "\n") {
		return false
	}
	if r.lexis.line != "" && strings.HasPrefix(strings.TrimLeft(r.left+text, " \t"), r.lexis.line) {
		return true
	}
	s := newScanner(r.lexis, r.open)
	s.scan(text, 0, len(text), func(closing) bool { return true })
	return r.inText() && s.own() == 0 && s.base == len(r.open)
}

// between is cut for a cursor before closing signs: what is missing goes on as
// long as it has brackets of its own to close, and, in a pair that is empty yet,
// up to the sign that ends that.
func (r rule) between(text string) (kept, stop string) {
	s := newScanner(r.lexis, r.open)
	n := len(r.open)
	end, inside := len(text), r.beginsInside(text)
	at := 0
	for line := range strings.Lines(text) {
		from := at
		at += len(line)
		s.scan(text, from, at, func(c closing) bool {
			at, ended := r.where(c, s)
			if !ended || at >= 0 && !(inside && len(s.open) < n) {
				return true
			}
			if reopens(s, c, text[:from+len(line)]) {
				return true
			}
			end = c.at
			return false
		})
		loop, again := loops(line)
		switch lines := strings.Count(text[:at], "\n"); {
		case end < len(text):
			return text[:end], "bracket"
		case again:
			return text[:from+loop], "repeat"
		case inside && lines > maxLines || lines > 1 && from > 0 && r.meetsBelow(line):
			return text[:from], "lines"
		case strings.HasSuffix(line, "\n") && s.own() <= 0 && !inside:
			return text[:at-1], "line"
		}
	}
	return text, ""
}

// emptyPair reports whether the cursor stands in a pair of brackets, or of quotes
// around lines, that hold nothing yet.
func (r rule) emptyPair() bool {
	left := strings.TrimRight(r.left, " \t")
	n := len(r.open)
	if n == 0 || r.ends[n-1] < 0 || !blank(r.rest[:r.ends[n-1]]) || left == "" {
		return false
	}
	if top := r.open[n-1]; top.kind == quoted {
		return len(top.closer) > 1 && strings.HasSuffix(left, top.closer)
	}
	return strings.ContainsRune("([{", rune(left[len(left)-1]))
}

// match is a part of a suggestion that stands at the cursor's right already.
type match struct {
	at, end int // in the suggestion
	rest    int // in rest
}

// fit makes text and the rest of the line one: signs that both have stand once.
// What text goes on to say behind such a sign takes its place, if only signs
// stand there; else text ends before it.
func (r rule) fit(text string) (fit string, replace int) {
	if blank(text) || strings.HasPrefix(strings.TrimLeft(r.rest, " \t"), strings.TrimSpace(text)) {
		return "", 0
	}
	matches := r.matches(text)
	for n := len(matches); n > 0 && matches[n-1].end >= len(strings.TrimRight(text, " \t")); n-- {
		text = text[:matches[n-1].at]
		matches = matches[:n-1]
	}
	if n := len(matches); n > 0 {
		replace = matches[n-1].rest
	}
	if rest := r.rest[replace:]; rest != "" && isBlank(rest[0]) {
		text = strings.TrimRight(text, " \t")
	}
	text = text[:len(text)-r.overlap(text, r.rest[replace:])]
	return r.balanced(text, replace)
}

// matches finds the signs of rest in text, in their order.
func (r rule) matches(text string) []match {
	var found []match
	last := match{}
	add := func(m match) { found, last = append(found, m), m }
	s := newScanner(r.lexis, r.open)
	s.scan(text, 0, len(text), func(c closing) bool {
		at, ended := r.where(c, s)
		if !ended || at < last.rest || reopens(s, c, text) {
			return true
		}
		if gap := strings.TrimSpace(r.rest[last.rest:at]); gap != "" {
			i := strings.LastIndex(text[last.end:c.at], gap)
			if i < 0 {
				return false // the two have nothing in common
			}
			begin := last.end + i
			add(match{begin, begin + len(gap), at})
		}
		add(match{c.at, c.at + len(c.closer), at + len(c.closer)})
		return true
	})
	if tail := strings.TrimSpace(text[last.end:]); tail != "" && last.end > 0 {
		if rest := r.rest[last.rest:]; strings.HasPrefix(strings.TrimLeft(rest, " \t"), tail) {
			add(match{last.end, len(text), last.rest + strings.Index(rest, tail) + len(tail)})
		}
	}
	return found
}

// overlapMin is from how many bytes on it is no chance that a suggestion ends with
// all that stands right of the cursor.
const overlapMin = 3

// overlap is how long the end of text is that rest begins with, blanks aside.
// Words count as a whole. Brackets alone count in pairs only: else their partners
// decide.
func (r rule) overlap(text, rest string) int {
	trimmed := strings.TrimRight(text, " \t")
	inWord := splits(r.left+rest, len(r.left))
	complete := r.closesAll(trimmed)
	for _, rest := range []string{rest, strings.TrimLeft(rest, " \t")} {
		for n := min(len(trimmed), len(rest)); n > 0; n-- {
			whole := n == len(rest) && n >= overlapMin || !splits(rest, n) && (inWord || !splits(trimmed, len(trimmed)-n))
			if whole && strings.HasSuffix(trimmed, rest[:n]) && (!complete || r.closesAll(trimmed[:len(trimmed)-n])) &&
				(strings.Trim(rest[:n], " \t()[]{}<>\"'`") != "" || r.pairs(rest[:n]) || r.inText() && surplus(trimmed)) {
				return len(text) - len(trimmed) + n
			}
		}
	}
	return 0
}

// surplus reports whether text closes a bracket or a quote that it did not open,
// where these are signs like others.
func surplus(text string) bool {
	open := 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			open++
		case ')', ']', '}':
			open--
		}
		if open < 0 {
			return true
		}
	}
	return strings.Count(text, `"`)%2 == 1
}

// pairs reports whether text is brackets that it opens and closes itself.
func (r rule) pairs(text string) bool {
	s := newScanner(r.lexis, nil)
	closed, alone := 0, strings.ContainsAny(text, "<>\"'`")
	s.scan(text, 0, len(text), func(c closing) bool {
		closed++
		alone = alone || c.whose != within
		return !alone
	})
	return closed > 0 && !alone && s.own() == 0
}

// closesAll reports whether text leaves nothing open.
func (r rule) closesAll(text string) bool {
	s := newScanner(r.lexis, r.open)
	s.scan(text, 0, len(text), func(closing) bool { return true })
	return s.own() == 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// splits reports whether at is inside a word of text.
func splits(text string, at int) bool {
	return at > 0 && at < len(text) && isWordByte(text[at-1]) && isWordByte(text[at])
}

func isWordByte(c byte) bool { return c >= 0x80 || isWord(rune(c)) }

// balanced ends text before the first bracket that it opens and neither it nor
// the rest of the line closes, and before a comment that would swallow the rest.
func (r rule) balanced(text string, replace int) (string, int) {
	s := newScanner(r.lexis, r.open)
	s.scan(text, 0, len(text), func(closing) bool { return true })
	if s.own() <= 0 {
		return text, replace
	}
	n := s.base
	opened := s.open[n].at
	whole := text + r.rest[replace:]
	s.scan(whole, len(text), len(whole), func(closing) bool { return true })
	alone := newScanner(r.lexis, r.open)
	alone.scan(r.rest, 0, len(r.rest), func(closing) bool { return true })
	if len(s.open) <= len(alone.open) {
		return text, replace
	}
	// What is left may end in a sign of rest.
	return r.fit(strings.TrimRight(text[:opened], " \t\n,"))
}
