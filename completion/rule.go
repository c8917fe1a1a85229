package completion

import (
	"strings"
	"unicode"

	"tandem/completion/prompt"
)

// Limits of what a rule looks at around the cursor.
const (
	aroundBytesMax = 64 << 10 // on each side, for brackets: 2,000 lines, less than a millisecond
	linesNear      = 8        // that are not blank, on each side, for repeats
)

// rule says where a suggestion at one cursor ends, and makes it fit. It decides
// by text alone, while the text is being said: the sooner it is sure, the less is
// decoded. The parser has the last word (check.go).
type rule struct {
	lexis  *lexis
	indent indentation
	left   string   // of the cursor, on its line
	rest   string   // right of the cursor, on its line; "" if blank
	above  []string // the lines above the cursor that are not blank, the nearest last
	below  []string // the lines below it that are not blank
	open   []pair   // what is open at the cursor, the innermost last
	ends   []int    // of each of open, where the text behind the cursor ends it: in rest, or one of these
	whole  bool     // open is all that is open; else there may be more around it
	signs  bool     // rest is nothing but signs that end something: an editor may have put them there
	crlf   bool     // the document's lines end in \r\n
	fenced bool     // the document has lines that begin with ```
}

// Where something open is ended, if not in rest.
const (
	never = -1 - iota
	below
)

// ruleAt is the rule at doc's cursor.
func ruleAt(doc Document) rule {
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	rest, under, _ := strings.Cut(after, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	r := rule{
		lexis:  lexisOf(doc.Path),
		left:   before[max(start, len(before)-aroundBytesMax):],
		above:  linesAbove(before[:start]),
		below:  linesBelow(under),
		crlf:   strings.HasSuffix(rest, "\r") || strings.HasSuffix(before[:start], "\r\n"),
		fenced: strings.HasPrefix(before, fence) || strings.Contains(before, "\n"+fence),
	}
	if !blank(rest) {
		r.rest = strings.TrimRight(rest[:min(len(rest), aroundBytesMax)], " \t\r")
	}
	r.indent = indentationOf(before, under)
	r.readAround(before, after)
	r.signs = r.rest != "" && strings.Trim(r.rest, " \t)]}>\"'`;:,|/") == "" && r.endsInRest()
	return r
}

// linesAbove are the last lines of text that are not blank.
func linesAbove(text string) []string {
	var lines []string
	for len(lines) < linesNear && text != "" {
		i := strings.LastIndexByte(text[:len(text)-1], '\n') + 1
		if line := trimEnd(text[i:]); line != "" {
			lines = append([]string{line}, lines...)
		}
		text = text[:i]
	}
	return lines
}

// linesBelow are the first lines of text that are not blank.
func linesBelow(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = trimEnd(line); line != "" {
			lines = append(lines, line)
		}
		if len(lines) == linesNear {
			break
		}
	}
	return lines
}

// cut returns the part of text to suggest and the rule that ends it, "" if none
// has. Unless done, more text may follow, and the last line is not judged by
// what it may still become.
func (r rule) cut(text string, done bool) (kept, stop string) {
	kept, stop = r.cutLines(text, done)
	return r.lineEnds(kept), stop
}

// cutLines is cut for lines that end in \n.
func (r rule) cutLines(text string, done bool) (kept, stop string) {
	if t := r.cutSpecial(text); len(t) < len(text) {
		text, done, stop = t, true, "special"
	}
	text = r.indented(strings.ReplaceAll(text, "\r", ""), done)
	end := ""
	switch {
	case r.inLine() && !r.beginsInside(text):
		kept, end = r.line(text, done)
	case r.rest != "":
		kept, end = r.between(text)
	default:
		kept, end = r.block(text, done)
	}
	if end != "" {
		return kept, end
	}
	return text, stop
}

// fence is what Markdown puts around code, and some models behind it.
const fence = "```"

// cutSpecial is text up to what belongs to the conversation with a model and not
// to a file.
func (r rule) cutSpecial(text string) string {
	text = prompt.CutSpecial(text)
	if r.fenced {
		return text
	}
	if i := strings.Index(r.left+text, "\n"+fence); i >= len(r.left) {
		return text[:i-len(r.left)]
	}
	if blank(r.left) && strings.HasPrefix(strings.TrimLeft(text, " \t"), fence) {
		return ""
	}
	return text
}

// inLine reports whether what is missing stands on the cursor's line: other text
// follows there, or its block below, or it is in a string or a comment.
func (r rule) inLine() bool {
	return r.inText() || r.rest != "" && !r.signs || r.bodyBelow()
}

// bodyBelow reports whether the lines below the cursor are the block that its
// line opens, so that a suggestion must not bring another.
func (r rule) bodyBelow() bool {
	return !blank(r.left) && len(r.below) > 0 && indent(r.below[0]) > indent(r.left)
}

// tidy takes off what would stand doubled or trail behind a cut text, and says
// how many bytes right of the cursor the rest replaces. broken tells that the
// model would have gone on.
func (r rule) tidy(text string, broken bool) (fit string, replace int) {
	inside := r.beginsInside(text)
	if r.rest != "" && !inside {
		text, replace = r.fit(strings.TrimRight(text, "\n"))
	} else {
		text = strings.TrimRight(text, " \t\n")
		if broken {
			text = wholeLines(text)
		}
	}
	if blank(text) {
		return "", 0
	}
	if inside {
		text += "\n" + blanks(r.left) // the sign that ends the pair gets a line of its own
	}
	return text, replace
}

// closed is text with what its last lines have opened closed again, each block
// on a line of its own; where that is more than blocks, the lines are left out.
func (r rule) closed(text string) string {
	for ; text != ""; text = text[:max(0, strings.LastIndexByte(text, '\n'))] {
		text = strings.TrimRight(text, " \t\n")
		s := newScanner(r.lexis, r.open)
		s.scan(text, 0, len(text), func(closing) bool { return true })
		for s.own() > 0 && s.top().inLine() {
			s.open = s.open[:len(s.open)-1] // the line ends here, and so does this
		}
		if closers, ok := closersOf(r.left, text, s.open[s.base:]); ok {
			return text + closers
		}
	}
	return ""
}

// closersOf are the lines that close what text has opened, if each of them is
// a block that holds something.
func closersOf(left, text string, open []pair) (closers string, ok bool) {
	for n := len(open); n > 0; {
		start := strings.LastIndexByte(text[:open[n-1].at], '\n') + 1
		line, body, more := strings.Cut(text[start:], "\n")
		if start == 0 {
			line = left + line
		}
		if !more || blank(body) || !strings.HasSuffix(trimEnd(line), "{") {
			return "", false
		}
		closers += "\n" + blanks(line)
		for ; n > 0 && open[n-1].at >= start; n-- {
			if open[n-1].kind != bracket {
				return "", false
			}
			closers += open[n-1].closer
		}
	}
	return closers, true
}

// beginsInside reports whether text is the first lines in an empty pair.
func (r rule) beginsInside(text string) bool {
	return r.signs && strings.HasPrefix(strings.TrimLeft(text, " \t"), "\n") && r.emptyPair()
}

// wholeLines drops the line that text was cut off in, unless it is the only one.
func wholeLines(text string) string {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 && !blank(text[:i]) {
		return text[:i]
	}
	return text
}

// closes reports whether line begins with what ends a block.
func closes(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line != "" && strings.ContainsRune(")]}", rune(line[0]))
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func trimEnd(line string) string { return strings.TrimRight(line, " \t\r\n") }

func isWord(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
