package lsp_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"tandem/context/workspace"
	"tandem/engine"
	"tandem/lsp"
)

// Tokens that are none: hold waits until the request ends or the test lets go,
// fail is an error, lose loses a device and goes on on another one.
const (
	hold = "\x00hold"
	fail = "\x00fail"
	lose = "\x00lose"
)

// script is an engine that plays tokens, the next list for each request and the
// last one again and again. It honours cancelling as a real one does, unless it
// is stubborn.
type script struct {
	mu       sync.Mutex
	plays    [][]string
	requests []engine.Request
	ahead    []engine.Request // that only prefill
	prefills int
	ended    int // requests whose ctx ended while they ran
	closed   bool
	lost     string

	stubborn int           // tokens that still come after the end of ctx
	held     chan struct{} // gets one value for each hold that is reached
	release  chan struct{} // lets holds go on when closed
	returned chan struct{} // gets one value for each request that is over, prefills left out
}

func newScript(plays ...[]string) *script {
	return &script{plays: plays, held: make(chan struct{}, 1000), release: make(chan struct{}), returned: make(chan struct{}, 1000)}
}

func (s *script) next(req engine.Request) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	if len(s.plays) == 0 {
		return nil
	}
	tokens := s.plays[0]
	if len(s.plays) > 1 {
		s.plays = s.plays[1:]
	}
	return tokens
}

func (s *script) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	prompt := 0
	for _, p := range req.Prompt {
		prompt += s.CountTokens(p.Text)
	}
	res := engine.Result{PromptTokens: prompt, PrefillTokens: prompt, Stop: engine.StopToken}
	if req.MaxTokens == 0 { // a prefill ahead of time
		s.mu.Lock()
		defer s.mu.Unlock()
		s.prefills++
		s.ahead = append(s.ahead, req)
		return res, ctx.Err()
	}
	defer func() { s.returned <- struct{}{} }()
	for _, token := range s.next(req) {
		if token == hold {
			s.held <- struct{}{}
			select {
			case <-ctx.Done():
			case <-s.release:
			}
			token = ""
		}
		if token == fail {
			return res, errors.New("the device is on fire")
		}
		if token == lose {
			s.mu.Lock()
			s.lost = "gpu was lost, cpu does its work: restart"
			s.mu.Unlock()
			continue
		}
		if ctx.Err() != nil {
			s.mu.Lock()
			s.ended++
			s.mu.Unlock()
			for range s.stubborn {
				res.DecodedTokens++
				emit("late")
			}
			res.Stop = engine.StopCancelled
			return res, ctx.Err()
		}
		if token == "" {
			continue
		}
		res.DecodedTokens++
		res.Text += token
		if !emit(token) {
			res.Stop = engine.StopCaller
			break
		}
	}
	return res, nil
}

func (s *script) CountTokens(text string) int { return len(strings.Fields(text)) + 1 }
func (s *script) Info() engine.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The path decides the layout: one whose prompt ends with the text before the cursor.
	return engine.Info{Model: "script", Lost: s.lost, Path: "qwen2.5-coder-0.5b.gguf", MaxTokens: 2048, WeightBytes: 100, CacheBytes: 10}
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// finished waits until n more requests are over.
func (s *script) finished(n int) {
	for range n {
		<-s.returned
	}
}

// saw reports whether some prompt, of a prefill ahead too, held text.
func (s *script) saw(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(slices.Concat(s.requests, s.ahead), func(r engine.Request) bool {
		var b strings.Builder
		for _, piece := range r.Prompt {
			b.WriteString(piece.Text)
		}
		return strings.Contains(b.String(), text)
	})
}

func (s *script) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *script) prefilled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prefills
}

// prompt is the text of the last request.
func (s *script) prompt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, p := range s.requests[len(s.requests)-1].Prompt {
		text.WriteString(p.Text)
	}
	return text.String()
}

func (s *script) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// options are those of a server whose model is s and loads at once.
func (s *script) options() lsp.Options {
	return lsp.Options{
		Load:     func(context.Context, string, func(float64)) (engine.Engine, error) { return s, nil },
		Settings: lsp.Settings{Model: "script"},
		Version:  "test",
	}
}

// running starts a session in which the model is loaded and a.go is open.
func running(t *testing.T, s *script, text string, more ...object) *editor {
	t.Helper()
	e := start(t, s.options(), more...)
	e.open("a.go", "go", text)
	e.ready()
	return e
}

// echo is a completer that suggests what it sees.
type echo struct{ f func(lsp.Question) lsp.Answer }

func (c echo) Complete(_ context.Context, q lsp.Question) (lsp.Answer, error) { return c.f(q), nil }
func (c echo) Changed(lsp.Question)                                           {}
func (c echo) Moved(lsp.Question)                                             {}
func (c echo) Closed(string)                                                  {}
func (c echo) Look(*workspace.Snapshot)                                       {}
func (c echo) Close()                                                         {}

// echoing are options with a completer that answers with f.
func echoing(f func(lsp.Question) lsp.Answer) lsp.Options {
	opt := newScript().options()
	opt.Completer = func(engine.Engine) lsp.Completer { return echo{f} }
	return opt
}
