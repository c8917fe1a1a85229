package completion_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/completion"
)

var (
	update    = flag.Bool("update", false, "write testdata/cursors/outputs.txt anew")
	completed = flag.String("completed", "", "folder to write the completed files to")
)

const (
	cursorMark    = "<|cursor|>" // as the complete command finds it
	parseShareMin = 90           // percent of the completed files that must parse
)

// cursorFile is a file of testdata/cursors.
type cursorFile struct {
	name   string // such as go/01_word_return.go
	before string // the cursor
	after  string
}

func (f cursorFile) document() completion.Document {
	return completion.Document{Path: f.name, Text: f.before + f.after, Offset: len(f.before)}
}

func cursorFiles(t *testing.T) []cursorFile {
	t.Helper()
	root := filepath.Join("..", "testdata", "cursors")
	paths, err := filepath.Glob(filepath.Join(root, "*", "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	var files []cursorFile
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, after, found := strings.Cut(string(text), cursorMark)
		if !found || strings.Contains(after, cursorMark) {
			t.Fatalf("%s: not one cursor", path)
		}
		name, _ := filepath.Rel(root, path)
		files = append(files, cursorFile{filepath.ToSlash(name), before, after})
	}
	return files
}

// TestCursors runs the committed cursors through the real 0.5B.
func TestCursors(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: run it without to test with real weights")
	}
	c := completion.New(openModel(t, "qwen2.5-coder-0.5b"))
	t.Run("complete", func(t *testing.T) { completeCursors(t, c) })
	t.Run("type", func(t *testing.T) { typeAtCursors(t, c) })
}

// completeCursors completes at every cursor and counts how many of the
// completed files parse.
func completeCursors(t *testing.T, c *completion.Completer) {
	var outputs bytes.Buffer
	tried, parsed := map[string]int{}, map[string]int{}
	for _, f := range cursorFiles(t) {
		s, err := c.Complete(context.Background(), f.document(), completion.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&outputs, "== %s (%s)\n%s¦%s¦%s\n", f.name, s.Stop, lastLine(f.before), s.Text, firstLine(f.after))
		whole := f.before + s.Text + f.after[s.Replace:]
		writeCompleted(t, f.name, whole)
		lang, _, _ := strings.Cut(f.name, "/")
		ok, problem := parses(t, lang, whole)
		if problem != "" {
			t.Logf("%s: %q: %s", f.name, s.Text, problem)
		}
		tried[lang]++
		if ok {
			parsed[lang]++
		}
	}
	n, good := 0, 0
	for lang := range tried {
		n, good = n+tried[lang], good+parsed[lang]
		t.Logf("%s: %d of %d completed files parse", lang, parsed[lang], tried[lang])
	}
	if n != 30 || good*100 < n*parseShareMin {
		t.Errorf("%d of %d completed files parse, want %d %% of 30", good, n, parseShareMin)
	}
	compareOutputs(t, outputs.Bytes())
}

// compareOutputs tells where suggestions differ from the committed ones. They
// may: another kind of CPU adds up in another order and decides a close call
// differently.
func compareOutputs(t *testing.T, got []byte) {
	t.Helper()
	path := filepath.Join("..", "testdata", "cursors", "outputs.txt")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	old := map[string]bool{}
	for _, block := range strings.Split(string(want), "== ") {
		old[block] = true
	}
	for _, block := range strings.Split(string(got), "== ") {
		if !old[block] {
			t.Logf("differs from outputs.txt: %s", block)
		}
	}
}

// typeAtCursors types at five of the cursors: with spm-tail a keystroke
// prefills what it appends and no more.
func typeAtCursors(t *testing.T, c *completion.Completer) {
	const prefillMax = 4
	typed := map[string]string{
		"python/01_word_return.py":     "rn means",
		"python/06_line_body.py":       "text = text.lower()",
		"go/06_line_body.go":           "runes := []rune(s)",
		"go/08_line_case.go":           "if b == 0 {",
		"typescript/08_line_reduce.ts": "return sorted[middle]",
	}
	seen := 0
	for _, f := range cursorFiles(t) {
		text, ok := typed[f.name]
		if !ok {
			continue
		}
		seen++
		var prefill []int
		err := c.Type(context.Background(), f.document(), text, completion.Options{Layout: "spm-tail", MaxTokens: 16}, func(s completion.Suggestion) error {
			if s.Typed != "" && s.PrefillTokens > prefillMax {
				t.Errorf("%s: %d tokens prefilled after %q of %d, want at most %d", f.name, s.PrefillTokens, s.Typed, s.PromptTokens, prefillMax)
			}
			prefill = append(prefill, s.PrefillTokens)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: typing %q prefilled %d", f.name, text, prefill)
	}
	if seen != len(typed) {
		t.Errorf("%d of %d cursors are there", seen, len(typed))
	}
}

func TestHalfOfTheCursorsAreInsideWords(t *testing.T) {
	inside := map[string]int{}
	for _, f := range cursorFiles(t) {
		lang, _, _ := strings.Cut(f.name, "/")
		if strings.Contains(f.name, "_word_") {
			inside[lang]++
		}
	}
	for _, lang := range []string{"python", "go", "typescript"} {
		if inside[lang] != 5 {
			t.Errorf("%s: %d cursors inside words, want 5", lang, inside[lang])
		}
	}
}

func writeCompleted(t *testing.T, name, text string) {
	t.Helper()
	if *completed == "" {
		return
	}
	path := filepath.Join(*completed, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
