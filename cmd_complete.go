package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tandem/completion"
	"tandem/context/workspace"
	"tandem/engine"
	"tandem/internal/logfile"
)

// cursorMark marks the cursor in a file that has no other.
const cursorMark = "<|cursor|>"

// maxSourceBytes bounds a file to complete in.
const maxSourceBytes = 64 << 20

type completeCmd struct {
	Cursor string  `arg:"" placeholder:"FILE:LINE:COL" help:"Where to complete, counted from one, COL in bytes. FILE alone: at the mark <|cursor|> in it."`
	Layout string  `default:"" enum:"${layouts}," placeholder:"NAME" help:"Layout of the prompt: ${layouts}; the model's own if not given."`
	Heal   bool    `default:"true" negatable:"" help:"Go on inside the word at the cursor (default)."`
	Type   *string `placeholder:"TEXT" help:"Type TEXT at the cursor, one character at a time, and complete after each: one JSON object a line."`
	Folder string  `placeholder:"DIR" type:"existingdir" help:"Show the model what other files of DIR have to do with the cursor, as the language server does."`
	Show   bool    `help:"Print the file around the cursor with the suggestion dim in it, and what it cost."`
}

// Help is what --help adds.
func (*completeCmd) Help() string {
	return `Prints the text to insert at the cursor, with --json what it cost as well. -n is
the longest suggestion in tokens (default 64). Nothing is downloaded: 'tandem pull'
gets a model.`
}

// typedSuggestion is a line of --type, whose first one has typed nothing yet.
type typedSuggestion struct {
	completion.Suggestion
	Typed string `json:"typed"`
}

// Run completes.
func (c *completeCmd) Run(a *app) error {
	doc, err := readDocument(c.Cursor)
	if err == nil && c.Folder != "" {
		err = openIn(c.Folder, &doc)
	}
	if err != nil {
		return err
	}
	m, err := openModel(a)
	if err != nil {
		return err
	}
	defer m.close()
	e := &recorder{Engine: m.engine}
	completer := completion.New(e)
	defer completer.Close()
	if doc.Snapshot != nil {
		if err := completer.Wait(a.ctx, doc.Snapshot); err != nil {
			return err
		}
	}
	opt := completion.Options{Layout: c.Layout, NoHeal: !c.Heal, MaxTokens: a.Tokens}
	if c.Type != nil {
		return completer.Type(a.ctx, doc, *c.Type, opt, func(s completion.Suggestion) error {
			return encodeLine(a.out, typedSuggestion{s, s.Typed})
		})
	}
	s, err := completer.Complete(a.ctx, doc, opt)
	if err != nil {
		return err
	}
	a.log.Info("completed", "layout", s.Layout, "prompt_tokens", s.PromptTokens, "cached_tokens", s.CachedTokens,
		"decoded_tokens", s.DecodedTokens, "total_ms", s.TotalMillis, "stop", s.Stop, "text", logfile.Text(s.Text))
	switch {
	case a.JSON:
		return encodeLine(a.out, s)
	case c.Show:
		_, err = fmt.Fprint(a.out, around(doc, s), m.cost(e.last, s))
	default:
		if _, err = fmt.Fprint(a.out, s.Text); err == nil {
			err = a.endLine()
		}
	}
	return err
}

// readDocument reads the file of FILE:LINE:COL, or FILE with a mark in it.
func readDocument(cursor string) (completion.Document, error) {
	p, posErr := parsePosition(cursor)
	path := p.file
	if posErr != nil {
		path = cursor
	}
	text, err := readSource(path)
	if err != nil {
		if posErr != nil {
			err = posErr
		}
		return completion.Document{}, err
	}
	if posErr != nil {
		before, after, found := strings.Cut(text, cursorMark)
		if !found {
			return completion.Document{}, fmt.Errorf("%s holds no mark %s: name the cursor as FILE:LINE:COL", path, cursorMark)
		}
		return completion.Document{Path: path, Text: before + after, Offset: len(before)}, nil
	}
	offset, err := p.offset(text)
	return completion.Document{Path: path, Text: text, Offset: offset}, err
}

// openIn makes doc a document of the workspace folder at dir.
func openIn(dir string, doc *completion.Document) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if doc.Path, err = filepath.Abs(doc.Path); err != nil {
		return err
	}
	w := workspace.New(nil)
	if err := w.SetFolders(dir); err != nil {
		return err
	}
	if err := w.Open(workspace.Item{Path: doc.Path, Text: doc.Text}); err != nil {
		return err
	}
	doc.Snapshot = w.Snapshot()
	return nil
}

func readSource(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSourceBytes {
		return "", fmt.Errorf("%s: not a source file (at most %s)", path, bytesText(maxSourceBytes))
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// recorder keeps the result of the last request: what a suggestion does not tell.
type recorder struct {
	engine.Engine
	last engine.Result
}

// Generate passes the request on. What is prefilled ahead, beside others, is no answer.
func (r *recorder) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	res, err := r.Engine.Generate(ctx, req, emit)
	if req.MaxTokens > 0 {
		r.last = res
	}
	return res, err
}
