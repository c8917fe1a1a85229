package completion

import "strings"

// overtime is how many budgets a suggestion may take that is in its first line
// still, or has opened what it has not closed yet.
const overtime = 3

// timeUp is the reason of a stop where the budget is spent.
const timeUp = "time"

// mayEnd reports whether a suggestion that may have gone on ends with the lines
// that it has, since so many of its budgets are spent.
func (r rule) mayEnd(text string, spent float64) bool {
	if spent < 1 || spent >= overtime {
		return spent >= overtime
	}
	lines := wholeLines(text)
	return lines != text && r.pending(lines) == ""
}

// pending is what text, which was cut off at the end of a line, leaves to be said
// before it can parse: what closes its brackets, and the body of a block.
func (r rule) pending(text string) string {
	s := newScanner(r.lexis, r.open)
	s.scan(text, 0, len(text), func(closing) bool { return true })
	var b strings.Builder
	if line := lastLine(r.left + text); r.lexis.indents && strings.HasSuffix(line, ":") {
		b.WriteString(" pass")
	}
	for n := len(s.open); n > s.base; n-- {
		b.WriteString(s.open[n-1].closer)
	}
	return b.String()
}

func lastLine(text string) string {
	text = strings.TrimRight(text, " \t\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}
