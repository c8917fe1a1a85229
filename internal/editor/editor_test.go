package editor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
)

// other is the server's end of a session, written by hand.
type other struct {
	t    *testing.T
	conn net.Conn
	in   *textproto.Reader
}

func dial(t *testing.T, seen func(Message)) (*Client, *other) {
	here, there := net.Pipe()
	c := New(here, seen)
	t.Cleanup(func() { c.Close() })
	return c, &other{t, there, textproto.NewReader(bufio.NewReader(there))}
}

func (o *other) say(text string) {
	fmt.Fprintf(o.conn, "Content-Length: %d\r\n\r\n%s", len(text), text)
}

func (o *other) hear() (m Message) {
	o.t.Helper()
	m, err := readMessage(o.in)
	if err != nil {
		o.t.Fatal(err)
	}
	return m
}

// TestCalls: answers find their requests, whatever their order; errors are errors.
func TestCalls(t *testing.T) {
	var seen []string
	c, o := dial(t, func(m Message) { seen = append(seen, m.String()) })
	heard := make(chan Message, 2)
	go func() { heard <- o.hear(); heard <- o.hear() }()
	first, err := c.Begin("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Begin("b", 7)
	if err != nil {
		t.Fatal(err)
	}
	if m := <-heard; m.Method != "a" || string(m.ID) != first.ID() {
		t.Errorf("first %s", m)
	}
	if m := <-heard; m.Method != "b" || string(m.Params) != "7" {
		t.Errorf("second %s", m)
	}
	if !first.Arrived().IsZero() {
		t.Error("arrived before it was answered")
	}
	go func() {
		o.say(`{"jsonrpc":"2.0","id":77,"result":1}`) // nobody's
		o.say(`{"jsonrpc":"2.0","id":` + second.ID() + `,"error":{"code":-5,"message":"no"}}`)
		o.say(`{"jsonrpc":"2.0","id":` + first.ID() + `,"result":{"x":3}}`)
	}()
	var result struct{ X int }
	if err := first.Wait(t.Context(), &result); err != nil || result.X != 3 || first.Arrived().IsZero() {
		t.Errorf("%+v, %v", result, err)
	}
	var refused *Error
	if err := second.Wait(t.Context(), &result); !errors.As(err, &refused) || refused.Code != -5 || !strings.Contains(err.Error(), "no") {
		t.Errorf("second: %v", err)
	}
	if len(seen) != 3 || !strings.Contains(seen[0], "77") {
		t.Errorf("seen %q", seen)
	}
}

// TestWaits end with their ctx, with the server, and with what is no message.
func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(o *other, cancel func())
		want error // nil: another one
	}{
		"ctx":     {func(_ *other, cancel func()) { cancel() }, context.Canceled},
		"end":     {func(o *other, _ func()) { o.conn.Close() }, io.EOF},
		"no JSON": {func(o *other, _ func()) { o.say("{") }, nil},
		"length":  {func(o *other, _ func()) { io.WriteString(o.conn, "Content-Length: -1\r\n\r\n") }, nil},
		"result":  {func(o *other, _ func()) { o.say(`{"id":1,"result":"text"}`) }, nil},
	} {
		c, o := dial(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { o.hear(); test.end(o, cancel) }()
		var result int
		if err := c.Call(ctx, "a", nil, &result); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		cancel()
	}
}

// TestRequests of the server are answered, unknown ones with null.
func TestRequests(t *testing.T) {
	c, o := dial(t, nil)
	c.OnRequest("known", func(params json.RawMessage) any { return string(params) })
	for method, want := range map[string]string{"known": `"[1]"`, "other": "null"} {
		go o.say(`{"jsonrpc":"2.0","id":"x","method":"` + method + `","params":[1]}`)
		if m := o.hear(); string(m.ID) != `"x"` || string(m.Result) != want {
			t.Errorf("%s: %s", method, m)
		}
	}
}

// TestReady follows tandem/status.
func TestReady(t *testing.T) {
	for state, want := range map[string]string{"ready": "", "busy": "", "error": "no model", "disabled": "no model"} {
		c, o := dial(t, nil)
		go func() {
			o.say(`{"jsonrpc":"2.0","method":"tandem/status","params":{"state":"loading","message":"soon"}}`)
			o.say(`{"jsonrpc":"2.0","method":"tandem/status","params":{"state":"` + state + `","message":"no model"}}`)
		}()
		if err := c.Ready(t.Context()); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", state, err, want)
		}
	}
	c, o := dial(t, nil)
	go o.conn.Close()
	if err := c.Ready(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("ended: %v", err)
	}
}

// TestDocuments: edits of one change stand on each other, and positions count in
// the agreed encoding.
func TestDocuments(t *testing.T) {
	for encoding, want := range map[string][2]int{"utf-8": {6, 9}, "utf-16": {3, 5}, "utf-32": {2, 4}} {
		c, o := dial(t, nil)
		heard := make(chan Message, 2)
		go func() {
			m := o.hear()
			o.say(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"capabilities":{"positionEncoding":"` + encoding + `"}}}`)
			for range 3 { // initialized, didOpen, didChange
				heard <- o.hear()
			}
		}()
		if err := c.Initialize(t.Context(), nil); err != nil || c.Encoding() != encoding {
			t.Fatalf("%s: %v", c.Encoding(), err)
		}
		c.Open("file:///a", "go", "x\né😀ab\n")
		if err := c.Change("file:///a", Edit{8, 8, "é!"}, Edit{8, 11, ""}); err != nil {
			t.Fatal(err)
		}
		var change struct {
			ContentChanges []struct {
				Range struct{ Start, End Position }
			}
		}
		<-heard
		<-heard
		m := <-heard
		if err := json.Unmarshal(m.Params, &change); err != nil || len(change.ContentChanges) != 2 {
			t.Fatalf("%s: %v", m, err)
		}
		got := change.ContentChanges[1].Range
		if got.Start != (Position{1, want[0]}) || got.End != (Position{1, want[1]}) || c.Text("file:///a") != "x\né😀ab\n" || c.Version("file:///a") != 2 {
			t.Errorf("%s: %+v, text %q", encoding, got, c.Text("file:///a"))
		}
		for _, e := range []Edit{{-1, 0, ""}, {2, 1, ""}, {0, 99, ""}} {
			if err := c.Change("file:///a", e); err == nil {
				t.Errorf("%+v: no error", e)
			}
		}
		if err := c.Change("file:///b", Edit{}); err == nil {
			t.Error("a document that is not open: no error")
		}
	}
}

// TestItem: null is no suggestion, and more than one is an error.
func TestItem(t *testing.T) {
	for result, want := range map[string]string{
		`null`: "", `{"items":[{"insertText":"abc"}]}`: "abc", `{"items":[]}`: "error", `{"items":[{},{}]}`: "error",
	} {
		c, o := dial(t, nil)
		go func() {
			o.hear()
			m := o.hear()
			o.say(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`)
			if o.hear().Method != "$/cancelRequest" {
				t.Error("no cancel")
			}
		}()
		c.Open("a", "go", "x")
		call, err := c.Suggest("a", 1, Automatic)
		if err != nil {
			t.Fatal(err)
		}
		item, err := call.Item(t.Context())
		got := ""
		if err != nil {
			got = "error"
		} else if item != nil {
			got = item.InsertText
		}
		if got != want {
			t.Errorf("%s: %q, want %q", result, got, want)
		}
		call.Cancel()
	}
}
