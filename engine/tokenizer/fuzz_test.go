package tokenizer

import (
	"math/bits"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// presets are the three sets of rules.
var presets = []string{"qwen2", "llama-bpe", "smollm"}

// checkEncode holds what is true of every text against one.
func checkEncode(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	ids := tok.Encode(nil, text)
	for _, id := range ids {
		if tok.Padding(id) || tok.Special(id) {
			t.Fatalf("%q: token %d is no text", text, id)
		}
	}
	if tok.complete {
		if back := tok.Detokenize(ids, false); back != text {
			t.Fatalf("%q comes back as %q", text, back)
		}
		if back := tok.Detokenize(tok.EncodeSpecial(nil, text), true); back != text {
			t.Fatalf("with special tokens, %q comes back as %q", text, back)
		}
	}
	cut := tok.LastPreToken(text)
	if text != "" && (cut < 0 || cut >= len(text)) {
		t.Fatalf("%q: last pre-token at %d", text, cut)
	}
	if parts := tok.Encode(tok.Encode(nil, text[:cut]), text[cut:]); !slices.Equal(parts, ids) {
		t.Fatalf("%q: cut at %d the tokens are\n%v, not\n%v", text, cut, parts, ids)
	}
	stream := tok.Stream()
	var out strings.Builder
	for _, id := range ids {
		piece := stream.Push(id)
		if !utf8.ValidString(piece) {
			t.Fatalf("%q: the stream emits %q", text, piece)
		}
		out.WriteString(piece)
	}
	out.WriteString(stream.Flush())
	if want := string([]rune(tok.Detokenize(ids, false))); out.String() != want {
		t.Fatalf("%q: the stream emits %q, not %q", text, out.String(), want)
	}
	checkMerging(t, tok, text)
}

// checkMerging compares the two ways to merge a word, and bounds their work.
func checkMerging(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	word := text[:min(len(text), 2*shortWord)]
	if word == "" || !tok.complete {
		return
	}
	var short, long encoder
	for i := range len(word) {
		short.ids = append(short.ids, tok.byteIDs[word[i]])
	}
	long.ids = slices.Clone(short.ids)
	want := slowMerge(tok, short.ids)
	if got := short.mergeShort(&tok.merges); !slices.Equal(got, want) {
		t.Fatalf("%q: short merging gives %v, not %v", word, got, want)
	}
	if got := long.mergeLong(nil, &tok.merges); !slices.Equal(got, want) {
		t.Fatalf("%q: long merging gives %v, not %v", word, got, want)
	}
	checkSteps(t, &long, len(word))
}

// checkSteps holds the work of merging a word of n bytes against n log n.
func checkSteps(t *testing.T, e *encoder, n int) {
	t.Helper()
	if limit := 4 * (n + 1) * bits.Len(uint(n)); e.steps > limit {
		t.Fatalf("%d steps for %d bytes; %d are allowed", e.steps, n, limit)
	}
}

// slowMerge is BPE as it is described: over and over the leftmost pair of the
// lowest rank.
func slowMerge(tok *Tokenizer, ids []int32) []int32 {
	merges := make(map[[2]int32]int)
	for _, s := range tok.merges.slots {
		if s != emptySlot {
			merges[[2]int32{int32(s >> 40), int32(s >> 20 & 0xFFFFF)}] = int(s & 0xFFFFF)
		}
	}
	ids = slices.Clone(ids)
	for {
		at, best := -1, len(tok.merges.ids)
		for i := 1; i < len(ids); i++ {
			if rank, ok := merges[[2]int32{ids[i-1], ids[i]}]; ok && rank < best {
				at, best = i, rank
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at-1, at+1, tok.merges.ids[best])
	}
}

func FuzzEncode(f *testing.F) {
	var toks []*Tokenizer
	for _, pre := range presets {
		toks = append(toks, openTiny(f, pre))
	}
	for _, s := range phrases {
		f.Add(s + "x" + s)
	}
	for _, s := range alphabets {
		f.Add(s)
	}
	f.Add(strangeText(5, 200))
	f.Add("x\t\t  5 \n\n  y<tool_call>  <tool_call> \r")
	f.Add("\xff\xc3\xe4\xb8\xf0\x9f\x98\xed\xa0\x80\xc0\x80")
	f.Add(strings.Repeat("a", 100))
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			checkEncode(t, tok, text)
		}
	})
}

// FuzzVocabulary reads vocabularies of any content: lists are texts with a
// newline between the entries. What is taken must work.
func FuzzVocabulary(f *testing.F) {
	v := tiny("llama-bpe")
	join := func(s any) string { return strings.Join(s.([]string), "\n") }
	types := ""
	for _, typ := range v.types.([]int32) {
		types += string('0' + typ)
	}
	f.Add("qwen2", join(v.tokens), types, join(v.merges), uint32(3), int64(4), "return the err")
	f.Add("llama-bpe", join(v.tokens), types, join(v.merges), uint32(3), int64(4), "aaaaaaaa")
	f.Add("smollm", "a\nb\nab\nabab", "1111", "a b\nab ab", uint32(0), int64(-1), "ababab")
	f.Add("smollm", "a\nb\nab\nĀ", "1134", "a b", uint32(9), int64(1)<<40, "ab\x00ab")
	f.Add("qwen2", "<\n<a\n<ab>\n\n[PAD4]", "44441", "", uint32(0), int64(0), "<a<ab><ab<a>")
	f.Fuzz(func(t *testing.T, pre, tokens, types, merges string, bos uint32, eos int64, text string) {
		v := vocabulary{model: "gpt2", pre: pre, tokens: strings.Split(tokens, "\n"), merges: []string{}, bos: bos, eos: eos}
		if merges != "" {
			v.merges = strings.Split(merges, "\n")
		}
		if types != "" {
			var list []int8
			for i := range len(types) {
				list = append(list, int8(types[i]-'0'))
			}
			v.types = list
		}
		tok, err := v.open()
		if err != nil {
			return
		}
		checkEncode(t, tok, text)
		for id := int32(-1); id <= int32(tok.Size()); id++ {
			tok.Piece(id)
			if b := tok.Bytes(id); len(b) > 0 {
				if with := tok.WithPrefix(b); tok.kind(id) == ordinary && !slices.Contains(with, id) {
					t.Fatalf("%d is not among the tokens that begin as it does, %v", id, with)
				}
			}
		}
	})
}
