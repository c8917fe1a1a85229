package completion

import (
	"context"
	"errors"
	"sync"
	"time"

	"tandem/context/syntax"
)

// ErrSuperseded is the cause (context.WithCancelCause) with which a request is
// cancelled because its document has a newer one, or will have: the engine's work
// may go on for that. Any other cancel stops it.
var ErrSuperseded = errors.New("a newer request has come")

// patience is how long the engine goes on for a request that was superseded until
// the newer one is there: longer than an editor waits between a keystroke and its
// request, and a few tokens.
const patience = 300 * time.Millisecond

// streamsMax is how many streams of a document are remembered: enough to go back
// some steps, and bounded in memory.
const streamsMax = 16

// Session completes one document while it is being typed in. It answers from
// what it has computed already where that still fits, lets the engine go on
// where what is typed agrees with what it says, and stops it as soon as not.
//
// Its methods may be called from any goroutine, in the order of the document's
// versions. mu guards what follows it; nothing waits under it.
type Session struct {
	completer *Completer
	now       func() time.Time

	mu          sync.Mutex
	streams     []*stream // the last is the newest; only that one may still run
	stopWarming context.CancelFunc
	burst       burst
	checker     checker
}

// NewSession begins a document.
func (c *Completer) NewSession() *Session {
	return &Session{
		completer: c, now: time.Now, stopWarming: func() {},
		checker: checker{parseLimit: max(c.checkLimit, syntax.DefaultLimit)},
	}
}

// Complete suggests what to insert at doc's cursor. Only the newest request of a
// document should still be waiting: the caller cancels the older ones, with
// [ErrSuperseded] as the cause.
func (s *Session) Complete(ctx context.Context, doc Document, opts Options) (Suggestion, error) {
	if err := doc.check(); err != nil {
		return Suggestion{}, err
	}
	begin := s.now()
	for {
		st, typed, reused, err := s.streamFor(ctx, doc, opts)
		if err != nil {
			return Suggestion{}, err
		}
		answer, ok, err := st.wait(ctx, typed)
		if errors.Is(context.Cause(ctx), ErrSuperseded) {
			st.leave(patience)
		} else {
			st.leave(0)
		}
		if err != nil {
			return Suggestion{}, err
		}
		if !ok {
			continue // what was typed was not what it went on to say
		}
		if reused {
			answer = answer.served(s.now().Sub(begin))
		}
		return answer, nil
	}
}

// served is a suggestion that another request has paid for.
func (s Suggestion) served(took time.Duration) Suggestion {
	s.Reused = true
	s.PromptTokens, s.CachedTokens, s.PrefillTokens, s.DecodedTokens = 0, 0, 0, 0
	s.TTFTMillis, s.TotalMillis = millis(took), millis(took)
	return s
}

// streamFor finds a stream that still fits doc, and what was typed since it
// began, or begins one.
func (s *Session) streamFor(ctx context.Context, doc Document, opts Options) (st *stream, typed string, reused bool, err error) {
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.streams) - 1; i >= 0; i-- {
		if st := s.streams[i]; st.fits(before, after) {
			s.stopNewest(st)
			st.join()
			typed, _ := st.typedSince(before, after)
			return st, typed, true, nil
		}
	}
	s.stopNewest(nil)
	st, err = startStream(context.WithoutCancel(ctx), s.completer, doc, s.checker.begin(doc), s.burst.suffix(before, after, s.now()), opts)
	if err != nil {
		return nil, "", false, err
	}
	if len(s.streams) == streamsMax {
		s.streams = append(s.streams[:0], s.streams[1:]...)
	}
	s.streams = append(s.streams, st)
	st.join()
	return st, "", false, nil
}

// Moved tells that the cursor has come to another place without an edit. What is
// computed for the old one stops, and what a request at the new one would show
// the model is prefilled, until the next call.
func (s *Session) Moved(doc Document, opts Options) {
	layout, err := layoutFor(s.completer.engine.Info(), opts.Layout)
	if err != nil || doc.check() != nil {
		return // a request will say so
	}
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.streams); n > 0 && s.streams[n-1].fits(before, after) {
		return // it is where the engine is at work or has been
	}
	s.stopNewest(nil)
	ctx, cancel := context.WithCancel(context.Background())
	s.stopWarming = cancel
	suffix := s.burst.suffix(before, after, s.now())
	go func() {
		defer cancel()
		s.completer.warm(ctx, before, suffix, layout, opts)
	}()
}

// Changed tells the state of the document after an edit, before anything is
// asked: an engine that is saying something else stops at once.
func (s *Session) Changed(doc Document) {
	if doc.check() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.streams); n > 0 && !s.streams[n-1].fits(doc.Text[:doc.Offset], doc.Text[doc.Offset:]) {
		s.streams[n-1].stop()
	}
}

// Stop ends what the engine is doing for the document, for good.
func (s *Session) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopNewest(nil)
	s.checker.close()
}

// stopNewest stops what may still run, unless it is but.
func (s *Session) stopNewest(but *stream) {
	s.stopWarming()
	if n := len(s.streams); n > 0 && s.streams[n-1] != but {
		s.streams[n-1].stop()
	}
}
