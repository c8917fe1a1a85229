package lsp_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tandem/lsp"
)

// framed is a message with a right header.
func framed(body string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func askNone(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"method":"tandem/none"}` }

var malformed = []struct {
	name, raw string
	id        string // of the answer; "" if there is none
	code      int
}{
	{"no JSON", framed("{]"), "null", -32700},
	{"a text", framed(`"text"`), "null", -32600},
	{"a number", framed("1"), "null", -32600},
	{"null", framed("null"), "null", -32600},
	{"an empty batch", framed("[]"), "null", -32600},
	{"a batch", framed("[" + askNone("1001") + "]"), "null", -32600},
	{"no method", framed(`{"jsonrpc":"2.0","id":1002}`), "1002", -32600},
	{"a method that is a number", framed(`{"jsonrpc":"2.0","id":1003,"method":3}`), "1003", -32600},
	{"blanks", framed("   "), "null", -32700},
	{"text behind the message", framed(askNone("1004") + "x"), "null", -32700},
	{"deep nesting", framed(`{"jsonrpc":"2.0","id":1005,"method":"x","params":` + strings.Repeat("[", 200000) + strings.Repeat("]", 200000) + "}"), "null", -32700},

	{"a number as id", framed(askNone("-7")), "-7", -32601},
	{"the largest id", framed(askNone("9223372036854775807")), "9223372036854775807", -32601},
	{"an id too large", framed(askNone("9223372036854775808")), "9223372036854775808", -32600},
	{"a huge id", framed(askNone(strings.Repeat("9", 5000))), "null", -32600},
	{"an id with a point", framed(askNone("1.5")), "1.5", -32600},
	{"a text as id", framed(askNone(`"é😀"`)), `"é😀"`, -32601},
	{"an empty text as id", framed(askNone(`""`)), `""`, -32601},
	{"null as id", framed(askNone("null")), "", 0},
	{"an object as id", framed(askNone("{}")), "null", -32600},
	{"true as id", framed(askNone("true")), "null", -32600},

	{"no length", "Content-Type: x\r\n\r\n" + framed(askNone("2000")), "null", -32700},
	{"length 0", "Content-Length: 0\r\n\r\n", "null", -32700},
	{"a negative length", "Content-Length: -5\r\n\r\n", "null", -32700},
	{"a length that is no number", "Content-Length: x\r\n\r\n{}", "null", -32700},
	{"a gigabyte", "Content-Length: 1073741824\r\n\r\n{}", "null", -32700},
	{"more than there is", "Content-Length: 99999999999999999999999\r\n\r\n{}", "null", -32700},
	{"a long header", strings.Repeat("x", 1<<20) + "\r\n\r\n", "null", -32700},
	{"many headers", strings.Repeat("A: b\r\n", 1000) + "\r\n", "null", -32700},
	{"garbage", "hello\r\n", "null", -32700},
	{"too short a length", "Content-Length: 5\r\n\r\n" + askNone("2001"), "null", -32700},
	{"too long a length", "Content-Length: 500\r\n\r\n" + askNone("2002"), "null", -32700},
	{"small letters and a charset", "content-type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: 53\r\n\r\n" + askNone("2003000"), "2003000", -32601},
	{"lines that end with LF", "Content-Length: 50\n\n" + askNone("2004"), "2004", -32601},

	{"an answer to nothing", framed(`{"jsonrpc":"2.0","id":77,"result":{}}`), "", 0},
	{"a broken answer", framed(`{"jsonrpc":"2.0","id":{},"result":{}}`), "", 0},
	{"cancel of nothing", framed(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":4711}}`), "", 0},
	{"cancel of null", framed(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}`), "", 0},
	{"cancel without params", framed(`{"jsonrpc":"2.0","method":"$/cancelRequest"}`), "", 0},
	{"change without params", framed(`{"jsonrpc":"2.0","method":"textDocument/didChange"}`), "", 0},
	{"change with wrong params", framed(`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///home/me/project/a.go","version":2},"contentChanges":[{"range":7,"text":"x"}]}}`), "", 0},
	{"change of what is not open", framed(`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///x","version":2},"contentChanges":[{"text":"x"}]}}`), "", 0},
	{"close of what is not open", framed(`{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///x"}}}`), "", 0},
	{"a negative line", framed(`{"jsonrpc":"2.0","id":3000,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///home/me/project/a.go"},"position":{"line":-1,"character":0},"context":{"triggerKind":1}}}`), "3000", -32602},
	{"show of nothing", framed(`{"jsonrpc":"2.0","method":"tandem/didShow","params":{"id":"99"}}`), "", 0},
	{"show of an array", framed(`{"jsonrpc":"2.0","method":"tandem/didShow","params":[]}`), "", 0},
	{"explain of nothing", framed(`{"jsonrpc":"2.0","id":3001,"method":"tandem/explain"}`), "3001", -32602},
}

// TestMalformed: whatever comes, the server answers it as JSON-RPC has it, lives
// on and has the document right.
func TestMalformed(t *testing.T) {
	for _, test := range malformed {
		t.Run(test.name, func(t *testing.T) {
			text := ""
			e := start(t, echoing(func(q lsp.Question) lsp.Answer { text = q.Text; return lsp.Answer{} }))
			e.open("a.go", "go", source)
			e.ready()
			e.raw(test.raw)
			e.change("a.go", 0, 0, "// é\n")
			e.suggest("a.go", 1, automatic).message(e)
			if text != e.texts["a.go"] {
				t.Errorf("the document is %q", text)
			}
			if test.id != "" {
				if code := (answer{test.id}).code(e); code != test.code {
					t.Errorf("answered with code %d, want %d", code, test.code)
				}
			}
			if _, wrong := e.answers["null"]; wrong && test.id != "null" {
				t.Errorf("an answer to nobody: %+v", e.answers["null"])
			}
			e.quit()
		})
	}
}

// TestDuplicateID: the second of two requests with one id is refused, and the
// first one lives.
func TestDuplicateID(t *testing.T) {
	s := newScript([]string{hold, "a"})
	e := running(t, s, source)
	params := e.place("a.go", behindReturn)
	params["context"] = object{"triggerKind": automatic}
	e.write(object{"jsonrpc": "2.0", "id": "x", "method": "textDocument/inlineCompletion", "params": params})
	<-s.held
	e.write(object{"jsonrpc": "2.0", "id": "x", "method": "tandem/stats"})
	if code := (answer{`"x"`}).code(e); code != -32600 {
		t.Errorf("code %d", code)
	}
	e.mu.Lock()
	delete(e.answers, `"x"`)
	e.mu.Unlock()
	close(s.release)
	if got := (answer{`"x"`}).text(e); got != "a" {
		t.Errorf("the first one: %q", got)
	}
	e.quit()
}

// TestPlaces: places outside the document count as its nearest, versions may say
// what they please, and bytes that are no text become one character each.
func TestPlaces(t *testing.T) {
	var asked lsp.Question
	e := start(t, echoing(func(q lsp.Question) lsp.Answer { asked = q; return lsp.Answer{} }))
	e.open("a.go", "go", "é😀x\r\nab")
	e.ready()
	for _, test := range []struct{ line, character, want int }{
		{0, 0, 0}, {0, 1, 2}, {0, 2, 2}, {0, 3, 6}, {0, 4, 7}, {0, 5, 7}, {0, 4294967295, 7},
		{1, 0, 9}, {1, 2, 11}, {1, 9, 11}, {2, 0, 11}, {4294967295, 7, 11},
	} {
		params := object{"textDocument": object{"uri": uri("a.go")}, "position": object{"line": test.line, "character": test.character},
			"context": object{"triggerKind": automatic}}
		e.ask("textDocument/inlineCompletion", params).message(e)
		if asked.Offset != test.want {
			t.Errorf("%d:%d is offset %d, want %d", test.line, test.character, asked.Offset, test.want)
		}
	}
	change := func(version int, text string) {
		e.raw(framed(fmt.Sprintf(`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":%q,"version":%d},"contentChanges":[%s]}}`, uri("a.go"), version, text)))
		e.ask("textDocument/inlineCompletion", object{"textDocument": object{"uri": uri("a.go")}, "position": object{"line": 0, "character": 0}, "context": object{"triggerKind": 1}}).message(e)
	}
	for _, test := range []struct {
		version    int
		text, want string
	}{
		{-5, `{"text":"abc"}`, "abc"},
		{7, `{"range":{"start":{"line":9,"character":9},"end":{"line":99,"character":0}},"text":"d"}`, "abcd"},
		{7, `{"range":{"start":{"line":0,"character":3},"end":{"line":0,"character":1}},"text":"X"}`, "aXd"},
		{6, "{\"text\":\"a\xff\xfeb\\ud800\"},{\"range\":{\"start\":{\"line\":0,\"character\":3},\"end\":{\"line\":0,\"character\":4}},\"text\":\"c\"}", "a\ufffd\ufffdc\ufffd"},
		{8, ``, "a\ufffd\ufffdc\ufffd"},
	} {
		if change(test.version, test.text); asked.Text != test.want {
			t.Errorf("%s: the document is %q, want %q", test.text, asked.Text, test.want)
		}
	}
	e.quit()
}

// TestOrder: edits are made in the order in which they came, while requests run
// beside them.
func TestOrder(t *testing.T) {
	var asked lsp.Question
	e := start(t, echoing(func(q lsp.Question) lsp.Answer {
		if q.Manual {
			asked = q
		}
		return lsp.Answer{}
	}))
	e.open("a.go", "go", "é😀\n")
	e.ready()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		places := []int{0}
		for at := range e.texts["a.go"] {
			places = append(places, at)
		}
		from := places[max(0, len(places)-1-r.IntN(20))]
		e.change("a.go", from, from, []string{"x", "é", "😀", "\n"}[r.IntN(4)])
		if i%10 == 0 {
			e.suggest("a.go", from, automatic)
		}
	}
	e.suggest("a.go", 0, invoked).message(e)
	if asked.Text != e.texts["a.go"] {
		t.Errorf("after 2000 edits the texts differ: %d bytes here, %d there", len(e.texts["a.go"]), len(asked.Text))
	}
	e.quit()
}
