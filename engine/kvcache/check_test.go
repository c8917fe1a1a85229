package kvcache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"tandem/internal/bug"
	"tandem/kernels/op"
	"tandem/kernels/ref"
)

func TestMain(m *testing.M) {
	bug.Panic = true
	m.Run()
}

// check holds c against the invariants of its type. live are all Sequences that
// are not released.
func check(c *Cache, live []*Sequence) error {
	places := map[int32]string{}
	place := func(page int32, where string) error {
		if page < 0 || int(page) >= c.pool.Len() {
			return fmt.Errorf("page %d of %d is %s", page, c.pool.Len(), where)
		}
		if other, taken := places[page]; taken {
			return fmt.Errorf("page %d is %s and %s", page, other, where)
		}
		places[page] = where
		return nil
	}
	for _, page := range c.free {
		if err := place(page, "free"); err != nil {
			return err
		}
	}
	refs := map[*node]int{}
	for i, s := range live {
		if err := checkSequence(s, refs); err != nil {
			return fmt.Errorf("sequence %d: %w", i, err)
		}
		for _, page := range s.own {
			if err := place(page, fmt.Sprintf("of sequence %d", i)); err != nil {
				return err
			}
		}
	}
	kept := 0
	err := walk(c.root, func(n *node) error {
		if n.refs == 0 {
			kept++
		}
		if n.refs != refs[n] {
			return fmt.Errorf("page %d has %d refs, %d sequences use it", n.page, n.refs, refs[n])
		}
		if (n.refs == 0) != (n.kept != nil) {
			return fmt.Errorf("page %d has %d refs, kept: %v", n.page, n.refs, n.kept != nil)
		}
		return place(n.page, "in the tree")
	})
	if err != nil {
		return err
	}
	if len(places) != c.pool.Len() {
		return fmt.Errorf("%d pages of %d are somewhere", len(places), c.pool.Len())
	}
	return checkKept(c, kept)
}

// checkKept checks the order of eviction.
func checkKept(c *Cache, want int) error {
	if c.lru.Len() != want {
		return fmt.Errorf("%d pages kept, %d without refs", c.lru.Len(), want)
	}
	seen := map[*node]bool{}
	for e := c.lru.Front(); e != nil; e = e.Next() {
		n := e.Value.(*node)
		if n.kept != e {
			return fmt.Errorf("page %d is not where it thinks in the order of eviction", n.page)
		}
		if n.parent.kept != nil && !seen[n.parent] {
			return fmt.Errorf("page %d would be evicted after its parent", n.page)
		}
		seen[n] = true
	}
	return nil
}

// checkSequence checks s and counts its references.
func checkSequence(s *Sequence, refs map[*node]int) error {
	parent := s.c.root
	var table, tokens []int32
	for _, n := range s.path {
		if n.parent != parent || !slices.Contains(parent.children, n) {
			return fmt.Errorf("its path is broken at page %d", n.page)
		}
		parent = n
		refs[n]++
		table = append(table, n.page)
		tokens = append(tokens, n.tokens...)
	}
	if table = append(table, s.own...); !slices.Equal(table, s.table) {
		return fmt.Errorf("table %v, want %v", s.table, table)
	}
	if n := commonLen(tokens, s.tokens); n < min(len(tokens), len(s.tokens)) {
		return fmt.Errorf("token %d is not that of its page", n)
	}
	if len(s.tokens) < (len(s.path)-1)*op.PageTokens+1 && len(s.path) > 0 || len(s.tokens) > len(s.table)*op.PageTokens {
		return fmt.Errorf("%d tokens on %d shared and %d own pages", len(s.tokens), len(s.path), len(s.own))
	}
	return nil
}

// walk visits every node but the root, and checks the shape of the tree.
func walk(parent *node, visit func(*node) error) error {
	for i, n := range parent.children {
		if n.parent != parent {
			return fmt.Errorf("page %d does not know its parent", n.page)
		}
		if len(n.tokens) == 0 || len(n.tokens) > op.PageTokens || len(n.children) > 0 && !n.full() {
			return fmt.Errorf("page %d has %d tokens and %d children", n.page, len(n.tokens), len(n.children))
		}
		if n.hash != hashOf(parent.hash, n.tokens) {
			return fmt.Errorf("page %d has another path's hash", n.page)
		}
		for _, sibling := range parent.children[:i] {
			if slices.Equal(sibling.tokens, n.tokens) {
				return fmt.Errorf("pages %d and %d hold the same", sibling.page, n.page)
			}
		}
		if err := visit(n); err != nil {
			return err
		}
		if err := walk(n, visit); err != nil {
			return err
		}
	}
	return nil
}

// rig is a cache over real pages, and all its live sequences. In place of keys
// and values a position holds a hash of all tokens up to its own, so that what
// lies in a page tells where it came from.
type rig struct {
	t    *testing.T
	c    *Cache
	live []*Sequence
	page []byte
}

func newRig(t *testing.T, pages int, cold *Cold) *rig {
	pool := newPool(t, pages)
	return &rig{t: t, c: New(pool, cold), page: make([]byte, pool.PageBytes())}
}

// newPool is the page pool of a model with one head of one dimension in f32.
func newPool(t *testing.T, pages int) op.Pages {
	t.Helper()
	table := &op.Tensor{Name: "embed", Type: op.F32, Rows: 4, Cols: 1, Data: make([]byte, 4*4)}
	b := op.NewBuilder("pool", 4, 1<<20)
	x := b.Embed(table)
	x = b.Attention(x, x, x, 1)
	p, err := b.Program(b.MatMul(b.Select(x), table, nil))
	if err != nil {
		t.Fatal(err)
	}
	exec, err := ref.Open(1).Compile(t.Context(), p, op.CompileOptions{RowsMax: 1, LogitsMax: 1, KV: op.F32, Pages: pages}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Close() })
	return exec.Pages()
}

func (r *rig) check() {
	r.t.Helper()
	if err := check(r.c, r.live); err != nil {
		r.t.Fatal(err)
	}
}

// acquire begins a sequence and checks what its pages hold.
func (r *rig) acquire(tokens []int32) *Sequence {
	r.t.Helper()
	s := r.c.Acquire(tokens)
	r.live = append(r.live, s)
	if !slices.Equal(s.tokens, tokens[:s.Len()]) {
		r.t.Fatalf("a sequence of %v for %v", s.tokens, tokens)
	}
	r.verify(s)
	r.check()
	return s
}

// verify reads all positions of s.
func (r *rig) verify(s *Sequence) {
	r.t.Helper()
	want := hashOf(0, nil)
	for pos, token := range s.tokens {
		if pos%op.PageTokens == 0 {
			r.c.pool.Export(r.page, s.Table()[pos/op.PageTokens], op.PageTokens)
		}
		want = hashOf(want, []int32{token})
		if got := binary.LittleEndian.Uint32(r.page[pos%op.PageTokens*4:]); got != uint32(want) {
			r.t.Fatalf("position %d of %d holds %#x, want %#x", pos, s.Len(), got, uint32(want))
		}
	}
}

// compute is what a step does: it writes positions and commits them.
func (r *rig) compute(s *Sequence, tokens []int32) error {
	r.t.Helper()
	if err := s.Reserve(len(tokens)); err != nil {
		r.check()
		return err
	}
	r.check()
	before := slices.Clone(s.tokens)
	hash := hashOf(0, nil)
	for _, token := range before {
		hash = hashOf(hash, []int32{token})
	}
	for i, token := range tokens {
		pos := len(before) + i
		page, at := s.Table()[pos/op.PageTokens], pos%op.PageTokens
		if !slices.Contains(s.own, page) {
			r.t.Fatalf("position %d would be written to page %d, which is not the sequence's own", pos, page)
		}
		hash = hashOf(hash, []int32{token})
		r.c.pool.Export(r.page, page, op.PageTokens)
		binary.LittleEndian.PutUint32(r.page[at*4:], uint32(hash))
		r.c.pool.Import(page, r.page, op.PageTokens)
	}
	s.Commit(tokens)
	r.check()
	r.verify(s)
	return nil
}

// must is compute where there is room.
func (r *rig) must(s *Sequence, tokens []int32) {
	r.t.Helper()
	if err := r.compute(s, tokens); err != nil {
		r.t.Fatalf("%d tokens after %d: %v", len(tokens), s.Len(), err)
	}
}

// request is a whole request: what is not cached is computed. It returns how
// many tokens were found.
func (r *rig) request(tokens []int32) (cached int) {
	r.t.Helper()
	s := r.acquire(tokens)
	cached = s.Len()
	r.must(s, tokens[cached:])
	r.release(s)
	return cached
}

func (r *rig) release(s *Sequence) {
	r.t.Helper()
	s.Release()
	r.live = slices.DeleteFunc(r.live, func(l *Sequence) bool { return l == s })
	r.check()
}

// text is n tokens that differ by kind from the first one on.
func text(kind, n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(kind*100_000 + i)
	}
	return tokens
}

// join is a new slice of all parts.
func join(parts ...[]int32) []int32 { return slices.Concat(parts...) }
