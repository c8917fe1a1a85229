package workspace

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func newText(t testing.TB, s string) Text {
	t.Helper()
	text, err := NewText(s)
	if err != nil {
		t.Fatalf("NewText(%.20q): %v", s, err)
	}
	return text
}

// naive splits s into lines in the plainest way: their starts and their texts.
func naive(s string) (starts []int, lines []string) {
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '\n' && s[i] != '\r' {
			continue
		}
		starts, lines = append(starts, start), append(lines, s[start:i])
		if s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n' {
			i++
		}
		start = i + 1
	}
	return append(starts, start), append(lines, s[start:])
}

// check holds text against the naive model of want.
func check(t testing.TB, text Text, want string) {
	t.Helper()
	starts, lines := naive(want)
	if text.String() != want || text.Len() != len(want) || text.Lines() != len(lines) {
		t.Fatalf("text is %q of %d lines, want %q of %d", text.String(), text.Lines(), want, len(lines))
	}
	for n, line := range lines {
		if text.LineStart(n) != starts[n] || text.Line(n) != line {
			t.Fatalf("%q: line %d is %q at %d, want %q at %d", want, n, text.Line(n), text.LineStart(n), line, starts[n])
		}
	}
	for n, line := 0, 0; n <= len(want); n++ {
		for line+1 < len(starts) && starts[line+1] <= n {
			line++
		}
		if got := text.LineOf(n); got != line {
			t.Fatalf("%q: offset %d is in line %d, want %d", want, n, got, line)
		}
	}
}

func TestTextLines(t *testing.T) {
	for _, s := range []string{
		"", "a", "\n", "\r", "\r\n", "\n\r", "\r\r\n\n", "a\nb", "a\r\nb\rc\n", "\xff\xfe\n\x80", "é\u2028x\n", "a\n\n\nb", "\x00\n",
	} {
		check(t, newText(t, s), s)
	}
	check(t, Text{}, "")
	text := newText(t, "ab\ncd")
	for _, test := range []struct{ got, want any }{
		{text.Line(-1), ""}, {text.Line(2), ""}, {text.LineStart(-5), 0}, {text.LineStart(9), 5},
		{text.LineOf(-1), 0}, {text.LineOf(99), 1},
	} {
		if test.got != test.want {
			t.Errorf("outside the text: %v, want %v", test.got, test.want)
		}
	}
}

func TestTextEdit(t *testing.T) {
	for _, test := range []struct {
		s    string
		e    Edit
		want string // "error" for one
	}{
		{"", Edit{0, 0, "x\n"}, "x\n"},
		{"a\rb", Edit{2, 2, "\n"}, "a\r\nb"},   // joins a break
		{"a\r\nb", Edit{2, 2, "x"}, "a\rx\nb"}, // parts it
		{"a\r\nb", Edit{1, 2, ""}, "a\nb"},
		{"a\rx\nb", Edit{2, 3, ""}, "a\r\nb"},
		{"a\nb", Edit{0, ToEnd, "c"}, "c"},
		{"a\nb", Edit{3, ToEnd, "c"}, "a\nbc"},
		{"\xff\xfe", Edit{1, 1, "\x80"}, "\xff\x80\xfe"},
		{"ab", Edit{-1, 1, "x"}, "error"},
		{"ab", Edit{2, 1, "x"}, "error"},
		{"ab", Edit{0, 3, "x"}, "error"},
		{"ab", Edit{3, ToEnd, "x"}, "error"},
	} {
		got, err := newText(t, test.s).Edit(test.e)
		if (err != nil) != (test.want == "error") {
			t.Errorf("%q with %+v: %v", test.s, test.e, err)
		} else if err == nil {
			check(t, got, test.want)
		}
	}
}

func TestTextTooLarge(t *testing.T) {
	most := strings.Repeat("x", MaxTextBytes)
	text := newText(t, most)
	if _, err := text.Edit(Edit{0, 0, "x"}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an edit beyond the limit: %v", err)
	}
	if _, err := text.Edit(Edit{0, 1, "y"}); err != nil {
		t.Errorf("an edit at the limit: %v", err)
	}
	if _, err := NewText(most + "x"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a text beyond the limit: %v", err)
	}
}

// TestTextNeverChanges edits one text in many ways: it and all results stay.
func TestTextNeverChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts, wants := []Text{{}}, []string{""}
	for range 300 {
		i := random.IntN(len(texts))
		e := randomEdit(random, len(wants[i]))
		next, err := texts[i].Edit(e)
		if err != nil {
			t.Fatal(err)
		}
		texts, wants = append(texts, next), append(wants, wants[i][:e.Start]+e.Text+wants[i][e.End:])
	}
	for i := range texts {
		check(t, texts[i], wants[i])
	}
}

// randomEdit is a valid edit of a text of n bytes, rich in line breaks.
func randomEdit(random *rand.Rand, n int) Edit {
	var text strings.Builder
	for range random.IntN(6) {
		text.WriteString([]string{"\n", "\r", "\r\n", "a", "b ", "é"}[random.IntN(6)])
	}
	start := random.IntN(n + 1)
	return Edit{start, start + random.IntN(min(n-start, 5)+1), text.String()}
}

// BenchmarkKey types one character in the middle of a document.
func BenchmarkKey(b *testing.B) {
	for _, bytes := range []int{130 << 10, MaxTextBytes - 1<<20} {
		line := "	if err := something(of, the, usual, kind); err != nil {\n"
		w := New(nil)
		if err := w.Open(Item{Path: "a.go", Text: strings.Repeat(line, bytes/len(line))}); err != nil {
			b.Fatal(err)
		}
		text := w.Snapshot().docs[0].Text
		key := Edit{text.Len() / 2, text.Len() / 2, "x"}
		b.Run(fmt.Sprintf("text/%dKB", bytes>>10), func(b *testing.B) {
			for b.Loop() {
				if _, err := text.Edit(key); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("workspace/%dKB", bytes>>10), func(b *testing.B) {
			for b.Loop() {
				if _, err := w.Change("a.go", 1, fixed(key)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
