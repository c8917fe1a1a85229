package lsp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// oneWay is a connection that has said all it will say.
type oneWay struct {
	io.Reader
	bytes.Buffer
}

func (c *oneWay) Read(b []byte) (int, error) { return c.Reader.Read(b) }
func (c *oneWay) Close() error               { return nil }

// FuzzFraming: whatever stands before a message, and wherever reads end, it is
// found, unless what stands before promised to contain it.
func FuzzFraming(f *testing.F) {
	const last = `{"jsonrpc":"2.0","method":"the/last"}`
	for _, seed := range []string{
		"", "Content-Length:1\n", "Content-Length: 2\r\n\r\n{}", "Content-Length: 5\r\n\r\n{\"a\":1}", "Content-Length: 99\r\n\r\n{}", "x\r\n\r\n", "Content-Length: -1\r\n\r\n",
		"Content-Length: 1073741825\r\n\r\n", "content-length:3\n\n[1]", "Content-Length: 4\r\n\r\nnull", "Content-Length", "\r\n", ":\r\n", strings.Repeat("y", 5000),
		"Content-Length: 44\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tandem/x\"}",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, before []byte, step uint8) {
		text := string(before) + "\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(last), last)
		conn := &oneWay{Reader: &stepReader{[]byte(text), int(step) + 1}}
		frames := newFrames(conn, slog.New(slog.DiscardHandler), func(error) {})
		for {
			msg, _, err := frames.Read(context.Background())
			if err != nil {
				t.Fatalf("%q: the last message is not found: %v", before, err)
			}
			if n, ok := msg.(*jsonrpc2.Notification); ok && n.Method() == "the/last" {
				return
			}
		}
	})
}

// stepReader gives step bytes at a time.
type stepReader struct {
	text []byte
	step int
}

func (r *stepReader) Read(b []byte) (int, error) {
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.step)], r.text)
	r.text = r.text[n:]
	return n, nil
}

// naive is a document as a list of code points, edited the slow and obvious way.
type naive struct {
	encoding protocol.PositionEncodingKind
	runes    []rune
}

func (n naive) width(r rune) int {
	switch n.encoding {
	case protocol.PositionEncodingKindUTF8:
		return len(string(r))
	case protocol.PositionEncodingKindUTF16:
		return len(utf16.Encode([]rune{r}))
	}
	return 1
}

// index is the rune that a position stands before.
func (n naive) index(p protocol.Position) int {
	i := 0
	for line := uint32(0); line < p.Line; line++ {
		for i < len(n.runes) && n.runes[i] != '\n' && n.runes[i] != '\r' {
			i++
		}
		if i == len(n.runes) {
			return i
		}
		if n.runes[i] == '\r' && i+1 < len(n.runes) && n.runes[i+1] == '\n' {
			i++
		}
		i++
	}
	for units := 0; i < len(n.runes) && n.runes[i] != '\n' && n.runes[i] != '\r'; i++ {
		if units += n.width(n.runes[i]); units > int(p.Character) {
			break
		}
	}
	return i
}

func (n *naive) edit(start, end protocol.Position, text string) {
	i, j := n.index(start), n.index(end)
	n.runes = slices.Concat(n.runes[:min(i, j)], []rune(text), n.runes[max(i, j):])
}

// FuzzDidChange: after any edits in any encoding the text is the naive one's.
func FuzzDidChange(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, []byte("a\xe9\x01b"))
	}
	alphabet := []string{"a", "é", "世", "😀", "\U0010ffff", "\n", "\r\n", "\r", "\t", "\u0301", "\ufffd", "\x00"}
	f.Fuzz(func(t *testing.T, seed uint64, more []byte) {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		copy(key[8:], more)
		r := rand.New(rand.NewChaCha8(key))
		word := func(most int) string {
			var b strings.Builder
			for range r.IntN(most) {
				b.WriteString(alphabet[r.IntN(len(alphabet))])
			}
			return b.String()
		}
		for _, encoding := range []protocol.PositionEncodingKind{protocol.PositionEncodingKindUTF8, protocol.PositionEncodingKindUTF16, protocol.PositionEncodingKindUTF32} {
			m := mapper{encoding}
			first := word(40)
			n, w := naive{encoding, []rune(first)}, workspace.New(nil)
			if err := w.Open(workspace.Item{Path: "/a", Text: first}); err != nil {
				t.Fatal(err)
			}
			place := func() protocol.Position {
				return protocol.Position{Line: uint32(r.IntN(12)), Character: uint32(r.IntN(12))}
			}
			for step := range 30 {
				start, end, text := place(), place(), word(6)
				n.edit(start, end, text)
				c := change{Range: &protocol.Range{Start: start, End: end}, Text: &text}
				out, err := w.Change("/a", int32(step), m.edit(c))
				if err != nil {
					t.Fatal(err)
				}
				if got := out.Document.Text.String(); got != string(n.runes) {
					t.Fatalf("%s: after %+v–%+v %q the text is %q, want %q", encoding, start, end, text, got, string(n.runes))
				}
				checkRound(t, m, out.Document.Text)
			}
		}
	})
}

// checkRound: a place between characters has a position, and that the place. Between
// "\r" and "\n" there is no place.
func checkRound(t *testing.T, m mapper, text workspace.Text) {
	for offset := range text.String() {
		if offset > 0 && text.String()[offset-1] == '\r' && text.String()[offset] == '\n' {
			continue
		}
		if got := m.offset(text, m.position(text, offset)); got != offset {
			t.Fatalf("%s: offset %d of %q has position %+v, which is offset %d", m.encoding, offset, text.String(), m.position(text, offset), got)
		}
	}
}

func TestGlobs(t *testing.T) {
	folders := []string{"/p"}
	for _, test := range []struct {
		glob, name string
		want       bool
	}{
		{"*.pb.go", "/p/x/a.pb.go", true}, {"*.pb.go", "/p/x/a.go", false}, {"gen", "/p/gen/a.go", true},
		{"gen/**", "/p/gen/x/a.go", true}, {"gen/**", "/p/x/gen/a.go", false}, {"**/gen/**", "/p/x/gen/a.go", true},
		{"gen/*.go", "/p/gen/a.go", true}, {"gen/*.go", "/p/gen/x/a.go", false}, {"/p/x/*.go", "/p/x/a.go", true},
		{"**", "/p/a", true}, {"a/**/b", "/p/a/b", true}, {"a/**/b", "/p/a/x/y/b", true}, {"a/**/b", "/p/a/x/y/c", false},
		{"gen/", "/p/gen/a", true}, {"[a-c].go", "/p/b.go", true}, {strings.Repeat("**/", 200) + "x", "/p/" + strings.Repeat("a/", 200) + "y", false},
	} {
		if got := matchesGlob(test.glob, test.name, folders); got != test.want {
			t.Errorf("%q against %q: %v", test.glob, test.name, got)
		}
	}
	for _, glob := range []string{"", "[", strings.Repeat("a", maxGlobBytes+1)} {
		if !badGlob(glob) {
			t.Errorf("%.20q is accepted", glob)
		}
	}
}
