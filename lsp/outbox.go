package lsp

import (
	"context"
	"log/slog"
	"sync"

	"go.lsp.dev/jsonrpc2"
)

// outbox sends notifications in order, from a goroutine of its own: a client that
// does not read must not stop the reading of what it says. Safe for concurrent use.
type outbox struct {
	conn jsonrpc2.Conn
	log  *slog.Logger
	wake chan struct{} // capacity 1
	done chan struct{} // closed when run has ended

	queueMu sync.Mutex
	queue   []note
}

type note struct {
	method string
	params any
}

func newOutbox(conn jsonrpc2.Conn, log *slog.Logger) *outbox {
	return &outbox{conn: conn, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// send queues a notification. Of states, which each say all, only the last one
// waits; where the queue is full the notification is dropped.
func (o *outbox) send(method string, params any) {
	o.queueMu.Lock()
	last := len(o.queue) - 1
	switch {
	case last >= 0 && method == MethodStatus && o.queue[last].method == method:
		o.queue[last].params = params
	case len(o.queue) < maxOutgoing:
		o.queue = append(o.queue, note{method, params})
	}
	o.queueMu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends.
func (o *outbox) run(ctx context.Context) {
	defer close(o.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		for {
			o.queueMu.Lock()
			if len(o.queue) == 0 {
				o.queueMu.Unlock()
				break
			}
			n := o.queue[0]
			o.queue = o.queue[1:]
			o.queueMu.Unlock()
			if err := o.conn.Notify(ctx, n.method, n.params); err != nil {
				o.log.Debug("not sent", "method", n.method, "error", err)
			}
		}
	}
}
