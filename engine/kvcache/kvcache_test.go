package kvcache

import (
	"errors"
	"testing"

	"tandem/kernels/op"
)

const page = op.PageTokens

// TestTyping is the main case: every keystroke appends to or changes the end of
// a long prompt.
func TestTyping(t *testing.T) {
	r := newRig(t, 16, nil)
	prompt := text(1, 100)
	if n := r.request(prompt); n != 0 {
		t.Fatalf("an empty cache knew %d tokens", n)
	}
	for i := range 40 {
		prompt = join(prompt, text(2+i, 1))
		if n := r.request(prompt); n != len(prompt)-1 {
			t.Fatalf("keystroke %d: %d tokens of %d cached", i, n, len(prompt))
		}
	}
	// The last word is another one now.
	if n := r.request(join(prompt[:len(prompt)-3], text(60, 3))); n != len(prompt)-3 {
		t.Errorf("changed end: %d tokens cached, want %d", n, len(prompt)-3)
	}
	// Going back finds the text from before.
	if n := r.request(join(prompt, text(61, 1))); n != len(prompt) {
		t.Errorf("back again: %d tokens cached, want %d", n, len(prompt))
	}
	// Tails that a longer one continues do not pile up: five pages of text, and
	// the changed end.
	if s := r.c.Stats(); s.KeptPages != 6 {
		t.Errorf("%d pages kept, want 6", s.KeptPages)
	}
}

// TestSamePromptAgain leaves exactly one token to compute.
func TestSamePromptAgain(t *testing.T) {
	for _, n := range []int{1, 2, page - 1, page, page + 1, 2 * page, 2*page + 1, 3*page - 1} {
		r := newRig(t, 8, nil)
		r.request(text(1, n))
		if got := r.request(text(1, n)); got != n-1 {
			t.Errorf("%d tokens again: %d cached", n, got)
		}
	}
}

// TestEditInTheMiddle matches inside a full page.
func TestEditInTheMiddle(t *testing.T) {
	r := newRig(t, 16, nil)
	old := text(1, 4*page)
	r.request(old)
	for _, at := range []int{0, 1, page - 1, page, page + 7, 3*page + 31} {
		edited := join(old[:at], text(2+at, 40))
		if got := r.request(edited); got != at {
			t.Errorf("edit at %d: %d tokens cached", at, got)
		}
	}
	if got := r.request(old); got != len(old)-1 {
		t.Errorf("the old text: %d tokens cached", got)
	}
}

// TestSharing computes a beginning once for sequences that run at once.
func TestSharing(t *testing.T) {
	r := newRig(t, 8, nil)
	head := text(1, 3*page)
	r.request(head)
	a, b := r.acquire(join(head, text(2, 5))), r.acquire(join(head, text(3, 5)))
	if a.Len() != len(head) || b.Len() != len(head) {
		t.Fatalf("%d and %d tokens cached, want %d", a.Len(), b.Len(), len(head))
	}
	for i := range 3 {
		if a.Table()[i] != b.Table()[i] {
			t.Errorf("page %d is not shared", i)
		}
	}
	r.must(a, text(2, 5))
	r.must(b, text(3, 5))
	r.release(a)
	r.verify(b)
	r.release(b)
}

// TestSameAtOnce: two sequences compute the same text; one's pages are kept.
func TestSameAtOnce(t *testing.T) {
	r := newRig(t, 8, nil)
	prompt := text(1, 2*page+5)
	a, b := r.acquire(prompt), r.acquire(prompt)
	r.must(a, prompt)
	r.must(b, prompt)
	if a.Table()[0] != b.Table()[0] || a.Table()[1] != b.Table()[1] {
		t.Error("equal full pages are not shared")
	}
	c := r.acquire(prompt[:1])
	r.must(c, prompt[:page+3]) // its tail is the beginning of the others' page
	r.release(b)
	r.release(c)
	r.release(a)
	if s := r.c.Stats(); s.KeptPages != 3 || s.FreePages != 5 {
		t.Errorf("%d pages kept, %d free, want 3 and 5", s.KeptPages, s.FreePages)
	}
}

// TestCopyOnWrite: two requests continue the same partial page.
func TestCopyOnWrite(t *testing.T) {
	r := newRig(t, 8, nil)
	head := text(1, page+10)
	r.request(head)
	a, b := r.acquire(join(head, text(2, 3))), r.acquire(join(head, text(3, 3)))
	r.must(a, text(2, 3))
	r.must(b, text(3, 3))
	r.verify(a)
	if n := r.c.Stats().CopyPages; n != 1 {
		t.Errorf("%d copies, want 1: the second has the page to itself", n)
	}
	r.release(a)
	r.release(b)
	if n := r.request(join(head, text(2, 3), text(4, 1))); n != len(head)+3 {
		t.Errorf("%d tokens cached", n)
	}
}

// TestEviction drops the least recently used text from its end.
func TestEviction(t *testing.T) {
	r := newRig(t, 6, nil)
	r.request(text(1, 3*page))
	r.request(text(2, 3*page))
	r.request(text(1, 3*page)) // now 2 is the oldest
	r.request(text(3, 2*page))
	if got := r.acquireLen(text(1, 3*page)); got != 3*page-1 {
		t.Errorf("the text used last: %d tokens cached", got)
	}
	if got := r.acquireLen(text(2, 3*page)); got != page {
		t.Errorf("the text evicted from: %d tokens cached, want %d", got, page)
	}
	if n := r.c.Stats().EvictPages; n != 2 {
		t.Errorf("%d pages evicted, want 2", n)
	}
}

func (r *rig) acquireLen(tokens []int32) int {
	r.t.Helper()
	s := r.acquire(tokens)
	n := s.Len()
	r.release(s)
	return n
}

// TestFull: pages in use are never taken, and a refused Reserve changes nothing.
func TestFull(t *testing.T) {
	r := newRig(t, 4, nil)
	a := r.acquire(text(1, 3*page))
	r.must(a, text(1, 3*page))
	b := r.acquire(text(2, 2*page))
	if err := b.Reserve(page + 1); !errors.Is(err, ErrFull) {
		t.Fatalf("two more pages of four with three in use: %v", err)
	}
	r.check()
	if len(b.Table()) != 0 {
		t.Errorf("a refused sequence has %d pages", len(b.Table()))
	}
	r.must(b, text(2, page))
	r.release(a)
	r.must(b, text(2, 2*page)[page:])
	r.release(b)
}

// TestFullCopy: without a page to copy to, a sequence that is alone goes on in
// the shared page itself, and one that is not is refused.
func TestFullCopy(t *testing.T) {
	r := newRig(t, 2, nil)
	r.request(text(1, 2*page))
	edited := join(text(1, page+9), text(2, 4))
	a, b := r.acquire(edited), r.acquire(edited)
	if err := r.compute(a, edited[a.Len():]); !errors.Is(err, ErrFull) {
		t.Fatalf("a page in use twice was taken: %v", err)
	}
	r.release(b)
	r.must(a, edited[a.Len():])
	r.release(a)
}

// TestFullBelow: the page that a sequence goes on in has others below it, which
// are all that could be evicted.
func TestFullBelow(t *testing.T) {
	for _, pages := range []int{2, 3, 4} {
		r := newRig(t, pages, nil)
		r.request(text(1, pages*page))
		edited := join(text(1, 9), text(2, pages*page-9))
		s := r.acquire(edited)
		if s.Len() != 9 {
			t.Fatalf("%d tokens cached", s.Len())
		}
		r.must(s, edited[9:]) // the whole pool
		r.release(s)
	}
}

// TestLentTail: a partial page is continued by another sequence while one still
// has to copy it.
func TestLentTail(t *testing.T) {
	r := newRig(t, 8, nil)
	head := text(1, page+10)
	r.request(head)
	a, b := r.acquire(join(head, text(2, 3))), r.acquire(join(head, text(3, 3)))
	r.must(a, text(2, 3))
	r.release(a)
	r.verify(b)
	r.must(b, text(3, 3))
	r.release(b)
}

// TestTruncate cuts in own and in shared pages and goes on there.
func TestTruncate(t *testing.T) {
	for _, pos := range []int{0, 1, page - 1, page, page + 1, 2*page + 3, 2*page + 10, 1000} {
		r := newRig(t, 12, nil)
		prompt := text(1, 2*page+10)
		s := r.acquire(prompt)
		r.must(s, prompt)
		s.Truncate(pos)
		r.check()
		if want := min(pos, len(prompt)); s.Len() != want {
			t.Fatalf("truncated to %d: %d tokens", pos, s.Len())
		}
		r.verify(s)
		r.must(s, text(2, 3*page))
		r.release(s)
		whole := pos / page * page
		if got := r.acquireLen(prompt); got < min(whole, len(prompt)-1) {
			t.Errorf("truncated to %d: only %d tokens of the old text left", pos, got)
		}
	}
}

// TestTruncateAgainstOthers: what another sequence reads stays as it is.
func TestTruncateAgainstOthers(t *testing.T) {
	r := newRig(t, 8, nil)
	prompt := text(1, 2*page)
	r.request(prompt)
	a, b := r.acquire(join(prompt, text(2, 1))), r.acquire(join(prompt, text(3, 1)))
	a.Truncate(page + 4)
	r.must(a, text(4, 10))
	r.verify(b)
	r.must(b, text(3, 1))
	r.release(a)
	r.release(b)
}

// TestReleaseEmpty: a request that was cancelled before its first step.
func TestReleaseEmpty(t *testing.T) {
	r := newRig(t, 4, nil)
	s := r.acquire(text(1, 50))
	if err := s.Reserve(50); err != nil {
		t.Fatal(err)
	}
	r.check()
	r.release(s) // nothing was committed
	if f := r.c.Stats().FreePages; f != 4 {
		t.Errorf("%d pages free of 4", f)
	}
	if n := r.acquireLen(nil); n != 0 {
		t.Errorf("%d tokens of an empty prompt", n)
	}
}

// TestCommitWithoutRoom is a caller's bug.
func TestCommitWithoutRoom(t *testing.T) {
	r := newRig(t, 4, nil)
	s := r.acquire(text(1, 5))
	defer func() {
		if recover() == nil {
			t.Error("tokens were committed to no page")
		}
		r.release(s)
	}()
	s.Commit(text(1, 5))
}
