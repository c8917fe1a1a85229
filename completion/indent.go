package completion

import "strings"

const (
	tabWidth     = 4   // columns that a tab counts for
	indentsRead  = 200 // lines on each side that tell how a file is indented
	indentColumn = 2   // less than that is alignment
)

// indentation is how the text around a cursor is indented. The zero value knows
// nothing and changes nothing.
type indentation struct {
	tabs bool
	unit int // columns of a level; 0 if nothing is indented
}

// indentationOf reads it off the lines nearest to the cursor.
func indentationOf(before, under string) indentation {
	var tabs, spaces int
	unit, last := 0, -1
	read := func(line string) {
		width := indent(line)
		switch {
		case blank(line):
			return
		case line[0] == '\t':
			tabs++
		case width >= indentColumn:
			spaces++
		}
		if step := width - last; last >= 0 && step >= indentColumn && (unit == 0 || step < unit) {
			unit = step
		}
		last = width
	}
	from := len(before)
	for range indentsRead {
		from = strings.LastIndexByte(before[:max(0, from-1)], '\n') + 1
		if from == 0 {
			break
		}
	}
	n := 0
	for line := range strings.Lines(before[from:]) {
		read(line)
	}
	for line := range strings.Lines(under) {
		if n++; n > indentsRead {
			break
		}
		read(line)
	}
	if left := before[strings.LastIndexByte(before, '\n')+1:]; blank(left) && left != "" {
		if strings.Contains(left, "\t") {
			tabs += spaces
		} else {
			spaces += tabs
		}
	}
	switch {
	case tabs > spaces:
		return indentation{tabs: true, unit: tabWidth}
	case spaces > 0:
		return indentation{unit: max(unit, indentColumn)}
	}
	return indentation{}
}

// indented makes the lines of a suggestion begin as those around the cursor do:
// tabs or blanks like the file, no level between two, nothing said twice that
// stands left of the cursor; and takes blanks off where they end. Unless done,
// the last line may go on.
func (r rule) indented(text string, done bool) string {
	switch {
	case r.left == "":
	case blank(r.left):
		text = r.withoutIndent(text)
	case strings.HasSuffix(r.left, " ") && !strings.HasSuffix(r.left, "  ") && !strings.HasPrefix(text, "  "):
		text = strings.TrimPrefix(text, " ")
	}
	if !strings.Contains(text, "\n") {
		return text
	}
	outer, base := r.levels(text)
	shift := 0
	var b strings.Builder
	first := true
	for line := range strings.Lines(text) {
		content := strings.TrimLeft(line, " \t")
		begin := line[:len(line)-len(content)]
		if !first || r.left == "" {
			begin = r.indent.convert(begin)
			width := indent(begin)
			if !first && shift == 0 && outer < width && width < base && content != "\n" && content != "" {
				shift = base - width
			}
			if shift > 0 && width > outer {
				begin = r.indent.blanks(width + shift)
			}
		}
		first = false
		if whole := strings.HasSuffix(line, "\n"); whole {
			if content = trimEnd(content); content == "" {
				begin = ""
			}
			content += "\n"
		}
		b.WriteString(begin + content)
	}
	return b.String()
}

// withoutIndent takes the indentation off a suggestion that says it although the
// cursor stands behind it.
func (r rule) withoutIndent(text string) string {
	content := strings.TrimLeft(text, " \t\n")
	start := strings.LastIndexByte(text[:len(text)-len(content)], '\n') + 1
	lead := text[start : len(text)-len(content)]
	width := indent(r.indent.convert(lead))
	switch {
	case content == "":
		return text
	case start > 0 && width < indent(r.left):
		return text // it has left the block
	case start > 0:
		return r.indent.blanks(width-indent(r.left)) + content
	case lead != "" && indent(r.left)+width > r.deepest():
		return content
	}
	return text
}

// deepest is the greatest indentation that the cursor's line may have.
func (r rule) deepest() int {
	deepest := 0
	if len(r.below) > 0 {
		deepest = indent(r.below[0])
	}
	if n := len(r.above); n > 0 {
		above := r.above[n-1]
		width := indent(above)
		opens := !strings.HasSuffix(above, ";")
		if r.lexis.indents {
			opens = strings.HasSuffix(above, ":") || len(r.open) > 0
		}
		if opens {
			width += max(r.indent.unit, indentColumn)
		}
		deepest = max(deepest, width)
	}
	return deepest
}

// levels are the indentation of the block around the cursor and the cursor's own.
// base is 0 if no line of text is to be moved between the two.
func (r rule) levels(text string) (outer, base int) {
	base = indent(r.left)
	if !blank(r.left) || r.left == "" || len(r.open) > 0 && r.open[len(r.open)-1].closer != "}" {
		return 0, 0
	}
	for i := len(r.above) - 1; i >= 0; i-- {
		if width := indent(r.above[i]); width < base {
			return width, base
		}
	}
	return 0, 0
}

// convert writes a line's leading blanks as the file does.
func (i indentation) convert(blanks string) string {
	switch {
	case i.unit == 0 || blanks == "":
	case i.tabs && !strings.Contains(blanks, "\t") && len(blanks) >= indentColumn:
		unit := tabWidth
		if len(blanks)%tabWidth != 0 {
			unit = indentColumn
		}
		return strings.Repeat("\t", len(blanks)/unit)
	case !i.tabs && strings.Contains(blanks, "\t"):
		tabs := strings.Count(blanks, "\t")
		return strings.Repeat(" ", tabs*i.unit+len(blanks)-tabs)
	}
	return blanks
}

// blanks is an indentation of so many columns.
func (i indentation) blanks(columns int) string {
	if i.tabs {
		return strings.Repeat("\t", max(0, columns)/tabWidth) + strings.Repeat(" ", max(0, columns)%tabWidth)
	}
	return strings.Repeat(" ", max(0, columns))
}

// lineEnds writes a suggestion's line ends as the document does.
func (r rule) lineEnds(text string) string {
	if r.crlf {
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// blanks is the indentation that line begins with.
func blanks(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// indent is the width of line's leading blanks, a tab counting for four.
func indent(line string) int {
	width := 0
	for _, c := range line {
		switch c {
		case ' ':
			width++
		case '\t':
			width += tabWidth
		default:
			return width
		}
	}
	return width
}
