package retrieve

import (
	"context"
	"errors"
	"sync"
	"time"

	"tandem/context/workspace"
)

// Of the worker: it leaves the machine to its user.
const (
	typedShare = 20 // from a document that is typed in it rests so many times as long as that took
	minRest    = 100 * time.Microsecond
	maxRest    = 2 * time.Second
)

var errClosed = errors.New("retrieve: the index is closed")

// worker keeps an index up to date, file by file, in one goroutine, which owns
// the books.
type worker struct {
	books  *books
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // something that mu guards changed
	done   chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards the rest
	next    *workspace.Snapshot
	idle    chan struct{} // closed while there is nothing to do
	waiting int           // callers of wait, for whom it does not rest
}

func newWorker(x *index) *worker {
	w := &worker{books: newBooks(x), wake: make(chan struct{}, 1), done: make(chan struct{}), idle: make(chan struct{})}
	close(w.idle)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go w.run()
	return w
}

func (w *worker) update(s *workspace.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = s
	select {
	case <-w.idle:
		w.idle = make(chan struct{})
	default:
	}
	w.signal()
}

func (w *worker) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it has not looked since the last one
	}
}

func (w *worker) wait(ctx context.Context) error {
	w.mu.Lock()
	idle := w.idle
	w.waiting++
	w.signal()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
	}()
	select {
	case <-w.done:
		return errClosed
	default:
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.done:
		return errClosed
	}
}

func (w *worker) close() {
	w.cancel()
	<-w.done
}

// run is the goroutine: it does one piece of work, rests as long as that took,
// and looks whether the workspace has changed.
func (w *worker) run() {
	defer close(w.done)
	for w.ctx.Err() == nil {
		next, hurry := w.look()
		if next != nil {
			w.books.take(w.ctx, next)
		}
		begin := time.Now()
		pause, more := w.books.step(hurry)
		if !more && w.rested() {
			select {
			case <-w.wake:
			case <-w.ctx.Done():
			}
			continue
		}
		if pause = max(pause, time.Since(begin), minRest); more && !hurry {
			w.rest(min(pause, maxRest))
		}
	}
}

// look takes the newest snapshot, nil if that was taken before.
func (w *worker) look() (next *workspace.Snapshot, hurry bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, w.next = w.next, nil
	return next, w.waiting > 0
}

// rested declares that there is nothing to do, if nothing came meanwhile.
func (w *worker) rested() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != nil {
		return false
	}
	select {
	case <-w.idle:
	default:
		close(w.idle)
	}
	return true
}

func (w *worker) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.wake:
	case <-w.ctx.Done():
	}
}
