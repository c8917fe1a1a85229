package tokenizer

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// noRank is the rank of a pair that does not merge.
const noRank = math.MaxUint32

// mergeTable knows which pairs of tokens merge. The rank of a merge is its place
// in the list: the lowest goes first.
//
// It is a hash table with linear probing, at most two thirds full. A slot is
// eight bytes, for what it costs are the processor's cache misses. The
// multiplier is drawn anew for each table, so that no file can be made to fill
// it slowly.
type mergeTable struct {
	slots []uint64 // left token, right token and rank, 20 bits each
	ids   []int32  // of the joined token, by rank
	mul   uint64
	shift uint
}

const (
	slotBits  = 20
	slotMax   = 1 << slotBits // tokens and merges of a vocabulary
	emptySlot = math.MaxUint64
)

func newMergeTable(n int) mergeTable {
	size := bits.Len(uint(n + n/2 + 1))
	m := mergeTable{
		slots: make([]uint64, 1<<size), ids: make([]int32, 0, n),
		mul: rand.Uint64() | 1, shift: 64 - uint(size),
	}
	for i := range m.slots {
		m.slots[i] = emptySlot
	}
	return m
}

// find is the slot of a pair, or the empty one where it belongs.
func (m *mergeTable) find(left, right int32) *uint64 {
	pair := uint64(left)<<slotBits | uint64(right)
	i := pair * m.mul >> m.shift
	for {
		s := &m.slots[i]
		if *s>>slotBits == pair || *s == emptySlot {
			return s
		}
		i = (i + 1) & uint64(len(m.slots)-1)
	}
}

// rank is that of the merge of a pair, noRank if there is none. A token may be
// -1, which merges with none.
func (m *mergeTable) rank(left, right int32) uint32 {
	s := *m.find(left, right)
	if s == emptySlot {
		return noRank
	}
	return uint32(s) & (slotMax - 1)
}

// add enters the merge of the next rank; of several of a pair the first stays.
func (m *mergeTable) add(left, right, id int32) {
	if s := m.find(left, right); *s == emptySlot {
		*s = uint64(left)<<(2*slotBits) | uint64(right)<<slotBits | uint64(len(m.ids))
	}
	m.ids = append(m.ids, id)
}

// The caches keep the tokens of words: most of a source text is the same few
// thousand of them, and the same text comes again and again while it is typed.
const (
	cacheBits     = 14 // 16,384 entries of 32 bytes
	cacheWordMax  = 16 // bytes
	cacheTokenMax = 3
	longWords     = 8192 // entries of the cache of longer words
	longWordMax   = 64   // bytes
	// keptSymbols bounds the scratch space that outlives a call.
	keptSymbols = 1 << 14
	// keptEncoders bounds the encoders that wait for a next text.
	keptEncoders = 4
	// shortWord is the number of symbols up to which looking through all pairs
	// beats a heap.
	shortWord = 32
)

// encoder is the scratch space of one call at a time, and caches that stay
// valid between calls, for a tokenizer does not change.
type encoder struct {
	cache [1 << cacheBits]cached
	long  map[string][]int32 // emptied when it is full

	// The word being merged is a linked list of symbols. A symbol that was
	// merged into its left neighbour stays in the arrays without a rank.
	ids, next, prev []int32
	ranks           []uint32 // of the pair of a symbol and its next
	heap            []uint64 // rank<<32 | symbol: lowest rank first, then leftmost
	steps           int      // heap operations and pairs looked at, for tests
}

func newEncoder() *encoder { return &encoder{long: make(map[string][]int32)} }

// encoders are those that nobody uses, the one used last at the end. They stay, unlike
// those of a sync.Pool, which every collection of garbage thins out: the caches stay
// warm, and a server takes the same memory all day. Its mutex guards it.
type encoders struct {
	mu   sync.Mutex
	free []*encoder
}

// take is an encoder for the caller alone.
func (s *encoders) take() *encoder {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return newEncoder()
	}
	e := s.free[last]
	s.free = s.free[:last]
	return e
}

// keep makes an encoder available again.
func (s *encoders) keep(e *encoder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < keptEncoders {
		s.free = append(s.free, e)
	}
}

// cached is a word and its tokens.
type cached struct {
	key  wordKey
	ids  [cacheTokenMax]int32
	n    uint8 // tokens; if they are more than fit, see encoder.long
	size uint8 // bytes of the word; 0 in an empty entry
}

// wordKey holds up to 16 bytes, zeros behind them; with their number it is the
// word.
type wordKey struct{ a, b uint64 }

// newWordKey is the key of the first size bytes of s. It looks at what follows
// them, too: two loads and a mask take less time than a choice by size.
func newWordKey(s string, size int) wordKey {
	if len(s) < cacheWordMax {
		var padded [cacheWordMax]byte
		copy(padded[:], s)
		s = string(padded[:])
	}
	return wordKey{load64(s) & headMask(size), load64(s[8:]) & headMask(size-8)}
}

// headMask keeps the first n bytes of a little-endian number; n may be out of
// its range.
func headMask(n int) uint64 {
	return 1<<(8*uint(max(n, 0))) - 1
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// hash picks a cache entry: the product's high and low half are mixed so that
// every byte of the word counts.
func (k wordKey) hash(size int) uint64 {
	hi, lo := bits.Mul64(k.a^0x9E3779B97F4A7C15, k.b^0xD6E8FEB86659FD93^uint64(size))
	return (hi ^ lo) * 0x9E3779B97F4A7C15 >> (64 - cacheBits)
}

// text appends the tokens of a text, in which m's tokens are cut out first.
func (e *encoder) text(dst []int32, t *Tokenizer, text string, m *matcher) []int32 {
	for from := 0; ; {
		at, n, id := m.find(text, from)
		for i := from; i < at; {
			size, _ := t.rules.next(text[i:at])
			dst = e.word(dst, t, text[i:], size)
			i += size
		}
		if n == 0 {
			return dst
		}
		dst = append(dst, id)
		from = at + n
	}
}

// word appends the tokens of a pre-token, the first size bytes of s; size is
// not 0.
func (e *encoder) word(dst []int32, t *Tokenizer, s string, size int) []int32 {
	if size > cacheWordMax {
		return e.longWord(dst, t, s[:size])
	}
	key := newWordKey(s, size)
	c := &e.cache[key.hash(size)]
	from := len(dst)
	if int(c.size) == size && c.key == key {
		if c.n > cacheTokenMax {
			return e.longWord(dst, t, s[:size])
		}
		// All are copied, for their number is hard to predict for a processor.
		return append(dst, c.ids[:]...)[:from+int(c.n)]
	}
	dst = e.split(dst, t, s[:size])
	c.key, c.n, c.size = key, uint8(len(dst)-from), uint8(size)
	copy(c.ids[:], dst[from:])
	return dst
}

// longWord is word for those that do not fit a cached entry.
func (e *encoder) longWord(dst []int32, t *Tokenizer, s string) []int32 {
	if len(s) > longWordMax {
		return e.split(dst, t, s)
	}
	if ids, ok := e.long[s]; ok {
		return append(dst, ids...)
	}
	if len(e.long) >= longWords {
		clear(e.long)
	}
	from := len(dst)
	dst = e.split(dst, t, s)
	// The word is copied, for it is part of a text that need not be kept.
	e.long[strings.Clone(s)] = slices.Clone(dst[from:])
	return dst
}

// split computes the tokens of a pre-token.
func (e *encoder) split(dst []int32, t *Tokenizer, s string) []int32 {
	if t.rules.wholeWords {
		if id, ok := t.ordinary[s]; ok {
			return append(dst, id)
		}
	}
	e.ids = e.ids[:0]
	for i := range len(s) {
		e.ids = append(e.ids, t.byteIDs[s[i]])
	}
	from := len(dst)
	if len(e.ids) <= shortWord {
		dst = append(dst, e.mergeShort(&t.merges)...)
	} else {
		dst = e.mergeLong(dst, &t.merges)
	}
	if t.complete {
		return dst
	}
	// A byte without a token keeps its neighbours apart, and is left out.
	kept := slices.DeleteFunc(dst[from:], func(id int32) bool { return id < 0 })
	return dst[:from+len(kept)]
}

// mergeShort merges e.ids in place, always the leftmost pair of the lowest rank.
func (e *encoder) mergeShort(m *mergeTable) []int32 {
	ids := e.ids
	ranks := e.ranks[:0]
	for i := 1; i < len(ids); i++ {
		ranks = append(ranks, m.rank(ids[i-1], ids[i]))
	}
	e.ranks = ranks
	for {
		best, rank := 0, uint32(noRank)
		for i, r := range ranks {
			if r < rank {
				best, rank = i, r
			}
		}
		e.steps += len(ranks)
		if rank == noRank {
			return ids
		}
		ids[best] = m.ids[rank]
		ids = append(ids[:best+1], ids[best+2:]...)
		ranks = append(ranks[:best], ranks[best+1:]...)
		if best > 0 {
			ranks[best-1] = m.rank(ids[best-1], ids[best])
		}
		if best < len(ranks) {
			ranks[best] = m.rank(ids[best], ids[best+1])
		}
	}
}

// mergeLong does the same with a heap of pairs: n symbols take O(n log n) steps.
func (e *encoder) mergeLong(dst []int32, m *mergeTable) []int32 {
	n := len(e.ids)
	e.next, e.prev, e.ranks, e.heap = e.next[:0], e.prev[:0], e.ranks[:0], e.heap[:0]
	for i := range n {
		e.next = append(e.next, int32(i+1))
		e.prev = append(e.prev, int32(i-1))
		rank := uint32(noRank)
		if i+1 < n {
			rank = m.rank(e.ids[i], e.ids[i+1])
		}
		e.ranks = append(e.ranks, rank)
		if rank != noRank {
			e.heap = append(e.heap, uint64(rank)<<32|uint64(i))
		}
	}
	for i := len(e.heap)/2 - 1; i >= 0; i-- {
		e.siftDown(i)
	}
	for len(e.heap) > 0 {
		top := e.heap[0]
		e.pop()
		i := int32(uint32(top))
		if e.ranks[i] != uint32(top>>32) {
			continue // the pair is no more
		}
		right := e.next[i]
		e.ids[i] = m.ids[e.ranks[i]]
		e.ranks[right] = noRank
		e.next[i] = e.next[right]
		if int(e.next[i]) < n {
			e.prev[e.next[i]] = i
		}
		e.rerank(m, i, n)
		if e.prev[i] >= 0 {
			e.rerank(m, e.prev[i], n)
		}
	}
	for i := 0; i < n; i = int(e.next[i]) {
		dst = append(dst, e.ids[i])
	}
	return dst
}

// rerank looks up the pair that symbol i begins after one of the two changed.
func (e *encoder) rerank(m *mergeTable, i int32, n int) {
	e.ranks[i] = noRank
	if int(e.next[i]) >= n {
		return
	}
	if rank := m.rank(e.ids[i], e.ids[e.next[i]]); rank != noRank {
		e.ranks[i] = rank
		e.push(uint64(rank)<<32 | uint64(i))
	}
}

func (e *encoder) push(x uint64) {
	h := append(e.heap, x)
	i := len(h) - 1
	for i > 0 && h[(i-1)/2] > x {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
		e.steps++
	}
	h[i] = x
	e.heap = h
}

// pop drops the first entry.
func (e *encoder) pop() {
	last := len(e.heap) - 1
	e.heap[0] = e.heap[last]
	e.heap = e.heap[:last]
	if last > 0 {
		e.siftDown(0)
	}
}

func (e *encoder) siftDown(i int) {
	h, x := e.heap, e.heap[i]
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if child >= len(h) || h[child] >= x {
			h[i] = x
			return
		}
		h[i] = h[child]
		i = child
		e.steps++
	}
}

// shrink lets go of scratch space that one very long word needed.
func (e *encoder) shrink() {
	if cap(e.ids) > keptSymbols {
		e.ids, e.next, e.prev, e.ranks, e.heap = nil, nil, nil, nil, nil
	}
}
