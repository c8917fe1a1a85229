package completion

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tandem/completion/prompt"
	"tandem/engine"
)

// stream is one run of the engine and what it has said so far. It is begun for
// one state of a document and goes on as long as what is typed agrees with it:
// requests come and go, each waiting for its end.
//
// Its goroutine owns the generation and writes the fields under mu; any number
// of requests read them and wait for changed.
type stream struct {
	before, after string // the document at its beginning, apart at the cursor
	rule          rule
	syntax        *check
	cancel        context.CancelFunc

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when more is known
	text    string        // said so far, cut by the rule
	ended   bool
	stopped bool // before its end: it says no more
	result  Suggestion
	err     error
	waiting int // requests
}

// startStream asks c's engine to complete doc, which syntax is a check of, at its
// place. ctx ends it, and so does stop.
func startStream(ctx context.Context, c *Completer, doc Document, syntax *check, at *place, opts Options) (*stream, error) {
	layout, err := layoutFor(c.engine.Info(), opts.Layout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{
		before: doc.Text[:doc.Offset], after: doc.Text[doc.Offset:], rule: ruleAt(doc),
		syntax: syntax, cancel: cancel, changed: make(chan struct{}),
	}
	go func() {
		defer cancel()
		s.run(ctx, c, doc.Path, at, layout, opts)
	}()
	return s, nil
}

func (s *stream) run(ctx context.Context, c *Completer, path string, at *place, layout prompt.Layout, opts Options) {
	begin := c.now()
	found := at.repository()
	gathered := c.now().Sub(begin) // nothing where the place was known
	v := at.view(s.before)
	var raw strings.Builder
	budget, late := clock{budget: opts.Budget, now: c.now}, false
	res, err := c.engine.Generate(ctx, c.request(v, layout, opts), func(text string) bool {
		raw.WriteString(text)
		kept, end := s.rule.cut(raw.String(), false)
		s.update(func() { s.text = kept })
		late = end == "" && s.rule.mayEnd(kept, budget.spent())
		return end == "" && !late
	})
	if late {
		res.Stop = timeUp
	}
	c.speed.learn(res.PrefillTokens, res.Prefill)
	if err != nil {
		err = fmt.Errorf("completion: %s, layout %s: %w", path, layout.Name(), err)
	}
	final := s.syntax.cut(s.rule.finish(raw.String(), res), s.rule, cmp.Or(opts.CheckTime, checkTime))
	final.Layout, final.TotalMillis = layout.Name(), millis(c.now().Sub(begin))
	if len(found.Reports) > 0 {
		final.Context = &Context{found.Result, millis(gathered)}
	}
	s.update(func() {
		s.text, s.result, s.err, s.ended = final.Text, final, err, true
		s.stopped = s.stopped || ctx.Err() != nil
	})
	if err == nil && final.Text != "" {
		// A suggestion that is shown is prefilled as if it were accepted.
		v.before += final.Text
		c.warm(ctx, v, layout, opts)
	}
}

// clock measures a suggestion's time against its budget. It begins with the first
// text: what comes before is the prompt's cost, which a shorter text does not save.
type clock struct {
	budget time.Duration
	now    func() time.Time
	begin  time.Time
}

// spent is how many times the budget is spent. The first call begins it.
func (c *clock) spent() float64 {
	if c.budget <= 0 {
		return 0
	}
	now := c.now()
	if c.begin.IsZero() {
		c.begin = now
	}
	return float64(now.Sub(c.begin)) / float64(c.budget)
}

// warm prefills the prompt that shows v, with the least priority, and reports
// whether it came to its end.
func (c *Completer) warm(ctx context.Context, v view, layout prompt.Layout, opts Options) bool {
	req := c.request(v, layout, opts)
	req.MaxTokens, req.Priority = 0, engine.WarmUp
	_, err := c.engine.Generate(ctx, req, func(string) bool { return true })
	if err != nil && ctx.Err() == nil {
		slog.Debug("completion: prefill ahead", "error", err)
	}
	return err == nil
}

// stop ends the engine's work, if it is not done.
func (s *stream) stop() {
	s.update(func() { s.stopped = s.stopped || !s.ended })
	s.cancel()
}

// update changes what is known and wakes everybody who waits.
func (s *stream) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// agreement is how a later state of a document goes with a stream.
type agreement int

const (
	parted  agreement = iota // it says something else, or can say nothing any more
	unknown                  // more was typed than it has said so far
	agrees                   // what was typed is the beginning of what it says
)

// typedSince is what was typed at s's cursor to get from its document to the one
// that stands before and after the cursor now; false if something else changed.
func (s *stream) typedSince(before, after string) (typed string, ok bool) {
	typed, ok = strings.CutPrefix(before, s.before)
	return typed, ok && after == s.after
}

// check compares what was typed with what s says. Callers hold s.mu.
func (s *stream) check(typed string) agreement {
	switch {
	case s.stopped || s.err != nil:
		return parted
	case s.ended && typed == s.text:
		// Everything was typed. Nothing to suggest is an answer too, but only
		// where it was asked for.
		if typed == "" {
			return agrees
		}
		return parted
	case strings.HasPrefix(s.text, typed):
		return agrees
	case !s.ended && strings.HasPrefix(typed, s.text):
		return unknown
	}
	return parted
}

// fits reports whether s may still answer for the document.
func (s *stream) fits(before, after string) bool {
	typed, ok := s.typedSince(before, after)
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.check(typed) != parted
}

// join and leave enclose a request that waits. When nobody waits any more the
// engine stops, after patience: where a request was superseded, the newer one is
// on its way.
func (s *stream) join() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
}

func (s *stream) leave(patience time.Duration) {
	s.mu.Lock()
	s.waiting--
	s.mu.Unlock()
	if patience == 0 {
		s.stopUnwanted()
		return
	}
	time.AfterFunc(patience, s.stopUnwanted)
}

// stopUnwanted stops s if nobody waits for it.
func (s *stream) stopUnwanted() {
	s.mu.Lock()
	wanted := s.waiting > 0 || s.ended
	s.mu.Unlock()
	if !wanted {
		s.stop()
	}
}

// wait returns s's suggestion for a document in which typed has been typed since
// it began; ok is false as soon as the two part. It ends with ctx's cause, and
// with [ErrSuperseded] if s is stopped for another's sake.
func (s *stream) wait(ctx context.Context, typed string) (answer Suggestion, ok bool, err error) {
	for {
		s.mu.Lock()
		verdict, ended, stopped, changed := s.check(typed), s.ended, s.stopped, s.changed
		answer, err = s.result, s.err
		s.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return Suggestion{}, false, context.Cause(ctx)
		case stopped:
			return Suggestion{}, false, ErrSuperseded
		case err != nil:
			return Suggestion{}, false, err
		case verdict == parted:
			return Suggestion{}, false, nil
		case ended:
			answer.Text = strings.TrimPrefix(answer.Text, typed)
			return answer, true, nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}
