package prompt

import (
	"strings"
	"unicode/utf8"
)

const (
	gridLines = 64      // a window's upper edge moves by so many lines
	gridBytes = 1 << 10 // or, where one line is longer than the window, by so many bytes

	// bytesPerTokenMax bounds how much text is looked at for one token of a
	// window. Source has about 3.5; only runs of one sign have more than this.
	bytesPerTokenMax = 16
)

// Window limits how much of a file a prompt shows.
type Window struct {
	PrefixTokens int // before the cursor, at most
	SuffixTokens int // after the cursor, at most
}

// Around cuts text to the window around offset, which must lie in text at the
// start of a character. count gives a text's number of tokens.
//
// The prefix begins at a line whose number is a multiple of 64, so that typing
// only appends to it. The suffix needs no such grid: nothing is typed inside
// it, so where it ends stays the same whatever rule ends it.
func (w Window) Around(text string, offset int, count func(string) int) FIM {
	return w.Cut(text[:offset], text[offset:], count)
}

// Cut is Around for a text that is apart at the cursor already.
func (w Window) Cut(before, after string, count func(string) int) FIM {
	return FIM{
		Prefix: tail(before, w.PrefixTokens, count),
		Suffix: head(after, w.SuffixTokens, count),
	}
}

// Near is Cut for a prompt that will not grow for long: both ends are lines, and
// the upper one is on no grid.
func (w Window) Near(before, after string, count func(string) int) FIM {
	return FIM{Prefix: lastLines(before, w.PrefixTokens, count), Suffix: head(after, w.SuffixTokens, count)}
}

// lastLines returns the end of text: as many whole lines as fit in limit tokens, or
// as much of the last line as does.
func lastLines(text string, limit int, count func(string) int) string {
	start, used := len(text), 0
	for start > 0 {
		above := linesBack(text, start-1, 0)
		if len(text)-above > limit*bytesPerTokenMax {
			break
		}
		if used += count(text[above:start]); used > limit {
			break
		}
		start = above
	}
	if start == len(text) {
		return tailBytes(text, limit, count)
	}
	return text[start:]
}

// tail returns the end of text: as many whole blocks of gridLines lines,
// counted from the file's start, as fit in limit tokens.
func tail(text string, limit int, count func(string) int) string {
	if limit <= 0 {
		return ""
	}
	start := linesBack(text, len(text), strings.Count(text, "\n")%gridLines)
	floor := len(text) - limit*bytesPerTokenMax
	if start < floor {
		return tailBytes(text, limit, count)
	}
	used := count(text[start:])
	if used > limit {
		return tailBytes(text, limit, count)
	}
	for start > 0 {
		above := linesBack(text, start-1, gridLines-1)
		if above < floor {
			break
		}
		used += count(text[above:start])
		if used > limit {
			break
		}
		start = above
	}
	return text[start:]
}

// tailBytes is tail by blocks of gridBytes: for files whose lines are too long.
// It returns at least the block that the text ends in.
func tailBytes(text string, limit int, count func(string) int) string {
	start := (len(text) - 1) / gridBytes * gridBytes
	used := count(text[start:])
	for start > 0 {
		used += count(text[start-gridBytes : start])
		if used > limit {
			break
		}
		start -= gridBytes
	}
	return text[runeStart(text, start):]
}

// head returns the beginning of text: as many whole lines as fit in limit
// tokens, or as much of the first line as does.
func head(text string, limit int, count func(string) int) string {
	if limit <= 0 {
		return ""
	}
	if max := limit * bytesPerTokenMax; len(text) > max {
		text = text[:runeStart(text, max)]
	}
	end, used := 0, 0
	for end < len(text) {
		next := len(text)
		if i := strings.IndexByte(text[end:], '\n'); i >= 0 {
			next = end + i + 1
		}
		used += count(text[end:next])
		if used > limit {
			break
		}
		end = next
	}
	if end > 0 || len(text) == 0 {
		return text[:end]
	}
	line, _, _ := strings.Cut(text, "\n")
	for count(line) > limit {
		line = line[:runeStart(line, len(line)*3/4)]
	}
	return line
}

// linesBack returns the start of the line that stands n lines above the one
// that holds (or ends at) offset.
func linesBack(text string, offset, n int) int {
	for {
		i := strings.LastIndexByte(text[:offset], '\n')
		if i < 0 {
			return 0
		}
		if n == 0 {
			return i + 1
		}
		offset = i
		n--
	}
}

// runeStart returns the last start of a character at or before offset.
func runeStart(text string, offset int) int {
	if offset >= len(text) {
		return len(text)
	}
	for i := offset; i > offset-utf8.UTFMax; i-- {
		if i <= 0 {
			return 0
		}
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return offset
}
