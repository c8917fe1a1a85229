package lsp_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// sessions are the files of TestSessions.
const sessions = "../testdata/session"

// TestSessions plays testdata/session/AREA/NAME.txtar: what a user does in an
// editor, and what they see. Prose on top says what must hold. "settings" is the
// initializationOptions, "client" more of what initialize says, "model" what the
// engine says: a JSON list of tokens a line for each request, the last one again
// and again, in which "hold" waits and "fail" is an error. "script" has a command
// a line; other files are the user's:
//
//	open FILE LANGUAGE   opens a file of the archive; close FILE closes it
//	cursor FILE TEXT     puts the cursor behind the first TEXT
//	type TEXT            inserts at the cursor, as one change; paste FILE, a file
//	erase N              takes away N bytes before the cursor
//	undo, redo           takes the last change back, makes it again
//	replace FILE         puts a file's text in the place of all
//	change VERSION JSON  contentChanges as they are
//	ask, insist          asks as typing and as a key does, at the cursor or at
//	                     LINE:CHARACTER
//	menu N TEXT          asks with TEXT selected in the place of N bytes
//	cancel               cancels the newest question
//	expect TEXT          what the oldest question without an answer gets: a text,
//	                     nothing, or error CODE
//	accept TEXT          inserts the beginning of what came last; accept, all of it
//	tell METHOD N        sends tandem/METHOD about what came last, with a length
//	settings JSON        pushes new settings
//	status STATE TEXT    waits for it, with a message that has TEXT; message TEXT
//	                     waits for one to the user
//	held, release        waits until the engine holds, lets it go on
//	done N               waits for the end of N more runs of the engine
//	engine N             compares how often the engine was asked, prefills N how
//	                     often for nothing yet
//	stats NAME N         compares
//	reads FILE           the file with the cursor has the text of this one now
//	before TEXT          what the engine saw last ends with it; unseen TEXT, does
//	                     not have it; seen TEXT asks until it has
//	why TEXT             tandem/explain at the cursor has it
//	disk                 the files lie in a folder of the disk; link NAME TARGET;
//	                     write NAME TEXT and remove NAME, of which the client tells
//	big NAME N           repeats a file's text to N bytes
//	absent ANSWER        the model has to be downloaded, the user says ANSWER
//	broken N             N loads fail
//	slow                 time is up with the second token, unless a key asks
//	late N               the engine gives N tokens after the end of a request
//	shutdown, quit       half the end of the session; the end, if it is not the last
//
// TEXT is quoted as in Go. "mutation" takes what the prose says out of the code;
// see TestMutations.
func TestSessions(t *testing.T) {
	for _, file := range sessionFiles(t) {
		t.Run(nameOf(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlay(t, a)
			for i, line := range strings.Split(p.files["script"], "\n") {
				if line = strings.TrimSpace(line); line != "" {
					p.where = fmt.Sprintf("%s, line %d of the script: %s", nameOf(file), i+1, line)
					p.do(line)
				}
			}
			p.quit("")
		})
	}
}

func sessionFiles(t *testing.T) []string {
	files, err := filepath.Glob(filepath.Join(sessions, "*", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	return files
}

// nameOf is AREA/NAME.
func nameOf(file string) string {
	return filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
}

// commands of a script; each gets what stands behind its name.
var commands = map[string]func(p *play, rest string){
	"open": (*play).open, "close": (*play).close, "cursor": (*play).moveTo,
	"type": (*play).typed, "paste": (*play).paste, "erase": (*play).erase,
	"undo": (*play).undo, "redo": (*play).redo, "replace": (*play).replace, "change": (*play).change,
	"ask":    func(p *play, at string) { p.ask(at, automatic) },
	"insist": func(p *play, at string) { p.ask(at, invoked) },
	"menu":   (*play).menu, "cancel": (*play).cancel, "expect": (*play).expect,
	"accept": (*play).accept, "tell": (*play).tell, "settings": (*play).settings,
	"status":   (*play).status,
	"message":  func(p *play, text string) { p.e.seen("window/showMessage", p.unquote(text)) },
	"held":     func(p *play, _ string) { p.await(p.script.held) },
	"release":  func(p *play, _ string) { close(p.script.release) },
	"done":     func(p *play, n string) { p.finished(p.number(n)) },
	"engine":   func(p *play, n string) { p.same(p.script.asked(), n) },
	"prefills": func(p *play, n string) { p.same(p.script.prefilled(), n) },
	"stats":    (*play).stats, "before": (*play).before, "unseen": (*play).unseen, "why": (*play).why,
	"seen": (*play).seen, "reads": (*play).reads,
	"disk": (*play).disk, "link": (*play).link, "write": (*play).write, "remove": (*play).remove,
	"big":      (*play).big,
	"absent":   func(p *play, answer string) { p.absent = answer },
	"broken":   func(p *play, n string) { p.broken = p.number(n) },
	"slow":     func(p *play, _ string) { p.budget = 1 },
	"late":     func(p *play, n string) { p.script.stubborn = p.number(n) },
	"shutdown": (*play).shutdown, "quit": (*play).quit,
}

func (p *play) do(line string) {
	name, rest, _ := strings.Cut(line, " ")
	run := commands[name]
	if run == nil {
		p.t.Fatalf("%s: no such command", p.where)
	}
	run(p, rest)
}

// newPlay reads an archive.
func newPlay(t *testing.T, a *txtar.Archive) *play {
	p := &play{t: t, files: map[string]string{}, script: newScript(), folder: "/home/me/project"}
	for _, f := range a.Files {
		p.files[f.Name] = string(f.Data)
	}
	for line := range strings.Lines(p.files["model"]) {
		var tokens []string
		if err := json.Unmarshal([]byte(line), &tokens); err != nil {
			t.Fatalf("model: %s: %v", line, err)
		}
		for i, token := range tokens {
			if token == "hold" || token == "fail" {
				tokens[i] = "\x00" + token
			}
		}
		p.script.plays = append(p.script.plays, tokens)
	}
	return p
}

// own are the files of an archive that are not the user's.
var own = []string{"settings", "client", "model", "script", "mutation"}

func (p *play) isOwn(name string) bool { return slices.Contains(own, name) }

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

// same compares a number with what the script says.
func (p *play) same(got int, want string) {
	if got != p.number(want) {
		p.t.Errorf("%s: got %d", p.where, got)
	}
}

func (p *play) check(err error) {
	if err != nil {
		p.t.Fatalf("%s: %v", p.where, err)
	}
}
