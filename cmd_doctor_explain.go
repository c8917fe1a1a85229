package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tandem/completion"
	"tandem/context/syntax"
	"tandem/internal/editor"
	"tandem/lsp"
)

// explained is `tandem doctor --explain FILE:LINE:COL --json`.
type explained struct {
	File     string                 `json:"file"`
	Folder   string                 `json:"folder"` // whose rules hold
	Language string                 `json:"language"`
	Outcome  string                 `json:"outcome"` // as tandem/explain has it
	Reason   string                 `json:"reason"`
	Stages   []lsp.ExplanationStage `json:"stages"`
	TotalMS  float64                `json:"total_ms"` // without the model's load
	Text     string                 `json:"text"`
	replace  int                    // bytes right of the cursor
}

// modelStage and loadStage are the names of two stages: where a request ends that
// finds no model, and what makes one.
const (
	modelStage = "model"
	loadStage  = "load"
)

// explain asks a language server of its own for a suggestion, as an editor does in
// which somebody types, and prints what it says of the way there.
func (c *doctorCmd) explain(a *app) error {
	doc, err := readDocument(c.Explain)
	if err != nil {
		return err
	}
	if doc.Path, err = filepath.Abs(doc.Path); err != nil {
		return err
	}
	settings, err := lspSettings(a)
	if err != nil {
		return err
	}
	e := explained{File: doc.Path, Folder: c.Folder, Language: c.Language}
	if e.Folder == "" {
		e.Folder = projectOf(doc.Path)
	}
	if e.Language == "" {
		e.Language = languageOf(doc.Path)
	}
	here, there := pipe()
	served := make(chan error, 1)
	go func() {
		served <- lsp.Serve(a.ctx, there, lsp.Options{Load: a.load, Settings: settings, Version: version, Log: a.log})
	}()
	client := editor.New(here, nil)
	err = e.ask(a.ctx, client, doc)
	if err == nil {
		err = client.Quit(a.ctx)
	}
	client.Close()
	if ended := <-served; err == nil {
		err = ended
	}
	switch {
	case err != nil:
		return err
	case a.JSON:
		return printJSON(a.out, e)
	}
	return e.print(a.out, doc)
}

// ask opens the document and asks, once more where the model was not there yet.
func (e *explained) ask(ctx context.Context, c *editor.Client, doc completion.Document) error {
	err := c.Initialize(ctx, map[string]any{
		"processId":        nil,
		"workspaceFolders": []any{map[string]any{"uri": editor.FileURI(e.Folder), "name": filepath.Base(e.Folder)}},
		"capabilities": map[string]any{
			"general":      map[string]any{"positionEncodings": []string{"utf-8"}},
			"textDocument": map[string]any{"inlineCompletion": map[string]any{}},
		},
	})
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.Open(editor.FileURI(doc.Path), e.Language, doc.Text); err != nil {
		return err
	}
	if err := e.once(ctx, c, doc); err != nil || !e.lacksModel() {
		return err
	}
	load := lsp.ExplanationStage{Name: loadStage}
	failed := c.Ready(ctx)
	if load.MS = millis(time.Since(begin)); failed == nil {
		if err := e.once(ctx, c, doc); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	at := len(e.Stages) - 1
	for i, s := range e.Stages {
		if s.Name == modelStage {
			at = i
		}
	}
	if failed != nil {
		load.Note = oneLine(failed)
		e.Reason = load.Note
		at++ // it was missing first
	}
	e.Stages = append(e.Stages[:at:at], append([]lsp.ExplanationStage{load}, e.Stages[at:]...)...)
	return nil
}

// once asks as typing does.
func (e *explained) once(ctx context.Context, c *editor.Client, doc completion.Document) error {
	call, err := c.Suggest(editor.FileURI(doc.Path), doc.Offset, editor.Automatic)
	if err != nil {
		return err
	}
	item, err := call.Item(ctx)
	if refused := new(editor.Error); err != nil && !errors.As(err, &refused) {
		return err
	}
	if item != nil {
		e.Text, e.replace = item.InsertText, item.Range.End.Character-item.Range.Start.Character
	}
	var answer lsp.Explanation
	if err := c.Call(ctx, lsp.MethodExplain, c.Place(editor.FileURI(doc.Path), doc.Offset), &answer); err != nil {
		return err
	}
	e.Outcome, e.Reason, e.Stages, e.TotalMS = answer.Outcome, answer.Reason, answer.Stages, answer.TotalMS
	return nil
}

// lacksModel reports whether the request came as far as the model, which was not
// there.
func (e *explained) lacksModel() bool {
	n := len(e.Stages)
	return e.Outcome == "declined" && n > 1 && e.Stages[n-2].Name == modelStage
}

func (e *explained) print(out io.Writer, doc completion.Document) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "file\t\t%s, %s, in %s\n", e.File, orNone(e.Language), e.Folder)
	for _, s := range e.Stages {
		fmt.Fprintf(table, "%s\t%.1f ms\t%s\n", s.Name, s.MS, s.Note)
	}
	fmt.Fprintf(table, "%s\t%.1f ms\t%s\n", e.Outcome, e.TotalMS, e.Reason)
	if err := table.Flush(); err != nil || e.Text == "" {
		return err
	}
	_, err := fmt.Fprint(out, "\n", around(doc, completion.Suggestion{Text: e.Text, Replace: e.replace}))
	return err
}

// projectOf is the folder that an editor would open: the nearest one above path
// that is under version control, else the one that path is in.
func projectOf(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return filepath.Dir(path)
		}
	}
}

// languageOf is what editors call path's language, as far as its name tells: that
// of a grammar, or else the ending, which for many is the same.
func languageOf(path string) string {
	if l, ok := syntax.ByPath(path); ok {
		return l.Name()
	}
	switch ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")); ending {
	case "md":
		return "markdown"
	case "yml":
		return "yaml"
	case "txt", "":
		return "plaintext"
	default:
		return ending
	}
}

// pipe is a connection inside this process.
func pipe() (here, there io.ReadWriteCloser) {
	hear, tell := io.Pipe()
	heard, told := io.Pipe()
	return pipeEnd{hear, told}, pipeEnd{heard, tell}
}

type pipeEnd struct {
	*io.PipeReader
	w *io.PipeWriter
}

// Write waits until the other end has read it.
func (p pipeEnd) Write(text []byte) (int, error) { return p.w.Write(text) }

// Close ends both directions.
func (p pipeEnd) Close() error {
	p.PipeReader.Close()
	return p.w.Close()
}
