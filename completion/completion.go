// Package completion turns a document and a cursor into a suggestion: it lays
// the prompt out, asks an engine to continue it and cuts what comes back. It
// sees text before and after the cursor only, and knows neither editors nor
// positions other than byte offsets, neither tokens' ids nor devices.
package completion

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/completion/prompt"
	"tandem/context/retrieve"
	"tandem/context/workspace"
	"tandem/engine"
)

// Limits of a completion where Options and the model leave them open.
const (
	maxTokens       = 64   // a suggestion longer than that is not read
	maxLines        = 16   // of a suggestion
	prefixTokensMax = 1024 // about 100 lines: 2 s of prefill on two cores, once per place
	suffixTokensMax = 256
	contextTokens   = 512 // of other files; docs/bench.md, "Repository context", has what they bring
)

// Document is a file as an editor holds it and where its cursor stands.
type Document struct {
	Path     string
	Language string // as editors name it
	Text     string
	Offset   int // of the cursor, in bytes
	// Snapshot is the workspace in which other files may help; nil for none.
	Snapshot *workspace.Snapshot
}

// Options choose how to complete. The zero value is the default for the model.
type Options struct {
	Layout    string // a layout's name; "" takes the model's, see DefaultLayout
	NoHeal    bool   // start a fresh token at the cursor, even inside a word
	MaxTokens int    // of the suggestion; 0 means 64
	// Budget is how long to decode before the suggestion ends with the line that
	// it is in; 0 is without end.
	Budget time.Duration
	// ContextTokens bounds what is shown of other files: 0 is the default, less
	// than 0 nothing.
	ContextTokens int
	// ContextTime is how long gathering that may take; 0 is what fits between two
	// keystrokes.
	ContextTime time.Duration
	// CheckTime is how long the parser may take once the engine has ended: 0 is
	// what nobody notices, less than 0 no time at all.
	CheckTime time.Duration
	// Retrievers are the sources of context to use; nil are all.
	Retrievers []string
}

// Suggestion is text to insert at the cursor and what it cost. Its JSON is what
// the complete command prints.
type Suggestion struct {
	Text          string  `json:"text"`              // "" if there is nothing worth showing
	Replace       int     `json:"replace,omitempty"` // bytes right of the cursor, on its line, that Text replaces
	Layout        string  `json:"layout"`
	PromptTokens  int     `json:"prompt_tokens"`
	CachedTokens  int     `json:"cached_tokens"`  // of the prompt, found in the KV cache
	PrefillTokens int     `json:"prefill_tokens"` // of the prompt, computed
	DecodedTokens int     `json:"decoded_tokens"`
	TTFTMillis    float64 `json:"ttft_ms"`  // until the first text came
	TotalMillis   float64 `json:"total_ms"` // until the suggestion stood
	// Stop says why the text ends: a rule of this package ("line", "lines",
	// "blank", "dedent", "block", "bracket", "suffix", "repeat", "special"), the
	// parser ("syntax"), the budget ("time") or the engine's reason.
	Stop string `json:"stop"`
	// Context is what the prompt showed of other files.
	Context *Context `json:"context,omitempty"`
	// Typed is what Type had typed when it asked for this suggestion.
	Typed string `json:"typed,omitempty"`
	// Reused suggestions cost the engine nothing: an earlier request's text, or
	// what of it is still to be typed.
	Reused bool `json:"reused,omitempty"`
}

// Context tells what a prompt showed of other files and how it was found.
type Context struct {
	retrieve.Result
	Millis float64 `json:"ms"`
}

// String is the context in words: how much came from where.
func (c Context) String() string {
	from := map[string]int{}
	for _, chunk := range c.Chunks {
		from[chunk.Source]++
	}
	var parts []string
	for _, source := range slices.Sorted(maps.Keys(from)) {
		parts = append(parts, fmt.Sprintf("%d %s", from[source], source))
	}
	return fmt.Sprintf("%d chunks of other places: %s", len(c.Chunks), strings.Join(parts, ", "))
}

// Completer completes documents with one engine. It is safe for concurrent use.
// It owns what it knows of the workspace's files; the engine stays its caller's.
type Completer struct {
	engine    engine.Engine
	retriever *retrieve.Retriever
	speed     speed // of the engine
	now       func() time.Time
}

// New returns a Completer that asks e.
func New(e engine.Engine) *Completer {
	return &Completer{engine: e, retriever: retrieve.New(), now: time.Now}
}

// Close frees what c knows of the workspace. The engine stays open.
func (c *Completer) Close() { c.retriever.Close() }

// Look tells what the workspace has become: its files are read in the background.
func (c *Completer) Look(snapshot *workspace.Snapshot) { c.retriever.Update(snapshot) }

// Wait waits until c knows every file of a workspace. Completions do not wait:
// they take what is known.
func (c *Completer) Wait(ctx context.Context, snapshot *workspace.Snapshot) error {
	c.retriever.Update(snapshot)
	return c.retriever.Wait(ctx)
}

// Complete suggests what to insert at doc's cursor. It returns ctx's error when
// ctx ends first.
func (c *Completer) Complete(ctx context.Context, doc Document, opts Options) (Suggestion, error) {
	s := c.NewSession()
	defer s.Stop() // nobody types on: nothing is to be prefilled ahead
	return s.Complete(ctx, doc, opts)
}

// Type completes at doc's cursor, then types text there one character at a time
// and completes after each. Every suggestion goes to each, whose error ends the
// typing and is returned.
func (c *Completer) Type(ctx context.Context, doc Document, text string, opts Options, each func(Suggestion) error) error {
	if err := doc.check(); err != nil {
		return err
	}
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	for typed := 0; ; {
		doc.Text, doc.Offset = before+text[:typed]+after, len(before)+typed
		s, err := c.Complete(ctx, doc, opts)
		if err != nil {
			return err
		}
		s.Typed = text[:typed]
		if err := each(s); err != nil {
			return err
		}
		if typed == len(text) {
			return nil
		}
		_, size := utf8.DecodeRuneInString(text[typed:])
		typed += size
	}
}

// check reports a cursor that does not stand between two characters.
func (d Document) check() error {
	if d.Offset < 0 || d.Offset > len(d.Text) {
		return fmt.Errorf("completion: %s: cursor at byte %d of %d", d.Path, d.Offset, len(d.Text))
	}
	if d.Offset < len(d.Text) && !utf8.RuneStart(d.Text[d.Offset]) {
		return fmt.Errorf("completion: %s: cursor at byte %d is inside a character", d.Path, d.Offset)
	}
	return nil
}

// view is what a prompt shows of a document.
type view struct {
	before, suffix string
	repository     prompt.Repository
}

// request is what c asks its engine: to go on behind v.before.
func (c *Completer) request(v view, layout prompt.Layout, opts Options) engine.Request {
	fim := window(c.engine.Info(), opts).Cut(v.before, v.suffix, c.engine.CountTokens)
	fim.Repository = v.repository
	p := layout.Build(fim, !opts.NoHeal)
	return engine.Request{
		Prompt: p.Pieces, Heal: p.Heal, MaxTokens: opts.tokens(), StopTokens: prompt.StopTokens(), Priority: engine.Completion,
	}
}

// finish makes a suggestion of all that the engine said.
func (r rule) finish(raw string, res engine.Result) Suggestion {
	text, stop := r.cutLines(raw, res.Stop != timeUp)
	broken := stop == "" && res.Stop == engine.StopLimit
	if stop == "" {
		stop = string(res.Stop)
	}
	if stop == timeUp {
		text = wholeLines(text)
	}
	text, replace := r.tidy(text, broken)
	return Suggestion{
		Text:          r.lineEnds(text),
		Replace:       replace,
		PromptTokens:  res.PromptTokens,
		CachedTokens:  res.CachedTokens,
		PrefillTokens: res.PrefillTokens,
		DecodedTokens: res.DecodedTokens,
		TTFTMillis:    millis(res.TTFT),
		Stop:          stop,
	}
}

// tokens is the longest suggestion.
func (o Options) tokens() int {
	if o.MaxTokens > 0 {
		return o.MaxTokens
	}
	return maxTokens
}

// window is how much of a file fits beside a suggestion.
func window(info engine.Info, opts Options) prompt.Window {
	w := prompt.Window{PrefixTokens: prefixTokensMax, SuffixTokens: suffixTokensMax}
	if room := room(info, opts); room < prefixTokensMax+suffixTokensMax {
		w.PrefixTokens, w.SuffixTokens = room-room/5, room/5
	}
	return w
}

// contextTokens is how much of other files fits beside both.
func (c *Completer) contextTokens(opts Options) int {
	n := opts.ContextTokens
	if n == 0 {
		n = contextTokens
	}
	return min(n, room(c.engine.Info(), opts)-prefixTokensMax-suffixTokensMax)
}

// room is what a prompt may have.
func room(info engine.Info, opts Options) int {
	if info.MaxTokens <= 0 {
		return math.MaxInt
	}
	const special = 64 // FIM tokens, paths, and what a cut between pieces may add
	return max(0, info.MaxTokens-opts.tokens()-special)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
