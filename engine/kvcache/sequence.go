package kvcache

import (
	"tandem/internal/bug"
	"tandem/kernels/op"
)

// Sequence is one request's view of the cache: the tokens whose keys and values
// lie in the pages of its table. It belongs to the goroutine of its Cache and
// must be released.
type Sequence struct {
	c      *Cache
	tokens []int32
	path   []*node // shared pages from the root on; of the last perhaps only a part is used
	own    []int32 // pages after them, the rest of tokens and reserved room
	table  []int32 // the pages of path, then own
}

// Acquire begins a sequence with the longest cached beginning of tokens, whole
// pages and token by token inside the last. At least one of tokens is left to
// compute, for its logits.
func (c *Cache) Acquire(tokens []int32) *Sequence {
	s := &Sequence{c: c}
	rest := tokens[:max(len(tokens)-1, 0)]
	for at := c.root; len(rest) > 0; {
		next, n := at.match(rest)
		if n < op.PageTokens {
			if thawed := c.thaw(at, rest); thawed != nil {
				next, n = thawed, op.PageTokens
			}
		}
		if n == 0 {
			break
		}
		c.ref(next)
		s.path = append(s.path, next)
		s.table = append(s.table, next.page)
		s.tokens = append(s.tokens, rest[:n]...)
		if n < op.PageTokens {
			break
		}
		at, rest = next, rest[n:]
	}
	return s
}

// thaw brings back from the cold tier the page below at that holds the first
// tokens of rest; nil if it is not there or no page is to be had for it.
func (c *Cache) thaw(at *node, rest []int32) *node {
	if c.cold == nil || len(rest) < op.PageTokens {
		return nil
	}
	tokens := rest[:op.PageTokens]
	data, ok := c.cold.get(hashOf(at.hash, tokens), at, tokens)
	if !ok {
		return nil
	}
	page, ok := c.takePage()
	if !ok {
		return nil
	}
	c.pool.Import(page, data, op.PageTokens)
	c.stats.ThawPages++
	n := c.insert(at, tokens, page, 1)
	c.unref(n) // kept, until the caller refers to it
	return n
}

// Len is the number of tokens whose keys and values are there.
func (s *Sequence) Len() int { return len(s.tokens) }

// Table is the page table, for op.Batch. It is valid until the next call that
// changes the sequence.
func (s *Sequence) Table() []int32 { return s.table }

// Reserve makes room for n more tokens, evicting pages that nobody uses, least
// recently used leaves first. With ErrFull nothing has changed; a sequence that
// is the only one gets as many tokens as the pool has positions.
func (s *Sequence) Reserve(n int) error {
	if n <= 0 {
		return nil
	}
	need := pagesFor(len(s.tokens)+n) - len(s.table)
	last := s.borrowed()
	used := len(s.tokens) % op.PageTokens
	steal := false
	if last != nil {
		// Whoever alone uses a page may have it; then nothing below it is in use
		// either. Copying is for the sake of others, or of the positions that
		// would be overwritten, if there is room for that.
		steal = last.refs == 1 && (used == len(last.tokens) || need+1 > s.c.available())
		if !steal {
			need++
		}
	}
	if need > s.c.available() {
		return ErrFull
	}
	if last != nil {
		s.writable(last, used, steal)
	}
	for len(s.table) < pagesFor(len(s.tokens)+n) {
		s.appendOwn(s.c.mustTakePage())
	}
	return nil
}

// borrowed is the shared page that the next token would be written to, nil if
// there is none.
func (s *Sequence) borrowed() *node {
	if len(s.path)*op.PageTokens <= len(s.tokens) {
		return nil
	}
	return s.path[len(s.path)-1]
}

// writable replaces the borrowed page last, the end of the table, by one of the
// sequence's own with its first used positions.
func (s *Sequence) writable(last *node, used int, steal bool) {
	s.path = s.path[:len(s.path)-1]
	s.table = s.table[:len(s.table)-1]
	switch {
	case steal && used == len(last.tokens): // a partial page, thus a leaf
		s.appendOwn(s.c.remove(last))
		return
	case steal:
		s.c.evictBelow(last)
		s.appendOwn(s.c.evict(last))
		return
	}
	page := s.c.mustTakePage() // not last's, which is still referred to
	s.c.pool.Copy(page, last.page, used)
	s.c.stats.CopyPages++
	s.c.unref(last)
	s.appendOwn(page)
}

func (s *Sequence) appendOwn(page int32) {
	s.own = append(s.own, page)
	s.table = append(s.table, page)
}

// mustTakePage is for callers that know that a page is available.
func (c *Cache) mustTakePage() int32 {
	page, ok := c.takePage()
	if !ok {
		panic(bug.Errorf("kvcache: %d pages, none available after all", c.pool.Len()))
	}
	return page
}

// Commit tells that the keys and values of tokens, the next ones, were computed
// to the reserved room. Pages that they fill are shared from now on.
func (s *Sequence) Commit(tokens []int32) {
	if len(tokens) == 0 {
		return
	}
	if len(s.tokens)+len(tokens) > len(s.table)*op.PageTokens || s.borrowed() != nil {
		panic(bug.Errorf("kvcache: commit of %d tokens after %d without room", len(tokens), len(s.tokens)))
	}
	s.tokens = append(s.tokens, tokens...)
	for len(s.tokens) >= (len(s.path)+1)*op.PageTokens {
		at := len(s.path)
		page := s.own[0]
		s.own = s.own[1:]
		s.path = append(s.path, s.c.share(s.leaf(), s.tokens[at*op.PageTokens:(at+1)*op.PageTokens], page))
		s.table[at] = s.path[at].page
	}
}

// share puts a full page into the tree, in use once. If another sequence has
// computed the same tokens meanwhile, page is freed and that one's taken.
func (c *Cache) share(parent *node, tokens []int32, page int32) *node {
	if n := parent.child(tokens); n != nil {
		c.free = append(c.free, page)
		c.ref(n)
		return n
	}
	return c.insert(parent, tokens, page, 1)
}

// leaf is the node below which the sequence's next page belongs.
func (s *Sequence) leaf() *node {
	if len(s.path) == 0 {
		return s.c.root
	}
	return s.path[len(s.path)-1]
}

// Truncate forgets the tokens from position pos on.
func (s *Sequence) Truncate(pos int) {
	if pos < 0 || pos >= len(s.tokens) {
		return
	}
	s.tokens = s.tokens[:pos]
	if pos >= len(s.path)*op.PageTokens {
		return // own pages stay as room
	}
	s.c.free = append(s.c.free, s.own...)
	s.own = nil
	for keep := pagesFor(pos); len(s.path) > keep; {
		s.c.unref(s.leaf())
		s.path = s.path[:len(s.path)-1]
	}
	s.table = s.table[:len(s.path)]
}

// Release ends the sequence. Its last, partial page stays in the tree, too, so
// that the next prompt that begins like it need not compute it again.
func (s *Sequence) Release() {
	if tail := s.tokens[min(len(s.path)*op.PageTokens, len(s.tokens)):]; len(tail) > 0 {
		if _, n := s.leaf().match(tail); n < len(tail) {
			s.c.insert(s.leaf(), tail, s.own[0], 0)
			s.own = s.own[1:]
		}
	}
	s.c.free = append(s.c.free, s.own...)
	for i := len(s.path) - 1; i >= 0; i-- {
		s.c.unref(s.path[i])
	}
	*s = Sequence{c: s.c}
}
