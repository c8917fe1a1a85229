package lsp_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var mutations = flag.Bool("mutations", false, "take what each session is about out of the code, and see it fail")

// mutation replaces a text of a file of the project, which it has once.
type mutation struct{ file, old, new string }

// TestMutations: each session fails when what it is about is taken out. Its
// "mutation" names a file, then the text that is replaced, a line "====", and the
// text in its place. The code is never changed on the disk. Without -mutations
// it only looks whether all of them still have a place; with it, and where all
// fail, the list of them is written, too.
func TestMutations(t *testing.T) {
	files, done := sessionFiles(t), 0
	list := "# What was taken out, and which session saw it\n\n`make mutations` makes these changes one by one, runs the session, and writes this list.\n\n" +
		"| session | what holds | taken out | what the session said |\n|---|---|---|---|\n"
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, source, err := readMutation(a)
		if err != nil {
			t.Errorf("%s: %v", nameOf(file), err)
			continue
		}
		if !*mutations {
			continue
		}
		t.Run(nameOf(file), func(t *testing.T) {
			said := m.try(t, source, nameOf(file))
			done++
			prose := strings.Join(strings.Fields(string(a.Comment)), " ")
			list += fmt.Sprintf("| %s | %s | %s: `%s` → %s | %s |\n", nameOf(file), prose, m.file, cell(m.old), code(m.new), cell(said))
		})
	}
	if !*mutations {
		t.Skip("left out: make mutations takes each behaviour out and sees its session fail")
	}
	if done == len(files) && !t.Failed() {
		if err := os.WriteFile(filepath.Join(sessions, "MUTATIONS.md"), []byte(list), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// readMutation reads the mutation of a session and the file that it is about.
func readMutation(a *txtar.Archive) (m mutation, source string, err error) {
	for _, f := range a.Files {
		if f.Name == "mutation" {
			var old, changed string
			m.file, old, _ = strings.Cut(string(f.Data), "\n")
			m.old, changed, _ = strings.Cut(old, "\n====\n")
			m.new = strings.TrimSuffix(changed, "\n")
		}
	}
	if m.old == "" {
		return m, "", errors.New("no mutation: what fails it?")
	}
	text, err := os.ReadFile(filepath.Join("..", m.file))
	if n := strings.Count(string(text), m.old); err == nil && n != 1 {
		err = fmt.Errorf("%s has this %d times, want it once:\n%s", m.file, n, m.old)
	}
	return m, string(text), err
}

// try runs a session on the changed code, and gives the line in which it failed.
func (m mutation) try(t *testing.T, source, session string) string {
	path, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	replace, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err := errors.Join(os.WriteFile(changed, []byte(strings.Replace(source, m.old, m.new, 1)), 0o666), os.WriteFile(overlay, replace, 0o666)); err != nil {
		t.Fatal(err)
	}
	area, name, _ := strings.Cut(session, "/")
	out, _ := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-count=1", "-timeout=2m",
		"-run", "^TestSessions$/^"+area+"$/^"+name+"$", ".").CombinedOutput()
	_, said, failed := strings.Cut(string(out), "--- FAIL: TestSessions/"+session)
	if !failed {
		t.Errorf("%s without\n%s\nis not seen to fail:\n%s", m.file, m.old, out)
		return ""
	}
	_, said, _ = strings.Cut(said, "_test.go:") // behind the result's own line
	_, said, _ = strings.Cut(said, ": ")
	said, _, _ = strings.Cut(strings.TrimPrefix(said, session+", "), "\n")
	return fmt.Sprintf("%.200s", said)
}

// code is a text for a table that may be empty.
func code(text string) string {
	if text == "" {
		return "nothing"
	}
	return "`" + cell(text) + "`"
}

// cell is text for a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
