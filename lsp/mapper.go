package lsp

import (
	"unicode/utf8"

	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// mapper turns the protocol's positions into offsets and back. What a character
// counts is agreed on at initialize: bytes, UTF-16 units or code points. It is a
// value; the zero one counts UTF-16, as clients do that say nothing.
type mapper struct {
	encoding protocol.PositionEncodingKind
}

// newMapper takes UTF-8 if the client offers it, since texts are bytes inside;
// else UTF-16, which every client must know, or UTF-32 if it is all there is.
func newMapper(offered []protocol.PositionEncodingKind) mapper {
	for _, want := range []protocol.PositionEncodingKind{protocol.PositionEncodingKindUTF8, protocol.PositionEncodingKindUTF16, protocol.PositionEncodingKindUTF32} {
		for _, kind := range offered {
			if kind == want {
				return mapper{want}
			}
		}
	}
	return mapper{protocol.PositionEncodingKindUTF16}
}

// width is how much r, which takes size bytes, counts.
func (m mapper) width(r rune, size int) int {
	switch {
	case m.encoding == protocol.PositionEncodingKindUTF8:
		return size
	case m.encoding == protocol.PositionEncodingKindUTF32 || r < 0x10000:
		return 1
	}
	return 2
}

// offset is the place p in text. A line behind the last is the text's end, a
// character behind a line's last is the line's end, as the protocol has it; a
// place inside a character is the character's start.
func (m mapper) offset(text workspace.Text, p protocol.Position) int {
	if int64(p.Line) >= int64(text.Lines()) {
		return text.Len()
	}
	line := text.Line(int(p.Line))
	return text.LineStart(int(p.Line)) + m.bytes(line, uint64(p.Character))
}

// bytes is how many bytes of s its first count units are, whole characters only.
func (m mapper) bytes(s string, count uint64) int {
	units := uint64(0)
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		units += uint64(m.width(r, size))
		if units > count {
			return at
		}
		at += size
	}
	return len(s)
}

// length is how many units s counts.
func (m mapper) length(s string) int {
	n := 0
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		n += m.width(r, size)
		at += size
	}
	return n
}

// position is the place at offset.
func (m mapper) position(text workspace.Text, offset int) protocol.Position {
	line := text.LineOf(offset)
	start := text.LineStart(line)
	column := m.length(text.Line(line)[:min(offset-start, len(text.Line(line)))])
	return protocol.Position{Line: uint32(line), Character: uint32(column)}
}

// change is one of didChange's events. It is no type of the protocol's package,
// which takes an event whose range it cannot read for one of the whole document.
type change struct {
	Range *protocol.Range `json:"range"` // nil: the whole document
	Text  *string         `json:"text"`
}

// edit is a change as an edit of the text that it was made in. A range that ends
// before it begins is turned around, as other servers do.
func (m mapper) edit(c change) func(workspace.Text) workspace.Edit {
	return func(text workspace.Text) workspace.Edit {
		if c.Range == nil {
			return workspace.Edit{End: workspace.ToEnd, Text: *c.Text}
		}
		start, end := m.offset(text, c.Range.Start), m.offset(text, c.Range.End)
		return workspace.Edit{Start: min(start, end), End: max(start, end), Text: *c.Text}
	}
}
