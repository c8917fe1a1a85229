package workspace

import (
	"encoding/binary"
	"testing"
)

// FuzzDidChange plays edits, valid and not, on a document and on a string that
// is spliced and counted anew. Each edit is five bytes: where it starts, how much
// it takes, how much of the data after it goes in, and whether a new change begins.
func FuzzDidChange(f *testing.F) {
	f.Add("", []byte{})
	f.Add("a\r\nb\rc\n", []byte{1, 0, 1, 1, 0, '\n', 2, 0, 0, 1, 1, 'x', 0, 0, 9, 0, 1})
	f.Add("a\rb", []byte{2, 0, 0, 1, 1, '\n', 2, 0, 1, 0, 1, 1, 0, 1, 0, 0})
	f.Add("\xff\xfe\x00é", []byte{255, 255, 0, 0, 0, 1, 0, 200, 0, 1, 0, 0, 255, 2, 1, '\r', '\r'})
	f.Fuzz(func(t *testing.T, start string, data []byte) {
		w := New(nil)
		open(t, w, "a", start)
		want, version := start, int32(1)
		var edits []func(Text) Edit
		after, valid := want, true // of this change so far
		flush := func() {
			version++
			before := w.Snapshot()
			if _, err := w.Change("a", version, edits...); (err == nil) != valid {
				t.Fatalf("%q, %d edits, valid %v: %v", want, len(edits), valid, err)
			}
			if valid {
				want = after
			} else if w.Snapshot() != before {
				t.Fatal("an invalid change left a trace")
			}
			d, _ := w.Snapshot().Document("a")
			check(t, d.Text, want)
			checkHunks(t, w.Snapshot())
			edits, after, valid = nil, want, true
		}
		for len(data) >= 5 {
			e := Edit{Start: int(int16(binary.LittleEndian.Uint16(data)))}
			e.End = e.Start + int(int8(data[2]))
			if data[2] == 127 {
				e.End = ToEnd
			}
			n := min(int(data[3]%32), len(data)-5)
			e.Text = string(data[5 : 5+n])
			edits = append(edits, fixed(e))
			end := e.End
			if end == ToEnd {
				end = len(after)
			}
			if valid = valid && 0 <= e.Start && e.Start <= end && end <= len(after); valid {
				after = after[:e.Start] + e.Text + after[end:]
			}
			if data[4]%2 == 1 {
				flush()
			}
			data = data[5+n:]
		}
		flush()
	})
}

// checkHunks holds the latest hunk of each document that is open against its
// text, and all hunks against their bounds.
func checkHunks(t testing.TB, s *Snapshot) {
	t.Helper()
	if len(s.edits) > maxHunks {
		t.Fatalf("%d hunks", len(s.edits))
	}
	for i, h := range s.edits {
		if len(h.Before) > maxHunkLines || len(h.After) > maxHunkLines || bytesOf(h.Before) > maxHunkBytes || bytesOf(h.After) > maxHunkBytes {
			t.Fatalf("a hunk of %d and %d lines", len(h.Before), len(h.After))
		}
		d, open := s.Document(h.Path)
		if !open || h.Cut || h.gone || i < len(s.edits)-1 && h.closed {
			continue
		}
		if h.lines != len(h.After) {
			t.Fatalf("a hunk of %d lines is said to have %d", len(h.After), h.lines)
		}
		for n, line := range h.After {
			if d.Text.Line(h.Line+n) != line {
				t.Fatalf("%q: the hunk at line %d has %q", d.Text.String(), h.Line, h.After)
			}
		}
	}
}
