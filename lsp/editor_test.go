package lsp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"tandem/lsp"
)

// patience is how long a test waits for what must come. It is no assertion about
// time: a machine that is this slow has other problems.
const patience = 10 * time.Second

// editor is the client of a session that runs in this process. It speaks the
// protocol with nothing of the server's own code, so that both can be wrong only
// separately. Its methods fail the test; they belong to the test's goroutine.
type editor struct {
	t      *testing.T
	conn   net.Conn
	served chan error // what Serve returned

	mu      sync.Mutex
	arrived *sync.Cond
	answers map[string]message // by id
	notes   []message          // notifications of the server that no test took yet, in order
	all     []message          // all of them
	asked   []message          // requests of the server, in order
	reply   map[string]func(params json.RawMessage) any
	closed  bool

	nextID   int
	versions map[string]int
	texts    map[string]string // of open documents
	encoding string
}

type message struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// String is the message as the wire has it.
func (m message) String() string {
	text, _ := json.Marshal(m)
	return string(text)
}

// object is JSON as tests write it.
type object = map[string]any

// dial starts a server and an editor for it that has not said anything yet. The
// session must leave no goroutine behind.
func dial(t *testing.T, opt lsp.Options) *editor {
	t.Helper()
	here, there := net.Pipe()
	e := &editor{t: t, conn: here, served: make(chan error, 1), answers: map[string]message{},
		reply: map[string]func(json.RawMessage) any{}, versions: map[string]int{}, texts: map[string]string{}, encoding: "utf-16"}
	e.arrived = sync.NewCond(&e.mu)
	go func() { e.served <- lsp.Serve(context.Background(), there, opt) }()
	read := make(chan struct{})
	go func() { defer close(read); e.read() }()
	t.Cleanup(func() {
		here.Close()
		if len(e.served) == 0 {
			e.end()
		}
		<-read
		checkNothingRuns(t)
	})
	return e
}

// start is dial and initialize for a client with inline completion.
func start(t *testing.T, opt lsp.Options, more ...object) *editor {
	t.Helper()
	e := dial(t, opt)
	params := object{"processId": nil, "rootUri": nil, "capabilities": object{"textDocument": object{"inlineCompletion": object{}}}}
	for _, m := range more {
		merge(params, m)
	}
	var result struct {
		Capabilities struct {
			PositionEncoding string `json:"positionEncoding"`
		} `json:"capabilities"`
	}
	e.ask("initialize", params).into(e, &result)
	e.encoding = result.Capabilities.PositionEncoding
	e.notify("initialized", object{})
	return e
}

func merge(into, from object) {
	for k, v := range from {
		inner, both := into[k].(object)
		if other, ok := v.(object); ok && both {
			merge(inner, other)
			continue
		}
		into[k] = v
	}
}

// read takes in what the server says, and answers what it asks.
func (e *editor) read() {
	r := textproto.NewReader(bufio.NewReader(e.conn))
	for {
		header, err := r.ReadMIMEHeader()
		if err != nil {
			break
		}
		n, _ := strconv.Atoi(header.Get("Content-Length"))
		body := make([]byte, n)
		if _, err := io.ReadFull(r.R, body); err != nil {
			break
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			e.t.Errorf("the server says %q: %v", body, err)
			continue
		}
		e.take(m)
	}
	e.mu.Lock()
	e.closed = true
	e.arrived.Broadcast()
	e.mu.Unlock()
}

func (e *editor) take(m message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.arrived.Broadcast()
	switch {
	case m.Method == "":
		e.answers[string(m.ID)] = m
	case m.ID == nil:
		e.notes, e.all = append(e.notes, m), append(e.all, m)
	default:
		e.asked = append(e.asked, m)
		var result any
		if f := e.reply[m.Method]; f != nil {
			result = f(m.Params)
		}
		go e.write(object{"jsonrpc": "2.0", "id": m.ID, "result": result})
	}
}

func (e *editor) write(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		e.t.Error(err)
	}
	e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// raw sends bytes as they are. That the server has gone is seen elsewhere.
func (e *editor) raw(text string) { io.WriteString(e.conn, text) }

func (e *editor) notify(method string, params any) {
	e.write(object{"jsonrpc": "2.0", "method": method, "params": params})
}

// answer is what a request will get.
type answer struct{ id string }

// ask sends a request and does not wait.
func (e *editor) ask(method string, params any) answer {
	e.nextID++
	id := strconv.Itoa(e.nextID)
	e.write(object{"jsonrpc": "2.0", "id": e.nextID, "method": method, "params": params})
	return answer{id}
}

// wait waits until done, which is asked with the lock held.
func (e *editor) wait(what string, done func() bool) {
	e.t.Helper()
	late := time.AfterFunc(patience, func() {
		e.mu.Lock()
		e.closed = true
		e.arrived.Broadcast()
		e.mu.Unlock()
	})
	defer late.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for !done() {
		if e.closed {
			e.t.Fatalf("waited in vain for %s; notifications %v", what, e.notes)
		}
		e.arrived.Wait()
	}
}

func (a answer) message(e *editor) (m message) {
	e.t.Helper()
	e.wait("the answer to request "+a.id, func() (ok bool) { m, ok = e.answers[a.id]; return ok })
	return m
}

// into reads the result, which must be no error.
func (a answer) into(e *editor, v any) {
	e.t.Helper()
	m := a.message(e)
	if m.Error != nil {
		e.t.Fatalf("request %s: error %d %s", a.id, m.Error.Code, m.Error.Message)
	}
	if err := json.Unmarshal(m.Result, v); err != nil {
		e.t.Fatalf("request %s: %s: %v", a.id, m.Result, err)
	}
}

// code is the error code of the answer, 0 for a result.
func (a answer) code(e *editor) int {
	e.t.Helper()
	if m := a.message(e); m.Error != nil {
		return m.Error.Code
	}
	return 0
}

// uri is a document's address.
func uri(name string) string { return "file:///home/me/project/" + name }

func (e *editor) open(name, language, text string) {
	e.versions[name], e.texts[name] = 1, text
	e.notify("textDocument/didOpen", object{"textDocument": object{"uri": uri(name), "languageId": language, "version": 1, "text": text}})
}

// change replaces the bytes from start to end of a document, as an editor sends it.
func (e *editor) change(name string, start, end int, text string) {
	old := e.texts[name]
	e.versions[name]++
	e.texts[name] = old[:start] + text + old[end:]
	e.notify("textDocument/didChange", object{
		"textDocument":   object{"uri": uri(name), "version": e.versions[name]},
		"contentChanges": []object{{"range": object{"start": e.position(old, start), "end": e.position(old, end)}, "text": text}},
	})
}

// position counts lines and characters the slow way.
func (e *editor) position(text string, offset int) object {
	before := strings.Split(text[:offset], "\n")
	last := before[len(before)-1]
	n := len(last)
	switch e.encoding {
	case "utf-16":
		n = len(utf16.Encode([]rune(last)))
	case "utf-32":
		n = len([]rune(last))
	}
	return object{"line": len(before) - 1, "character": n}
}

func (e *editor) place(name string, offset int) object {
	return object{"textDocument": object{"uri": uri(name)}, "position": e.position(e.texts[name], offset)}
}

// The kinds of triggers.
const (
	invoked   = 1
	automatic = 2
)

// suggest asks for a suggestion and does not wait.
func (e *editor) suggest(name string, offset, trigger int) answer {
	params := e.place(name, offset)
	params["context"] = object{"triggerKind": trigger}
	return e.ask("textDocument/inlineCompletion", params)
}

// item is the one item of an answer.
type item struct {
	InsertText string `json:"insertText"`
	Range      struct {
		Start, End struct{ Line, Character int }
	} `json:"range"`
	Command struct {
		Command   string   `json:"command"`
		Arguments []string `json:"arguments"`
	} `json:"command"`
}

// item is the suggestion of an answer, nil for null.
func (a answer) item(e *editor) *item {
	e.t.Helper()
	var list *struct {
		Items []item `json:"items"`
	}
	a.into(e, &list)
	if list == nil {
		return nil
	}
	if len(list.Items) != 1 {
		e.t.Fatalf("%d items, want one", len(list.Items))
	}
	return &list.Items[0]
}

// text is the suggested text of an answer, "" for null.
func (a answer) text(e *editor) string {
	e.t.Helper()
	if i := a.item(e); i != nil {
		return i.InsertText
	}
	return ""
}

// note waits for a notification whose params hold all parts, and takes it and
// what came before off the list.
func (e *editor) note(method string, parts ...string) json.RawMessage {
	e.t.Helper()
	var found message
	e.wait(fmt.Sprint(method, parts), func() bool {
		i := slices.IndexFunc(e.notes, func(m message) bool { return m.has(method, parts) })
		if i >= 0 {
			found, e.notes = e.notes[i], e.notes[i+1:]
		}
		return i >= 0
	})
	return found.Params
}

// seen waits for a notification, also where it was taken off the list.
func (e *editor) seen(method string, parts ...string) {
	e.t.Helper()
	e.wait(fmt.Sprint(method, parts), func() bool {
		return slices.ContainsFunc(e.all, func(m message) bool { return m.has(method, parts) })
	})
}

func (m message) has(method string, parts []string) bool {
	return m.Method == method && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(string(m.Params), p) })
}

// ready waits until the model is there.
func (e *editor) ready() {
	e.t.Helper()
	e.note("tandem/status", `"ready"`)
}

// onRequest answers requests of the server.
func (e *editor) onRequest(method string, f func(params json.RawMessage) any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reply[method] = f
}

func (e *editor) stats() (s lsp.Stats) {
	e.t.Helper()
	e.ask("tandem/stats", nil).into(e, &s)
	return s
}

// end waits for the end of the session and gives what Serve returned.
func (e *editor) end() error {
	e.t.Helper()
	select {
	case err := <-e.served:
		e.served <- err
		return err
	case <-time.After(patience):
		e.t.Fatal("the server does not end")
		return nil
	}
}

// quit ends the session as the protocol has it.
func (e *editor) quit() {
	e.t.Helper()
	e.ask("shutdown", nil).message(e)
	e.notify("exit", nil)
	if err := e.end(); err != nil {
		e.t.Errorf("after shutdown and exit Serve returned %v", err)
	}
}

// checkNothingRuns waits until no goroutine is in the server's code.
func checkNothingRuns(t *testing.T) {
	t.Helper()
	for begun := time.Now(); ; runtime.Gosched() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var left []string
		for _, stack := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(stack, "tandem/lsp.") || strings.Contains(stack, "jsonrpc2.") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("%v: goroutines are left:\n%s", errors.New("leak"), strings.Join(left, "\n\n"))
		}
	}
}
