// Package tokenizer turns text into the token ids of a model and back. It reads
// byte-level BPE vocabularies (tokenizer.ggml.model "gpt2") out of GGUF files,
// with the pre-tokenizers of Qwen 2, Llama 3 and SmolLM, and gives the ids that
// llama.cpp gives: text is not normalised, and no byte of it is lost.
//
// It does not know chat templates, prompts or sampling.
package tokenizer

import (
	"bytes"
	"sync"
	"unicode/utf8"
)

// Tokenizer is a vocabulary with its rules. It does not change after [New] and
// may be used from several goroutines. Slices of ids and bytes that it returns
// belong to it and must not be modified, unless they were appended to a
// caller's.
type Tokenizer struct {
	kinds    []kind
	starts   []uint32         // spelling of id: text[starts[id]:starts[id+1]]
	text     []byte           // spellings: bytes of ordinary tokens, else as they stand in the file
	ordinary map[string]int32 // id by bytes
	special  map[string]int32 // id by spelling: control and user-defined tokens
	byteIDs  [256]int32       // id of each single byte, -1 if there is none
	complete bool             // every byte has a token
	merges   mergeTable
	rules    rules
	plain    matcher // tokens found in every text: user-defined ones
	marked   matcher // and those found by EncodeSpecial: control tokens, too
	longest  int     // bytes of the longest token
	bos      int32   // -1 if the model wants none
	ends     []int32

	idle encoders

	sortOnce sync.Once
	sorted   []int32 // ordinary tokens in the order of their bytes
}

// kind says what a token is good for.
type kind uint8

const (
	ordinary    kind = iota // bytes of text
	userDefined             // text that is cut out before everything else
	control                 // never part of text
	padding                 // a row without a meaning
)

// Size is the number of rows of the vocabulary, padding included.
func (t *Tokenizer) Size() int { return len(t.kinds) }

// BOS is the token to put before a text, if the model wants one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EndTokens are the tokens after which nothing of the text follows: the file's
// own end tokens and those known by their spelling, in ascending order.
func (t *Tokenizer) EndTokens() []int32 { return t.ends }

// ID is the token that stands for text: a special token by its spelling, any
// other by its bytes.
func (t *Tokenizer) ID(text string) (int32, bool) {
	id, ok := t.special[text]
	if !ok {
		id, ok = t.ordinary[text]
	}
	return id, ok
}

// Special reports whether id is a control token, which is never part of text.
func (t *Tokenizer) Special(id int32) bool { return t.kind(id) == control }

// Padding reports whether id is a row without a meaning, which must not be
// sampled. Ids outside the vocabulary are.
func (t *Tokenizer) Padding(id int32) bool { return t.kind(id) == padding }

// Encode appends the tokens of text. Spellings of control tokens are text like
// any other; those of user-defined tokens, which are printed, become the token.
// Bytes that are not UTF-8 are kept. A byte for which the vocabulary has no
// token is left out.
func (t *Tokenizer) Encode(dst []int32, text string) []int32 {
	return t.encode(dst, text, &t.plain)
}

// EncodeSpecial appends the tokens of text, in which spellings of control
// tokens become the token, too. Where several fit, the longest does.
func (t *Tokenizer) EncodeSpecial(dst []int32, text string) []int32 {
	return t.encode(dst, text, &t.marked)
}

func (t *Tokenizer) encode(dst []int32, text string, m *matcher) []int32 {
	e := t.idle.take()
	dst = e.text(dst, t, text, m)
	e.shrink()
	t.idle.keep(e)
	return dst
}

// LastPreToken is the offset in bytes where text's last pre-token begins, as
// [Tokenizer.Encode] sees it; len(text) if text is empty. Text can be cut there:
// the tokens of both parts together are those of the whole. Where the beginning
// of the last pre-token is no such place, it is the last one before it.
func (t *Tokenizer) LastPreToken(text string) int {
	last := 0
	for from := 0; ; {
		at, n, _ := t.plain.find(text, from)
		// The rest of a run of whitespace that was split before its last
		// character joins the run if the text ends there: no place to cut.
		split, joins := false, false
		for i := from; i < at; {
			if !joins {
				last = i
			}
			_, width := utf8.DecodeRuneInString(text[i:])
			end, splits := t.rules.next(text[i:at])
			joins = split && end == width
			split, i = splits, i+end
		}
		if n == 0 {
			return last
		}
		last, from = at, at+n
	}
}

// FirstDifference finds the first id that means another thing in other, or in
// one of them nothing. Rows of padding do not count: models of one family fill
// their vocabularies up to different sizes.
func (t *Tokenizer) FirstDifference(other *Tokenizer) (id int32, differ bool) {
	for id := range int32(max(t.Size(), other.Size())) {
		k := t.kind(id)
		if k != other.kind(id) || k != padding && !bytes.Equal(t.spelling(id), other.spelling(id)) {
			return id, true
		}
	}
	return 0, false
}

// kind is padding for ids that are no rows.
func (t *Tokenizer) kind(id int32) kind {
	if id < 0 || int(id) >= len(t.kinds) {
		return padding
	}
	return t.kinds[id]
}

// spelling is a row's entry in text.
func (t *Tokenizer) spelling(id int32) []byte {
	a, b := t.starts[id], t.starts[id+1]
	return t.text[a:b:b]
}
