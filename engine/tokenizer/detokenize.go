package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bytes is what id stands for in a text: nothing for control tokens and padding
// rows, nil for ids outside the vocabulary. A token may be part of a character.
func (t *Tokenizer) Bytes(id int32) []byte {
	if id < 0 || int(id) >= len(t.kinds) {
		return nil
	}
	switch t.kinds[id] {
	case ordinary, userDefined:
		return t.spelling(id)
	}
	return []byte{}
}

// Piece is a spelling of id to show to people: special tokens as they stand in
// the file, bytes that are not UTF-8 as <0xE2>. It is "" for ids outside the
// vocabulary.
func (t *Tokenizer) Piece(id int32) string {
	if id < 0 || int(id) >= len(t.kinds) {
		return ""
	}
	b := t.spelling(id)
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&out, "<0x%02X>", b[0])
		} else {
			out.Write(b[:n])
		}
		b = b[n:]
	}
	return out.String()
}

// Detokenize is the text of ids, byte for byte: what [Tokenizer.Encode] was
// given. special adds the spellings of control tokens. Ids outside the
// vocabulary are passed over.
func (t *Tokenizer) Detokenize(ids []int32, special bool) string {
	var out strings.Builder
	for _, id := range ids {
		if special && t.Special(id) {
			out.Write(t.spelling(id))
		} else {
			out.Write(t.Bytes(id))
		}
	}
	return out.String()
}

// Stream turns tokens into text as they come. It never emits part of a
// character: bytes wait until the character is whole, and those that can no
// longer become one come out as U+FFFD, one for each byte. It belongs to one
// goroutine.
type Stream struct {
	t    *Tokenizer
	tail []byte // beginning of a character, at most 3 bytes between calls
}

// Stream begins a text.
func (t *Tokenizer) Stream() *Stream { return &Stream{t: t} }

// Push is the text that is certain once id has come. Control tokens add none.
func (s *Stream) Push(id int32) string { return s.PushBytes(s.t.Bytes(id)) }

// PushBytes is Push for a part of a token's bytes.
func (s *Stream) PushBytes(b []byte) string {
	s.tail = append(s.tail, b...)
	return s.take(false)
}

// Flush is the text that waits for bytes which will not come; the stream may be
// used for another text then.
func (s *Stream) Flush() string { return s.take(true) }

func (s *Stream) take(all bool) string {
	var out strings.Builder
	b := s.tail
	for len(b) > 0 && (all || utf8.FullRune(b)) {
		r, n := utf8.DecodeRune(b)
		out.WriteRune(r)
		b = b[n:]
	}
	s.tail = append(s.tail[:0], b...)
	return out.String()
}
