package lsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	client "tandem/internal/editor"
	"tandem/lsp"
)

// patience is how long a test waits for what must come. It is no assertion about
// time: a machine that is this slow has other problems.
const patience = 10 * time.Second

// editor is the client of a session that runs in this process, for tests: it fails
// them instead of returning errors, and remembers all that the server said. Its
// methods belong to the test's goroutine.
type editor struct {
	t      *testing.T
	client *client.Client
	conn   net.Conn
	served chan error // what Serve returned

	mu      sync.Mutex
	arrived *sync.Cond
	answers map[string]message // by id
	notes   []message          // notifications of the server that no test took yet, in order
	all     []message          // all of them
	asked   []message          // requests of the server, in order
	closed  bool

	texts    map[string]string // of open documents, by name
	encoding string
}

type message = client.Message

// object is JSON as tests write it.
type object = map[string]any

// dial starts a server and an editor for it that has not said anything yet. The
// session must leave no goroutine behind.
func dial(t *testing.T, opt lsp.Options) *editor {
	t.Helper()
	here, there := net.Pipe()
	e := &editor{t: t, conn: here, served: make(chan error, 1), answers: map[string]message{}, texts: map[string]string{}}
	e.arrived = sync.NewCond(&e.mu)
	go func() { e.served <- lsp.Serve(context.Background(), there, opt) }()
	e.client = client.New(here, e.take)
	e.encoding = e.client.Encoding()
	read := make(chan struct{})
	go func() {
		defer close(read)
		<-e.client.Done()
		e.giveUp()
	}()
	t.Cleanup(func() {
		here.Close()
		if len(e.served) == 0 {
			e.end()
		}
		<-read
		if err := e.client.Err(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
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
	if err := e.client.Initialize(e.soon(), params); err != nil {
		t.Fatal(err)
	}
	e.encoding = e.client.Encoding()
	return e
}

// soon ends when patience does, or with the test.
func (e *editor) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	e.t.Cleanup(cancel)
	return ctx
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

// take remembers a message of the server.
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
	}
}

// giveUp ends all waiting.
func (e *editor) giveUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.arrived.Broadcast()
}

// write sends a message. That the server has gone is seen elsewhere.
func (e *editor) write(v any) { e.client.Write(v) }

// raw sends bytes as they are.
func (e *editor) raw(text string) { io.WriteString(e.conn, text) }

func (e *editor) notify(method string, params any) { e.client.Notify(method, params) }

// answer is what a request will get.
type answer struct{ id string }

// ask sends a request and does not wait.
func (e *editor) ask(method string, params any) answer {
	e.t.Helper()
	return e.begun(e.client.Begin(method, params))
}

// begun is the answer of a request that was sent.
func (e *editor) begun(call *client.Call, err error) answer {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
	return answer{call.ID()}
}

// wait waits until done, which is asked with the lock held.
func (e *editor) wait(what string, done func() bool) {
	e.t.Helper()
	late := time.AfterFunc(patience, e.giveUp)
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
	e.texts[name] = text
	e.client.Open(uri(name), language, text)
}

// change replaces the bytes from start to end of a document, as an editor sends it.
func (e *editor) change(name string, start, end int, text string) {
	e.client.Change(uri(name), client.Edit{Start: start, End: end, Text: text})
	e.texts[name] = e.client.Text(uri(name))
}

func (e *editor) position(text string, offset int) client.Position {
	return e.client.Position(text, offset)
}

func (e *editor) place(name string, offset int) object { return e.client.Place(uri(name), offset) }

// The kinds of triggers.
const (
	invoked   = client.Invoked
	automatic = client.Automatic
)

// suggest asks for a suggestion and does not wait.
func (e *editor) suggest(name string, offset, trigger int) answer {
	e.t.Helper()
	return e.begun(e.client.Suggest(uri(name), offset, trigger))
}

// item is the one item of an answer.
type item = client.Item

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
		i := slices.IndexFunc(e.notes, func(m message) bool { return has(m, method, parts) })
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
		return slices.ContainsFunc(e.all, func(m message) bool { return has(m, method, parts) })
	})
}

// has reports whether m is a notification whose params hold all parts.
func has(m message, method string, parts []string) bool {
	return m.Method == method && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(string(m.Params), p) })
}

// ready waits until the model is there.
func (e *editor) ready() {
	e.t.Helper()
	e.note("tandem/status", `"ready"`)
}

// onRequest answers requests of the server.
func (e *editor) onRequest(method string, f func(params json.RawMessage) any) {
	e.client.OnRequest(method, f)
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
