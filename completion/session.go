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

	mu           sync.Mutex
	streams      []*stream // the last is the newest; only that one may still run
	stopWarming  context.CancelFunc
	place        *place // where it was asked last
	known        *place // the last one whose whole prompt is or was in the cache
	stopSettling context.CancelFunc
	turn         int         // counts what happens, for refresh to see that something did
	pause        *time.Timer // runs refresh
	checker      checker
}

// NewSession begins a document.
func (c *Completer) NewSession() *Session {
	return &Session{
		completer: c, stopWarming: func() {}, stopSettling: func() {}, pause: time.NewTimer(0),
	}
}

// Complete suggests what to insert at doc's cursor. Only the newest request of a
// document should still be waiting: the caller cancels the older ones, with
// [ErrSuperseded] as the cause.
func (s *Session) Complete(ctx context.Context, doc Document, opts Options) (Suggestion, error) {
	if err := doc.check(); err != nil {
		return Suggestion{}, err
	}
	begin := s.completer.now()
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
			answer = answer.served(s.completer.now().Sub(begin))
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
	defer s.refreshLater(doc, opts)
	for i := len(s.streams) - 1; i >= 0; i-- {
		if st := s.streams[i]; st.fits(before, after) {
			s.stopNewest(st)
			st.join()
			typed, _ := st.typedSince(before, after)
			return st, typed, true, nil
		}
	}
	s.stopNewest(nil)
	st, err = startStream(context.WithoutCancel(ctx), s.completer, doc, s.checker.begin(doc, max(opts.CheckTime, syntax.DefaultLimit)), s.placeOf(doc, opts), opts)
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

// placeOf is doc's place. Where the cursor has come from another one, a few lines
// answer at once while the whole is being prefilled.
func (s *Session) placeOf(doc Document, opts Options) *place {
	if s.place.holds(doc.Text[:doc.Offset], doc.Text[doc.Offset:]) {
		return s.place
	}
	s.stopSettling()
	whole := s.completer.newPlace(doc, opts, s.known)
	if s.known == nil {
		s.place, s.known = whole, whole
		return whole
	}
	brief := s.completer.briefPlace(doc)
	s.place = brief
	var ctx context.Context
	ctx, s.stopSettling = context.WithCancel(context.Background())
	go s.settle(ctx, brief, whole, doc, opts)
	return brief
}

// settle prefills what the whole place shows and puts it in the brief one's stead.
// It goes on while somebody types there, whenever the engine has time.
func (s *Session) settle(ctx context.Context, brief, whole *place, doc Document, opts Options) {
	layout, err := layoutFor(s.completer.engine.Info(), opts.Layout)
	if err != nil {
		return // the request says so
	}
	before := doc.Text[:doc.Offset]
	done := s.completer.warm(ctx, brief.view(before), layout, opts) && s.completer.warm(ctx, whole.view(before), layout, opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	if done && s.place == brief {
		s.place, s.known = whole, whole
	}
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
	at, ctx := s.placeOf(doc, opts), s.warming()
	if !at.brief { // else it settles
		go func() { s.completer.warm(ctx, at.view(before), layout, opts) }()
	}
}

// refreshLater runs refresh when nothing happens in the document for a while.
func (s *Session) refreshLater(doc Document, opts Options) {
	turn := s.turn
	s.pause.Stop()
	s.pause = time.AfterFunc(idle, func() { s.refresh(doc, opts, turn) })
}

// refresh takes anew what prompts show around the place, if nothing happened
// since turn. It takes effect when it is prefilled: who types on meanwhile goes
// on with what the cache has.
func (s *Session) refresh(doc Document, opts Options, turn int) {
	s.mu.Lock()
	if s.turn != turn || s.place.brief {
		s.mu.Unlock()
		return
	}
	old, ctx := s.place, s.warming()
	next := s.completer.renewed(old, doc, opts)
	s.mu.Unlock()
	layout, err := layoutFor(s.completer.engine.Info(), opts.Layout)
	if err != nil || next.sameAs(old) {
		return
	}
	done := s.completer.warm(ctx, next.view(doc.Text[:doc.Offset]), layout, opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	if done && s.turn == turn {
		s.place, s.known = next, next
	}
}

// warming is the context of a prefill ahead, which ends when something happens.
func (s *Session) warming() context.Context {
	s.stopWarming()
	var ctx context.Context
	ctx, s.stopWarming = context.WithCancel(context.Background())
	return ctx
}

// Changed tells the state of the document after an edit, before anything is
// asked: an engine that is saying something else stops at once.
func (s *Session) Changed(doc Document) {
	if doc.check() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	if n := len(s.streams); n > 0 && !s.streams[n-1].fits(doc.Text[:doc.Offset], doc.Text[doc.Offset:]) {
		s.streams[n-1].stop()
	}
}

// Stop ends what the engine is doing for the document, for good.
func (s *Session) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopNewest(nil)
	s.stopSettling()
	s.checker.close()
}

// stopNewest stops what may still run, unless it is but.
func (s *Session) stopNewest(but *stream) {
	s.turn++
	s.pause.Stop()
	s.stopWarming()
	if n := len(s.streams); n > 0 && s.streams[n-1] != but {
		s.streams[n-1].stop()
	}
}
