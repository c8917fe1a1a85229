package workspace

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// fingerprint is everything that a snapshot says without the disk.
func fingerprint(s *Snapshot) string {
	var text strings.Builder
	for _, d := range s.docs {
		fmt.Fprintf(&text, "%+v\n", *d)
	}
	for d := range s.Documents() {
		fmt.Fprintln(&text, d.Path)
	}
	fmt.Fprintf(&text, "%+v\n%v\n", s.edits, s.Folders())
	return text.String()
}

// TestSnapshotsStay keeps the snapshot after each of many random calls: none may
// share with a later one what that changes.
func TestSnapshotsStay(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := New(nil)
		var kept []*Snapshot
		var said, calls []string
		for range 150 {
			path := fmt.Sprint(9 - random.IntN(10))
			d, isOpen := w.Snapshot().Document(path)
			call := "touch"
			switch n := random.IntN(12); {
			case !isOpen:
				call = "open"
				open(t, w, path, strings.Repeat("line\n", 10))
			case n == 0:
				call = "close"
				if err := w.Close(path); err != nil {
					t.Fatal(err)
				}
			case n == 1:
				w.Touch(path)
			case n == 2:
				call = "reopen"
				open(t, w, path, "other\n")
			default:
				call = "change"
				change(t, w, path, randomEdit(random, d.Text.Len()), Edit{0, 0, "x"})
			}
			kept, said, calls = append(kept, w.Snapshot()), append(said, fingerprint(w.Snapshot())), append(calls, call)
		}
		for i, s := range kept {
			if got := fingerprint(s); got != said[i] {
				t.Fatalf("seed %d: the snapshot after %s %d became\n%s\nwas\n%s", seed, calls[i], i, got, said[i])
			}
		}
	}
}
