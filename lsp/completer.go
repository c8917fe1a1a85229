package lsp

import (
	"context"
	"fmt"
	"time"

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
	// Look tells the state of the workspace, for what is found out in the
	// background before anything is asked.
	Look(*workspace.Snapshot)
	// Closed tells that a document is not typed in any more.
	Closed(path string)
	// Close frees what it holds, when nobody asks any more. The engine stays open.
	Close()
}

// decodeBudget is how long a suggestion that nobody asked for may decode before it
// ends with its line: somebody types and looks for the next line, not for all.
const decodeBudget = 150 * time.Millisecond

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
type sessions struct {
	*completion.Sessions
	completer *completion.Completer
	limits
}

// limits are what a suggestion that is on time may take.
type limits struct {
	decode time.Duration // where nobody asked for it; 0 is without end
	extras time.Duration // for other files, and for the parser; 0 is what fits between two keystrokes
}

func newCompleter(e engine.Engine) Completer { return newSessions(e, limits{decode: decodeBudget}) }

func newSessions(e engine.Engine, l limits) Completer {
	c := completion.New(e)
	return sessions{c.NewSessions(), c, l}
}

// Complete completes.
func (c sessions) Complete(ctx context.Context, q Question) (Answer, error) {
	s, err := c.Of(q.Path).Complete(ctx, q.document(), c.options(q))
	if err != nil {
		return Answer{}, err
	}
	if s.Reused {
		return Answer{Text: s.Text, Replace: s.Replace, Stages: []ExplanationStage{{Name: "reuse", MS: s.TotalMillis, Note: "an earlier request's, what was typed of it taken off"}}}, nil
	}
	return Answer{Text: s.Text, Replace: s.Replace, Stages: stagesOf(s)}, nil
}

// stagesOf are the steps of a suggestion that was computed. The time until the
// first text is the prefill's: one token of it is decoded, or none comes at all.
func stagesOf(s completion.Suggestion) (stages []ExplanationStage) {
	rest := s.TotalMillis
	if s.Context != nil {
		rest -= s.Context.Millis
		stages = append(stages, ExplanationStage{Name: "context", MS: s.Context.Millis, Note: s.Context.String()})
	}
	prefill := s.TTFTMillis
	if prefill == 0 {
		prefill = rest
	}
	return append(stages,
		ExplanationStage{Name: "prompt", Note: fmt.Sprintf("layout %s, %d tokens", s.Layout, s.PromptTokens)},
		ExplanationStage{Name: "prefill", MS: prefill, Note: fmt.Sprintf("%d tokens computed, %d cached", s.PrefillTokens, s.CachedTokens)},
		ExplanationStage{Name: "decode", MS: max(rest-prefill, 0), Note: fmt.Sprintf("%d tokens, ended by %s", s.DecodedTokens, s.Stop)},
	)
}

// Changed stops what does not go with the edit.
func (c sessions) Changed(q Question) { c.Of(q.Path).Changed(q.document()) }

// Moved prefills.
func (c sessions) Moved(q Question) { c.Of(q.Path).Moved(q.document(), c.options(q)) }

// Look indexes.
func (c sessions) Look(snapshot *workspace.Snapshot) { c.completer.Look(snapshot) }

// Closed forgets.
func (c sessions) Closed(path string) { c.Sessions.Close(path) }

// Close forgets everything.
func (c sessions) Close() {
	c.Sessions.CloseAll()
	c.completer.Close()
}

func (q Question) document() completion.Document {
	return completion.Document{Path: q.Path, Language: q.Language, Text: q.Text, Offset: q.Offset, Snapshot: q.Snapshot}
}

func (l limits) options(q Question) completion.Options {
	o := completion.Options{MaxTokens: q.MaxTokens, Budget: l.decode, ContextTime: l.extras, CheckTime: l.extras}
	if q.Manual {
		o.Budget = 0
	}
	return o
}
