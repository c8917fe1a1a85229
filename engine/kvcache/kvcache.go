// Package kvcache keeps the keys and values of past tokens and finds those of a
// new prompt's beginning again: the pages of one model on one device, in a radix
// tree by token, the least recently used ones going first to a tier in host
// memory and then away. It knows tokens and page numbers; what is in a page, and
// when a step fills it, is known to op.Pages and the executor.
package kvcache

import (
	"container/list"
	"errors"

	"tandem/kernels/op"
)

// ErrFull says that every page of the pool is in use by a sequence.
var ErrFull = errors.New("all KV pages are in use")

// Cache is the pages of one model on one device. It belongs to one goroutine,
// the device's executor, together with its Sequences; nothing here locks.
//
// Invariants:
//
//  1. Each page of the pool is in one place: free, a node's, or a Sequence's own.
//  2. A node's tokens and page never change. A node with children is full, a
//     whole page of tokens; a partial one is a leaf.
//  3. No two siblings have the same tokens. (They may begin alike: a page is
//     shared as a whole or copied, never split.)
//  4. node.refs counts the Sequences whose path has the node. A path is a chain
//     from the root; all of it but the last node is used whole.
//  5. The lru list holds exactly the nodes without refs, each behind its parent
//     if that is there too. So its last element is always a leaf.
//  6. A Sequence writes only to its own pages; [Sequence.Reserve] makes sure
//     that the positions after its last one are such.
type Cache struct {
	pool  op.Pages
	cold  *Cold // nil: off
	root  *node // no page, never in lru
	free  []int32
	lru   *list.List // of *node, the most recently used first
	stats Stats
}

// Stats counts what a Cache did and holds.
type Stats struct {
	Pages      int `json:"pages"`       // in the pool
	FreePages  int `json:"free_pages"`  // hold nothing
	KeptPages  int `json:"kept_pages"`  // in no sequence's use, may be evicted
	ColdPages  int `json:"cold_pages"`  // evicted to the cold tier, ever
	ThawPages  int `json:"thaw_pages"`  // taken back from it, ever
	CopyPages  int `json:"copy_pages"`  // copied on write, ever
	EvictPages int `json:"evict_pages"` // evicted, ever
}

// New makes a cache of pool's pages, all of them free. cold may be nil.
func New(pool op.Pages, cold *Cold) *Cache {
	c := &Cache{pool: pool, cold: cold, root: &node{}, lru: list.New()}
	for page := pool.Len() - 1; page >= 0; page-- { // page 0 is taken first
		c.free = append(c.free, int32(page))
	}
	return c
}

// Stats is a snapshot.
func (c *Cache) Stats() Stats {
	s := c.stats
	s.Pages, s.FreePages, s.KeptPages = c.pool.Len(), len(c.free), c.lru.Len()
	return s
}

// available is how many pages could be had now.
func (c *Cache) available() int { return len(c.free) + c.lru.Len() }

// takePage gives a page that holds nothing of worth, evicting if none is free.
func (c *Cache) takePage() (int32, bool) {
	if n := len(c.free); n > 0 {
		page := c.free[n-1]
		c.free = c.free[:n-1]
		return page, true
	}
	last := c.lru.Back()
	if last == nil {
		return 0, false
	}
	return c.evict(last.Value.(*node)), true
}

// pagesFor is the number of pages that n positions take.
func pagesFor(n int) int { return (n + op.PageTokens - 1) / op.PageTokens }
