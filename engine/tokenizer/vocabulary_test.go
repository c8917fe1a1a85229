package tokenizer

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"tandem/engine/gguf"
)

// vocabulary is what a test file says of its tokenizer; nil values are left out.
type vocabulary struct {
	model, pre, tokens, types, merges any
	addBOS, bos, eos                  any
}

// spell is the spelling of a token that stands for b.
func spell(b string) string {
	var out strings.Builder
	for i := range len(b) {
		out.WriteRune(rune(slices.Index(byteOf[:], int16(b[i]))))
	}
	return out.String()
}

// Ids of the small vocabulary: bytes come first, in order.
const (
	tinyEnd    = 256
	tinyStart  = 257
	tinyCall   = 258 // user-defined
	tinyPad    = 259
	tinyMerged = 260 // the first merged token
)

// tinyWords are merged from left to right, a letter at a time; all beginnings
// are tokens, too.
var tinyWords = []string{
	" the", "return", " return", "func", " err", "ing", "    ", "\n\n", "\r\n", "==", "aaaa", "привет", "世界", "😀", "ре", "123", "'s",
}

// tiny is a small vocabulary made by hand with everything in it.
func tiny(pre string) vocabulary {
	var tokens, merges []string
	for b := range 256 {
		tokens = append(tokens, spell(string([]byte{byte(b)})))
	}
	types := slices.Repeat([]int32{typeNormal}, 256)
	tokens = append(tokens, "<|im_end|>", "<|im_start|>", "<tool_call>", "[PAD259]")
	types = append(types, typeControl, typeControl, typeUserDefined, typeUnused)
	for _, word := range tinyWords {
		for n := 2; n <= len(word); n++ {
			token := spell(word[:n])
			if !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
				types = append(types, typeNormal)
				merges = append(merges, spell(word[:n-1])+" "+spell(word[n-1:n]))
			}
		}
	}
	// Merges of merged tokens, one of them a second way to a token.
	for _, m := range [][2]string{{"aa", "aa"}, {"aaaa", "aaaa"}, {" re", "turn"}, {"re", "turn"}, {"tu", "rn"}, {"rn", "rn"}} {
		for _, s := range []string{m[0], m[1], m[0] + m[1]} {
			if !slices.Contains(tokens, spell(s)) {
				tokens, types = append(tokens, spell(s)), append(types, typeNormal)
			}
		}
		merges = append(merges, spell(m[0])+" "+spell(m[1]))
	}
	return vocabulary{
		model: "gpt2", pre: pre, tokens: tokens, types: types, merges: merges,
		addBOS: false, bos: uint32(tinyStart), eos: uint32(tinyEnd),
	}
}

// open writes v as a GGUF file and reads it.
func (v vocabulary) open() (*Tokenizer, error) {
	var meta []gguf.KV
	for _, kv := range []gguf.KV{
		{Key: keyModel, Value: v.model}, {Key: keyPre, Value: v.pre}, {Key: keyTokens, Value: v.tokens},
		{Key: keyTypes, Value: v.types}, {Key: keyMerges, Value: v.merges},
		{Key: keyAddBOS, Value: v.addBOS}, {Key: keyBOS, Value: v.bos}, {Key: keyEOS, Value: v.eos},
	} {
		if kv.Value != nil {
			meta = append(meta, kv)
		}
	}
	var file bytes.Buffer
	if err := gguf.Write(&file, meta, nil, func(int, io.Writer) error { return nil }); err != nil {
		return nil, err
	}
	f, err := gguf.Parse("tiny.gguf", file.Bytes())
	if err != nil {
		return nil, err
	}
	return New(f)
}

func openTiny(tb testing.TB, pre string) *Tokenizer {
	tb.Helper()
	t, err := tiny(pre).open()
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestTiny(t *testing.T) {
	tok := openTiny(t, "qwen2")
	want := func(what string, got []int32, pieces ...string) {
		t.Helper()
		var spelled []string
		for _, id := range got {
			spelled = append(spelled, tok.Piece(id))
		}
		if !slices.Equal(spelled, pieces) {
			t.Errorf("%s: %q, want %q", what, spelled, pieces)
		}
	}
	want("words", tok.Encode(nil, "return the err"), "return", " the", " err")
	want("appended", tok.Encode([]int32{'x'}, " the"), "x", " the")
	want("ranks", tok.Encode(nil, "aaaaaaaaaaa"), "aaaaaaaa", "aaa")
	want("spaces", tok.Encode(nil, "      x"), "  ", "   ", " ", "x")
	want("specials are text", tok.Encode(nil, "<|im_end|>"), "<", "|", "i", "m", "_", "e", "n", "d", "|", ">")
	want("but not printed ones", tok.Encode(nil, "a<tool_call>b"), "a", "<tool_call>", "b")
	want("specials", tok.EncodeSpecial(nil, "<|im_start|>x<tool_call><|im_end|>"), "<|im_start|>", "x", "<tool_call>", "<|im_end|>")
	want("nothing", tok.Encode(nil, ""))
	want("padding is text", tok.EncodeSpecial(nil, "[PAD259]"), "[", "P", "A", "D", "2", "5", "9", "]")
	want("bytes", tok.Encode(nil, "\xff\xe4\xb8"), "<0xFF>", "<0xE4><0xB8>")

	if id, ok := tok.BOS(); ok {
		t.Errorf("BOS is %d, want none", id)
	}
	if ends := tok.EndTokens(); !slices.Equal(ends, []int32{tinyEnd}) {
		t.Errorf("end tokens are %v", ends)
	}
	for text, id := range map[string]int32{"<|im_end|>": tinyEnd, "<tool_call>": tinyCall, "\n": '\n', " t": tinyMerged} {
		if got, ok := tok.ID(text); !ok || got != id {
			t.Errorf("ID(%q) = %d, %t, want %d", text, got, ok, id)
		}
	}
	if id, ok := tok.ID("[PAD259]"); ok {
		t.Errorf("the padding row is found as %d", id)
	}
	for _, id := range []int32{tinyPad, -1, int32(tok.Size())} {
		if !tok.Padding(id) || tok.Special(id) {
			t.Errorf("%d is no padding", id)
		}
	}
	if tok.Padding('a') || tok.Special('a') || tok.Special(tinyCall) || !tok.Special(tinyEnd) {
		t.Error("kinds are mixed up")
	}
	if b := tok.Bytes(tinyEnd); b == nil || len(b) != 0 {
		t.Errorf("bytes of a control token are %v, want none", b)
	}
	if b := tok.Bytes(-1); b != nil {
		t.Errorf("bytes of -1 are %v, want nil", b)
	}
	if got := tok.Detokenize([]int32{'a', tinyEnd, tinyPad, -1, tinyCall}, false); got != "a<tool_call>" {
		t.Errorf("detokenized to %q", got)
	}
	if got := tok.Detokenize([]int32{'a', tinyEnd, tinyPad}, true); got != "a<|im_end|>" {
		t.Errorf("detokenized with special tokens to %q", got)
	}
}

// TestPatterns shows where the patterns differ.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		text                string
		qwen2, llama, smolm string // pre-tokens, separated by a middle dot
	}{
		{"12345", "1·2·3·4·5", "123·45", "1·2·3·4·5"},
		{"x  5", "x· · ·5", "x· · ·5", "x·  ·5"},
		{"x   y", "x·  · y", "x·  · y", "x·  · y"},
		{"\tx", "\tx", "\tx", "\t·x"},
		{"I'LL I'll", "I·'LL· I·'ll", "I·'LL· I·'ll", "I·'·LL· I·'ll"},
		{"(foo", "(foo", "(foo", "(·foo"},
		{"a);\r\n\r\n  b", "a·);\r\n\r\n· · b", "a·);\r\n\r\n· · b", "a·);·\r\n\r\n · b"},
		{" \n x \n", " \n· x· \n", " \n· x· \n", " \n· x· \n"},
		{"é\u0301 ſ's", "é·\u0301· ſ·'s", "é·\u0301· ſ·'s", "é·\u0301· ſ·'s"},
		{"a\u00a0b\u3000 c", "a·\u00a0b·\u3000· c", "a·\u00a0b·\u3000· c", "a·\u00a0·b·\u3000· c"},
		{" ½²", " ·½·²", " ·½²", " ·½·²"},
		{"'", "'", "'", "'"},
		{"x ", "x· ", "x· ", "x· "},
	} {
		for pre, want := range map[string]string{"qwen2": test.qwen2, "llama-bpe": test.llama, "smollm": test.smolm} {
			r, ok := rulesOf(pre)
			if !ok {
				t.Fatal(pre)
			}
			var got []string
			for s := test.text; s != ""; {
				n, _ := r.next(s)
				got, s = append(got, s[:n]), s[n:]
			}
			if !slices.Equal(got, strings.Split(want, "·")) {
				t.Errorf("%s: %q is split to %q, want %q", pre, test.text, got, strings.Split(want, "·"))
			}
		}
	}
}

// TestWholeWords shows that Llama's rules take a word of the vocabulary that
// its merges do not reach.
func TestWholeWords(t *testing.T) {
	v := tiny("llama-bpe")
	v.tokens = append(slices.Clone(v.tokens.([]string)), "xyz")
	v.types = append(slices.Clone(v.types.([]int32)), typeNormal)
	v.addBOS = nil
	for pre, want := range map[string]int{"llama-bpe": 1, "qwen2": 3} {
		v.pre = pre
		tok, err := v.open()
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(nil, "xyz"); len(got) != want {
			t.Errorf("%s: %d tokens, want %d", pre, len(got), want)
		}
		if _, ok := tok.BOS(); ok != (pre == "llama-bpe") {
			t.Errorf("%s: BOS is wanted: %t", pre, ok)
		}
	}
}

// TestMissingBytes shows that a byte without a token is left out and keeps its
// neighbours apart, as the peer has it.
func TestMissingBytes(t *testing.T) {
	v := tiny("smollm")
	tokens := slices.Clone(v.tokens.([]string))
	tokens[0x01] = spell("\x01\x01")
	v.tokens = tokens
	tok, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"\x01": "", "a\x01b": "ab", "aaaa\x01\x01": "aaaa"} {
		if got := tok.Detokenize(tok.Encode(nil, text), false); got != want {
			t.Errorf("%q comes back as %q, want %q", text, got, want)
		}
	}
	// Not the merged "==".
	if got := tok.Encode(nil, "=\x01="); !slices.Equal(got, []int32{'=', '='}) {
		t.Errorf("tokens %v are not two bytes", got)
	}
}

func TestBadVocabularies(t *testing.T) {
	base := tiny("qwen2")
	tokens, types, merges := base.tokens.([]string), base.types.([]int32), base.merges.([]string)
	with := func(s []string, i int, x string) []string {
		s = slices.Clone(s)
		s[i] = x
		return s
	}
	badType := slices.Clone(types)
	badType[7] = 9
	for _, test := range []struct {
		name   string
		key    string
		change func(v *vocabulary)
	}{
		{"no model", keyModel, func(v *vocabulary) { v.model = nil }},
		{"other model", keyModel, func(v *vocabulary) { v.model = "llama" }},
		{"model is a number", keyModel, func(v *vocabulary) { v.model = uint32(1) }},
		{"no pre", keyPre, func(v *vocabulary) { v.pre = nil }},
		{"unknown pre", keyPre, func(v *vocabulary) { v.pre = "tekken" }},
		{"no tokens", keyTokens, func(v *vocabulary) { v.tokens = nil }},
		{"zero tokens", keyTokens, func(v *vocabulary) { v.tokens = []string{} }},
		{"tokens are numbers", keyTokens, func(v *vocabulary) { v.tokens = []int32{1, 2} }},
		{"giant token", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, 5, strings.Repeat("a", 1<<20)) }},
		{"token twice", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, 'a', "b") }},
		{"special token twice", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, tinyStart, "<|im_end|>") }},
		{"token without bytes", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, 'a', "a b") }},
		{"token of high characters", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, 'a', "世") }},
		{"token is not UTF-8", keyTokens, func(v *vocabulary) { v.tokens = with(tokens, 'a', "\xff") }},
		{"too few types", keyTypes, func(v *vocabulary) { v.types = types[1:] }},
		{"too many types", keyTypes, func(v *vocabulary) { v.types = append(slices.Clone(types), 1) }},
		{"types are texts", keyTypes, func(v *vocabulary) { v.types = tokens }},
		{"unknown type", keyTypes, func(v *vocabulary) { v.types = badType }},
		{"no merges", keyMerges, func(v *vocabulary) { v.merges = nil }},
		{"merges are numbers", keyMerges, func(v *vocabulary) { v.merges = []int32{1} }},
		{"merge without a space", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "ab") }},
		{"merge of nothing", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, " ") }},
		{"empty merge", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "") }},
		{"merge of three", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "a b c") }},
		{"merge to an unknown token", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "q q") }},
		{"merge of an unknown token", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "qq a") }},
		{"merge of a special token", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "<|im_end|> a") }},
		{"giant merge", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "a "+strings.Repeat("a", 1<<20)) }},
		{"giant model", keyModel, func(v *vocabulary) { v.model = strings.Repeat("a", 1<<20) }},
		{"merge is not UTF-8", keyMerges, func(v *vocabulary) { v.merges = with(merges, 0, "\xff a") }},
		{"eos outside", keyEOS, func(v *vocabulary) { v.eos = uint32(len(tokens)) }},
		{"eos negative", keyEOS, func(v *vocabulary) { v.eos = int32(-2) }},
		{"eos is a text", keyEOS, func(v *vocabulary) { v.eos = "x" }},
		{"bos outside", keyBOS, func(v *vocabulary) { v.bos = uint64(1) << 40 }},
		{"bos wanted but missing", keyBOS, func(v *vocabulary) { v.bos, v.addBOS = nil, true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := base
			test.change(&v)
			_, err := v.open()
			if err == nil || !strings.Contains(err.Error(), test.key+":") || !strings.Contains(err.Error(), "tiny.gguf") {
				t.Errorf("error is %v; it should name the file and %s", err, test.key)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestLenientVocabularies shows what converters may leave out or get wrong.
func TestLenientVocabularies(t *testing.T) {
	v := tiny("qwen2")
	v.types, v.addBOS = nil, true
	tok, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	if !tok.Special(tinyEnd) || tok.Special(tinyCall) || !tok.Padding(tinyPad) {
		t.Error("without types, tokens are not known by their spelling")
	}
	v = tiny("qwen2")
	types := slices.Clone(v.types.([]int32))
	types[tinyEnd], types[tinyStart], types[tinyPad] = typeUserDefined, typeNormal, typeUserDefined
	v.types, v.addBOS = types, true
	if tok, err = v.open(); err != nil {
		t.Fatal(err)
	}
	if !tok.Special(tinyEnd) || !tok.Special(tinyStart) || !tok.Padding(tinyPad) {
		t.Error("with wrong types, tokens are not known by their spelling")
	}
	if id, ok := tok.BOS(); !ok || id != tinyStart {
		t.Errorf("BOS is %d, %t", id, ok)
	}
}
