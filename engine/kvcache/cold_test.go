package kvcache

import (
	"testing"
)

func newCold(t *testing.T, bytes int64) *Cold {
	c, err := NewCold(bytes, 256)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestColdOff: too small for one page is off, and off is nil.
func TestColdOff(t *testing.T) {
	for _, bytes := range []int64{0, -1, 255} {
		if c := newCold(t, bytes); c != nil {
			t.Errorf("a cold tier of %d bytes", bytes)
		}
	}
}

// TestCold: what was evicted comes back, whole page by whole page.
func TestCold(t *testing.T) {
	cold := newCold(t, 1<<20)
	r := newRig(t, 4, cold)
	prompt := text(1, 3*page+7)
	r.request(prompt)
	r.request(text(2, 4*page)) // evicts everything
	cold.pages.Wait()
	if n := r.c.Stats().ColdPages; n != 3 {
		t.Errorf("%d pages frozen, want the 3 whole ones", n)
	}
	if n := r.request(prompt); n != 3*page {
		t.Errorf("%d tokens came back, want the %d of whole pages", n, 3*page)
	}
	s := r.c.Stats()
	if s.ThawPages != 3 {
		t.Errorf("%d pages thawed, want 3", s.ThawPages)
	}
	// A page that is cold already is not copied there once more.
	r.request(text(2, 4*page))
	cold.pages.Wait()
	frozen := r.c.Stats().ColdPages
	r.request(prompt)
	r.request(text(2, 4*page))
	if n := r.c.Stats().ColdPages; n != frozen {
		t.Errorf("%d pages frozen, want %d still", n, frozen)
	}
}

// TestColdBehindTree: the tree has the beginning, the cold tier the rest, and a
// partial page in the tree loses against a whole cold one.
func TestColdBehindTree(t *testing.T) {
	cold := newCold(t, 1<<20)
	r := newRig(t, 6, cold)
	prompt := text(1, 3*page+1)
	r.request(prompt)
	r.request(text(2, 4*page)) // evicts the tail and the third page at least
	cold.pages.Wait()
	r.request(join(prompt[:2*page+5], text(3, 2))) // computes part of that page again
	if n := r.request(prompt); n != 3*page {
		t.Errorf("%d tokens cached, want %d", n, 3*page)
	}
}

// TestColdCollision: the tokens decide, not the hash.
func TestColdCollision(t *testing.T) {
	cold := newCold(t, 1<<20)
	r := newRig(t, 2, cold)
	right, wrong := text(1, page+1), text(2, page+1)
	r.request(wrong)
	r.request(text(3, 2*page))
	cold.pages.Wait()
	entry, ok := cold.pages.Get(hashOf(0, wrong[:page]))
	if !ok {
		t.Fatal("the page is not in the cold tier")
	}
	cold.pages.Set(hashOf(0, right[:page]), entry, entry.bytes())
	cold.pages.Wait()
	if n := r.acquireLen(right); n != 0 {
		t.Errorf("%d tokens of another text were taken for this one's", n)
	}
	// The same page behind another beginning is another page.
	if data, ok := cold.get(hashOf(0, wrong[:page]), &node{parent: r.c.root, tokens: text(9, page)}, wrong[:page]); ok {
		t.Errorf("%d bytes of a page with another beginning", len(data))
	}
}

// TestColdWithoutRoom: no page can be had for what would come back.
func TestColdWithoutRoom(t *testing.T) {
	cold := newCold(t, 1<<20)
	r := newRig(t, 2, cold)
	r.request(text(1, page+1))
	busy := r.acquire(text(2, 2*page))
	r.must(busy, text(2, 2*page))
	cold.pages.Wait()
	if n := r.acquireLen(text(1, page+1)); n != 0 {
		t.Errorf("%d tokens without a page", n)
	}
	r.release(busy)
	if n := r.acquireLen(text(1, page+1)); n != page {
		t.Errorf("%d tokens, want %d", n, page)
	}
}
