package tokenizer

import (
	"bytes"
	"slices"
	"testing"
)

func TestWithPrefix(t *testing.T) {
	tok := openTiny(t, "qwen2")
	for _, b := range []string{"", " ", "re", "return", "returnx", "\xd0", "😀", "<", "\xff", "aaaa"} {
		var want, shorter []int32
		for id := range int32(tok.Size()) {
			if tok.kind(id) != ordinary {
				continue
			}
			switch s := tok.Bytes(id); {
			case bytes.HasPrefix(s, []byte(b)):
				want = append(want, id)
			case bytes.HasPrefix([]byte(b), s):
				shorter = append(shorter, id)
			}
		}
		got := slices.Clone(tok.WithPrefix([]byte(b)))
		if !slices.IsSortedFunc(got, func(x, y int32) int { return bytes.Compare(tok.Bytes(x), tok.Bytes(y)) }) {
			t.Errorf("tokens that begin with %q are not in order", b)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("tokens that begin with %q: %v, want %v", b, got, want)
		}
		got = tok.PrefixesOf([]byte(b))
		slices.Sort(got)
		if !slices.Equal(got, shorter) {
			t.Errorf("tokens that %q begins with: %v, want %v", b, got, shorter)
		}
	}
}

// TestWithPrefixReal compares the order made from the first eight bytes with
// looking at every token.
func TestWithPrefixReal(t *testing.T) {
	tok := openVocabulary(t, "qwen2.5-coder-0.5b")
	if n := len(tok.WithPrefix(nil)); n != 151643 {
		t.Errorf("%d ordinary tokens, want 151643", n)
	}
	for _, b := range []string{" ", "func", " return", "internation", "                ", "的", "\xe4", "\xf0\x9f", "\xff", "zzzzzzzzz"} {
		var want []int32
		for id := range int32(tok.Size()) {
			if tok.kind(id) == ordinary && bytes.HasPrefix(tok.Bytes(id), []byte(b)) {
				want = append(want, id)
			}
		}
		got := slices.Clone(tok.WithPrefix([]byte(b)))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("tokens that begin with %q: %d, want %d", b, len(got), len(want))
		}
	}
}
