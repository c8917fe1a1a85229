package synth

import (
	"fmt"

	"tandem/engine/gguf"
)

// Token types of the format.
const (
	tokenNormal      = 1
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
)

// vocabulary gives the tokenizer's keys: byte-level BPE with the 256 bytes,
// made-up words of whom each is the merge of two tokens before it, and the
// model's own special tokens at their own ids.
func (s shapeOf) vocabulary() []gguf.KV {
	tokens, merges := words(s.ordinary)
	types := make([]int32, len(tokens), s.vocab)
	for i := range types {
		types[i] = tokenNormal
	}
	pre, bos, eos, pad := "qwen2", "<|endoftext|>", "<|im_end|>", "<|endoftext|>"
	special := qwenSpecial
	if s.arch == "llama" {
		pre, bos, eos, pad = "llama-bpe", "<|begin_of_text|>", "<|eot_id|>", "<|finetune_right_pad_id|>"
		special = llamaSpecial()
	}
	id := make(map[string]uint32)
	for _, text := range special {
		id[text] = uint32(len(tokens))
		kind := int32(tokenControl)
		if text == "<tool_call>" || text == "</tool_call>" {
			kind = tokenUserDefined
		}
		tokens, types = append(tokens, text), append(types, kind)
	}
	for len(tokens) < s.vocab {
		tokens, types = append(tokens, fmt.Sprintf("[PAD%d]", len(tokens))), append(types, tokenUnused)
	}
	return []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: pre},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.merges", Value: merges},
		{Key: "tokenizer.ggml.eos_token_id", Value: id[eos]},
		{Key: "tokenizer.ggml.padding_token_id", Value: id[pad]},
		{Key: "tokenizer.ggml.bos_token_id", Value: id[bos]},
		{Key: "tokenizer.ggml.add_bos_token", Value: s.arch == "llama"},
	}
}

// qwenSpecial are Qwen 2.5's, from id 151643 in the real vocabulary.
var qwenSpecial = []string{
	"<|endoftext|>", "<|im_start|>", "<|im_end|>",
	"<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
	"<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
	"<tool_call>", "</tool_call>",
	"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
}

// llamaSpecial are Llama 3.2's 256, from id 128000 in the real vocabulary.
func llamaSpecial() []string {
	list := make([]string, 256)
	reserved := 0
	for i := range list {
		if named, ok := llamaNamed[i]; ok {
			list[i] = named
			continue
		}
		list[i] = fmt.Sprintf("<|reserved_special_token_%d|>", reserved)
		reserved++
	}
	return list
}

var llamaNamed = map[int]string{
	0: "<|begin_of_text|>", 1: "<|end_of_text|>", 4: "<|finetune_right_pad_id|>",
	6: "<|start_header_id|>", 7: "<|end_header_id|>", 8: "<|eom_id|>", 9: "<|eot_id|>", 10: "<|python_tag|>",
}

// words gives n tokens and the merges that make all but the first 256: spaces
// for indentation, then words of two, three and four letters, the shorter ones
// also with a space before them.
func words(n int) (tokens, merges []string) {
	tokens = byteTokens()
	space, newline := tokens[220], tokens[198]
	merge := func(left, right string) {
		if len(tokens) < n {
			tokens = append(tokens, left+right)
			merges = append(merges, left+" "+right)
		}
	}
	run := space
	for range 4 {
		merge(run, run)
		run += run
	}
	merge(newline, newline)
	single := make([]string, 26)
	for i := range single {
		single[i] = string(rune('a' + i))
	}
	double := pairs(single, single)
	triple := pairs(double, single)
	for _, step := range []struct{ left, right []string }{
		{single, single}, {[]string{space}, single}, {[]string{space}, double},
		{double, single}, {[]string{space}, triple}, {double, double},
	} {
		for _, left := range step.left {
			for _, right := range step.right {
				merge(left, right)
			}
		}
	}
	return tokens, merges
}

// pairs joins every left with every right.
func pairs(left, right []string) []string {
	out := make([]string, 0, len(left)*len(right))
	for _, l := range left {
		for _, r := range right {
			out = append(out, l+r)
		}
	}
	return out
}

// byteTokens spells the 256 bytes as GPT-2's vocabulary does, in its order:
// printable Latin-1 as itself, then the others as letters from U+0100.
func byteTokens() []string {
	var printable, others []string
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= '¡' && b <= '¬' || b >= '®' {
			printable = append(printable, string(b))
		} else {
			others = append(others, string(rune(256+len(others))))
		}
	}
	return append(printable, others...)
}
