package tokenizer

import (
	"slices"
	"strings"
)

// matcher finds tokens that are cut out of a text before anything else, by
// their spelling. At a place it takes the longest; where two overlap, the one
// that begins first. The work at a place is bounded by the number of different
// lengths.
type matcher struct {
	ids     map[string]int32
	first   byte       // that all spellings begin with, if single
	single  bool       // as is usual: it is <
	lengths [256][]int // of the spellings that begin with a byte, descending
}

func newMatcher(ids map[string]int32) matcher {
	m := matcher{ids: ids}
	for s := range ids {
		if !slices.Contains(m.lengths[s[0]], len(s)) {
			m.lengths[s[0]] = append(m.lengths[s[0]], len(s))
		}
	}
	firsts := 0
	for b, lengths := range m.lengths {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
		if len(lengths) > 0 {
			m.first = byte(b)
			firsts++
		}
	}
	m.single = firsts == 1
	return m
}

// find looks for the next token in text[from:]: its offset in text, its length
// and its id. Without one it gives len(text) and a length of 0.
func (m *matcher) find(text string, from int) (at, n int, id int32) {
	if len(m.ids) == 0 {
		return len(text), 0, 0
	}
	for at = from; at < len(text); at++ {
		if m.single {
			skip := strings.IndexByte(text[at:], m.first)
			if skip < 0 {
				break
			}
			at += skip
		}
		for _, n := range m.lengths[text[at]] {
			if n > len(text)-at {
				continue
			}
			if id, ok := m.ids[text[at:at+n]]; ok {
				return at, n, id
			}
		}
	}
	return len(text), 0, 0
}
