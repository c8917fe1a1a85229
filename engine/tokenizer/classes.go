package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// class is what the pre-tokenizers distinguish.
type class uint8

const (
	other   class = iota // also bytes that are not UTF-8
	letter               // \p{L}
	number               // \p{N}
	space                // \s without newline
	newline              // \r and \n
	wide                 // in classTable.bytes: part of a longer character
)

// classTable gives the class of a character in two steps: equal blocks of 256
// characters are stored once.
type classTable struct {
	bytes  [256]class
	block  [(unicode.MaxRune + 1) >> 8]uint8
	blocks [][256]class
}

// classes is built from the unicode package's tables when it is first needed.
var classes = sync.OnceValue(func() *classTable {
	t := &classTable{}
	seen := make(map[[256]class]uint8)
	for b := range t.block {
		var block [256]class
		for i := range block {
			block[i] = classify(rune(b<<8 | i))
		}
		n, ok := seen[block]
		if !ok {
			n = uint8(len(t.blocks))
			seen[block] = n
			t.blocks = append(t.blocks, block)
		}
		t.block[b] = n
	}
	for b := range t.bytes {
		if t.bytes[b] = wide; b < utf8.RuneSelf {
			t.bytes[b] = t.blocks[0][b]
		}
	}
	return t
})

func classify(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsSpace(r):
		return space
	case unicode.IsLetter(r), r >= 0x2EBF0 && r <= 0x2EE5D:
		// The range is Unicode 15.1's, which llama.cpp knows, and Go 1.26 not yet.
		return letter
	case unicode.IsNumber(r):
		return number
	}
	return other
}

// first gives the class and the length in bytes of s's first character; s is
// not empty.
func (t *classTable) first(s string) (class, int) {
	if c := t.bytes[s[0]]; c != wide {
		return c, 1
	}
	return t.decode(s)
}

// decode is first for a character of several bytes. A byte that begins none
// counts as one.
func (t *classTable) decode(s string) (class, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return other, 1
	}
	return t.blocks[t.block[r>>8]][uint8(r)], n
}

// run is the offset where the run of class c that goes on at s[i] ends.
func (t *classTable) run(s string, i int, c class) int {
	for i < len(s) {
		got := t.bytes[s[i]]
		if got == c {
			i++
			continue
		}
		if got != wide {
			break
		}
		got, n := t.decode(s[i:])
		if got != c {
			break
		}
		i += n
	}
	return i
}
