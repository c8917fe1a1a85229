package workspace

import (
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is what a change did, as far as the texts tell. A server that completes
// after every Typed change and after no other does what people expect.
type Kind int

// The kinds, the later one where a change is several.
const (
	Unchanged Kind = iota // opened and not changed since, or to the same text
	Typed                 // a short insertion: a key, a word from a menu, a line break with its indentation
	Deleted               // nothing but a deletion
	Pasted                // many characters or lines at once
	Replaced              // the whole text, and most of it differs
	Undone                // back to an earlier text, or forward again, by more than one key
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"unchanged", "typed", "deleted", "pasted", "replaced", "undone"}[k]
}

const (
	typedBytes  = 32 // that are not blank; longer words come from the clipboard or a snippet
	typedBreaks = 2  // Enter between braces makes two
	keyRunes    = 2  // one key makes or takes two characters: a pair of brackets, "\r\n"
)

// folding is a document on its way through the edits of one change.
type folding struct {
	Document
	now       time.Time
	edits     []hunk // the workspace's, with those of this change
	kind      Kind
	keystroke bool // every edit so far is what one key does
	steps     int
}

// step makes one edit. An error leaves f as it was.
func (f *folding) step(edit func(Text) Edit) error {
	if errors.Is(f.Missing, ErrExcluded) {
		return nil
	}
	e := edit(f.Text)
	if f.Missing != nil {
		if e.Start == 0 && e.End == ToEnd {
			f.Text, f.Missing = NewText(e.Text)
		}
		return nil
	}
	next, err := f.Text.Edit(e)
	if errors.Is(err, ErrTooLarge) {
		f.Text, f.Missing = Text{}, ErrTooLarge
		return nil
	}
	if err != nil {
		return err
	}
	whole := e.Start == 0 && e.End >= f.Text.Len()
	e = trimmed(f.Text.s, e)
	if e.Start < e.End || e.Text != "" {
		f.kind = max(f.kind, kindOf(f.Text.s, e, whole))
		f.keystroke = (f.steps == 0 || f.keystroke) && isKeystroke(f.Text.s, e)
		f.steps++
		f.edits = record(f.edits, f.Path, lineEditOf(f.Text, next, e), f.now)
	}
	f.Text = next
	return nil
}

// trimmed is e without what it replaces by the same: editors that send a whole
// text for each key, and formatters, change much less than they say.
func trimmed(old string, e Edit) Edit {
	e.End = min(e.End, len(old))
	removed := old[e.Start:e.End]
	n := commonPrefix(removed, e.Text)
	removed, e.Text, e.Start = removed[n:], e.Text[n:], e.Start+n
	n = commonSuffix(removed, e.Text)
	e.Text, e.End = e.Text[:len(e.Text)-n], e.End-n
	return e
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// kindOf is the kind of a trimmed edit of old; whole says that it came as one of
// the whole text.
func kindOf(old string, e Edit, whole bool) Kind {
	blanks := strings.Count(e.Text, " ") + strings.Count(e.Text, "\t")
	breaks := max(strings.Count(e.Text, "\n"), strings.Count(e.Text, "\r"))
	switch {
	case e.Text == "":
		return Deleted
	case whole && e.Start < e.End && 2*(e.End-e.Start) >= len(old):
		return Replaced
	case len(e.Text)-blanks > typedBytes || breaks > typedBreaks:
		return Pasted
	}
	return Typed
}

// isKeystroke reports whether one key may have done e. Such an edit is never
// called an undo: people type, take it back, and type the same again, and want
// suggestions then.
func isKeystroke(old string, e Edit) bool {
	return utf8.RuneCountInString(e.Text) <= keyRunes && utf8.RuneCountInString(old[e.Start:e.End]) <= keyRunes
}

// states are hashes of the texts that a document had lately. A collision would
// take a change for an undo once in 2^56.
type states struct {
	hashes []uint64 // a ring once it is full
	oldest int
}

// add remembers a state and reports whether it was known.
func (s *states) add(h uint64) bool {
	if slices.Contains(s.hashes, h) {
		return true
	}
	if len(s.hashes) < maxStates {
		s.hashes = append(s.hashes, h)
		return false
	}
	s.hashes[s.oldest] = h
	s.oldest = (s.oldest + 1) % maxStates
	return false
}

var hashSeed = maphash.MakeSeed()

func hash(s string) uint64 { return maphash.String(hashSeed, s) }
