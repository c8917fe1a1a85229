package workspace

import (
	"slices"
	"time"
)

// Hunk is a recent edit of one place, in whole lines: everything that was typed
// there without a longer pause. Its slices are shared, read only.
type Hunk struct {
	Path   string
	Line   int      // the first line of After, from zero, in the text as it was last seen
	Before []string // without line breaks, at most maxHunkLines
	After  []string // the same
	Cut    bool     // Before and After are not all of it
	Time   time.Time
}

// hunk is a Hunk under work. Before and After begin and end with lines that may
// be equal, for the next edit to be merged with.
type hunk struct {
	Hunk
	lines  int  // of the text that belong to it now
	closed bool // nothing is merged with it any more
	gone   bool // the text that it lies in is closed
}

// lineEdit is an edit in lines: those of old from first to oldEnd became those of
// text from first to newEnd, ends not included.
type lineEdit struct {
	old, text      Text
	first          int
	oldEnd, newEnd int
}

// lineEditOf is e, which made text from old, in lines. Either text may split
// lines that the other has not, by joining "\r" and "\n" or parting them.
func lineEditOf(old, text Text, e Edit) lineEdit {
	first := min(old.LineOf(e.Start), text.LineOf(e.Start))
	below := min(old.Lines()-old.LineOf(e.End), text.Lines()-text.LineOf(e.Start+len(e.Text))) - 1
	return lineEdit{old, text, first, old.Lines() - below, text.Lines() - below}
}

// record adds an edit of path to hunks, which it changes. It is merged with the
// latest hunk that it touches; hunks below it move.
func record(hunks []hunk, path string, e lineEdit, now time.Time) []hunk {
	merged, at := hunk{}, -1
	for i := len(hunks) - 1; i >= 0; i-- {
		h := &hunks[i]
		if h.Path != path || h.gone {
			continue
		}
		touches := !h.closed && h.Line <= e.oldEnd && e.first <= h.Line+h.lines // the next line does
		if touches && at < 0 && now.Sub(h.Time) <= hunkPause {
			if m := merge(*h, e); !m.Cut {
				merged, at = m, i
				continue
			}
		}
		if touches {
			h.closed = true
		}
		if h.Line >= e.oldEnd {
			h.Line += e.newEnd - e.oldEnd
		}
	}
	if at >= 0 {
		hunks = slices.Delete(hunks, at, at+1)
	} else {
		merged = newHunk(path, e)
	}
	merged.Time, merged.closed = now, merged.Cut
	if !merged.Cut && slices.Equal(merged.Before, merged.After) {
		return hunks // undone
	}
	if len(hunks) == maxHunks {
		hunks = slices.Delete(hunks, 0, 1)
	}
	return append(hunks, merged)
}

func newHunk(path string, e lineEdit) hunk {
	h := hunk{lines: e.newEnd - e.first}
	var all, allAfter bool
	h.Path, h.Line = path, e.first
	h.Before, all = e.old.lines(e.first, e.oldEnd)
	h.After, allAfter = e.text.lines(e.first, e.newEnd)
	h.Cut = !all || !allAfter
	return h
}

// merge is h with e, which touches it: the lines that only one of them has are
// the same before and after the other. It is Cut where it became too large.
func merge(h hunk, e lineEdit) hunk {
	first := min(h.Line, e.first)
	end := max(h.Line+h.lines, e.oldEnd) // in e.old
	above, allAbove := e.old.lines(first, h.Line)
	below, allBelow := e.old.lines(h.Line+h.lines, end)
	after, allAfter := e.text.lines(first, end+e.newEnd-e.oldEnd)
	h.Before = slices.Concat(above, h.Before, below)
	h.Cut = !allAbove || !allBelow || !allAfter || len(h.Before) > maxHunkLines || bytesOf(h.Before) > maxHunkBytes
	h.After, h.Line, h.lines = after, first, len(after)
	return h
}

func bytesOf(lines []string) int {
	n := 0
	for _, line := range lines {
		n += len(line)
	}
	return n
}

// closeHunks ends path's hunks in hunks, which it changes: its next text has
// nothing to do with theirs.
func closeHunks(hunks []hunk, path string) []hunk {
	for i := range hunks {
		if hunks[i].Path == path {
			hunks[i].closed, hunks[i].gone = true, true
		}
	}
	return hunks
}

// view is the hunk without the lines at its ends that did not change.
func (h *hunk) view() Hunk {
	v := h.Hunk
	for len(v.Before) > 0 && len(v.After) > 0 && v.Before[0] == v.After[0] {
		v.Before, v.After, v.Line = v.Before[1:], v.After[1:], v.Line+1
	}
	for !v.Cut && len(v.Before) > 0 && len(v.After) > 0 && v.Before[len(v.Before)-1] == v.After[len(v.After)-1] {
		v.Before, v.After = v.Before[:len(v.Before)-1], v.After[:len(v.After)-1]
	}
	return v
}
