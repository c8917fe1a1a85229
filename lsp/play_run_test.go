package lsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tandem/engine"
	client "tandem/internal/editor"
	"tandem/lsp"
)

// play is a session that a script drives.
type play struct {
	t      *testing.T
	where  string
	files  map[string]string
	script *script
	folder string        // of the workspace
	absent string        // what the user says to a download; "" if none is needed
	broken int           // loads that fail
	budget time.Duration // of decoding, unless a key asks; 0 is without end

	e        *editor // nil until something is opened
	stopped  bool    // shutdown was said
	name     string  // of the file with the cursor
	cursor   int
	done     []step // changes, for undo
	undone   []step
	pending  []answer
	last     *client.Item // what came last
	accepted int          // bytes of it
}

// step is a change of a file: from start on, old became text.
type step struct {
	start     int
	old, text string
}

// session is the editor, which is started when it is first wanted.
func (p *play) session() *editor {
	if p.e != nil {
		return p.e
	}
	params := object{"workspaceFolders": []object{{"uri": "file://" + p.folder, "name": "p"}}}
	for name, into := range map[string]string{"settings": "initializationOptions", "client": ""} {
		var v object
		if p.files[name] == "" {
			continue
		}
		p.check(json.Unmarshal([]byte(p.files[name]), &v))
		if into != "" {
			v = object{into: v}
		}
		merge(params, v)
	}
	p.e = start(p.t, p.options(), params)
	p.e.onRequest("window/showMessageRequest", func(json.RawMessage) any { return object{"title": p.absent} })
	return p.e
}

func (p *play) options() lsp.Options {
	opt := p.script.options()
	var broken atomic.Int64
	var here atomic.Bool
	broken.Store(int64(p.broken))
	here.Store(p.absent == "")
	opt.Missing = func(string) (lsp.Download, bool) {
		return lsp.Download{Bytes: 531e6, Host: "hub.example"}, !here.Load()
	}
	opt.Completer = lsp.Timeless(p.budget, patience)
	opt.Pull = func(context.Context, string, func(float64)) error { here.Store(true); return nil }
	opt.Load = func(context.Context, string, func(float64)) (engine.Engine, error) {
		if broken.Add(-1) >= 0 || !here.Load() {
			return nil, errors.New("no weights: get them")
		}
		return p.script, nil
	}
	return opt
}

func (p *play) address(name string) string { return "file://" + p.folder + "/" + name }
func (p *play) text() string               { return p.e.client.Text(p.address(p.name)) }
func (p *play) place() object              { return p.e.client.Place(p.address(p.name), p.cursor) }

func (p *play) open(rest string) {
	name, language, _ := strings.Cut(rest, " ")
	p.check(p.session().client.Open(p.address(name), language, p.files[name]))
	p.name, p.cursor = name, 0
}

func (p *play) close(name string) { p.check(p.e.client.CloseDocument(p.address(name))) }

func (p *play) moveTo(rest string) {
	name, text, _ := strings.Cut(rest, " ")
	text = p.unquote(text)
	p.name = name
	at := strings.Index(p.text(), text)
	if at < 0 {
		p.t.Fatalf("%s: no such text", p.where)
	}
	p.cursor = at + len(text)
	p.e.notify("tandem/didMoveCursor", p.place())
}

// edit replaces the text between start and end, and puts the cursor behind.
func (p *play) edit(start, end int, text string) step {
	s := step{start, p.text()[start:end], text}
	p.check(p.e.client.Change(p.address(p.name), client.Edit{Start: start, End: end, Text: text}))
	p.cursor = start + len(text)
	return s
}

// user is an edit that undo can take back.
func (p *play) user(start, end int, text string) {
	p.done, p.undone = append(p.done, p.edit(start, end, text)), nil
}

func (p *play) typed(text string)   { p.user(p.cursor, p.cursor, p.unquote(text)) }
func (p *play) paste(name string)   { p.user(p.cursor, p.cursor, p.files[name]) }
func (p *play) erase(n string)      { p.user(p.cursor-p.number(n), p.cursor, "") }
func (p *play) replace(name string) { p.user(0, len(p.text()), p.files[name]) }

func (p *play) undo(string) {
	s := p.done[len(p.done)-1]
	p.done, p.undone = p.done[:len(p.done)-1], append(p.undone, s)
	p.edit(s.start, s.start+len(s.text), s.old)
}

func (p *play) redo(string) {
	s := p.undone[len(p.undone)-1]
	p.done, p.undone = append(p.done, s), p.undone[:len(p.undone)-1]
	p.edit(s.start, s.start+len(s.old), s.text)
}

func (p *play) change(rest string) {
	version, changes, _ := strings.Cut(rest, " ")
	p.e.notify("textDocument/didChange", object{
		"textDocument":   object{"uri": p.address(p.name), "version": p.number(version)},
		"contentChanges": json.RawMessage(changes),
	})
}

func (p *play) ask(at string, trigger int) {
	params := p.place()
	if line, character, given := strings.Cut(at, ":"); given {
		params["position"] = object{"line": p.number(line), "character": p.number(character)}
	}
	params["context"] = object{"triggerKind": trigger}
	p.pending = append(p.pending, p.e.ask("textDocument/inlineCompletion", params))
}

func (p *play) menu(rest string) {
	n, text, _ := strings.Cut(rest, " ")
	params := p.place()
	params["context"] = object{"triggerKind": automatic, "selectedCompletionInfo": object{
		"range": object{"start": p.e.client.Position(p.text(), p.cursor-p.number(n)), "end": params["position"]}, "text": p.unquote(text),
	}}
	p.pending = append(p.pending, p.e.ask("textDocument/inlineCompletion", params))
}

func (p *play) cancel(string) {
	p.e.notify("$/cancelRequest", object{"id": json.RawMessage(p.pending[len(p.pending)-1].id)})
}

func (p *play) expect(want string) {
	if len(p.pending) == 0 {
		p.t.Fatalf("%s: nothing was asked", p.where)
	}
	got := "nothing"
	if code := p.pending[0].code(p.e); code != 0 {
		got = fmt.Sprintf("error %d", code)
	} else if item := p.pending[0].item(p.e); item != nil {
		got = strconv.Quote(item.InsertText)
		p.last, p.accepted = item, 0
	}
	p.pending = p.pending[1:]
	if got != want {
		p.t.Fatalf("%s: got %s", p.where, got)
	}
}

// accept puts a part of what came last behind the part before, or all of it in
// the place of what it replaces.
func (p *play) accept(part string) {
	rest := p.last.InsertText[p.accepted:]
	if part == "" {
		start, end := p.offset(p.last.Range.Start), p.offset(p.last.Range.End)
		p.user(start+p.accepted, end+p.accepted, rest)
		return
	}
	if part = p.unquote(part); !strings.HasPrefix(rest, part) {
		p.t.Fatalf("%s: what is left begins otherwise: %q", p.where, rest)
	}
	p.accepted += len(part)
	p.user(p.cursor, p.cursor, part)
}

// offset finds a position the slow way.
func (p *play) offset(at client.Position) int {
	text := p.text()
	for i := range text {
		if p.e.client.Position(text, i) == at {
			return i
		}
	}
	return len(text)
}

func (p *play) tell(rest string) {
	method, length, partial := strings.Cut(rest, " ")
	params := object{"textDocument": object{"uri": p.address(p.name)}, "id": p.last.Command.Arguments[0]}
	if partial {
		params["acceptedLength"] = p.number(length)
	}
	p.e.notify("tandem/"+method, params)
}

func (p *play) settings(raw string) {
	var v object
	p.check(json.Unmarshal([]byte(raw), &v))
	p.e.notify("workspace/didChangeConfiguration", object{"settings": object{"tandem": v}})
}

func (p *play) status(rest string) {
	state, text, told := strings.Cut(rest, " ")
	if told {
		text = p.unquote(text)
	}
	p.e.note("tandem/status", `"`+state+`"`, text)
}

// await waits for the engine.
func (p *play) await(what <-chan struct{}) {
	select {
	case <-what:
	case <-time.After(patience):
		p.t.Fatalf("%s: waited in vain", p.where)
	}
}

func (p *play) finished(n int) {
	for range n {
		p.await(p.script.returned)
	}
}

// stats compares one number of tandem/stats, called by its name in JSON.
func (p *play) stats(rest string) {
	name, want, _ := strings.Cut(rest, " ")
	stats := reflect.ValueOf(p.e.stats())
	for i := range stats.NumField() {
		if stats.Type().Field(i).Tag.Get("json") == name {
			p.same(int(stats.Field(i).Int()), want)
			return
		}
	}
	p.t.Fatalf("%s: no such number", p.where)
}

func (p *play) before(text string) {
	if got := p.script.prompt(); !strings.HasSuffix(got, p.unquote(text)) {
		p.t.Errorf("%s: it saw %q", p.where, got)
	}
}

func (p *play) unseen(text string) {
	if p.script.saw(p.unquote(text)) {
		p.t.Errorf("%s: it saw that", p.where)
	}
}

// seen asks until what is known of other files, which are read in the background,
// is shown. Each time the file has a line more at its end: what was shown at one
// place would stay.
func (p *play) seen(text string) {
	text = p.unquote(text)
	for late := time.Now().Add(patience); ; {
		at := p.place()
		at["context"] = object{"triggerKind": invoked}
		p.e.ask("textDocument/inlineCompletion", at).message(p.e)
		if p.script.saw(text) {
			return
		}
		if time.Now().After(late) {
			p.t.Fatalf("%s: it saw %q", p.where, p.script.prompt())
		}
		cursor := p.cursor
		p.edit(len(p.text()), len(p.text()), "\n")
		p.cursor = cursor
	}
}

// reads compares the text of the file with the cursor with a file's.
func (p *play) reads(name string) {
	if got := p.text(); got != p.files[name] {
		p.t.Errorf("%s: it is %q", p.where, got)
	}
}

func (p *play) why(text string) {
	if got := string(p.e.ask("tandem/explain", p.place()).message(p.e).Result); !strings.Contains(got, p.unquote(text)) {
		p.t.Errorf("%s: it says %s", p.where, got)
	}
}

// disk puts the user's files into a folder, which becomes the workspace's.
func (p *play) disk(string) {
	p.folder = p.t.TempDir()
	for name, text := range p.files {
		if !p.isOwn(name) {
			p.check(os.MkdirAll(filepath.Dir(filepath.Join(p.folder, name)), 0o777))
			p.check(os.WriteFile(filepath.Join(p.folder, name), []byte(text), 0o666))
		}
	}
}

func (p *play) link(rest string) {
	name, target, _ := strings.Cut(rest, " ")
	if err := os.Symlink(target, filepath.Join(p.folder, name)); err != nil {
		p.t.Skipf("left out: links cannot be made here: %v", err)
	}
}

// The kinds of changes that a client tells of.
const (
	created = 1 + iota
	changed
	deleted
)

func (p *play) write(rest string) {
	name, text, _ := strings.Cut(rest, " ")
	kind := changed
	if _, err := os.Stat(filepath.Join(p.folder, name)); err != nil {
		kind = created
	}
	p.check(os.WriteFile(filepath.Join(p.folder, name), []byte(p.unquote(text)), 0o666))
	p.watched(name, kind)
}

func (p *play) remove(name string) {
	p.check(os.Remove(filepath.Join(p.folder, name)))
	p.watched(name, deleted)
}

func (p *play) watched(name string, kind int) {
	p.e.notify("workspace/didChangeWatchedFiles", object{"changes": []object{{"uri": p.address(name), "type": kind}}})
}

func (p *play) big(rest string) {
	name, n, _ := strings.Cut(rest, " ")
	text := p.files[name]
	p.files[name] = strings.Repeat(text, p.number(n)/len(text)+1)[:p.number(n)]
}

func (p *play) shutdown(string) {
	p.e.ask("shutdown", nil).message(p.e)
	p.stopped = true
}

// quit ends the session, if that was not done yet.
func (p *play) quit(string) {
	if e := p.session(); len(e.served) == 0 {
		if !p.stopped {
			p.shutdown("")
		}
		e.notify("exit", nil)
		p.check(e.end())
	}
}
