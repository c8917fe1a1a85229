package syntax

import (
	"slices"
	"strings"
)

// repair is a text that differs from one with a cursor in what is unfinished
// around it.
type repair struct {
	text   string
	offset int  // where the cursor is in text
	cut    bool // text ends with the cursor's line
}

// repairs are texts to try, the one that changes less first.
func repairs(l *Language, text string, offset int) []repair {
	line := lineAt(text, offset)
	content := text[line.start:line.end]
	switch l.blocks {
	case indents:
		return []repair{putStatement(text, offset, line)}
	case words:
		if keepsBlock(content) {
			return nil
		}
		content = strings.Repeat(" ", len(content))
	default:
		content = maskBraces(content)
	}
	before := text[:line.start] + content
	return []repair{
		{text: before + text[line.end:], offset: offset},
		{text: before + closers(l, before), offset: offset, cut: true},
	}
}

// maskBraces blanks a line but for the braces that it does not pair: they hold
// the lines around it together.
func maskBraces(line string) string {
	out := []byte(strings.Repeat(" ", len(line)))
	var open []int
	for i := range len(line) {
		switch line[i] {
		case '{':
			open = append(open, i)
		case '}':
			if n := len(open); n > 0 {
				open = open[:n-1]
			} else {
				out[i] = '}'
			}
		}
	}
	for _, i := range open {
		out[i] = '{'
	}
	return string(out)
}

// putStatement puts a statement in the line's place: for the grammar, the block
// that a cursor is in ends with its last statement.
func putStatement(text string, offset int, line span) repair {
	content := text[line.start:line.end]
	trimmed := strings.TrimLeft(content, " \t")
	indent := content[:len(content)-len(trimmed)]
	statement := "pass"
	switch {
	case strings.TrimSpace(trimmed) == "":
		indent = content[:min(offset-line.start, len(indent))]
	case strings.HasSuffix(strings.TrimRight(trimmed, " \t\r"), ":"):
		statement = "if 0:" // the lines below are its block
	}
	return repair{
		text:   text[:line.start] + indent + statement + text[line.end:],
		offset: line.start + len(indent) + 1,
	}
}

// keepsBlock reports whether a line begins or ends a block by a word.
func keepsBlock(line string) bool {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return false
	}
	first, last := strings.Trim(fields[0], ");,"), fields[len(fields)-1]
	return slices.Contains([]string{"end", "else", "elseif", "until", "fi", "done", "esac", "elif", "}"}, first) ||
		slices.Contains([]string{"do", "then", "else", "repeat", "{"}, last) ||
		first == "case"
}

// closer is what ends that which a bracket or a word begins, "" if that is nothing.
func (l *Language) closer(token string) string {
	switch token {
	case "{":
		return "}"
	case "(":
		return ")"
	case "[":
		return "]"
	}
	if l == langLua {
		switch token {
		case "function", "do", "if":
			return " end"
		case "repeat":
			return " until x"
		}
	}
	if l == langBash {
		switch token {
		case "if":
			return "\nfi"
		case "case":
			return "\nesac"
		case "do":
			return "\ndone"
		}
	}
	return ""
}

// closers are the ends of all that is open behind text.
func closers(l *Language, text string) string {
	var open []string
	l.scan(text, func(token string) {
		if end := l.closer(token); end != "" {
			if len(open) < maxScopes {
				open = append(open, end)
			}
			return
		}
		if n := len(open); n > 0 && strings.Fields(open[n-1])[0] == token {
			open = open[:n-1]
		}
	})
	slices.Reverse(open)
	return "\n" + strings.Join(open, "") + "\n"
}

// scan visits brackets and words outside of strings and comments. It is a rough
// reading, for text that the grammar fails at.
func (l *Language) scan(text string, visit func(token string)) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.HasPrefix(text[i:], "/*") && l.blocks == braces:
			i = after(text, i+2, "*/")
		case l.beginsComment(text, i):
			i = after(text, i, "\n")
		case c == '\'' && i+2 < len(text) && text[i+2] == '\'':
			i += 3 // '{'
		case strings.IndexByte(l.quotes, c) >= 0:
			i = afterString(text, i)
		case strings.IndexByte("(){}[]", c) >= 0:
			visit(text[i : i+1])
			i++
		case isWord(c):
			end := i + 1
			for end < len(text) && isWord(text[end]) {
				end++
			}
			if l.blocks == words {
				visit(text[i:end])
			}
			i = end
		default:
			i++
		}
	}
}

func (l *Language) beginsComment(text string, i int) bool {
	switch l {
	case langLua:
		return strings.HasPrefix(text[i:], "--")
	case langBash:
		return text[i] == '#' && (i == 0 || isSpace(text[i-1]))
	}
	return strings.HasPrefix(text[i:], "//")
}

// after is the offset behind the next end from i on, or the text's.
func after(text string, i int, end string) int {
	if n := strings.Index(text[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(text)
}

// afterString is the offset behind the string that begins at i; only one between
// backticks goes on over the end of a line.
func afterString(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == quote:
			return i + 1
		case c == '\n' && quote != '`':
			return i
		}
	}
	return len(text)
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
