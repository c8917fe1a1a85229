// Package completion turns a document and a cursor into a suggestion: it lays
// the prompt out, asks an engine to continue it and cuts what comes back. It
// sees text before and after the cursor only, and knows neither editors nor
// positions other than byte offsets, neither tokens' ids nor devices.
package completion

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"tandem/completion/prompt"
	"tandem/engine"
)

// Limits of a completion where Options and the model leave them open.
const (
	maxTokens       = 64   // a suggestion longer than that is not read
	maxLines        = 16   // of a suggestion
	prefixTokensMax = 1024 // about 100 lines: 2 s of prefill on two cores, once per place
	suffixTokensMax = 256
)

// Document is a file as an editor holds it and where its cursor stands.
type Document struct {
	Path   string // for messages
	Text   string
	Offset int // of the cursor, in bytes
}

// Options choose how to complete. The zero value is the default for the model.
type Options struct {
	Layout    string // a layout's name; "" takes the model's, see DefaultLayout
	NoHeal    bool   // start a fresh token at the cursor, even inside a word
	MaxTokens int    // of the suggestion; 0 means 64
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
	// parser ("syntax") or the engine's reason.
	Stop string `json:"stop"`
	// Typed is what Type had typed when it asked for this suggestion.
	Typed string `json:"typed,omitempty"`
	// Reused suggestions cost the engine nothing: an earlier request's text, or
	// what of it is still to be typed.
	Reused bool `json:"reused,omitempty"`
}

// Completer completes documents with one engine. It holds no state of its own
// and is safe for concurrent use; the engine stays its caller's.
type Completer struct {
	engine     engine.Engine
	checkLimit time.Duration // of the parser, once the engine has ended
}

// New returns a Completer that asks e.
func New(e engine.Engine) *Completer { return &Completer{engine: e, checkLimit: checkLimit} }

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

// request is what c asks its engine: to go on behind before, with suffix below.
func (c *Completer) request(before, suffix string, layout prompt.Layout, opts Options) engine.Request {
	n := opts.MaxTokens
	if n <= 0 {
		n = maxTokens
	}
	fim := window(c.engine.Info(), n).Cut(before, suffix, c.engine.CountTokens)
	p := layout.Build(fim, !opts.NoHeal)
	return engine.Request{
		Prompt: p.Pieces, Heal: p.Heal, MaxTokens: n, StopTokens: prompt.StopTokens(), Priority: engine.Completion,
	}
}

// finish makes a suggestion of all that the engine said.
func (r rule) finish(raw string, res engine.Result) Suggestion {
	text, stop := r.cutLines(raw, true)
	broken := false
	if stop == "" {
		stop = string(res.Stop)
		broken = res.Stop == engine.StopLimit
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

// window is how much of a file fits beside n tokens of suggestion.
func window(info engine.Info, n int) prompt.Window {
	w := prompt.Window{PrefixTokens: prefixTokensMax, SuffixTokens: suffixTokensMax}
	const special = 8 // FIM tokens and what a cut between pieces may add
	if room := info.MaxTokens - n - special; info.MaxTokens > 0 && room < prefixTokensMax+suffixTokensMax {
		room = max(0, room)
		w.PrefixTokens, w.SuffixTokens = room-room/5, room/5
	}
	return w
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
