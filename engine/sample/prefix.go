package sample

import "bytes"

// Vocabulary is what the byte-prefix constraint needs to know of a tokenizer.
// Both lists hold ordinary tokens only and are not modified.
type Vocabulary interface {
	// Bytes is what a token stands for.
	Bytes(id int32) []byte
	// WithPrefix lists the tokens whose bytes begin with b.
	WithPrefix(b []byte) []int32
	// PrefixesOf lists the tokens whose bytes are the beginning of b, but not
	// the whole of it.
	PrefixesOf(b []byte) []int32
}

// Prefix makes a continuation begin with given bytes, whatever tokens it takes:
// the constraint of token healing. The bytes may end inside a character. It
// belongs to one sequence.
type Prefix struct {
	v    Vocabulary
	want []byte // what is still to come
}

// NewPrefix demands want, which is copied.
func NewPrefix(want []byte, v Vocabulary) *Prefix {
	return &Prefix{v: v, want: bytes.Clone(want)}
}

// Done reports whether the bytes have come.
func (p *Prefix) Done() bool { return len(p.want) == 0 }

// Allowed lists the tokens that may come next: nil once the bytes have come, for
// then every token may. An empty list means that no token fits.
func (p *Prefix) Allowed() []int32 {
	if p.Done() {
		return nil
	}
	short, long := p.v.PrefixesOf(p.want), p.v.WithPrefix(p.want)
	// Not nil, even if it is empty.
	ids := make([]int32, 0, len(short)+len(long))
	return append(append(ids, short...), long...)
}

// Accept takes the token that came. rest are its bytes beyond the demanded ones,
// which are the beginning of the continuation proper. It is not ok, and nothing
// changes, if the token does not fit. Once the bytes have come every token fits
// and rest is all of it.
func (p *Prefix) Accept(id int32) (rest []byte, ok bool) {
	b := p.v.Bytes(id)
	if rest, ok = bytes.CutPrefix(b, p.want); ok {
		p.want = nil
		return rest, true
	}
	if len(b) > 0 && bytes.HasPrefix(p.want, b) {
		p.want = p.want[len(b):]
		return nil, true
	}
	return nil, false
}
