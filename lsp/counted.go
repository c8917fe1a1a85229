package lsp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tandem/engine"
)

// stats are what tandem/stats tells, counted as it happens.
type stats struct {
	requests, withoutEngine, superseded, cancelled atomic.Int64
	prompt, cached, prefill, decoded, afterCancel  atomic.Int64

	busyMu sync.Mutex
	runs   int // in the engine now
	since  time.Time
	busy   time.Duration // before since
}

// enter and leave enclose work of the engine. Work at the same time counts once.
func (s *stats) enter() {
	s.busyMu.Lock()
	defer s.busyMu.Unlock()
	if s.runs++; s.runs == 1 {
		s.since = time.Now()
	}
}

func (s *stats) leave() {
	s.busyMu.Lock()
	defer s.busyMu.Unlock()
	if s.runs--; s.runs == 0 {
		s.busy += time.Since(s.since)
	}
}

func (s *stats) busyMillis() int64 {
	s.busyMu.Lock()
	defer s.busyMu.Unlock()
	busy := s.busy
	if s.runs > 0 {
		busy += time.Since(s.since)
	}
	return busy.Milliseconds()
}

// counted is an engine whose work is counted.
type counted struct {
	engine.Engine
	stats *stats
}

// asked is a key of a request's context: an *atomic.Bool that tells that the
// engine was asked.
type asked struct{}

// Generate passes the request on and counts what came of it.
func (c counted) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	if flag, ok := ctx.Value(asked{}).(*atomic.Bool); ok {
		flag.Store(true)
	}
	c.stats.enter()
	defer c.stats.leave()
	res, err := c.Engine.Generate(ctx, req, func(text string) bool {
		if ctx.Err() != nil {
			c.stats.afterCancel.Add(1)
		}
		return emit(text)
	})
	c.stats.prompt.Add(int64(res.PromptTokens))
	c.stats.cached.Add(int64(res.CachedTokens))
	c.stats.prefill.Add(int64(res.PrefillTokens))
	c.stats.decoded.Add(int64(res.DecodedTokens))
	return res, err
}
