package kvcache

import (
	"fmt"
	"slices"

	"github.com/dgraph-io/ristretto/v2"
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

// coldCounters is how many keys' frequencies are kept: ten times as many as
// pages of some 100 kB fit 1 GiB.
const coldCounters = 100_000

// NewCold makes a tier of at most bytesMax bytes; nil, which is off, for 0.
func NewCold(bytesMax int64) (*Cold, error) {
	if bytesMax <= 0 {
		return nil, nil
	}
	pages, err := ristretto.NewCache(&ristretto.Config[uint64, *coldPage]{
		NumCounters: coldCounters, MaxCost: bytesMax,
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

// set keeps the page at the end of path, data in the hand-over form.
func (c *Cold) set(path []int32, data []byte) {
	p := &coldPage{path: path, data: data}
	c.pages.Set(hashOf(path), p, int64(len(p.data)+4*len(p.path)))
}

// get is the page at the end of path, nil if it is not there. The hash only
// leads to it; the tokens decide.
func (c *Cold) get(path []int32) []byte {
	p, ok := c.pages.Get(hashOf(path))
	if !ok || !slices.Equal(p.path, path) {
		return nil
	}
	return p.data
}

// hashOf is FNV-1a, a token at a time, with a shift that brings high bits down.
func hashOf(path []int32) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := uint64(offset)
	for _, t := range path {
		hash = (hash ^ uint64(uint32(t))) * prime
		hash ^= hash >> 29
	}
	return hash
}
