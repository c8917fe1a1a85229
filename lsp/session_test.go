package lsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"tandem/engine"
	"tandem/lsp"
)

func TestInitialize(t *testing.T) {
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, "utf-16"}, {[]string{"utf-16"}, "utf-16"}, {[]string{"utf-16", "utf-8"}, "utf-8"},
		{[]string{"utf-32"}, "utf-32"}, {[]string{"utf-32", "utf-16"}, "utf-16"}, {[]string{"utf-7"}, "utf-16"},
	} {
		e := start(t, newScript().options(), object{"capabilities": object{"general": object{"positionEncodings": test.offered}}})
		if e.encoding != test.want {
			t.Errorf("offered %q: %s, want %s", test.offered, e.encoding, test.want)
		}
		e.quit()
	}
	e := dial(t, newScript().options())
	var result struct {
		Capabilities struct {
			InlineCompletionProvider any `json:"inlineCompletionProvider"`
			CompletionProvider       any `json:"completionProvider"`
			TextDocumentSync         struct {
				OpenClose bool `json:"openClose"`
				Change    int  `json:"change"`
			} `json:"textDocumentSync"`
			Workspace struct {
				WorkspaceFolders struct {
					Supported           bool `json:"supported"`
					ChangeNotifications bool `json:"changeNotifications"`
				} `json:"workspaceFolders"`
			} `json:"workspace"`
		} `json:"capabilities"`
		ServerInfo struct{ Name, Version string } `json:"serverInfo"`
	}
	e.ask("initialize", object{"capabilities": object{"textDocument": object{"inlineCompletion": object{}}}}).into(e, &result)
	c := result.Capabilities
	if c.InlineCompletionProvider == nil || c.CompletionProvider != nil || !c.TextDocumentSync.OpenClose || c.TextDocumentSync.Change != 2 ||
		!c.Workspace.WorkspaceFolders.Supported || !c.Workspace.WorkspaceFolders.ChangeNotifications || result.ServerInfo.Name != "tandem" {
		t.Errorf("result %+v", result)
	}
	e.quit()
}

// TestPhases: what comes too early or too late is refused, and does nothing.
func TestPhases(t *testing.T) {
	e := dial(t, newScript().options())
	e.open("early.go", "go", "x")
	if code := e.suggest("early.go", 0, invoked).code(e); code != -32002 {
		t.Errorf("before initialize: code %d", code)
	}
	if code := e.ask("initialize", "no object").code(e); code != -32602 {
		t.Errorf("initialize with a text: code %d", code)
	}
	if code := e.ask("initialize", object{"capabilities": object{"textDocument": object{"inlineCompletion": object{}}}}).code(e); code != 0 {
		t.Errorf("initialize: code %d", code)
	}
	if code := e.ask("initialize", object{}).code(e); code != -32600 {
		t.Errorf("initialize again: code %d", code)
	}
	if code := e.ask("textDocument/hover", object{}).code(e); code != -32601 {
		t.Errorf("an unknown method: code %d", code)
	}
	if code := e.ask("textDocument/inlineCompletion", object{"textDocument": 1}).code(e); code != -32602 {
		t.Errorf("wrong params: code %d", code)
	}
	if code := e.ask("textDocument/inlineCompletion", nil).code(e); code != -32602 {
		t.Errorf("no params: code %d", code)
	}
	e.notify("$/unknown", nil)
	e.ask("shutdown", nil).message(e)
	for _, method := range []string{"shutdown", "tandem/stats", "initialize"} {
		if code := e.ask(method, object{}).code(e); code != -32600 {
			t.Errorf("%s after shutdown: code %d", method, code)
		}
	}
	e.notify("exit", nil)
	if err := e.end(); err != nil {
		t.Error(err)
	}
}

func TestEnds(t *testing.T) {
	for name, end := range map[string]func(e *editor){
		"exit":             func(e *editor) { e.notify("exit", nil) },
		"input ends":       func(e *editor) { e.conn.Close() },
		"input ends early": func(e *editor) { e.raw("Content-Length: 10\r\n\r\n{"); e.conn.Close() },
	} {
		s := newScript([]string{hold})
		e := running(t, s, source)
		e.suggest("a.go", 0, automatic)
		<-s.held
		end(e)
		if err := e.end(); !errors.Is(err, lsp.ErrNoShutdown) {
			t.Errorf("%s: %v", name, err)
		}
		if !s.isClosed() {
			t.Errorf("%s: the engine is left open", name)
		}
	}
	e := dial(t, newScript().options())
	e.notify("exit", nil)
	if err := e.end(); !errors.Is(err, lsp.ErrNoShutdown) {
		t.Errorf("exit before initialize: %v", err)
	}
	e = running(t, newScript(), source)
	e.ask("shutdown", nil).message(e)
	e.conn.Close()
	if err := e.end(); err != nil {
		t.Errorf("shutdown and the end of the input: %v", err)
	}
}

// TestDeclined: nothing is asked of the engine where the settings or the file
// say no.
func TestDeclined(t *testing.T) {
	settings := func(s object) object { return object{"initializationOptions": s} }
	for _, test := range []struct {
		name, file, language string
		options              object
		trigger              int
		served               bool
	}{
		{"plain", "a.go", "go", object{}, automatic, true},
		{"disabled", "a.go", "go", object{"enabled": false}, invoked, false},
		{"language", "a.md", "markdown", object{"languages": object{"markdown": false}}, invoked, false},
		{"other language", "a.go", "go", object{"languages": object{"markdown": false}}, automatic, true},
		{"only one", "a.go", "go", object{"languages": object{"*": false, "go": true}}, automatic, true},
		{"not the one", "a.py", "python", object{"languages": object{"*": false, "go": true}}, automatic, false},
		{"exclude", "gen/a.go", "go", object{"exclude": []string{"gen/**"}}, automatic, false},
		{"exclude by name", "x/y/a.pb.go", "go", object{"exclude": []string{"*.pb.go"}}, automatic, false},
		{"not excluded", "a.go", "go", object{"exclude": []string{"gen/**", "*.pb.go"}}, automatic, true},
		{"manual, not asked", "a.go", "go", object{"trigger": "manual"}, automatic, false},
		{"manual, asked", "a.go", "go", object{"trigger": "manual"}, invoked, true},
		{"secret", ".env", "plaintext", object{}, invoked, false},
	} {
		s := newScript([]string{"text"})
		folders := object{"workspaceFolders": []object{{"uri": "file:///home/me/project", "name": "p"}}}
		e := start(t, s.options(), settings(test.options), folders)
		e.open(test.file, test.language, "x ")
		// A model that is not loaded yet answers with nothing as well: the first
		// request that gets that far loads it.
		if test.served {
			e.suggest(test.file, 2, test.trigger).text(e)
			e.ready()
		}
		got := e.suggest(test.file, 2, test.trigger).text(e)
		if (got == "text") != test.served || (s.asked() > 0) != test.served {
			t.Errorf("%s: %q, engine asked %d times, want served %v", test.name, got, s.asked(), test.served)
		}
		if st := e.stats(); !test.served && st.ServedWithoutEngine != 1 {
			t.Errorf("%s: stats %+v", test.name, st)
		}
		e.quit()
	}
}

func TestSettings(t *testing.T) {
	s := newScript([]string{"text"})
	e := start(t, s.options(), object{"initializationOptions": object{"tirgger": "manual", "trace": "off", "maxTokens": "many"}})
	e.note("window/showMessage", `"maxTokens\": want a number from 1`)
	e.note("window/showMessage", `unknown setting \"tirgger\"; the nearest is \"trigger\"`)
	e.open("a.go", "go", "x")
	e.ready()
	push := func(v object) { e.notify("workspace/didChangeConfiguration", object{"settings": v}) }
	push(object{"tandem": object{"enabled": false}})
	e.note("tandem/status", `"disabled"`)
	if got := e.suggest("a.go", 1, invoked).text(e); got != "" {
		t.Errorf("disabled: %q", got)
	}
	push(object{"tandem": object{"maxTokens": 7}})
	e.note("tandem/status", `"unloaded"`)
	e.suggest("a.go", 1, invoked).text(e)
	e.ready()
	if got := e.suggest("a.go", 1, invoked).text(e); got != "text" || s.requests[0].MaxTokens != 7 {
		t.Errorf("enabled again: %q, %+v", got, s.requests)
	}
	push(object{"tandem": object{"model": "other"}})
	e.suggest("a.go", 1, invoked).text(e)
	e.note("tandem/status", `"ready"`, `"other"`)
	e.quit()
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.IndexFunc(e.notes, func(m message) bool { return m.Method == "window/showMessage" }); i >= 0 {
		t.Errorf("told twice: %s", e.notes[i].Params)
	}
}

// TestPull: a client that can be asked for its settings is asked.
func TestPull(t *testing.T) {
	e := dial(t, newScript([]string{"text"}).options())
	e.onRequest("workspace/configuration", func(params json.RawMessage) any {
		if !strings.Contains(string(params), `"section":"tandem"`) {
			t.Errorf("asked for %s", params)
		}
		return []object{{"enabled": false}}
	})
	e.ask("initialize", object{"capabilities": object{"workspace": object{"configuration": true, "didChangeConfiguration": object{"dynamicRegistration": true}},
		"textDocument": object{"inlineCompletion": object{}}}}).message(e)
	e.notify("initialized", object{})
	e.note("tandem/status", `"disabled"`)
	e.onRequest("workspace/configuration", func(json.RawMessage) any { return []object{{"enabled": true}} })
	e.notify("workspace/didChangeConfiguration", object{"settings": nil})
	e.note("tandem/status", `"unloaded"`)
	e.wait("a registration", func() bool {
		return slices.ContainsFunc(e.asked, func(m message) bool {
			return m.Method == "client/registerCapability" && strings.Contains(string(m.Params), "didChangeConfiguration")
		})
	})
	e.quit()
}

// TestLoading: requests are answered with nothing while the model loads, and the
// client is told how far that is.
func TestLoading(t *testing.T) {
	s := newScript([]string{hold, "text"})
	opt := s.options()
	half, whole := make(chan struct{}), make(chan struct{})
	opt.Load = func(_ context.Context, _ string, progress func(float64)) (engine.Engine, error) {
		<-half
		progress(0.5)
		<-whole
		return s, nil
	}
	e := start(t, opt, object{"capabilities": object{"window": object{"workDoneProgress": true}}})
	e.note("tandem/status", `"unloaded"`, `"script"`)
	e.open("a.go", "go", "x")
	e.note("$/progress", `"begin"`)
	if got := e.suggest("a.go", 1, automatic).text(e); got != "" {
		t.Errorf("while loading %q", got)
	}
	close(half)
	e.note("$/progress", `"percentage":50`)
	close(whole)
	e.ready()
	e.seen("$/progress", `"end"`)
	last := e.suggest("a.go", 1, automatic)
	<-s.held
	e.note("tandem/status", `"busy"`)
	close(s.release)
	if got := last.text(e); got != "text" {
		t.Errorf("loaded: %q", got)
	}
	e.ready()
	if st := e.stats(); st.ServedWithoutEngine < 1 {
		t.Errorf("stats %+v", st)
	}
	e.quit()
}

// TestDeviceLost: what was lost is told with the state, and suggestions come.
func TestDeviceLost(t *testing.T) {
	s := newScript([]string{lose, "text"})
	e := start(t, s.options(), object{})
	e.open("a.go", "go", "x")
	e.suggest("a.go", 1, automatic).text(e)
	e.note("tandem/status", `"ready"`)
	if got := e.suggest("a.go", 1, invoked).text(e); got != "text" {
		t.Errorf("suggested %q", got)
	}
	e.seen("tandem/status", `"ready"`, "ready; gpu was lost, cpu does its work: restart")
	e.quit()
}

// TestLoadFails: the error is told once, and only who insists makes another try.
func TestLoadFails(t *testing.T) {
	s := newScript([]string{"text"})
	opt, tries := s.options(), 0
	opt.Load = func(context.Context, string, func(float64)) (engine.Engine, error) {
		if tries++; tries == 1 {
			return nil, errors.New("no weights: get them")
		}
		return s, nil
	}
	e := start(t, opt)
	e.open("a.go", "go", "x")
	e.note("tandem/status", `"error"`, "no weights: get them")
	e.seen("window/showMessage", `"type":1`, "no weights: get them")
	e.suggest("a.go", 1, automatic).text(e)
	var why lsp.Explanation
	e.ask("tandem/explain", e.place("a.go", 1)).into(e, &why)
	if !strings.Contains(why.Reason, "no weights") || tries != 1 {
		t.Errorf("%d tries, %+v", tries, why)
	}
	e.suggest("a.go", 1, invoked).text(e)
	e.ready()
	e.quit()
}

// TestDownload: nothing is downloaded without a yes to its size and host.
func TestDownload(t *testing.T) {
	s := newScript([]string{"text"})
	opt, here, pulls := s.options(), false, 0
	seen := make(chan struct{})
	opt.Missing = func(string) (lsp.Download, bool) { return lsp.Download{Bytes: 531e6, Host: "hub.example"}, !here }
	opt.Pull = func(_ context.Context, _ string, progress func(float64)) error {
		pulls++
		progress(0.25)
		<-seen
		here = true
		return nil
	}
	e := start(t, opt)
	say := func(title any) {
		e.onRequest("window/showMessageRequest", func(params json.RawMessage) any {
			if text := string(params); !strings.Contains(text, "531 MB") || !strings.Contains(text, "hub.example") || !strings.Contains(text, "script") {
				t.Errorf("the question is %s", text)
			}
			return title
		})
	}
	say(nil)
	e.open("a.go", "go", "x")
	e.note("tandem/status", `"error"`, "tandem pull script")
	say(object{"title": "Not now"})
	e.suggest("a.go", 1, invoked).text(e)
	e.note("tandem/status", `"error"`, "tandem pull script")
	if pulls != 0 {
		t.Errorf("%d downloads nobody wanted", pulls)
	}
	say(object{"title": "Download"})
	e.suggest("a.go", 1, invoked).text(e)
	e.note("tandem/status", `"downloading"`, `"progress":0.25`)
	close(seen)
	e.ready()
	if pulls != 1 {
		t.Errorf("%d downloads", pulls)
	}
	if slices.ContainsFunc(e.all, func(m message) bool { return m.Method == "window/showMessage" }) {
		t.Error("who declined is told so")
	}
	e.quit()
}

func TestIdle(t *testing.T) {
	s := newScript([]string{"text"})
	opt := s.options()
	opt.Settings.IdleUnload = 1 // nanosecond
	e := start(t, opt)
	e.open("a.go", "go", "x")
	e.note("tandem/status", `"unloaded"`, "without a request")
	e.quit()
	if !s.isClosed() {
		t.Error("the engine is left open")
	}
}

func TestFolders(t *testing.T) {
	var folders []string
	e := start(t, echoing(func(q lsp.Question) lsp.Answer { folders = q.Snapshot.Folders(); return lsp.Answer{} }),
		object{"rootUri": "file:///home/me/a"})
	e.open("a.go", "go", "x")
	e.ready()
	for _, test := range []struct {
		added, removed []object
		want           string
	}{
		{nil, nil, "/home/me/a"},
		{[]object{{"uri": "file:///home/me/b%20c", "name": "b"}, {"uri": "untitled:x", "name": "x"}}, nil, "/home/me/a,/home/me/b c"},
		{nil, []object{{"uri": "file:///home/me/a", "name": "a"}}, "/home/me/b c"},
	} {
		e.notify("workspace/didChangeWorkspaceFolders", object{"event": object{"added": append([]object{}, test.added...), "removed": append([]object{}, test.removed...)}})
		e.suggest("a.go", 1, automatic).text(e)
		if got := strings.Join(folders, ","); got != test.want {
			t.Errorf("folders %s, want %s", got, test.want)
		}
	}
	e.quit()
}
