package completion

import (
	"strings"
	"unicode"

	"tandem/completion/prompt"
)

// rule says where a suggestion at one cursor ends.
type rule struct {
	left string // of the cursor, on its line
	rest string // right of the cursor, on its line; "" if blank
	next string // the first line below the cursor that is not blank
}

// ruleAt is the rule at doc's cursor.
func ruleAt(doc Document) rule {
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	rest, below, _ := strings.Cut(after, "\n")
	r := rule{left: before[strings.LastIndexByte(before, '\n')+1:]}
	if !blank(rest) {
		r.rest = strings.TrimRight(rest, " \t\r")
	}
	for line := range strings.Lines(below) {
		if !blank(line) {
			r.next = trimEnd(line)
			break
		}
	}
	return r
}

// cut returns the part of text to suggest and the rule that ends it, "" if none
// has. Unless done, more text may follow, and the last line is not judged by
// what it may still become.
func (r rule) cut(text string, done bool) (kept, stop string) {
	if t := prompt.CutSpecial(text); len(t) < len(text) {
		text, done, stop = t, true, "special"
	}
	if r.rest != "" || r.bodyBelow() {
		// What is missing stands on this line.
		if line, _, more := strings.Cut(text, "\n"); more {
			return line, "line"
		}
		return text, stop
	}
	if kept, end := r.block(text, done); end != "" {
		return kept, end
	}
	return text, stop
}

// bodyBelow reports whether the lines below the cursor are the block that its
// line opens, so that a suggestion must not bring another.
func (r rule) bodyBelow() bool {
	return !blank(r.left) && indent(r.next) > indent(r.left)
}

// block is cut for a cursor at the end of its line: the line's rest and the
// lines below it, as long as they belong to it.
func (r rule) block(text string, done bool) (kept, stop string) {
	end, lines, deeper := 0, 0, false
	base := -1
	for line := range strings.Lines(text) {
		whole := done || strings.HasSuffix(line, "\n")
		full := line
		if end == 0 {
			full = r.left + line
		}
		switch {
		case blank(full) && !whole:
			return text, "" // its first sign will tell
		case blank(full) && lines > 0:
			return text[:end], "blank"
		case blank(full):
			// Blank lines above the first one are the model's way to begin.
		case lines == 0:
			base = indent(full)
			lines++
		case indent(full) < base:
			return text[:end], "dedent"
		case indent(full) == base && deeper && !closes(full) && !blank(r.left):
			// The cursor's line opened a block, and this is behind it.
			return text[:end], "block"
		case lines == maxLines:
			return text[:end], "lines"
		default:
			deeper = deeper || indent(full) > base
			lines++
		}
		if whole && r.next != "" && trimEnd(full) == r.next {
			return text[:end], "suffix"
		}
		end += len(line)
	}
	return text, ""
}

// tidy takes off what would stand doubled or trail behind a cut text.
func (r rule) tidy(text string) string {
	if r.rest == "" {
		text = strings.TrimRight(text, " \t\r\n")
	} else {
		text = r.withoutRest(strings.TrimRight(text, "\r\n"))
	}
	if blank(text) {
		return ""
	}
	return text
}

// withoutRest cuts the end of text that repeats what stands right of the
// cursor. A repeated bracket goes only if text closes more than it opens: the
// one of «f()» before a «)» is its own.
func (r rule) withoutRest(text string) string {
	for _, rest := range []string{r.rest, strings.TrimLeft(r.rest, " \t")} {
		short, found := strings.CutSuffix(strings.TrimRight(text, " \t"), rest)
		if !found {
			continue
		}
		own := strings.ContainsAny(rest, ")]}") && !strings.ContainsFunc(rest, unicode.IsLetter)
		if !own || surplus(text) > 0 {
			return short
		}
	}
	return text
}

// wholeLines drops the line that text was cut off in, unless it is the only one.
func wholeLines(text string) string {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 && !blank(text[:i]) {
		return text[:i]
	}
	return text
}

// surplus counts how many brackets text closes that it did not open.
func surplus(text string) int {
	open, extra := 0, 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			open++
		case ')', ']', '}':
			if open == 0 {
				extra++
			} else {
				open--
			}
		}
	}
	return extra
}

// closes reports whether line begins with what ends a block.
func closes(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line != "" && strings.ContainsRune(")]}", rune(line[0]))
}

// indent is the width of line's leading blanks, a tab counting for four.
func indent(line string) int {
	width := 0
	for _, c := range line {
		switch c {
		case ' ':
			width++
		case '\t':
			width += 4
		default:
			return width
		}
	}
	return width
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func trimEnd(line string) string { return strings.TrimRight(line, " \t\r\n") }
