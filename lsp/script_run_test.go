package lsp_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestSessions plays testdata/session/*.txtar: what a user does in an editor, and
// what they see. The part before the files is the script, a command a line:
//
//	settings JSON        initializationOptions, or a push once something is open
//	open FILE LANGUAGE   opens a file of the archive
//	cursor FILE TEXT     puts the cursor behind the first TEXT
//	type TEXT            types at the cursor, as one change
//	erase N              takes away N bytes before the cursor
//	ask, insist          asks for a suggestion, as typing or as a key does
//	expect TEXT          what the oldest question without an answer gets: a text,
//	                     nothing, or error CODE
//	accept               inserts what came last
//	status STATE         waits for it
//	held, release        waits until the engine holds, lets it go on
//	stats NAME N         compares
//
// TEXT is quoted as in Go. The file "model" has what the engine says, a JSON list
// of tokens a line for each request; "hold" holds.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/session/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlay(t, a)
			for i, line := range strings.Split(string(a.Comment), "\n") {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					p.where = fmt.Sprintf("%s:%d: %s", file, i+1, line)
					p.do(line)
				}
			}
			p.session().quit()
		})
	}
}

// play is a session that a script drives.
type play struct {
	t        *testing.T
	where    string
	files    map[string]string
	script   *script
	settings object
	e        *editor // nil until something is opened
	name     string  // of the file with the cursor
	cursor   int
	pending  []answer
	last     string
}

func newPlay(t *testing.T, a *txtar.Archive) *play {
	p := &play{t: t, files: map[string]string{}, script: newScript()}
	for _, f := range a.Files {
		p.files[f.Name] = string(f.Data)
	}
	for line := range strings.Lines(p.files["model"]) {
		var tokens []string
		if err := json.Unmarshal([]byte(line), &tokens); err != nil {
			t.Fatalf("model: %s: %v", line, err)
		}
		for i := range tokens {
			if tokens[i] == "hold" {
				tokens[i] = hold
			}
		}
		p.script.plays = append(p.script.plays, tokens)
	}
	return p
}

func (p *play) session() *editor {
	if p.e == nil {
		p.e = start(p.t, p.script.options(), object{"initializationOptions": p.settings})
	}
	return p.e
}

func (p *play) do(line string) {
	command, rest, _ := strings.Cut(line, " ")
	first, second, _ := strings.Cut(rest, " ")
	switch command {
	case "settings":
		p.settings = object{}
		p.check(json.Unmarshal([]byte(rest), &p.settings))
		if p.e != nil {
			p.e.notify("workspace/didChangeConfiguration", object{"settings": object{"tandem": p.settings}})
		}
	case "open":
		p.session().open(first, second, p.files[first])
		p.name, p.cursor = first, 0
	case "cursor":
		p.name = first
		text := p.unquote(second)
		p.cursor = strings.Index(p.e.texts[first], text) + len(text)
		p.e.notify("tandem/didMoveCursor", p.e.place(first, p.cursor))
	case "type":
		p.insert(p.unquote(rest))
	case "erase":
		p.e.change(p.name, p.cursor-p.number(rest), p.cursor, "")
		p.cursor -= p.number(rest)
	case "ask":
		p.pending = append(p.pending, p.e.suggest(p.name, p.cursor, automatic))
	case "insist":
		p.pending = append(p.pending, p.e.suggest(p.name, p.cursor, invoked))
	case "expect":
		p.expect(rest)
	case "accept":
		p.insert(p.last)
	case "status":
		p.e.note("tandem/status", `"`+rest+`"`)
	case "held":
		<-p.script.held
	case "release":
		close(p.script.release)
	case "stats":
		p.stats(first, p.number(second))
	default:
		p.t.Fatalf("%s: no such command", p.where)
	}
}

func (p *play) insert(text string) {
	p.e.change(p.name, p.cursor, p.cursor, text)
	p.cursor += len(text)
}

func (p *play) expect(want string) {
	p.t.Helper()
	if len(p.pending) == 0 {
		p.t.Fatalf("%s: nothing was asked", p.where)
	}
	got := "nothing"
	if code := p.pending[0].code(p.e); code != 0 {
		got = fmt.Sprintf("error %d", code)
	} else if p.last = p.pending[0].text(p.e); p.last != "" {
		got = strconv.Quote(p.last)
	}
	p.pending = p.pending[1:]
	if got != want {
		p.t.Errorf("%s: got %s", p.where, got)
	}
}

// stats compares one number of tandem/stats, called by its name in JSON.
func (p *play) stats(name string, want int) {
	stats := reflect.ValueOf(p.e.stats())
	for i := range stats.NumField() {
		if stats.Type().Field(i).Tag.Get("json") == name {
			if got := stats.Field(i).Int(); got != int64(want) {
				p.t.Errorf("%s: got %d", p.where, got)
			}
			return
		}
	}
	p.t.Fatalf("%s: no such number", p.where)
}

func (p *play) unquote(text string) string {
	s, err := strconv.Unquote(text)
	p.check(err)
	return s
}

func (p *play) number(text string) int {
	n, err := strconv.Atoi(text)
	p.check(err)
	return n
}

func (p *play) check(err error) {
	if err != nil {
		p.t.Fatalf("%s: %v", p.where, err)
	}
}
