package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestStream(t *testing.T) {
	tok := openTiny(t, "qwen2")
	for _, test := range []struct {
		text string
		want []string // after each byte, then what Flush gives
	}{
		{"ab", []string{"a", "b", ""}},
		{"é", []string{"", "é", ""}},
		{"😀x", []string{"", "", "", "😀", "x", ""}},
		{"\xf0\x9f\x98", []string{"", "", "", "\ufffd\ufffd\ufffd"}},
		{"\xf0\x9fx", []string{"", "", "\ufffd\ufffdx", ""}},
		{"\xe4\xc3\xa9", []string{"", "\ufffd", "é", ""}},
		{"\xff\x80", []string{"\ufffd", "\ufffd", ""}},
		{"\xed\xa0\x80", []string{"", "\ufffd\ufffd", "\ufffd", ""}}, // a surrogate
		{"\xc0\x80", []string{"\ufffd", "\ufffd", ""}},               // an overlong zero
		{"\ufffd", []string{"", "", "\ufffd", ""}},
	} {
		stream := tok.Stream()
		var got []string
		for i := range len(test.text) {
			got = append(got, stream.Push(int32(test.text[i])))
		}
		if got = append(got, stream.Flush()); !slices.Equal(got, test.want) {
			t.Errorf("%q comes as %q, want %q", test.text, got, test.want)
		}
		if rest := stream.Flush(); rest != "" {
			t.Errorf("%q: a second Flush gives %q", test.text, rest)
		}
	}
}

// TestStreamControl shows that control tokens and ids from nowhere neither show
// nor break a character.
func TestStreamControl(t *testing.T) {
	tok := openTiny(t, "qwen2")
	stream := tok.Stream()
	var out strings.Builder
	for _, id := range []int32{0xc3, tinyEnd, -1, 1 << 30, tinyPad, 0xa9, tinyCall} {
		out.WriteString(stream.Push(id))
	}
	if out.String() != "é<tool_call>" {
		t.Errorf("the stream emits %q", out.String())
	}
}
