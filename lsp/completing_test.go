package lsp_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tandem/lsp"
)

const source = "package a\n\nfunc add(a, b int) int {\n\treturn \n}\n"

var behindReturn = strings.Index(source, "return ") + len("return ")

func TestInlineCompletion(t *testing.T) {
	s := newScript([]string{"a", " + b"})
	e := running(t, s, source)
	got := e.suggest("a.go", behindReturn, automatic).item(e)
	if got == nil || got.InsertText != "a + b" || got.Range.Start != got.Range.End || got.Range.Start.Line != 3 || got.Range.Start.Character != 8 {
		t.Fatalf("item %+v", got)
	}
	if got.Command.Command != lsp.CommandAccepted || len(got.Command.Arguments) != 1 {
		t.Errorf("command %+v", got.Command)
	}
	id := got.Command.Arguments[0]
	document := object{"uri": uri("a.go")}
	e.notify("tandem/didShow", object{"textDocument": document, "id": id})
	e.notify("tandem/didPartiallyAccept", object{"textDocument": document, "id": id, "acceptedLength": 3})
	e.notify("tandem/didAccept", object{"textDocument": document, "id": id})
	if code := e.ask("workspace/executeCommand", object{"command": lsp.CommandAccepted, "arguments": []string{id}}).code(e); code != 0 {
		t.Errorf("the suggestion's command: code %d", code)
	}
	if code := e.ask("workspace/executeCommand", object{"command": "other"}).code(e); code != -32602 {
		t.Errorf("an unknown command: code %d", code)
	}
	e.suggest("b.go", 0, automatic).item(e)
	st := e.stats()
	if st.Requests != 2 || st.DecodedTokens != 2 || st.ServedWithoutEngine != 1 || st.PromptTokens == 0 || st.ResidentBytes == 0 {
		t.Errorf("stats %+v", st)
	}
	e.quit()
	if !s.isClosed() {
		t.Error("the engine is left open")
	}
}

// TestSuperseded: the older of two requests is answered at once, and the engine
// goes on for the newer one if that is for the same place.
func TestSuperseded(t *testing.T) {
	s := newScript([]string{"a", hold, "b"}, []string{"never"})
	e := running(t, s, source)
	first := e.suggest("a.go", behindReturn, automatic)
	<-s.held
	second := e.suggest("a.go", behindReturn, automatic)
	if code := first.code(e); code != -32800 {
		t.Errorf("the older request: code %d", code)
	}
	close(s.release)
	if got := second.text(e); got != "ab" {
		t.Errorf("the newer request: %q", got)
	}
	st := e.stats()
	e.quit()
	if st.Superseded != 1 || st.DecodedAfterCancel != 0 || st.Cancelled != 0 || st.DecodedTokens != 2 {
		t.Errorf("stats %+v", st)
	}
}

// TestSupersededElsewhere: for another place, the engine's work for the older one
// ends.
func TestSupersededElsewhere(t *testing.T) {
	s := newScript([]string{"a", hold, "never"}, []string{"/*b*/"})
	s.stubborn = 2
	e := running(t, s, source)
	first := e.suggest("a.go", behindReturn, automatic)
	<-s.held
	second := e.suggest("a.go", 0, automatic)
	if code := first.code(e); code != -32800 {
		t.Errorf("the older request: code %d", code)
	}
	if got := second.text(e); got != "/*b*/" {
		t.Errorf("the newer request: %q", got)
	}
	s.finished(2)
	st := e.stats()
	e.quit()
	if st.Superseded != 1 || st.DecodedAfterCancel != 2 || st.Cancelled != 0 || s.ended != 1 {
		t.Errorf("stats %+v, %d ended", st, s.ended)
	}
}

func TestCancelled(t *testing.T) {
	s := newScript([]string{hold}, []string{hold}, []string{"b"})
	e := running(t, s, source)
	for offset, id := range []any{1 << 40, "text id"} { // at two places: one would go on with the other's
		params := e.place("a.go", offset)
		params["context"] = object{"triggerKind": automatic}
		e.write(object{"jsonrpc": "2.0", "id": id, "method": "textDocument/inlineCompletion", "params": params})
		<-s.held
		e.notify("$/cancelRequest", object{"id": id})
		raw, _ := json.Marshal(id)
		if code := (answer{string(raw)}).code(e); code != -32800 {
			t.Errorf("id %v: code %d", id, code)
		}
	}
	if got := e.suggest("a.go", behindReturn, automatic).text(e); got != "b" {
		t.Errorf("after the cancelled ones %q", got)
	}
	if st := e.stats(); st.Cancelled != 2 || st.Superseded != 0 {
		t.Errorf("stats %+v", st)
	}
	e.quit()
}

// TestStale: a suggestion for a text that is not there any more is not given.
func TestStale(t *testing.T) {
	for _, test := range []struct {
		client object
		want   int
	}{
		{object{}, -32800},
		{object{"capabilities": object{"general": object{"staleRequestSupport": object{"cancel": true, "retryOnContentModified": []string{}}}}}, -32801},
	} {
		s := newScript([]string{"a", hold, "b"}, []string{"c"})
		e := running(t, s, source, test.client)
		first := e.suggest("a.go", behindReturn, automatic)
		<-s.held
		e.change("a.go", behindReturn, behindReturn, "x")
		if code := first.code(e); code != test.want {
			t.Errorf("%v: code %d, want %d", test.client, code, test.want)
		}
		if got := e.suggest("a.go", behindReturn+1, automatic).text(e); got != "c" {
			t.Errorf("%v: afterwards %q", test.client, got)
		}
		e.quit()
	}
}

// TestMoved: what is computed for a place that the cursor left is given up.
func TestMoved(t *testing.T) {
	s := newScript([]string{hold})
	e := running(t, s, source)
	first := e.suggest("a.go", behindReturn, automatic)
	<-s.held
	e.notify("tandem/didMoveCursor", e.place("a.go", behindReturn))
	e.notify("tandem/didMoveCursor", e.place("a.go", 0))
	if code := first.code(e); code != -32800 {
		t.Errorf("code %d", code)
	}
	e.quit()
}

// TestSelected: with an item selected in the menu, the suggestion continues it.
func TestSelected(t *testing.T) {
	opt := echoing(func(q lsp.Question) lsp.Answer {
		return lsp.Answer{Text: "[" + q.Text[:q.Offset] + "]"}
	})
	e := start(t, opt)
	e.open("a.go", "go", "x := fmt.Pri")
	e.ready()
	params := e.place("a.go", len("x := fmt.Pri"))
	params["context"] = object{"triggerKind": automatic, "selectedCompletionInfo": object{
		"range": object{"start": e.position("x := fmt.Pri", 9), "end": e.position("x := fmt.Pri", 12)}, "text": "Println"}}
	got := e.ask("textDocument/inlineCompletion", params).item(e)
	if got == nil || got.InsertText != "Println[x := fmt.Println]" || got.Range.Start.Character != 9 || got.Range.End.Character != 12 {
		t.Errorf("item %+v", got)
	}
	e.quit()
}

// TestReplace: text right of the cursor that the suggestion replaces is in its range.
func TestReplace(t *testing.T) {
	e := start(t, echoing(func(lsp.Question) lsp.Answer { return lsp.Answer{Text: "😀)", Replace: len("é)")} }))
	e.open("a.go", "go", "f(é)")
	e.ready()
	if got := e.suggest("a.go", 2, automatic).item(e); got == nil || got.Range.Start.Character != 2 || got.Range.End.Character != 4 {
		t.Errorf("item %+v", got)
	}
	e.quit()
}

// TestMenu: a client without inline completion gets a menu item that repeats the
// word at the cursor.
func TestMenu(t *testing.T) {
	e := dial(t, newScript([]string{"ln(x)\n"}).options())
	var result struct {
		Capabilities map[string]any `json:"capabilities"`
	}
	e.ask("initialize", object{"capabilities": object{}}).into(e, &result)
	if result.Capabilities["completionProvider"] == nil || result.Capabilities["inlineCompletionProvider"] != nil {
		t.Errorf("capabilities %v", result.Capabilities)
	}
	e.notify("initialized", object{})
	e.open("a.go", "go", "fmt.Print")
	e.ready()
	var list struct {
		IsIncomplete bool `json:"isIncomplete"`
		Items        []struct {
			Label, FilterText string
			TextEdit          struct {
				NewText string
				Range   struct{ Start, End struct{ Line, Character int } }
			}
		}
	}
	e.ask("textDocument/completion", e.place("a.go", 9)).into(e, &list)
	if len(list.Items) != 1 || !list.IsIncomplete {
		t.Fatalf("list %+v", list)
	}
	got := list.Items[0]
	if got.TextEdit.NewText != "Println(x)" || got.FilterText != "Println(x)" || got.Label != "Println(x)" || got.TextEdit.Range.Start.Character != 4 || got.TextEdit.Range.End.Character != 9 {
		t.Errorf("item %+v", got)
	}
	e.quit()
}

// TestPanic: a bug costs one answer, not the session.
func TestPanic(t *testing.T) {
	asked := 0
	e := start(t, echoing(func(lsp.Question) lsp.Answer {
		if asked++; asked == 1 {
			panic("a bug")
		}
		return lsp.Answer{Text: "fine"}
	}))
	e.open("a.go", "go", source)
	e.ready()
	if got := e.suggest("a.go", 0, automatic).text(e); got != "" {
		t.Errorf("after a panic %q", got)
	}
	if got := e.suggest("a.go", 0, automatic).text(e); got != "fine" {
		t.Errorf("after that %q", got)
	}
	e.quit()
}

func TestExplain(t *testing.T) {
	s := newScript([]string{"a + b"}, nil)
	e := running(t, s, source)
	var got lsp.Explanation
	e.ask("tandem/explain", e.place("a.go", behindReturn)).into(e, &got)
	if got.Found || !strings.Contains(got.Reason, "no request") {
		t.Errorf("before any request: %+v", got)
	}
	e.suggest("a.go", behindReturn, automatic).text(e)
	e.ask("tandem/explain", e.place("a.go", behindReturn)).into(e, &got)
	if !got.Found || got.Outcome != "suggestion" || len(got.Stages) < 4 || got.Version != 1 {
		t.Errorf("after a suggestion: %+v", got)
	}
	e.change("a.go", behindReturn, behindReturn, "x")
	e.suggest("a.go", behindReturn+1, automatic).text(e)
	e.ask("tandem/explain", e.place("a.go", behindReturn+1)).into(e, &got)
	if got.Outcome != "nothing" {
		t.Errorf("after nothing: %+v", got)
	}
	e.open("b.md", "markdown", "x")
	e.notify("workspace/didChangeConfiguration", object{"settings": object{"tandem": object{"languages": object{"markdown": false}}}})
	e.suggest("b.md", 1, automatic).text(e)
	e.ask("tandem/explain", e.place("b.md", 1)).into(e, &got)
	if got.Outcome != "declined" || !strings.Contains(got.Reason, "markdown") {
		t.Errorf("declined: %+v", got)
	}
	e.quit()
}
