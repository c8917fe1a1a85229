// Package editor is a client's side of the language server protocol: framing,
// requests and their answers, open documents with their incremental changes,
// inline completions. Measurements and tests drive a server with it. It shares
// nothing with the server's code, so that each can only be wrong by itself; it
// knows no editor's behaviour: when to ask and what to show is its caller's.
package editor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"sync"
	"time"
)

// maxBodyBytes of a message: no answer comes near it.
const maxBodyBytes = 128 << 20

// Message is what goes over the wire in either direction.
type Message struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// String is the message as the wire has it.
func (m Message) String() string {
	text, _ := json.Marshal(m)
	return string(text)
}

// Error is the error of an answer.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("error %d: %s", e.Code, e.Message) }

// Client is one session with one server. Its documents belong to the goroutine
// that edits them; everything else is safe for concurrent use.
type Client struct {
	conn     io.ReadWriteCloser
	seen     func(Message)
	encoding string // of positions; written by Initialize
	docs     map[string]*document

	writeMu sync.Mutex // held while a message is written

	mu      sync.Mutex
	nextID  int
	calls   map[string]*Call // without an answer, by id
	replies map[string]func(params json.RawMessage) any
	status  Status
	told    chan struct{} // closed, and replaced, when status changes
	err     error         // why reading ended
	done    chan struct{} // closed when it has
}

// New begins a session over conn, which the Client closes. seen, if not nil, is
// shown every message of the server, in order, before anything comes of it; it is
// called from the goroutine that reads.
func New(conn io.ReadWriteCloser, seen func(Message)) *Client {
	c := &Client{
		conn: conn, seen: seen, encoding: "utf-16", docs: map[string]*document{}, calls: map[string]*Call{},
		replies: map[string]func(json.RawMessage) any{}, told: make(chan struct{}), done: make(chan struct{}),
	}
	go c.read()
	return c
}

// read takes in what the server says until it says no more.
func (c *Client) read() {
	r := textproto.NewReader(bufio.NewReader(c.conn))
	var err error
	for err == nil {
		var m Message
		if m, err = readMessage(r); err == nil {
			c.take(m, time.Now())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.done)
}

func readMessage(r *textproto.Reader) (m Message, err error) {
	header, err := r.ReadMIMEHeader()
	if err != nil {
		return m, err
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil || n < 0 || n > maxBodyBytes {
		return m, fmt.Errorf("editor: the server sends a message with Content-Length %.40q", header.Get("Content-Length"))
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r.R, body); err != nil {
		return m, err
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("editor: the server says %.200q: %w", body, err)
	}
	return m, nil
}

// take does what a message asks for.
func (c *Client) take(m Message, at time.Time) {
	if c.seen != nil {
		c.seen(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.Method == "":
		if call := c.calls[string(m.ID)]; call != nil {
			delete(c.calls, string(m.ID))
			call.answer, call.arrived = m, at
			close(call.done)
		}
	case m.ID == nil:
		var status Status
		if m.Method == "tandem/status" && json.Unmarshal(m.Params, &status) == nil {
			c.status = status
			close(c.told)
			c.told = make(chan struct{})
		}
	default:
		reply := c.replies[m.Method]
		go func() { // the server may wait for us to read before it reads
			var result any
			if reply != nil {
				result = reply(m.Params)
			}
			c.Write(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": result})
		}()
	}
}

// OnRequest answers the server's requests of a method; others get null.
func (c *Client) OnRequest(method string, reply func(params json.RawMessage) any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies[method] = reply
}

// Done is closed when the server says no more; Err then tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the server says no more, io.EOF where it just ended, and nil before.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Write sends v as a message.
func (c *Client) Write(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("editor: %w", err)
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, err = fmt.Fprintf(c.conn, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// Notify sends a notification.
func (c *Client) Notify(method string, params any) error {
	return c.Write(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

// Call is a request on its way, or answered.
type Call struct {
	client  *Client
	id      int
	done    chan struct{} // closed when the rest stands
	answer  Message
	arrived time.Time
}

// Begin sends a request and does not wait.
func (c *Client) Begin(method string, params any) (*Call, error) {
	c.mu.Lock()
	c.nextID++
	call := &Call{client: c, id: c.nextID, done: make(chan struct{})}
	c.calls[call.ID()] = call
	c.mu.Unlock()
	err := c.Write(map[string]any{"jsonrpc": "2.0", "id": call.id, "method": method, "params": params})
	if err != nil {
		c.mu.Lock()
		delete(c.calls, call.ID())
		c.mu.Unlock()
		return nil, err
	}
	return call, nil
}

// ID is the request's id as JSON.
func (call *Call) ID() string { return strconv.Itoa(call.id) }

// Cancel tells the server that the answer is not wanted any more. It answers
// nevertheless.
func (call *Call) Cancel() error {
	return call.client.Notify("$/cancelRequest", map[string]any{"id": call.id})
}

// Wait waits for the answer and reads its result, unless result is nil. An error
// that the server answered is an *[Error].
func (call *Call) Wait(ctx context.Context, result any) error {
	select {
	case <-call.done:
	default:
		select {
		case <-call.done:
		case <-call.client.done:
			return fmt.Errorf("editor: the server ended before it answered: %w", call.client.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if call.answer.Error != nil {
		return call.answer.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(call.answer.Result, result); err != nil {
		return fmt.Errorf("editor: %.200q: %w", call.answer.Result, err)
	}
	return nil
}

// Arrived is when the last byte of the answer had been read, the zero time
// before Wait has returned.
func (call *Call) Arrived() time.Time {
	select {
	case <-call.done:
		return call.arrived
	default:
		return time.Time{}
	}
}

// Call sends a request and waits for its result.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	call, err := c.Begin(method, params)
	if err != nil {
		return err
	}
	if err := call.Wait(ctx, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Initialize begins the session with the params of initialize, and says
// initialized.
func (c *Client) Initialize(ctx context.Context, params any) error {
	var result struct {
		Capabilities struct {
			PositionEncoding string `json:"positionEncoding"`
		} `json:"capabilities"`
	}
	if err := c.Call(ctx, "initialize", params, &result); err != nil {
		return err
	}
	if result.Capabilities.PositionEncoding != "" {
		c.encoding = result.Capabilities.PositionEncoding
	}
	return c.Notify("initialized", map[string]any{})
}

// Encoding is the unit of positions: "utf-8", "utf-16" or "utf-32".
func (c *Client) Encoding() string { return c.encoding }

// Status is the server's state as tandem/status tells it.
type Status struct {
	State   string `json:"state"`
	Message string `json:"message"`
}

// Ready waits until the server has a model. One that cannot be loaded is an error.
func (c *Client) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		status, told := c.status, c.told
		c.mu.Unlock()
		switch status.State {
		case "ready", "busy":
			return nil
		case "error", "disabled":
			return errors.New("editor: the server is not ready: " + status.Message)
		}
		select {
		case <-told:
		case <-c.done:
			return fmt.Errorf("editor: the server ended before it was ready: %w", c.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Quit ends the session as the protocol has it.
func (c *Client) Quit(ctx context.Context) error {
	if err := c.Call(ctx, "shutdown", nil, nil); err != nil {
		return err
	}
	return c.Notify("exit", nil)
}

// Close closes the connection and waits until nothing is read any more.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}
