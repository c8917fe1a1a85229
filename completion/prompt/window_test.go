package prompt

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"
)

// words counts four bytes as a token, like source does about.
func words(s string) int { return (len(s) + 3) / 4 }

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %05d\n", i) // 11 bytes: 3 tokens
	}
	return b.String()
}

// Typing must only append to the prefix window and leave the suffix as it is:
// that is what keeps the KV cache. It may drop a block of lines now and then.
func TestWindowEdgesStayWhileTyping(t *testing.T) {
	text := numbered(1000)
	offset := strings.Index(text, "line 00500")
	w := Window{PrefixTokens: 400, SuffixTokens: 100}
	var last FIM
	moved := 0
	for i := range 40 {
		typed := strings.Repeat("x := 1\n", i)
		f := w.Around(text[:offset]+typed+text[offset:], offset+len(typed), words)
		if i > 0 && !strings.HasPrefix(f.Prefix, last.Prefix) {
			moved++
		}
		if i > 0 && f.Suffix != last.Suffix {
			t.Fatalf("after %d lines the suffix is %q, was %q", i, f.Suffix, last.Suffix)
		}
		last = f
	}
	if moved > 1 {
		t.Errorf("the prefix's start moved %d times in 40 lines, want at most once", moved)
	}
}

func TestWindowLimits(t *testing.T) {
	long := strings.Repeat("é", 100_000) // one line
	rng := rand.New(rand.NewSource(1))
	for _, text := range []string{"", "x", numbered(64), numbered(65), numbered(5000), long, long + "\n" + long, "\n\n\n"} {
		for range 50 {
			offset := runeStart(text, rng.Intn(len(text)+1))
			w := Window{PrefixTokens: 300 + rng.Intn(2000), SuffixTokens: 10 + rng.Intn(500)}
			f := w.Around(text, offset, words)
			if !strings.HasSuffix(text[:offset], f.Prefix) || !strings.HasPrefix(text[offset:], f.Suffix) {
				t.Fatalf("the window around %d does not touch the cursor", offset)
			}
			if p, s := words(f.Prefix), words(f.Suffix); p > w.PrefixTokens || s > w.SuffixTokens {
				t.Fatalf("%d and %d tokens, limits %+v", p, s, w)
			}
			if !utf8.ValidString(f.Prefix) || !utf8.ValidString(f.Suffix) {
				t.Fatal("the window cuts a character")
			}
			start := offset - len(f.Prefix)
			if strings.HasPrefix(text, "line") && strings.Count(text[:start], "\n")%gridLines != 0 {
				t.Fatalf("the prefix starts at byte %d, between two edges of the grid", start)
			}
		}
	}
}

func TestWindowUsesItsRoom(t *testing.T) {
	text := numbered(1000)
	offset := len(text) / 2
	f := Window{PrefixTokens: 1000, SuffixTokens: 100}.Around(text, offset, words)
	if n := words(f.Prefix); n < 1000-gridLines*3 {
		t.Errorf("%d of 1000 prefix tokens used", n)
	}
	if n := words(f.Suffix); n < 90 {
		t.Errorf("%d of 100 suffix tokens used", n)
	}
	if f := (Window{}).Around(text, offset, words); f.Prefix != "" || f.Suffix != "" {
		t.Errorf("an empty window holds %+v", f)
	}
}

func TestWindowOfBrokenText(t *testing.T) {
	text := strings.Repeat("\xff\x80\n", 3000)
	f := Window{PrefixTokens: 100, SuffixTokens: 100}.Around(text, 4500, words)
	if words(f.Prefix) > 100 || words(f.Suffix) > 100 || f.Prefix == "" || f.Suffix == "" {
		t.Errorf("%d and %d bytes", len(f.Prefix), len(f.Suffix))
	}
}
