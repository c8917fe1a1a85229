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
	// Complete answers q. Where ctx ends with completion.ErrSuperseded as its cause,
	// what was computed may serve the next question.
	Complete(ctx context.Context, q Question) (Answer, error)
	// Changed tells a document's state behind an edit, before anything is asked.
	Changed(q Question)
	// Moved tells a new place of the cursor that no edit brought.
	Moved(q Question)
	// Closed tells that a document is not typed in any more.
	Closed(path string)
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

// sessions asks package completion.
type sessions struct{ *completion.Sessions }

func newCompleter(e engine.Engine) Completer { return sessions{completion.New(e).NewSessions()} }

// Complete completes.
func (c sessions) Complete(ctx context.Context, q Question) (Answer, error) {
	s, err := c.Of(q.Path).Complete(ctx, q.document(), q.options())
	if err != nil {
		return Answer{}, err
	}
	if s.Reused {
		return Answer{Text: s.Text, Replace: s.Replace, Stages: []ExplanationStage{{Name: "suggestion", MS: s.TotalMillis, Note: "an earlier request's, what was typed of it taken off"}}}, nil
	}
	note := fmt.Sprintf("layout %s, %d prompt tokens, %d of them cached, %d computed, %d decoded, ended by %s",
		s.Layout, s.PromptTokens, s.CachedTokens, s.PrefillTokens, s.DecodedTokens, s.Stop)
	return Answer{Text: s.Text, Replace: s.Replace, Stages: []ExplanationStage{
		{Name: "first text", MS: s.TTFTMillis}, {Name: "suggestion", MS: s.TotalMillis, Note: note},
	}}, nil
}

// Changed stops what does not go with the edit.
func (c sessions) Changed(q Question) { c.Of(q.Path).Changed(q.document()) }

// Moved prefills.
func (c sessions) Moved(q Question) { c.Of(q.Path).Moved(q.document(), q.options()) }

// Closed forgets.
func (c sessions) Closed(path string) { c.Close(path) }

func (q Question) document() completion.Document {
	return completion.Document{Path: q.Path, Text: q.Text, Offset: q.Offset}
}

func (q Question) options() completion.Options { return completion.Options{MaxTokens: q.MaxTokens} }
