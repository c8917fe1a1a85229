package kvcache

import (
	"fmt"
	"slices"

	"github.com/dgraph-io/ristretto/v2"

	"tandem/kernels/op"
)

// Cold is the tier below a pool: whole pages in host memory, bounded in bytes.
// What is put there may be dropped at any time, which costs time to compute it
// again and nothing else. A nil Cold is off. It may be used from any goroutine.
type Cold struct {
	pages *ristretto.Cache[uint64, *coldPage]
}

// coldPage is a page in the hand-over form of op.Pages.
type coldPage struct {
	path []int32 // all tokens from the beginning to the page's end
	data []byte
}

// bytes is what the entry costs.
func (p *coldPage) bytes() int64 { return int64(len(p.data) + 4*len(p.path)) }

// countersPerPage is ristretto's own advice: keep the frequency of ten times as
// many keys as fit.
const countersPerPage = 10

// NewCold makes a tier of at most bytesMax bytes for pages of pageBytes each. It
// is nil, which is off, if not one page fits.
func NewCold(bytesMax int64, pageBytes int) (*Cold, error) {
	if bytesMax < int64(pageBytes) || pageBytes <= 0 {
		return nil, nil
	}
	pages, err := ristretto.NewCache(&ristretto.Config[uint64, *coldPage]{
		NumCounters: max(bytesMax/int64(pageBytes)*countersPerPage, 1000),
		MaxCost:     bytesMax,
		BufferItems: 64, // ristretto's advice
	})
	if err != nil {
		return nil, fmt.Errorf("kvcache: cold tier of %d bytes: %w", bytesMax, err)
	}
	return &Cold{pages: pages}, nil
}

// Close frees the tier. Nobody may use it any more.
func (c *Cold) Close() {
	if c != nil {
		c.pages.Close()
	}
}

// put keeps n's page, which must be full. It reports whether it took it.
func (c *Cold) put(pool op.Pages, n *node) bool {
	if c == nil {
		return false
	}
	if _, ok := c.get(n.hash, n.parent, n.tokens); ok {
		return false // thawed before, and pages do not change
	}
	p := &coldPage{path: n.path(), data: make([]byte, pool.PageBytes())}
	if pool.Export(p.data, n.page, op.PageTokens) != nil {
		return false
	}
	return c.pages.Set(n.hash, p, p.bytes())
}

// get is the page below parent that holds tokens. The hash only leads to it; the
// tokens decide.
func (c *Cold) get(hash uint64, parent *node, tokens []int32) ([]byte, bool) {
	p, ok := c.pages.Get(hash)
	if !ok {
		return nil, false
	}
	n := len(p.path) - len(tokens)
	if n < 0 || !slices.Equal(p.path[n:], tokens) || !slices.Equal(p.path[:n], parent.path()) {
		return nil, false
	}
	return p.data, true
}

// hashOf continues the hash of a path by a page's tokens: FNV-1a, a token at a
// time, with a shift that brings high bits down.
func hashOf(hash uint64, tokens []int32) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	hash ^= offset
	for _, t := range tokens {
		hash = (hash ^ uint64(uint32(t))) * prime
		hash ^= hash >> 29
	}
	return hash
}
