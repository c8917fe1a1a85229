package workspace

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fixed is an edit that does not depend on the text.
func fixed(e Edit) func(Text) Edit { return func(Text) Edit { return e } }

func open(t testing.TB, w *Workspace, path, text string) {
	t.Helper()
	if err := w.Open(Item{Path: path, Language: "go", Version: 1, Text: text}); err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
}

func change(t testing.TB, w *Workspace, path string, edits ...Edit) Document {
	t.Helper()
	d, _ := w.Snapshot().Document(path)
	var list []func(Text) Edit
	for _, e := range edits {
		list = append(list, fixed(e))
	}
	out, err := w.Change(path, d.Version+1, list...)
	if err != nil {
		t.Fatalf("change %s: %v", path, err)
	}
	return out.Document
}

// docsBytes counts anew what textBytes keeps count of.
func (w *Workspace) docsBytes() int64 {
	n := int64(0)
	for _, d := range w.Snapshot().docs {
		n += d.Text.size()
	}
	return n
}

func paths(s *Snapshot) []string {
	var list []string
	for d := range s.Documents() {
		list = append(list, d.Path)
	}
	return list
}

func TestLifeOfADocument(t *testing.T) {
	w := New(nil)
	open(t, w, "/p/../p/a.go", "one\ntwo")
	before := w.Snapshot()
	out, err := w.Change("/p/a.go", 2, fixed(Edit{0, 3, "uno"}), func(text Text) Edit {
		if text.String() != "uno\ntwo" {
			t.Errorf("the second edit is asked for with %q", text.String())
		}
		return Edit{text.LineStart(1), ToEnd, "dos"}
	})
	want := Document{Path: "/p/a.go", Language: "go", Version: 2, Text: newText(t, "uno\ndos"), Last: Typed, used: 1}
	if d := out.Document; err != nil || out.Backwards || d.Text.String() != "uno\ndos" || d.Version != 2 || d.Language != "go" || d.Last != Typed {
		t.Errorf("changed to %+v, %v, want %+v", out, err, want)
	}
	if d, ok := before.Document("/p/a.go"); !ok || d.Text.String() != "one\ntwo" || d.Version != 1 {
		t.Errorf("the snapshot before changed: %+v", d)
	}
	held := w.Snapshot()
	if err := w.Close("/p/a.go"); err != nil {
		t.Error(err)
	}
	if _, ok := w.Snapshot().Document("/p/a.go"); ok || w.Snapshot().Len() != 0 || w.textBytes != 0 || len(w.states) != 0 {
		t.Errorf("after Close: %d documents, %d bytes, %d states", w.Snapshot().Len(), w.textBytes, len(w.states))
	}
	if d, ok := held.Document("/p/a.go"); !ok || d.Text.String() != "uno\ndos" {
		t.Errorf("Close changed a snapshot: %+v", d)
	}
	if _, err := w.Change("/p/a.go", 3); !errors.Is(err, ErrNotOpen) {
		t.Errorf("change of a closed document: %v", err)
	}
	if err := w.Close("/p/a.go"); !errors.Is(err, ErrNotOpen) {
		t.Errorf("close of a closed document: %v", err)
	}
}

func TestInvalidEditChangesNothing(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "text")
	before := w.Snapshot()
	if _, err := w.Change("a", 2, fixed(Edit{0, 0, "x"}), fixed(Edit{4, 9, ""})); err == nil || !strings.Contains(err.Error(), "open it again") {
		t.Errorf("an edit outside the text: %v", err)
	}
	if w.Snapshot() != before {
		t.Error("a failed change left a trace")
	}
}

func TestVersionsBackwards(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "")
	for _, test := range []struct {
		version   int32
		backwards bool
	}{{2, false}, {9, false}, {9, true}, {3, true}, {4, false}, {-1, true}} {
		out, err := w.Change("a", test.version, fixed(Edit{0, 0, "x"}))
		if err != nil || out.Backwards != test.backwards || out.Document.Version != test.version {
			t.Errorf("version %d: %+v, %v, want backwards %v", test.version, out, err, test.backwards)
		}
	}
	if d, _ := w.Snapshot().Document("a"); d.Text.String() != "xxxxxx" {
		t.Errorf("not every change was made: %q", d.Text.String())
	}
}

func TestMostRecentFirst(t *testing.T) {
	w := New(nil)
	for _, path := range []string{"a", "b", "c", "d"} {
		open(t, w, path, "")
	}
	change(t, w, "b", Edit{0, 0, "x"})
	change(t, w, "b", Edit{0, 0, "x"})
	w.Touch("a")
	w.Touch("not open")
	w.Save("c")
	if err := w.Close("d"); err != nil {
		t.Fatal(err)
	}
	if got := paths(w.Snapshot()); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("documents %v", got)
	}
	open(t, w, "d", "")
	kept := w.Snapshot()
	for n := range 5000 { // the list of switches is not for ever
		w.Touch([]string{"a", "b"}[n%2])
	}
	if got := paths(w.Snapshot()); !slices.Equal(got, []string{"b", "a", "d", "c"}) || w.Snapshot().uses > 80 {
		t.Errorf("documents %v after %d switches kept", got, w.Snapshot().uses)
	}
	if got := paths(kept); !slices.Equal(got, []string{"d", "c", "a", "b"}) {
		t.Errorf("a snapshot's order became %v", got)
	}
}

func TestHugeDocument(t *testing.T) {
	w := New(nil)
	huge := strings.Repeat("0123456\n", 200<<20/8)
	open(t, w, "a", huge)
	for _, edit := range []Edit{{0, 0, "x"}, {5, 9, ""}, {0, 100 << 20, "y"}} {
		if d := change(t, w, "a", edit); !errors.Is(d.Missing, ErrTooLarge) || d.Text.Len() != 0 {
			t.Errorf("%+v: %d bytes, %v", edit, d.Text.Len(), d.Missing)
		}
	}
	if w.textBytes != 0 {
		t.Errorf("%d bytes held", w.textBytes)
	}
	if _, err := w.Snapshot().Read("a"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	if d := change(t, w, "a", Edit{0, ToEnd, "small"}); d.Missing != nil || d.Text.String() != "small" || d.Last != Replaced {
		t.Errorf("replaced by a small text: %+v", d)
	}
	if d := change(t, w, "a", Edit{5, 5, huge[:MaxTextBytes]}); !errors.Is(d.Missing, ErrTooLarge) || w.textBytes != 0 {
		t.Errorf("grown beyond the limit: %v, %d bytes held", d.Missing, w.textBytes)
	}
}

func TestTotalOfTexts(t *testing.T) {
	w := New(nil)
	text := strings.Repeat("x", MaxTextBytes)
	for n := range maxTotalBytes / MaxTextBytes {
		open(t, w, fmt.Sprint(n), text)
	}
	open(t, w, "more", "text")
	if d, ok := w.Snapshot().Document("more"); !ok || !errors.Is(d.Missing, ErrNoRoom) || d.Text.Len() != 0 {
		t.Errorf("beyond the total: %+v", d)
	}
	if err := w.Close("0"); err != nil {
		t.Fatal(err)
	}
	if d := change(t, w, "more", Edit{0, 0, "x"}); !errors.Is(d.Missing, ErrNoRoom) {
		t.Errorf("an edit of a text that is not held: %+v", d)
	}
	if d := change(t, w, "more", Edit{0, ToEnd, "text"}); d.Missing != nil || d.Text.String() != "text" {
		t.Errorf("with room again: %+v", d)
	}
	// An index counts, too: this one is four times the text.
	for n := range 3 {
		if err := w.Close(fmt.Sprint(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	open(t, w, "breaks", strings.Repeat("\n", MaxTextBytes))
	if d, _ := w.Snapshot().Document("breaks"); !errors.Is(d.Missing, ErrNoRoom) {
		t.Errorf("%d bytes held, %d line breaks missing: %v", w.textBytes, MaxTextBytes, d.Missing)
	}
}

func TestTenThousandDocuments(t *testing.T) {
	const n = 10_000
	w := New(nil)
	for i := range n {
		open(t, w, fmt.Sprintf("/p/%05d.go", i), "package p\n")
	}
	s := w.Snapshot()
	// A key in one of them copies pointers, not documents.
	allocated := testing.AllocsPerRun(10, func() {
		if _, err := w.Change("/p/05000.go", 2, fixed(Edit{0, 0, "x"})); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 100 {
		t.Errorf("a key with %d documents open allocates %v times", n, allocated)
	}
	if allocated := testing.AllocsPerRun(10, func() { w.Snapshot() }); allocated > 0 {
		t.Errorf("a snapshot allocates %v times", allocated)
	}
	if list := paths(s); len(list) != n || list[0] != "/p/09999.go" || list[n-1] != "/p/00000.go" {
		t.Errorf("%d documents, from %s to %s", len(list), list[0], list[len(list)-1])
	}
	if d, _ := s.Document("/p/05000.go"); d.Text.String() != "package p\n" {
		t.Errorf("the snapshot changed to %q", d.Text.String())
	}
	for i := range 100 {
		if err := w.Close(fmt.Sprintf("/p/%05d.go", 4950+i)); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.Snapshot(); s.Len() != n-100 || w.textBytes != w.docsBytes() || len(w.states) != 0 {
		t.Errorf("after closing some: %d documents, %d bytes, %d states", s.Len(), w.textBytes, len(w.states))
	}
}

func TestBoundsOfDocuments(t *testing.T) {
	w := New(nil)
	if err := w.Open(Item{Path: strings.Repeat("x/", maxPathBytes)}); err == nil {
		t.Error("an endless path was opened")
	}
	full := *w.Snapshot()
	for i := range maxDocuments {
		full.docs = append(full.docs, &Document{Path: fmt.Sprintf("%06d", i)})
	}
	w.current.Store(&full)
	if err := w.Open(Item{Path: "one more"}); err == nil || !strings.Contains(err.Error(), "close some") {
		t.Errorf("document %d: %v", maxDocuments+1, err)
	}
	open(t, w, "000000", "again")
}

func TestReopen(t *testing.T) {
	w := New(nil)
	open(t, w, "a", "one")
	open(t, w, "a", "two!")
	if d, _ := w.Snapshot().Document("a"); d.Text.String() != "two!" || w.Snapshot().Len() != 1 || w.textBytes != 4 {
		t.Errorf("opened twice: %+v, %d documents, %d bytes", d, w.Snapshot().Len(), w.textBytes)
	}
}

func TestFolders(t *testing.T) {
	w := New(nil)
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if err := w.SetFolders(b, a+"/.", b); err != nil {
		t.Fatal(err)
	}
	want := []string{a, b}
	slices.Sort(want)
	s := w.Snapshot()
	if err := w.SetFolders("relative"); err == nil {
		t.Error("a relative folder was taken")
	}
	if err := w.SetFolders(slices.Repeat([]string{a}, 2*maxFolders)...); err != nil {
		t.Errorf("one folder many times: %v", err)
	}
	var many []string
	for i := range maxFolders + 1 {
		many = append(many, filepath.Join(a, fmt.Sprint(i)))
	}
	if err := w.SetFolders(many...); err == nil {
		t.Error("too many folders were taken")
	}
	if got := s.Folders(); !slices.Equal(got, want) {
		t.Errorf("folders %v, want %v", got, want)
	}
}

// TestTogether has writers and readers meet, for the race detector. Each text is
// one letter repeated as often as its version says.
func TestTogether(t *testing.T) {
	w := New(nil)
	dir := t.TempDir()
	var all sync.WaitGroup
	for _, path := range []string{"a", "b", "c"} {
		open(t, w, path, "x")
		all.Go(func() {
			for version := int32(2); version < 100; version++ {
				if _, err := w.Change(path, version, func(text Text) Edit { return Edit{text.Len(), text.Len(), "x"} }); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 100 {
				s := w.Snapshot()
				for d := range s.Documents() {
					if d.Text.Len() != int(d.Version) {
						t.Errorf("%s: version %d has %d bytes", d.Path, d.Version, d.Text.Len())
					}
				}
				s.Edits()
				s.Excluded(filepath.Join(dir, path))
				if _, err := s.Walk(t.Context(), Limits{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 50 {
			if err := w.SetFolders(dir); err != nil {
				t.Error(err)
			}
			open(t, w, "d", "x")
			w.Save(filepath.Join(dir, gitIgnore))
			if err := w.Close("d"); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
}
