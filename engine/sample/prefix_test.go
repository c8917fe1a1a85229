package sample_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tandem/engine/gguf"
	"tandem/engine/sample"
	"tandem/engine/tokenizer"
)

// letters is a vocabulary of a few tokens; the id is the place in the list.
type letters []string

func (v letters) Bytes(id int32) []byte { return []byte(v[id]) }

func (v letters) WithPrefix(b []byte) (ids []int32) {
	for id, s := range v {
		if s != "" && bytes.HasPrefix([]byte(s), b) {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

func (v letters) PrefixesOf(b []byte) (ids []int32) {
	for id, s := range v {
		if s != "" && len(s) < len(b) && bytes.HasPrefix(b, []byte(s)) {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

func TestPrefix(t *testing.T) {
	v := letters{"r", "re", "ret", "return", "turn", "t", "x", "", "returned("}
	p := sample.NewPrefix([]byte("retu"), v)
	if got := p.Allowed(); !slices.Equal(got, []int32{0, 1, 2, 3, 8}) || p.Done() {
		t.Fatalf("allowed are %v", got)
	}
	for _, id := range []int32{4, 5, 6, 7} { // among them one without bytes
		if _, ok := p.Accept(id); ok {
			t.Errorf("%q was accepted", v[id])
		}
	}
	if rest, ok := p.Accept(1); !ok || len(rest) > 0 || p.Done() {
		t.Errorf("re leaves %q, %t", rest, ok)
	}
	if got := p.Allowed(); !slices.Equal(got, []int32{5, 4}) {
		t.Fatalf("after re, allowed are %v", got)
	}
	if rest, ok := p.Accept(4); !ok || string(rest) != "rn" || !p.Done() {
		t.Errorf("turn leaves %q, %t", rest, ok)
	}
	if p.Allowed() != nil {
		t.Error("still a constraint when done")
	}
	if rest, ok := p.Accept(6); !ok || string(rest) != "x" {
		t.Errorf("after it x leaves %q, %t", rest, ok)
	}

	if p = sample.NewPrefix(nil, v); !p.Done() || p.Allowed() != nil {
		t.Error("nothing to demand is a constraint")
	}
	// The last token ends where the demanded bytes do.
	p = sample.NewPrefix([]byte("return"), v)
	if rest, ok := p.Accept(3); !ok || len(rest) > 0 || !p.Done() {
		t.Errorf("return leaves %q, %t", rest, ok)
	}
	// No token fits: that is not the same as no constraint.
	p = sample.NewPrefix([]byte("zz"), v)
	if got := p.Allowed(); got == nil || len(got) > 0 {
		t.Errorf("allowed are %v", got)
	}
}

// TestPrefixCopies shows that the caller's bytes may change afterwards.
func TestPrefixCopies(t *testing.T) {
	want := []byte("re")
	p := sample.NewPrefix(want, letters{"re", "xx"})
	copy(want, "xx")
	if _, ok := p.Accept(0); !ok {
		t.Error("the constraint shares the caller's bytes")
	}
}

// TestHealing demands the beginnings of words of the real vocabulary, cut after
// every byte, and lets chance choose the tokens: the bytes must come as
// demanded, whatever the logits.
func TestHealing(t *testing.T) {
	tok := openQwen(t)
	random := rand.New(rand.NewPCG(3, 4))
	logits := make([]float32, tok.Size())
	for i := range logits {
		logits[i] = float32(random.NormFloat64() * 4)
	}
	for _, word := range []string{
		" return", "internationalization", " strings.Builder", "    return fmt.Errorf(\"%w\", err)", "\n\n\t\t}", "привет",
		" 世界你好", "😀👩\u200d👧", "x\u0301", "'ll", "12345", "\xff\xfe", "<|im_end|>", "<tool_call>", "\r\n\r\n",
	} {
		for cut := 1; cut <= len(word); cut++ {
			want := []byte(word[:cut])
			p := sample.NewPrefix(want, tok)
			s := sample.New(sample.Options{Temperature: 1, Seed: uint64(cut)}, nil)
			var got, rest []byte
			for steps := 0; !p.Done(); steps++ {
				allowed := p.Allowed()
				id := s.Sample(logits, allowed)
				if id < 0 || steps > len(want) {
					t.Fatalf("%q: no way on after %q; %d tokens are allowed", want, got, len(allowed))
				}
				got = append(got, tok.Bytes(id)...)
				var ok bool
				if rest, ok = p.Accept(id); !ok {
					t.Fatalf("%q: %q is allowed and not accepted", want, tok.Bytes(id))
				}
			}
			if !bytes.Equal(got, slices.Concat(want, rest)) {
				t.Fatalf("%q came as %q with %q beyond", want, got, rest)
			}
		}
	}
}

// TestHealingOwnTokens cuts a word anywhere and demands its beginning: the
// word's own tokens must be accepted, and give the rest.
func TestHealingOwnTokens(t *testing.T) {
	tok := openQwen(t)
	for _, word := range []string{" return", "internationalization", " привет", "世界你好", "😀", "\t\t\t\tif"} {
		for cut := range len(word) {
			p := sample.NewPrefix([]byte(word[:cut]), tok)
			var rest []byte
			for _, id := range tok.Encode(nil, word) {
				if allowed := p.Allowed(); allowed != nil && !slices.Contains(allowed, id) {
					t.Fatalf("%q cut at %d: %q is not allowed", word, cut, tok.Bytes(id))
				}
				more, ok := p.Accept(id)
				if !ok {
					t.Fatalf("%q cut at %d: %q is not accepted", word, cut, tok.Bytes(id))
				}
				rest = append(rest, more...)
			}
			if string(rest) != word[cut:] {
				t.Fatalf("%q cut at %d goes on with %q", word, cut, rest)
			}
		}
	}
}

func openQwen(tb testing.TB) *tokenizer.Tokenizer {
	tb.Helper()
	dir := os.Getenv("TANDEM_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, "tokenizer-vectors", "ggml-vocab-qwen2.gguf")
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("left out: %s is not there; set TANDEM_SHARED to the folder of the shared material", path)
	}
	f, err := gguf.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	tok, err := tokenizer.New(f)
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}
