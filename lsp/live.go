package lsp

import (
	"context"
	"sync"
)

// live are the completions that are being computed, one for each document: what
// an earlier one would show is for text that is not there any more.
type live struct {
	mu     sync.Mutex
	byPath map[string]*ticket
}

// ticket is a completion's place among the live ones.
type ticket struct {
	path   string
	offset int
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// start ends path's completion and puts another in its place. It is called while
// messages are read, so that the order of requests is the client's.
func (l *live) start(path string, offset int) *ticket {
	t := &ticket{path: path, offset: offset}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	l.mu.Lock()
	before := l.byPath[path]
	if l.byPath == nil {
		l.byPath = map[string]*ticket{}
	}
	l.byPath[path] = t
	l.mu.Unlock()
	if before != nil {
		before.cancel(errSuperseded)
	}
	return t
}

// done takes t off the list.
func (l *live) done(t *ticket) {
	l.mu.Lock()
	if l.byPath[t.path] == t {
		delete(l.byPath, t.path)
	}
	l.mu.Unlock()
	t.cancel(nil)
}

// end ends path's completion with err.
func (l *live) end(path string, err error) {
	l.mu.Lock()
	t := l.byPath[path]
	l.mu.Unlock()
	if t != nil {
		t.cancel(err)
	}
}

// moved ends path's completion unless it is for the cursor at offset.
func (l *live) moved(path string, offset int) {
	l.mu.Lock()
	t := l.byPath[path]
	l.mu.Unlock()
	if t != nil && t.offset != offset {
		t.cancel(errSuperseded)
	}
}

// endAll ends all completions with err.
func (l *live) endAll(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.byPath {
		t.cancel(err)
	}
}
