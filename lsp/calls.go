package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"go.lsp.dev/jsonrpc2"
)

// calls are the client's requests that run, by their ids. The library's own list
// fails the connection for an id that is null and overwrites one that is in use.
type calls struct {
	mu      sync.Mutex
	running map[jsonrpc2.ID]context.CancelCauseFunc
}

// begin lists a call until done is called.
func (c *calls) begin(ctx context.Context, id jsonrpc2.ID) (_ context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, used := c.running[id]; used {
		return ctx, nil, jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "id %q belongs to a request that still runs", id)
	}
	if len(c.running) == maxCalls {
		return ctx, nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "%d requests run at once: wait for some", maxCalls)
	}
	if c.running == nil {
		c.running = map[jsonrpc2.ID]context.CancelCauseFunc{}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c.running[id] = cancel
	return ctx, func() {
		c.mu.Lock()
		delete(c.running, id)
		c.mu.Unlock()
		cancel(nil)
	}, nil
}

// cancel ends the call of that id, if it runs.
func (c *calls) cancel(id jsonrpc2.ID) {
	c.mu.Lock()
	cancel := c.running[id]
	c.mu.Unlock()
	if cancel != nil {
		cancel(errCancelled)
	}
}

// cancelRequest serves $/cancelRequest. An id that names no running request is
// normal: the answer was on its way.
func (s *server) cancelRequest(params []byte) error {
	var p struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	if n, err := strconv.ParseInt(string(p.ID), 10, 64); err == nil {
		s.calls.cancel(jsonrpc2.NewNumberID(n))
		return nil
	}
	var text string
	if err := json.Unmarshal(p.ID, &text); err != nil || bytes.Equal(p.ID, []byte("null")) {
		return badParams(jsonrpc2.Errorf(jsonrpc2.InvalidParams, "id %.40q: a request has a number or a text", p.ID))
	}
	s.calls.cancel(jsonrpc2.NewStringID(text))
	return nil
}
