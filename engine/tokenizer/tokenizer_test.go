package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestBoundedWork encodes up to 1 MB of inputs that would take quadratic time if
// words were merged by looking through them. Each must stay below n log n steps.
func TestBoundedWork(t *testing.T) {
	toks := map[string]*Tokenizer{}
	for _, pre := range presets {
		toks["tiny "+pre] = openTiny(t, pre)
	}
	t.Run("real", func(t *testing.T) {
		toks["real"] = openVocabulary(t, "qwen2.5-coder-0.5b")
	})
	for name, tok := range toks {
		t.Run(name, func(t *testing.T) {
			for i, unit := range []string{"a", " ", "😀", "\n", " \n", "'", "7", "<", "世", "ab", "\xff", "\u3000", "'s", "\r\n "} {
				size := 1 << 15
				if i < 3 && name == "real" && !testing.Short() {
					size = 1 << 20
				}
				text := strings.Repeat(unit, size/len(unit))
				e := newEncoder()
				ids := e.text(nil, tok, text, &tok.marked)
				checkSteps(t, e, size)
				if tok.Detokenize(ids, false) != text {
					t.Errorf("%q does not come back", unit)
				}
			}
		})
	}
}

// TestConcurrent encodes different texts at the same time; run with -race.
func TestConcurrent(t *testing.T) {
	tok := openTiny(t, "llama-bpe")
	var texts []string
	var want [][]int32
	for i := range 8 {
		texts = append(texts, strangeText(uint64(100+i), 4<<10))
		want = append(want, openTiny(t, "llama-bpe").Encode(nil, texts[i]))
	}
	var group sync.WaitGroup
	for i := range texts {
		group.Go(func() {
			for range 5 {
				if got := tok.Encode(nil, texts[i]); !slices.Equal(got, want[i]) {
					t.Errorf("text %d has other tokens", i)
				}
				tok.WithPrefix([]byte("re"))
			}
		})
	}
	group.Wait()
}

// TestReal looks at the special tokens of the real files.
func TestReal(t *testing.T) {
	for name, want := range map[string]struct {
		ends       []int32
		bos        bool
		paddings   int
		vocabulary int
	}{
		"qwen2.5-coder-0.5b": {[]int32{151643, 151645, 151662, 151663, 151664}, false, 271, 151936},
		"smollm2-135m":       {[]int32{0, 2}, false, 0, 49152},
		"llama-bpe":          {[]int32{128001, 128009}, true, 0, 128256},
	} {
		t.Run(name, func(t *testing.T) {
			tok := openVocabulary(t, name)
			if !slices.Equal(tok.EndTokens(), want.ends) {
				t.Errorf("end tokens are %v, want %v", tok.EndTokens(), want.ends)
			}
			if _, ok := tok.BOS(); ok != want.bos {
				t.Errorf("BOS is wanted: %t", ok)
			}
			paddings := 0
			for id := range int32(tok.Size()) {
				if tok.Padding(id) {
					paddings++
				}
			}
			if tok.Size() != want.vocabulary || paddings != want.paddings {
				t.Errorf("%d rows with %d of padding", tok.Size(), paddings)
			}
		})
	}
}

// TestSpecialReal reads a prompt as the engine lays it out.
func TestSpecialReal(t *testing.T) {
	tok := openVocabulary(t, "qwen2.5-coder-0.5b")
	text := "<|fim_prefix|>x = <|fim_suffix|>\n<|fim_middle|>"
	got := tok.EncodeSpecial(nil, text)
	want := []int32{151659, 87, 284, 220, 151661, 198, 151660}
	if !slices.Equal(got, want) {
		t.Errorf("%q has tokens %v, want %v", text, got, want)
	}
	plain := tok.Encode(nil, text)
	for _, id := range plain {
		if tok.Special(id) {
			t.Errorf("plain text has the token %s", tok.Piece(id))
		}
	}
	if tok.Detokenize(plain, false) != text || tok.Detokenize(got, true) != text {
		t.Error("text does not come back")
	}
}

// TestLastPreToken cuts texts as healing does.
func TestLastPreToken(t *testing.T) {
	tok := openTiny(t, "qwen2")
	for text, last := range map[string]string{
		"":                "",
		"retu":            "retu",
		"x = foo.ba":      ".ba",
		"x = ":            " ",
		"if x:\n    retu": " retu",
		"a  5":            " 5", // cut before the 5, the spaces would be one word
		"a\n\n":           "\n\n",
		"x 12":            "2",
		"<tool_call>":     "<tool_call>",
		"<tool_call> x":   " x",
		"при":             "при",
		"x\xe4\xb8":       "\xe4\xb8",
	} {
		if at := tok.LastPreToken(text); text[at:] != last {
			t.Errorf("%q: the last pre-token is %q, want %q", text, text[at:], last)
		}
	}
}

// TestRoundTrip encodes strange text and random bytes with every real vocabulary.
func TestRoundTrip(t *testing.T) {
	for _, name := range vocabularies {
		t.Run(name, func(t *testing.T) {
			tok := openVocabulary(t, name)
			for seed := range uint64(40) {
				text := strangeText(seed, 2000)
				// Bytes out of order make it invalid in many places.
				broken := []byte(text)
				for i := 0; i+7 < len(broken); i += 7 {
					broken[i], broken[i+5] = broken[i+5], broken[i]
				}
				for _, text := range []string{text, string(broken)} {
					ids := tok.Encode(nil, text)
					if back := tok.Detokenize(ids, false); tok.complete && back != text {
						t.Fatalf("%q comes back as %q", text, back)
					}
					cut := tok.LastPreToken(text)
					if parts := tok.Encode(tok.Encode(nil, text[:cut]), text[cut:]); !slices.Equal(parts, ids) {
						t.Fatalf("%q: other tokens when cut at %d", text, cut)
					}
				}
			}
		})
	}
}

// TestFirstDifference: padding does not count, everything else does.
func TestFirstDifference(t *testing.T) {
	small, other := openTiny(t, "qwen2"), openTiny(t, "llama-bpe")
	if id, differ := small.FirstDifference(other); differ {
		t.Errorf("the same tokens differ at %d", id)
	}
	change := func(types []int32, tokens []string) *Tokenizer {
		v := tiny("qwen2")
		v.types, v.tokens = append(v.types.([]int32), types...), append(v.tokens.([]string), tokens...)
		tok, err := v.open()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	padded := change([]int32{typeUnused, typeUnused}, []string{"[PAD1]", "[PAD2]"})
	longer := change([]int32{typeControl}, []string{"<|more|>"})
	if id, differ := small.FirstDifference(padded); differ {
		t.Errorf("padding differs at %d", id)
	}
	for _, pair := range [][2]*Tokenizer{{small, longer}, {longer, padded}} {
		if id, differ := pair[0].FirstDifference(pair[1]); !differ || int(id) != small.Size() {
			t.Errorf("the first difference is %d, %v; want %d", id, differ, small.Size())
		}
	}
}
