package completion

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A line that says the same over and over is cut: loopsMin times, if that is at
// least loopBytesMin. Tables of zeros stay below that.
const (
	loopsMin     = 6
	loopBytesMin = 40
	periodMax    = 4 // lines that a suggestion may repeat as one
)

// repeats looks at the last of a suggestion's lines, the first of which begins
// with the cursor's line: from which on they say again what stands below the
// cursor ("suffix") or what they or the lines above have said ("repeat").
func (r rule) repeats(lines []string, depth int) (from int, why string) {
	n := len(lines)
	if n == 0 {
		return 0, ""
	}
	last := lines[n-1]
	switch {
	case r.meetsBelow(last) && !(closes(last) && depth > 0):
		return n - 1, "suffix"
	case n == 1 && len(r.below) > 0 && wordy(last) && !endsBlock(last) && sameWords(last, r.below[0]):
		return 0, "suffix"
	case n > 1 && len(r.below) > 1 && wordy(lines[n-2]) && sameWords(lines[n-2], r.below[0]) && sameWords(last, r.below[1]):
		return n - 2, "suffix"
	}
	if depth == 0 && r.leavesBelow(last) {
		return n - 1, "suffix"
	}
	said := slices.Concat(r.above, lines)
	for period := 1; period <= periodMax; period++ {
		times := 2
		if period == 1 {
			times = 3
		}
		if !repeated(said, period, times) {
			continue
		}
		begin := len(said) - period*times - len(r.above)
		if begin < 0 {
			return max(0, min(begin+period, n-1)), "repeat" // the lines above have said it
		}
		return begin + period, "repeat"
	}
	return 0, ""
}

// meetsBelow reports whether line is the first one below the cursor.
func (r rule) meetsBelow(line string) bool {
	return len(r.below) > 0 && indent(line) == indent(r.below[0]) && sameWords(line, r.below[0])
}

// leavesBelow reports whether line goes away from the lines below the cursor, so
// that these would never run.
func (r rule) leavesBelow(line string) bool {
	if len(r.below) == 0 || r.lexis.unknown || indent(line) != indent(r.below[0]) {
		return false
	}
	goes := leads(line, "return", "raise", "throw", "break", "continue")
	stays := endsBlock(r.below[0]) || leads(r.below[0], "case", "default") || !isWordByte(strings.TrimLeft(r.below[0], " \t")[0])
	return goes && !stays
}

// endsBlock reports whether line begins with a word that ends a block.
func endsBlock(line string) bool {
	return leads(line, "end", "fi", "done", "esac", "else", "elif", "elseif", "until", "except", "finally", "catch", "then")
}

// leads reports whether line begins with one of words.
func leads(line string, words ...string) bool {
	line = strings.TrimLeft(line, " \t")
	return slices.Contains(words, line[:len(line)-len(strings.TrimLeftFunc(line, isWord))])
}

// repeated reports whether the last period lines have been said times times in a row.
func repeated(lines []string, period, times int) bool {
	n := len(lines)
	if n < period*times || !slices.ContainsFunc(lines[n-period:], wordy) {
		return false
	}
	same := true // within a period: that is a shorter one
	for i := n - period*times; i < n-period; i++ {
		if indent(lines[i]) != indent(lines[i+period]) || !sameWords(lines[i], lines[i+period]) {
			return false
		}
		same = same && sameWords(lines[i], lines[n-1])
	}
	return period == 1 || !same
}

// loops is where line begins to say the same again and again, if it does.
func loops(line string) (at int, ok bool) {
	line = trimEnd(line)
	n := len(line)
	for unit := 1; n >= loopBytesMin && unit*loopsMin <= n; unit++ {
		size := unit
		for size < n && line[n-1-size] == line[n-1-size+unit] {
			size++
		}
		if size >= unit*loopsMin && size >= loopBytesMin && wordy(line[n-unit:]) {
			at = n - size + unit
			for at < n && !utf8.RuneStart(line[at]) {
				at++
			}
			return at, true
		}
	}
	return 0, false
}

// sameWords reports whether two lines differ in blanks only.
func sameWords(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }

// wordy reports whether a line says something: one of signs alone is repeated
// rightly.
func wordy(line string) bool {
	return strings.ContainsFunc(line, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) })
}
