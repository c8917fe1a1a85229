package lsp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tandem/lsp"
)

// TestWatch: a client that can be asked to tell of files is asked, others are not.
func TestWatch(t *testing.T) {
	dynamic := object{"dynamicRegistration": true}
	e := start(t, newScript().options(), object{"capabilities": object{"workspace": object{"didChangeWatchedFiles": dynamic}}})
	e.wait("a registration", func() bool {
		return slices.ContainsFunc(e.asked, func(m message) bool {
			return m.Method == "client/registerCapability" && strings.Contains(string(m.Params), `"workspace/didChangeWatchedFiles"`) &&
				strings.Contains(string(m.Params), ".tandemignore")
		})
	})
	e.quit()
	e = start(t, newScript().options(), object{"capabilities": object{"workspace": object{"didChangeConfiguration": dynamic}}})
	e.wait("a registration", func() bool { return len(e.asked) > 0 })
	e.quit()
	if len(e.asked) != 1 || strings.Contains(string(e.asked[0].Params), "didChangeWatchedFiles") {
		t.Errorf("asked %v", e.asked)
	}
}

// TestManyWatched: more changes than are looked at one by one count all the same.
func TestManyWatched(t *testing.T) {
	dir := t.TempDir()
	address := func(name string) string { return "file://" + filepath.Join(dir, name) }
	var excluded string
	e := start(t, echoing(func(q lsp.Question) lsp.Answer {
		excluded = q.Snapshot.Excluded(filepath.Join(dir, "b.go"))
		return lsp.Answer{}
	}), object{"workspaceFolders": []object{{"uri": "file://" + dir, "name": "p"}}})
	e.open("a.go", "go", source)
	e.ready()
	e.suggest("a.go", 0, invoked).text(e)
	if excluded != "" {
		t.Errorf("without a rule: %s", excluded)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("b.go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var changes []object
	for i := range 1000 {
		changes = append(changes, object{"uri": address(fmt.Sprintf("%d.go", i)), "type": created})
	}
	e.notify("workspace/didChangeWatchedFiles", object{"changes": changes})
	e.suggest("a.go", 0, invoked).text(e)
	if excluded == "" {
		t.Error("the new rule is not seen")
	}
	e.notify("workspace/didChangeWatchedFiles", object{"changes": 1})
	e.quit()
}
