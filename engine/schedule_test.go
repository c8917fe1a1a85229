package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"tandem/internal/bug"
	"tandem/kernels/op"
)

// outcome is what a background request ended with.
type outcome struct {
	trace
	err error
}

// ask starts a request of n tokens behind a prompt of size times token.
func (l *Local) ask(ctx context.Context, p Priority, token int32, size, n int) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		tr, err := l.greedy(ctx, p, same(token, size), n)
		ended <- outcome{tr, err}
	}()
	return ended
}

// wait is the outcome of an asked request, which must come.
func wait(t *testing.T, ended <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-ended:
		return o
	case <-time.After(patience):
		t.Fatal("the request did not end")
		return outcome{}
	}
}

// queued waits until n jobs are in the executor.
func (l *Local) queued(t *testing.T, n int) {
	t.Helper()
	e := l.decode.executor
	for begin := time.Now(); ; runtime.Gosched() {
		e.queueMu.Lock()
		load := e.load
		e.queueMu.Unlock()
		if load == n {
			return
		}
		if time.Since(begin) > patience {
			t.Fatalf("%d jobs in the executor, want %d", load, n)
		}
	}
}

func openGated(t *testing.T) (*Local, *gated) {
	g := newGated(openCPU(t))
	return openOn(t, g), g
}

// TestPriorities: a completion that comes while a chat's prompt is computed
// waits for one chunk, and a warm-up waits for both.
func TestPriorities(t *testing.T) {
	l, g := openGated(t)
	chat := l.ask(t.Context(), Chat, 1, 100, 2)
	first := g.next(t)
	if n := first.rowsOf(1); n != rowsFirst {
		t.Errorf("the first chunk has %d rows, want %d", n, rowsFirst)
	}
	warm := l.ask(t.Context(), WarmUp, 2, 50, 1)
	completion := l.ask(t.Context(), Completion, 3, 200, 2)
	l.queued(t, 3)
	first.run()
	second := g.next(t)
	if a, b, c := second.rowsOf(1), second.rowsOf(2), second.rowsOf(3); a != 0 || b != 0 || c != 200 {
		t.Errorf("rows of chat, warm-up, completion: %d, %d, %d, want 0, 0, 200: a completion's prompt is not cut up", a, b, c)
	}
	second.run()
	third := g.next(t)
	if len(third.seqs) != 1 || len(third.seqs[0]) != 1 {
		t.Errorf("a prompt is computed beside a completion that decodes: %v", third.seqs)
	}
	third.run()
	if o := wait(t, completion); o.err != nil {
		t.Fatal(o.err)
	}
	for done := false; !done; {
		s := g.next(t)
		if s.rowsOf(2) > 0 && s.rowsOf(1) > 1 {
			t.Error("a warm-up is computed beside a chat's prompt")
		}
		if s.rowsOf(1) == 0 {
			done = s.rowsOf(2) > 0
		}
		s.run()
	}
	g.free(t)
	if a, b := wait(t, chat), wait(t, warm); a.err != nil || b.err != nil {
		t.Error(a.err, b.err)
	}
}

// TestJoinAndLeave: requests that decode share steps, and come and go between them.
func TestJoinAndLeave(t *testing.T) {
	l, g := openGated(t)
	a := l.ask(t.Context(), Completion, 1, 10, 4)
	s := g.next(t)
	b := l.ask(t.Context(), Completion, 2, 10, 2)
	l.queued(t, 2)
	s.run()
	s = g.next(t) // a's second token, and b's prompt
	if len(s.seqs) != 2 || len(s.seqs[0])+len(s.seqs[1]) != 11 {
		t.Errorf("sequences in the second step: %v", s.seqs)
	}
	s.run()
	s = g.next(t) // both decode
	if len(s.seqs) != 2 || len(s.seqs[0])+len(s.seqs[1]) != 2 {
		t.Errorf("sequences in the third step: %v", s.seqs)
	}
	s.run()
	if o := wait(t, b); o.err != nil || len(o.tokens) != 2 {
		t.Errorf("the second request: %v, %v", o.tokens, o.err)
	}
	s = g.next(t) // a alone again
	if len(s.seqs) != 1 {
		t.Errorf("sequences in the last step: %v", s.seqs)
	}
	s.run()
	if o := wait(t, a); o.err != nil || len(o.tokens) != 4 {
		t.Errorf("the first request: %v, %v", o.tokens, o.err)
	}
}

// TestManyPrompts: the prompts of equal requests share a step.
func TestManyPrompts(t *testing.T) {
	l, g := openGated(t)
	blocked := l.ask(t.Context(), Completion, 9, 5, 1)
	s := g.next(t)
	a, b := l.ask(t.Context(), Completion, 1, 20, 1), l.ask(t.Context(), Completion, 2, 30, 1)
	l.queued(t, 3)
	s.run()
	s = g.next(t)
	if x, y := s.rowsOf(1), s.rowsOf(2); x != 20 || y != 30 {
		t.Errorf("%d and %d rows, want 20 and 30", x, y)
	}
	s.run()
	for _, r := range []<-chan outcome{blocked, a, b} {
		if o := wait(t, r); o.err != nil {
			t.Error(o.err)
		}
	}
}

// TestCancelStopsTheStep: nobody else needs it.
func TestCancelStopsTheStep(t *testing.T) {
	l, g := openGated(t)
	ctx, cancel := context.WithCancel(t.Context())
	a := l.ask(ctx, Completion, 1, 100, 5)
	s := g.next(t)
	cancel()
	s.cancelled()
	if o := wait(t, a); o.err != context.Canceled || len(o.tokens) > 0 {
		t.Errorf("%v, %v", o.tokens, o.err)
	}
	if kept := l.Stats().Devices[0].Cache.KeptPages; kept != 0 {
		t.Errorf("%d pages of a step that did not end are cached", kept)
	}
}

// TestCancelOfPrompt stops a step in which others only decode: their rows are
// soon computed again. The cancel of one that decodes stops nobody's prompt.
func TestCancelOfPrompt(t *testing.T) {
	l, g := openGated(t)
	ctxA, cancelA := context.WithCancel(t.Context())
	ctxB, cancelB := context.WithCancel(t.Context())
	a := l.ask(ctxA, Completion, 1, 10, 5)
	g.next(t).run()
	s := g.next(t) // a decodes
	b := l.ask(ctxB, Completion, 2, 50, 5)
	l.queued(t, 2)
	s.run()
	s = g.next(t) // a decodes, b's prompt
	if len(s.seqs) != 2 {
		t.Fatalf("sequences: %v", s.seqs)
	}
	cancelB()
	s.cancelled()
	if o := wait(t, b); o.err != context.Canceled {
		t.Errorf("the cancelled request ended with %v", o.err)
	}
	s = g.next(t) // a's row again
	c := l.ask(t.Context(), Completion, 3, 50, 1)
	l.queued(t, 2)
	s.run()
	s = g.next(t) // a decodes, c's prompt
	cancelA()
	s.run() // the step ends as it should
	if o := wait(t, a); o.err != context.Canceled || len(o.tokens) < 2 {
		t.Errorf("the first request: %v, %v", o.tokens, o.err)
	}
	if o := wait(t, c); o.err != nil {
		t.Error(o.err)
	}
}

// TestCancelInQueue returns at once, while the device is busy for another.
func TestCancelInQueue(t *testing.T) {
	l, g := openGated(t)
	a := l.ask(t.Context(), Completion, 1, 10, 1)
	s := g.next(t)
	ctx, cancel := context.WithCancel(t.Context())
	b := l.ask(ctx, Completion, 2, 10, 1)
	l.queued(t, 2)
	cancel()
	if o := wait(t, b); o.err != context.Canceled {
		t.Errorf("the queued request ended with %v", o.err)
	}
	s.run()
	if o := wait(t, a); o.err != nil {
		t.Error(o.err)
	}
}

// TestWarmUpYields: a step that only warms up stops for a completion, and is
// repeated afterwards.
func TestWarmUpYields(t *testing.T) {
	l, g := openGated(t)
	warm := l.ask(t.Context(), WarmUp, 1, 80, 1)
	g.next(t).run()
	s := g.next(t)
	more := l.ask(t.Context(), WarmUp, 3, 10, 1) // is not more urgent
	l.queued(t, 2)
	completion := l.ask(t.Context(), Completion, 2, 10, 1)
	s.cancelled()
	s = g.next(t)
	if s.rowsOf(2) != 10 || len(s.seqs) != 1 {
		t.Errorf("sequences: %v", s.seqs)
	}
	s.run()
	if o := wait(t, completion); o.err != nil {
		t.Error(o.err)
	}
	g.free(t)
	if a, b := wait(t, warm), wait(t, more); a.err != nil || b.err != nil || a.cached != 0 {
		t.Errorf("%v, %v; %d tokens cached at first", a.err, b.err, a.cached)
	}
}

// TestModelsTakeTurns: two models on one device, equally urgent.
func TestModelsTakeTurns(t *testing.T) {
	g := newGated(openCPU(t))
	e := start(t, g)
	x, y := open(t, Options{Decode: e}), open(t, Options{Decode: e, Path: golden("qwen2"), MaxTokens: 256})
	a := x.ask(t.Context(), Chat, 1, 100, 1)
	s := g.next(t)
	b := y.ask(t.Context(), Chat, 2, 100, 1)
	x.queued(t, 2)
	order := ""
	for len(order) < 4 { // at least two chunks each
		switch {
		case s.rowsOf(1) > 0:
			order += "a"
		case s.rowsOf(2) > 0:
			order += "b"
		}
		s.run()
		if len(order) < 4 {
			s = g.next(t)
		}
	}
	if order != "abab" {
		t.Errorf("steps of %s, want abab", order)
	}
	g.free(t)
	if a, b := wait(t, a), wait(t, b); a.err != nil || b.err != nil {
		t.Error(a.err, b.err)
	}
}

// TestDeviceError fails the requests of the step, and no others.
func TestDeviceError(t *testing.T) {
	l, g := openGated(t)
	a := l.ask(t.Context(), Completion, 1, 10, 1)
	s := g.next(t)
	b := l.ask(t.Context(), Completion, 2, 10, 1)
	l.queued(t, 2)
	broken := errors.New("the device is broken")
	s.decide(broken)
	if o := wait(t, a); !errors.Is(o.err, broken) {
		t.Errorf("the request ended with %v", o.err)
	}
	g.next(t).run()
	if o := wait(t, b); o.err != nil {
		t.Error(o.err)
	}
}

// TestPanic: the requests fail, and the executor and the model go on.
func TestPanic(t *testing.T) {
	bug.Panic = false
	defer func() { bug.Panic = true }()
	l, g := openGated(t)
	a := l.ask(t.Context(), Completion, 1, 100, 1)
	g.next(t).run()
	if o := wait(t, a); o.err != nil {
		t.Fatal(o.err)
	}
	b := l.ask(t.Context(), Completion, 1, 120, 1)
	s := g.next(t)
	c := l.ask(t.Context(), Completion, 2, 10, 1)
	l.queued(t, 2)
	s.decide(errPanic)
	if o := wait(t, b); o.err == nil {
		t.Error("the request of a step that panicked succeeded")
	}
	g.next(t).run()
	if o := wait(t, c); o.err != nil {
		t.Error(o.err)
	}
	// The cache is not trusted any more.
	g.free(t)
	if got := l.mustGreedy(t, Completion, same(1, 100), 1); got.cached != 0 {
		t.Errorf("%d tokens cached after a panic", got.cached)
	}
	if err := l.decode.executor.do(l.decode, func() { panic("in a call") }); err == nil {
		t.Error("a call that panicked succeeded")
	}
}

// TestQueueFull refuses what is too much, and takes more once there is room.
func TestQueueFull(t *testing.T) {
	l, g := openGated(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked []<-chan outcome
	for range jobsMax {
		asked = append(asked, l.ask(ctx, Chat, 1, 3, 1))
	}
	l.queued(t, jobsMax)
	_, err := l.greedy(t.Context(), Completion, same(2, 3), 1)
	if !errors.Is(err, ErrQueueFull) {
		t.Errorf("one more request: %v", err)
	}
	cancel()
	for _, a := range asked {
		if o := wait(t, a); o.err != context.Canceled {
			t.Errorf("a queued request ended with %v", o.err)
		}
	}
	g.free(t)
	l.mustGreedy(t, Completion, same(2, 3), 1)
}

// TestExecutorClose fails what is not done.
func TestExecutorClose(t *testing.T) {
	g := newGated(openCPU(t))
	e := NewExecutor(g)
	l := open(t, Options{Decode: e})
	a := l.ask(t.Context(), Completion, 1, 10, 5)
	s := g.next(t)
	closed := make(chan struct{})
	go func() { e.Close(); close(closed) }()
	for begin := time.Now(); ; runtime.Gosched() { // until it refuses new ones
		if _, err := l.greedy(canceledContext(), Completion, same(2, 3), 1); err == ErrClosed {
			break
		}
		if time.Since(begin) > patience {
			t.Fatal("the executor was not closed")
		}
	}
	s.run()
	if o := wait(t, a); o.err != ErrClosed || len(o.tokens) != 1 {
		t.Errorf("%v, %v", o.tokens, o.err)
	}
	<-closed
	if err := e.do(l.decode, func() {}); err != ErrClosed {
		t.Errorf("a call on a closed executor: %v", err)
	}
}

func canceledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestFree: a freed device goes on behind steps that are cancelled as they begin.
func TestFree(t *testing.T) {
	l, g := openGated(t)
	g.free(t)
	for range 200 { // of which a select takes half for cancelled before it offers them
		if err := l.decode.exec.Run(canceledContext(), &op.Batch{}); err != nil && err != context.Canceled {
			t.Fatal(err)
		}
	}
	l.mustGreedy(t, Completion, same(1, 3), 1)
}

// TestCost: the model's guess follows what was measured.
func TestCost(t *testing.T) {
	var c cost
	if n := c.rowsIn(background); n != rowsFirst {
		t.Errorf("%d rows before anything was measured", n)
	}
	for range 50 {
		c.add(1, 1, 20*time.Millisecond)
		c.add(100, 1, 120*time.Millisecond)
	}
	for _, test := range []struct {
		in   time.Duration
		want int
	}{{100 * time.Millisecond, 80}, {time.Millisecond, manyRows}, {time.Hour, rowsMax}} {
		if n := c.rowsIn(test.in); n < test.want-1 || n > test.want {
			t.Errorf("%d rows in %v, want %d", n, test.in, test.want)
		}
	}
	c.add(8, 1, time.Hour) // neither one nor the other
	if n := c.rowsIn(background); n < 79 {
		t.Errorf("%d rows", n)
	}
}
