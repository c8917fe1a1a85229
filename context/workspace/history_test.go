package workspace

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a time that stands still unless it is moved.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) pass(d time.Duration) { c.Time = c.Add(d) }

// show is a hunk in one line.
func show(h Hunk) string {
	return fmt.Sprintf("%s:%d -%s +%s", h.Path, h.Line, strings.Join(h.Before, "|"), strings.Join(h.After, "|"))
}

func checkEdits(t *testing.T, what string, w *Workspace, want ...string) {
	t.Helper()
	checkHunks(t, w.Snapshot())
	var got []string
	for _, h := range w.Snapshot().Edits() {
		got = append(got, show(h))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// typeAt types text key by key.
func typeAt(t *testing.T, w *Workspace, path string, at int, text string) {
	t.Helper()
	for i := range len(text) {
		change(t, w, path, Edit{at + i, at + i, text[i : i+1]})
	}
}

func TestEdits(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	w := New(c.now)
	open(t, w, "a", "one\ntwo\nthree\nfour\nfive\nsix\n")
	checkEdits(t, "opened", w)
	typeAt(t, w, "a", 4, "x = ")
	checkEdits(t, "typed in a line", w, "a:1 -two +x = two")
	typeAt(t, w, "a", 4, "y\nz\n")
	checkEdits(t, "two lines more above", w, "a:1 -two +y|z|x = two")

	open(t, w, "b", "B")
	typeAt(t, w, "b", 1, "!")
	change(t, w, "a", Edit{w.Snapshot().docs[0].Text.LineStart(7), ToEnd, ""}) // "six"
	checkEdits(t, "elsewhere", w, "a:1 -two +y|z|x = two", "b:0 -B +B!", "a:7 -six +")
	change(t, w, "a", Edit{0, 4, ""})
	checkEdits(t, "above, which moves what is below and touches the first", w, "b:0 -B +B!", "a:6 -six +", "a:0 -one|two +y|z|x = two")

	c.pass(hunkPause + 1)
	typeAt(t, w, "b", 0, "?")
	checkEdits(t, "after a pause", w, "b:0 -B +B!", "a:6 -six +", "a:0 -one|two +y|z|x = two", "b:0 -B! +?B!")
}

func TestEditsUndone(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "one\ntwo\n")
	typeAt(t, w, "a", 0, "x\ny")
	change(t, w, "a", Edit{0, 3, ""})
	checkEdits(t, "undone", w)
}

func TestEditsOfClosedDocuments(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "one")
	typeAt(t, w, "a", 0, "x")
	if err := w.Close("a"); err != nil {
		t.Fatal(err)
	}
	open(t, w, "a", "another\ntext")
	typeAt(t, w, "a", 0, "y\n")
	checkEdits(t, "closed and opened", w, "a:0 -one +xone", "a:0 - +y")
}

func TestEditsAreBounded(t *testing.T) {
	w := New(nil)
	open(t, w, "a", strings.Repeat("line\n", 3000))
	for n := range 2 * maxHunks {
		at := w.Snapshot().docs[0].Text.LineStart(10 * n)
		change(t, w, "a", Edit{at, at, fmt.Sprint(n)})
	}
	edits := w.Snapshot().Edits()
	if len(edits) != maxHunks || edits[maxHunks-1].Line != 10*(2*maxHunks-1) {
		t.Errorf("%d hunks, the last at line %d", len(edits), edits[len(edits)-1].Line)
	}
	change(t, w, "a", Edit{0, 0, strings.Repeat("pasted\n", 1000)})
	checkHunks(t, w.Snapshot())
	edits = w.Snapshot().Edits()
	if last := edits[len(edits)-1]; !last.Cut || len(last.After) != maxHunkLines || edits[0].Line < 1000 {
		t.Errorf("a large paste: cut %v, %d lines; the first hunk now at %d", last.Cut, len(last.After), edits[0].Line)
	}
	change(t, w, "a", Edit{0, ToEnd, strings.Repeat("w", 1<<20)})
	checkHunks(t, w.Snapshot())
	// Lines in hunks must not keep the texts that they are from.
	open(t, w, "b", "some text")
	typeAt(t, w, "b", 0, "x")
	for n := range 200 { // grows one hunk beyond its bounds
		typeAt(t, w, "b", 0, fmt.Sprint(n, "\n"))
		checkHunks(t, w.Snapshot())
	}
}

func TestEditsNeverShowSecrets(t *testing.T) {
	w, dir := newFolder(t, map[string]string{".gitignore": "*.log\n"})
	for _, name := range []string{".env", "x.log", "x.go"} {
		open(t, w, filepath.Join(dir, name), "one")
		typeAt(t, w, filepath.Join(dir, name), 0, "KEY=1")
	}
	if edits := w.Snapshot().Edits(); len(edits) != 1 || filepath.Base(edits[0].Path) != "x.go" {
		t.Errorf("edits %v", edits)
	}
	if d, _ := w.Snapshot().Document(filepath.Join(dir, ".env")); d.Text.Len() != 0 || d.Missing == nil || d.Version != 6 {
		t.Errorf("a secret is held: %+v", d)
	}
}

// TestEditsReplay plays random edits of two documents: open hunks are what the
// texts say (checkHunks), and lines outside an edit are the same in both texts.
func TestEditsReplay(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := New(nil)
		open(t, w, "a", "1\r2\r\n3\n4\n5\n6\n7\n8\n9")
		open(t, w, "b", "")
		for range 150 {
			path := []string{"a", "b"}[random.IntN(2)]
			d, _ := w.Snapshot().Document(path)
			e := randomEdit(random, d.Text.Len())
			next := change(t, w, path, e)
			checkHunks(t, w.Snapshot())
			_, old := naive(d.Text.String())
			_, now := naive(next.Text.String())
			l := lineEditOf(d.Text, next.Text, e)
			if !slices.Equal(old[:l.first], now[:l.first]) || !slices.Equal(old[l.oldEnd:], now[l.newEnd:]) {
				t.Fatalf("seed %d: %+v of %q is lines %d to %d, now %d", seed, e, d.Text.String(), l.first, l.oldEnd, l.newEnd)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	const text = "func f() {\n\treturn value\n}\nvar more, and, more int // to be replaced\n"
	long := strings.Repeat("word ", 10)
	for _, test := range []struct {
		name  string
		edits []Edit // each a change of its own
		want  Kind
	}{
		{"key", []Edit{{5, 5, "x"}}, Typed},
		{"enter", []Edit{{10, 10, "\n\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"}}, Typed},
		{"enter between braces", []Edit{{10, 10, "\n\t\n"}}, Typed},
		{"word from a menu", []Edit{{19, 24, "validated"}}, Typed},
		{"long word", []Edit{{5, 5, long}}, Pasted},
		{"lines", []Edit{{0, 0, "a\nb\nc\n"}}, Pasted},
		{"deletion", []Edit{{5, 8, ""}}, Deleted},
		{"all deleted", []Edit{{0, ToEnd, ""}}, Deleted},
		{"nothing", []Edit{{5, 6, text[5:6]}}, Unchanged},
		{"whole text for one key", []Edit{{0, ToEnd, text + "x"}}, Typed},
		{"whole text, formatted", []Edit{{0, ToEnd, strings.Replace(text, "\t", "    ", 1)}}, Typed},
		{"another text", []Edit{{0, ToEnd, "package p\n"}}, Replaced},
		{"undo", []Edit{{5, 5, "abcd"}, {5, 9, ""}}, Undone},
		{"redo", []Edit{{5, 5, "abcd"}, {5, 9, ""}, {5, 5, "abcd"}}, Undone},
		{"undo of a deletion", []Edit{{0, 20, ""}, {0, 0, text[:20]}}, Undone},
		{"undo of several keys", []Edit{{5, 5, "a"}, {6, 6, "b"}, {7, 7, "c"}, {5, 8, ""}}, Undone},
		{"key taken back", []Edit{{5, 5, "a"}, {5, 6, ""}}, Deleted},
		{"key typed again", []Edit{{5, 5, "()"}, {5, 7, ""}, {5, 5, "()"}}, Typed},
		{"no undo", []Edit{{5, 5, "abcd"}, {5, 8, ""}}, Deleted},
	} {
		w := New(nil)
		open(t, w, "a", text)
		var d Document
		for _, e := range test.edits {
			d = change(t, w, "a", e)
		}
		if d.Last != test.want {
			t.Errorf("%s: %v, want %v", test.name, d.Last, test.want)
		}
	}
	w := New(nil)
	open(t, w, "a", "x\nx\nx\n")
	if d := change(t, w, "a", Edit{4, 4, "y"}, Edit{2, 2, "y"}, Edit{0, 0, "y"}); d.Last != Typed {
		t.Errorf("three cursors: %v", d.Last)
	}
	if d := change(t, w, "a", Edit{0, 0, "y"}, Edit{0, 0, long}); d.Last != Pasted {
		t.Errorf("a key and a paste: %v", d.Last)
	}
}

func TestStatesAreBounded(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "")
	for range 2 * maxStates {
		d, _ := w.Snapshot().Document("a")
		change(t, w, "a", Edit{d.Text.Len(), d.Text.Len(), "word "})
	}
	if n := len(w.states["a"].hashes); n != maxStates {
		t.Errorf("%d states", n)
	}
	if d := change(t, w, "a", Edit{5 * (maxStates + 10), ToEnd, ""}); d.Last != Undone {
		t.Errorf("back to a remembered state: %v", d.Last)
	}
	if d := change(t, w, "a", Edit{50, ToEnd, ""}); d.Last != Deleted {
		t.Errorf("back to a forgotten state: %v", d.Last)
	}
}
