package lsp

import (
	"context"
	"fmt"

	"tandem/completion"
	"tandem/context/workspace"
	"tandem/engine"
)

// Completer is what the server needs of package completion. It is safe for
// concurrent use, and ends soon after its ctx does.
type Completer interface {
	Complete(ctx context.Context, q Question) (Answer, error)
}

// Question asks what to insert at a place.
type Question struct {
	Snapshot  *workspace.Snapshot // everything as of the request
	Path      string
	Language  string
	Text      string // of the document, a chosen menu item inserted
	Offset    int    // of the cursor, in bytes
	MaxTokens int    // of the suggestion; 0 is the completer's own
	Manual    bool   // the user asked for it
}

// Answer is a suggestion and how it came about.
type Answer struct {
	Text    string // to insert; "" if there is nothing worth showing
	Replace int    // bytes right of the cursor, on its line, that Text replaces
	Stages  []ExplanationStage
}

// plainCompleter asks package completion with the document alone.
type plainCompleter struct{ *completion.Completer }

func newCompleter(e engine.Engine) Completer { return plainCompleter{completion.New(e)} }

// Complete completes.
func (c plainCompleter) Complete(ctx context.Context, q Question) (Answer, error) {
	doc := completion.Document{Path: q.Path, Text: q.Text, Offset: q.Offset}
	s, err := c.Completer.Complete(ctx, doc, completion.Options{MaxTokens: q.MaxTokens})
	if err != nil {
		return Answer{}, err
	}
	note := fmt.Sprintf("layout %s, %d prompt tokens, %d of them cached, %d computed, %d decoded, ended by %s",
		s.Layout, s.PromptTokens, s.CachedTokens, s.PrefillTokens, s.DecodedTokens, s.Stop)
	return Answer{Text: s.Text, Stages: []ExplanationStage{
		{Name: "first text", MS: s.TTFTMillis}, {Name: "suggestion", MS: s.TotalMillis, Note: note},
	}}, nil
}
