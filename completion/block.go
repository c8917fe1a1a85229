package completion

import "strings"

// block is cut for a cursor at the end of its line: the line's rest and the
// lines below it, as long as they belong to it.
func (r rule) block(text string, done bool) (kept, stop string) {
	end, depths, owes := r.read(text, done)
	if end < len(text) {
		text, done, stop = strings.TrimRight(text[:end], " \t"), true, "bracket"
	}
	b := blockReader{rule: r, base: -1}
	if first, _, more := strings.Cut(text, "\n"); more && blank(first) && !blank(r.left) {
		b.base, b.head = indent(r.left), true
	}
	at := 0
	for line := range strings.Lines(text) {
		full := line
		if at == 0 {
			full = r.left + line
		}
		n := b.count
		b.count++
		switch end := b.judge(full, done || strings.HasSuffix(line, "\n"), depths[n], owes[n]); {
		case n == 0 && b.head:
			// The cursor's own line: the suggestion begins below it.
		case end == unsure:
			return text, ""
		case end != "":
			return text[:at], end
		}
		if !blank(full) {
			b.lines, b.starts = append(b.lines, full), append(b.starts, at)
		}
		at += len(line)
		if done || strings.HasSuffix(line, "\n") {
			if n, again := loops(line); again {
				return text[:at-len(line)+n], "repeat"
			}
			if n, why := r.repeats(b.lines, depths[n]); why != "" {
				return text[:b.starts[n]], why
			}
		}
	}
	return text, stop
}

// blockReader is block's state between two lines.
type blockReader struct {
	rule
	head   bool     // the suggestion begins below the cursor's line
	base   int      // the indentation to which it belongs
	deeper bool     // a line has been inside a block of it
	over   bool     // it has closed what is around it
	count  int      // lines read
	lines  []string // of them, those that are not blank
	starts []int    // where these begin
}

// unsure says that a line's first sign will tell.
const unsure = "unsure"

// judge is why the suggestion ends before a line, "" if it does not. depth is
// what is open at its beginning, owes tells that it closes what the document does not.
func (b *blockReader) judge(line string, whole bool, depth int, owes bool) string {
	width := indent(line)
	switch {
	case blank(line) && !whole:
		return unsure
	case blank(line) && (len(b.lines) > 0 || b.head && b.count > 1) && depth == 0:
		return "blank"
	case blank(line):
		// Blank lines above the first one are the model's way to begin.
	case b.base < 0:
		b.base = width
	case width < b.base && !owes:
		return "dedent"
	case width < b.base:
		b.base, b.over = width, true
	case b.over && depth == 0 && !closes(line):
		return "block"
	case width > b.base:
		b.deeper = true
	case blank(b.left) || closes(line) || depth > 0 || len(b.lines) == 0 || len(b.lines) == 1 && b.head:
	case b.deeper:
		return "block" // the cursor's line opened it, and this is behind it
	default:
		return "line" // the statement at the cursor is complete
	}
	if len(b.lines) == maxLines && !blank(line) {
		return "lines"
	}
	return ""
}
