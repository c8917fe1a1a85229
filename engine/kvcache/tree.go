package kvcache

import (
	"container/list"
	"slices"

	"tandem/kernels/op"
)

// node is a page in the tree; the tokens on the way from the root to it are
// those its keys and values were computed from.
type node struct {
	parent   *node
	children []*node
	tokens   []int32 // of this page, 1 to op.PageTokens; none in the root
	page     int32
	hash     uint64        // of the whole way's tokens
	refs     int           // Sequences that use it
	kept     *list.Element // in Cache.lru, nil while refs > 0
}

func (n *node) full() bool { return len(n.tokens) == op.PageTokens }

// path is all tokens from the root to the end of n.
func (n *node) path() []int32 {
	depth := 0
	for at := n; at.parent != nil; at = at.parent {
		depth += len(at.tokens)
	}
	tokens := make([]int32, depth)
	for at := n; at.parent != nil; at = at.parent {
		depth -= len(at.tokens)
		copy(tokens[depth:], at.tokens)
	}
	return tokens
}

// match finds the child with the most tokens in common with the beginning of
// tokens, and how many they are; 0 of none. A page's worth of tokens decides
// after one or two comparisons per child, so children are not indexed.
func (n *node) match(tokens []int32) (child *node, matched int) {
	for _, at := range n.children {
		if m := commonLen(at.tokens, tokens); m > matched {
			child, matched = at, m
		}
	}
	return child, matched
}

// child finds the child with exactly these tokens.
func (n *node) child(tokens []int32) *node {
	for _, at := range n.children {
		if slices.Equal(at.tokens, tokens) {
			return at
		}
	}
	return nil
}

// commonLen is the length of the beginning that a and b share.
func commonLen(a, b []int32) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// insert hangs page below parent, in use by refs Sequences.
func (c *Cache) insert(parent *node, tokens []int32, page int32, refs int) *node {
	n := &node{parent: parent, tokens: slices.Clone(tokens), page: page, hash: hashOf(parent.hash, tokens), refs: refs}
	parent.children = append(parent.children, n)
	if refs == 0 {
		n.kept = c.lru.PushFront(n)
	}
	return n
}

// remove takes a leaf out of the tree; its page is the caller's.
func (c *Cache) remove(n *node) int32 {
	i := slices.Index(n.parent.children, n)
	n.parent.children = slices.Delete(n.parent.children, i, i+1)
	if n.kept != nil {
		c.lru.Remove(n.kept)
		n.kept = nil
	}
	return n.page
}

// evict removes a leaf that is still worth something.
func (c *Cache) evict(n *node) int32 {
	if n.full() && c.cold.put(c.pool, n) {
		c.stats.ColdPages++
	}
	c.stats.EvictPages++
	return c.remove(n)
}

// evictBelow makes n, below which nothing is in use, a leaf.
func (c *Cache) evictBelow(n *node) {
	for len(n.children) > 0 {
		child := n.children[len(n.children)-1]
		c.evictBelow(child)
		c.free = append(c.free, c.evict(child))
	}
}

func (c *Cache) ref(n *node) {
	if n.refs++; n.kept != nil {
		c.lru.Remove(n.kept)
		n.kept = nil
	}
}

// unref drops one use of n. A path is dropped from its end, so that parents come
// to stand before their children.
func (c *Cache) unref(n *node) {
	if n.refs--; n.refs == 0 {
		n.kept = c.lru.PushFront(n)
	}
}
