package completion

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/engine"
)

// paced is an engine whose test lets it say one text after the other.
type paced struct {
	mu       sync.Mutex
	requests []engine.Request
	say      chan string   // each is emitted; closing it ends the generation
	stopped  chan struct{} // told when a generation ends by a cancel
	counts   map[engine.Priority]int
}

func newPaced() *paced {
	return &paced{say: make(chan string), stopped: make(chan struct{}, 8), counts: map[engine.Priority]int{}}
}

func (p *paced) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	p.mu.Lock()
	p.counts[req.Priority]++
	p.requests = append(p.requests, req)
	p.mu.Unlock()
	if req.MaxTokens == 0 {
		return engine.Result{Stop: engine.StopLimit}, nil
	}
	for {
		select {
		case text, ok := <-p.say:
			if !ok {
				return engine.Result{Stop: engine.StopToken, DecodedTokens: 1}, nil
			}
			if !emit(text) {
				return engine.Result{Stop: engine.StopCaller, DecodedTokens: 1}, nil
			}
		case <-ctx.Done():
			p.stopped <- struct{}{}
			return engine.Result{Stop: engine.StopCancelled}, ctx.Err()
		}
	}
}

func (p *paced) CountTokens(text string) int { return (len(text) + 3) / 4 }
func (p *paced) Info() engine.Info           { return engine.Info{} }
func (p *paced) Close() error                { return nil }

func (p *paced) count(priority engine.Priority) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[priority]
}

// asked is a request under way.
type asked struct {
	cancel context.CancelCauseFunc
	answer chan Suggestion
	failed chan error
}

func ask(s *Session, doc Document) *asked {
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &asked{cancel, make(chan Suggestion, 1), make(chan error, 1)}
	go func() {
		got, err := s.Complete(ctx, doc, Options{})
		if err != nil {
			a.failed <- err
			return
		}
		a.answer <- got
	}()
	return a
}

// What was suggested and is typed needs no engine.
func TestTypingWhatWasSuggested(t *testing.T) {
	e := &scripted{says: "return x", stop: engine.StopToken}
	s := New(e).NewSession()
	first, err := s.Complete(context.Background(), at("f(¦\n"), Options{})
	if err != nil || first.Text != "return x" || first.Reused {
		t.Fatalf("%+v, %v", first, err)
	}
	asked := len(e.generations())
	for typed, want := range map[string]string{"r": "eturn x", "return": " x", "return ": "x", "": "return x"} {
		got, err := s.Complete(context.Background(), at("f("+typed+"¦\n"), Options{})
		if err != nil || got.Text != want || !got.Reused || got.DecodedTokens != 0 {
			t.Errorf("typed %q: %+v, %v", typed, got, err)
		}
	}
	if n := len(e.generations()); n != asked {
		t.Errorf("%d more requests", n-asked)
	}
	for name, doc := range map[string]string{
		"another character": "f(x¦\n", "everything": "f(return x¦\n", "an edit above": "g(¦\n", "an edit below": "f(¦\n\n",
	} {
		if got, err := s.Complete(context.Background(), at(doc), Options{}); err != nil || got.Reused {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A running request goes on while what is typed agrees with what it says.
func TestRunningRequestGoesOn(t *testing.T) {
	e := newPaced()
	s := New(e).NewSession()
	first := ask(s, at("f(¦\n"))
	e.say <- "re"
	first.cancel(ErrSuperseded)
	if err := <-first.failed; !errors.Is(err, ErrSuperseded) {
		t.Fatal(err)
	}
	ahead := ask(s, at("f(ret¦\n")) // more than it has said yet
	e.say <- "turn x"
	close(e.say)
	if got := <-ahead.answer; got.Text != "urn x" || !got.Reused {
		t.Errorf("%+v", got)
	}
	if n := e.count(engine.Completion); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// It stops as soon as they part, and the new request gets its own.
func TestPartedRequestStops(t *testing.T) {
	e := newPaced()
	s := New(e).NewSession()
	first := ask(s, at("f(¦\n"))
	e.say <- "re"
	first.cancel(ErrSuperseded)
	ahead := ask(s, at("f(rex¦\n"))
	e.say <- "turn" // not what was typed
	<-e.stopped
	e.say <- "y"
	close(e.say)
	if got := <-ahead.answer; got.Text != "y" || got.Reused {
		t.Errorf("%+v", got)
	}
}

// An edit that parts with it stops it before anything new is asked.
func TestChangeStopsWhatParts(t *testing.T) {
	e := newPaced()
	s := New(e).NewSession()
	first := ask(s, at("f(¦\n"))
	e.say <- "re"
	s.Changed(at("f(r¦\n"))
	e.say <- "turn"
	s.Changed(at("f(x¦\n"))
	<-e.stopped
	if err := <-first.failed; !errors.Is(err, ErrSuperseded) {
		t.Error(err)
	}
}

// A cancel that is not for the sake of a newer request stops the engine.
func TestCancelStopsTheEngine(t *testing.T) {
	e := newPaced()
	s := New(e).NewSession()
	first := ask(s, at("f(¦\n"))
	e.say <- "re"
	first.cancel(nil)
	<-e.stopped
	if err := <-first.failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	again := ask(s, at("f(¦\n"))
	e.say <- "x"
	close(e.say)
	if got := <-again.answer; got.Text != "x" || got.Reused {
		t.Errorf("%+v", got)
	}
}

// The prompt below the cursor stays as it was while somebody types there, and is
// taken anew when nobody does.
func TestPlaceKeepsTheSuffix(t *testing.T) {
	e := &scripted{says: "x", stop: engine.StopToken, info: engine.Info{Model: "Qwen2.5 Coder 0.5B"}}
	s := New(e).NewSession()
	suffix := func(doc string) string {
		t.Helper()
		if _, err := s.Complete(context.Background(), at(doc), Options{}); err != nil {
			t.Fatal(err)
		}
		requests := e.generations()
		for _, piece := range requests[len(requests)-1].Prompt {
			if !piece.Special {
				return piece.Text
			}
		}
		return ""
	}
	for _, step := range []struct {
		doc, want string
		pause     bool
	}{
		{"a\nf¦\nz\n", "\nz\n", false},
		{"a\nf(¦)\nz\n", "\nz\n", false},  // the editor closed it
		{"a\nf(¦)\ny\n", ")\ny\n", false}, // an edit below shows at once: the text is another
		{"a\nf(b¦)\ny\n", ")\ny\n", false},
		{"a\nf(b¦\ny\n", ")\ny\n", true},
		{"a\nf(bc¦\ny\n", "\ny\n", false}, // after the pause
		{"b\nf(b¦)\ny\n", "\ny\n", false},
	} {
		if got := suffix(step.doc); got != step.want {
			t.Errorf("%q: the prompt shows %q, want %q", step.doc, got, step.want)
		}
		if step.pause {
			s.refresh(at(step.doc), Options{}, s.turn)
		}
	}
}

// What happens during a refresh keeps the place as it is: the cache has that.
func TestRefreshGivesWay(t *testing.T) {
	e := newPaced()
	close(e.say)
	s := New(e).NewSession()
	if _, err := s.Complete(context.Background(), at("f(¦\n"), Options{}); err != nil {
		t.Fatal(err)
	}
	old := s.place
	s.refresh(at("f(¦)\n"), Options{}, s.turn-1)
	if s.place != old {
		t.Error("another turn's refresh took effect")
	}
	s.refresh(at("f(¦\n"), Options{}, s.turn)
	if s.place != old || e.count(engine.WarmUp) != 0 {
		t.Error("nothing is new, and yet something was done")
	}
	s.refresh(at("f(¦)\n"), Options{}, s.turn)
	if s.place == old || e.count(engine.WarmUp) != 1 {
		t.Error("the refresh took no effect")
	}
}

// When the time is over a suggestion ends with its line, not within it, and with
// a block that it has opened, if that does not take too long.
func TestTimeBudget(t *testing.T) {
	const block = "if a {\n\t\tb()\n\t}\n\tc()\n\td()\n"
	for name, test := range map[string]struct {
		says, want, stop string
		budget           time.Duration // in characters
	}{
		"in time":             {"a()\n\tb()\n\n", "a()\n\tb()", "blank", 100},
		"no budget":           {block, "if a {\n\t\tb()\n\t}\n\tc()\n\td()", "token", 0},
		"one line":            {"a()\n\tb()\n\n", "a()", timeUp, 2},
		"two lines":           {"a()\n\tb()\n\tc()\n", "a()\n\tb()", timeUp, 8},
		"in its first line":   {"a()\n\tb()\n", "a()", timeUp, 1},
		"its only line":       {"a()", "a()", "token", 2},
		"no end of a line":    {"abcdefghijklmnop", "abcdefghij", timeUp, 3},
		"a block":             {block, "if a {\n\t\tb()\n\t}", timeUp, 6},
		"a block in overtime": {block, "if a {\n\t\tb()", timeUp, 4},
		"much overtime":       {block, "if a {", timeUp, 2},
	} {
		c := New(&scripted{says: test.says, stop: engine.StopToken})
		clock := time.Unix(0, 0)
		c.now = func() time.Time { clock = clock.Add(time.Second); return clock }
		got, err := c.Complete(context.Background(), at("package p\n\nfunc f() {\n\t¦\n}\n"), Options{Budget: test.budget * time.Second, CheckTime: time.Minute})
		if err != nil || got.Text != test.want || got.Stop != test.stop {
			t.Errorf("%s: %q (%s), %v", name, got.Text, got.Stop, err)
		}
	}
}

func TestPending(t *testing.T) {
	for _, test := range []struct{ path, left, text, want string }{
		{"a.go", "\t", "x := f(a[", "])"}, {"a.go", "f(", "a", ""}, {"a.go", "", "x := \"(\"", ""},
		{"a.py", "  ", "for x in f(", ")"}, {"a.py", "for ", "x in y:", " pass"}, {"a.py", "", "x = {", "}"},
	} {
		doc := Document{Path: test.path, Text: test.left, Offset: len(test.left)}
		if got := ruleAt(doc).pending(test.text); got != test.want {
			t.Errorf("%s: %q%q lacks %q, want %q", test.path, test.left, test.text, got, test.want)
		}
	}
}

// A shown suggestion and the place of the cursor are prefilled.
func TestPrefillAhead(t *testing.T) {
	e := newPaced()
	s := New(e).NewSession()
	first := ask(s, at("f(¦\n"))
	e.say <- "abc"
	close(e.say)
	<-first.answer
	until(t, func() bool { return e.count(engine.WarmUp) == 1 })
	last := e.requests[len(e.requests)-1]
	if text := last.Prompt[len(last.Prompt)-1].Text; last.MaxTokens != 0 || !strings.HasSuffix(text, "abc") {
		t.Errorf("%+v", last)
	}
	s.Moved(at("f(¦\n"), Options{}) // where it is already
	s.Moved(at("¦\nf(\n"), Options{})
	until(t, func() bool { return e.count(engine.WarmUp) == 3 }) // the lines around it, then all
}

// until waits for another goroutine to get somewhere.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatal("never happened")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	e := newPaced()
	all := New(e).NewSessions()
	first := all.Of("first")
	running := ask(first, at("f(¦\n"))
	e.say <- "x"
	for i := range sessionsMax - 1 {
		all.Of(strings.Repeat("p", i+1))
	}
	if all.Of("first") != first {
		t.Error("a session was forgotten too early")
	}
	for i := range sessionsMax {
		all.Of(strings.Repeat("q", i+1))
	}
	<-e.stopped // what is forgotten stops
	if err := <-running.failed; err == nil {
		t.Error("no error")
	}
	if len(all.byPath) != sessionsMax || len(all.recent) != sessionsMax || all.Of("first") == first {
		t.Errorf("%d sessions", len(all.byPath))
	}
	all.Close("first")
	all.Close("never")
	if len(all.byPath) != sessionsMax-1 {
		t.Errorf("%d sessions after a close", len(all.byPath))
	}
}
