package tokenizer

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
)

// WithPrefix lists the ordinary tokens whose bytes begin with b, in the order of
// their bytes; all of them if b is empty.
func (t *Tokenizer) WithPrefix(b []byte) []int32 {
	t.sortOnce.Do(t.sort)
	from := sort.Search(len(t.sorted), func(i int) bool {
		return bytes.Compare(t.spelling(t.sorted[i]), b) >= 0
	})
	rest := t.sorted[from:]
	n := sort.Search(len(rest), func(i int) bool {
		return !bytes.HasPrefix(t.spelling(rest[i]), b)
	})
	return rest[:n:n]
}

// PrefixesOf lists the ordinary tokens whose bytes are the beginning of b but
// not the whole of it, shortest first.
func (t *Tokenizer) PrefixesOf(b []byte) []int32 {
	var ids []int32
	for n := 1; n < min(len(b), t.longest+1); n++ {
		if id, ok := t.ordinary[string(b[:n])]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// sort fills t.sorted. Most comparisons are decided by the first eight bytes,
// kept as a number.
func (t *Tokenizer) sort() {
	type entry struct {
		head uint64
		id   int32
	}
	var entries []entry
	for id, k := range t.kinds {
		if k == ordinary {
			entries = append(entries, entry{head(t.spelling(int32(id))), int32(id)})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(bytes.Compare(t.spelling(a.id), t.spelling(b.id)), cmp.Compare(a.id, b.id))
	})
	t.sorted = make([]int32, len(entries))
	for i, e := range entries {
		t.sorted[i] = e.id
	}
}

// head is the first eight bytes of b, big-endian, so that numbers compare as
// the bytes do.
func head(b []byte) uint64 {
	var h uint64
	for i := range min(8, len(b)) {
		h |= uint64(b[i]) << (56 - 8*i)
	}
	return h
}
