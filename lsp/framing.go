package lsp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.lsp.dev/jsonrpc2"
)

// frames is the jsonrpc2.Stream of an editor. The library's own one ends the
// connection at the first malformed message and makes room for whatever length
// a header promises; this one answers what is malformed, finds the next message
// and goes on. Only the end of the input is an error.
//
// The next message is found by its header: valid JSON holds no line break inside
// a string, so "Content-Length: N" with a real one behind it is never part of a
// message, and where it stands in the middle of one, that one was cut short.
type frames struct {
	src  *pushback
	in   *bufio.Reader // over src
	conn io.ReadWriteCloser
	log  *slog.Logger
	// ended is called once, with the error that ended the input.
	ended func(error)

	writeMu sync.Mutex
	out     []byte // guarded by writeMu: the message being written
}

// pushback is a reader that bytes can be given back to.
type pushback struct {
	back []byte
	r    io.Reader
}

// Read gives what was given back first.
func (p *pushback) Read(b []byte) (int, error) {
	if len(p.back) > 0 {
		n := copy(b, p.back)
		p.back = p.back[n:]
		return n, nil
	}
	return p.r.Read(b)
}

func newFrames(conn io.ReadWriteCloser, log *slog.Logger, ended func(error)) *frames {
	src := &pushback{r: conn}
	return &frames{src: src, in: bufio.NewReaderSize(src, maxHeaderBytes), conn: conn, log: log, ended: sync1(ended)}
}

// sync1 is f, of which only the first call does anything.
func sync1(f func(error)) func(error) {
	var once sync.Once
	return func(err error) { once.Do(func() { f(err) }) }
}

var (
	headerPattern = regexp.MustCompile(`Content-Length:[ \t]*[0-9]+[ \t]*\r?\n`)
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// Read is the next message that is one.
func (f *frames) Read(ctx context.Context) (jsonrpc2.Message, int64, error) {
	for {
		msg, n, err := f.read(ctx)
		var bad *jsonrpc2.Error
		if err == nil || !errors.As(err, &bad) {
			if err != nil {
				f.ended(err)
			}
			return msg, n, err
		}
	}
}

// read reads one message. What is malformed is answered, returned as an error of
// type *jsonrpc2.Error, and left behind.
func (f *frames) read(ctx context.Context) (jsonrpc2.Message, int64, error) {
	body, err := f.next()
	var bad *jsonrpc2.Error
	if err != nil && !errors.As(err, &bad) {
		return nil, 0, err
	}
	if err == nil {
		var msg jsonrpc2.Message
		if msg, bad = parseMessage(body); bad == nil {
			return msg, int64(len(body)), nil
		}
	}
	f.refuse(ctx, body, bad)
	if bad.Code == jsonrpc2.ParseError {
		f.unread(body) // its length may have been wrong: the next header may begin in it
		if err := f.resync(); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, bad
}

// parseMessage reads a body. Bytes that are not UTF-8 become U+FFFD, one each,
// as in editors that show such bytes: the columns behind them stay right.
func parseMessage(body []byte) (jsonrpc2.Message, *jsonrpc2.Error) {
	if !utf8.Valid(body) {
		var b strings.Builder
		for _, r := range string(body) {
			b.WriteRune(r)
		}
		body = []byte(b.String())
	}
	if !json.Valid(body) {
		return nil, jsonrpc2.NewError(jsonrpc2.ParseError, "the message is not JSON")
	}
	if body = bytes.TrimSpace(body); body[0] != '{' {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "a message is one JSON object; LSP has no batches")
	}
	msg, err := jsonrpc2.DecodeMessage(body)
	if err != nil {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "not a request, notification or response of JSON-RPC 2.0: %v", err)
	}
	return msg, nil
}

// next reads one header and its body. An error of type *jsonrpc2.Error says what
// is wrong with them; what follows is then anywhere in the input.
func (f *frames) next() ([]byte, error) {
	length, err := f.header()
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, min(length, readBytes))
	for len(body) < length {
		n, from := min(length-len(body), readBytes), len(body)
		body = append(body, make([]byte, n)...)
		got, err := f.in.Read(body[from:])
		body = body[:from+got]
		// The header of the next message may begin in what was read before.
		from = max(0, from-maxHeaderBytes)
		if at := headerPattern.FindIndex(body[from:]); at != nil {
			f.unread(body[from+at[0]:])
			return nil, jsonrpc2.NewError(jsonrpc2.ParseError, "the message is shorter than its Content-Length")
		}
		if err != nil {
			return nil, err
		}
	}
	return body, nil
}

// header reads a header up to its blank line and gives the length of the body.
func (f *frames) header() (int, error) {
	length := -1
	for lines := 0; ; lines++ {
		line, err := f.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull || lines == maxHeaderLines {
			return 0, jsonrpc2.NewError(jsonrpc2.ParseError, "the header is too long")
		}
		if err != nil {
			return 0, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if length < 0 {
				return 0, jsonrpc2.NewError(jsonrpc2.ParseError, "the header has no Content-Length")
			}
			return length, nil
		}
		name, value, found := strings.Cut(string(line), ":")
		if !found || !namePattern.MatchString(name) {
			if at := headerPattern.FindIndex(line); at != nil {
				f.unread(bytes.Clone(line[at[0]:]))
			}
			return 0, jsonrpc2.NewError(jsonrpc2.ParseError, "the header is not made of lines NAME: VALUE")
		}
		if !strings.EqualFold(name, "Content-Length") {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		if err != nil || n == 0 || n > maxBodyBytes {
			return 0, jsonrpc2.Errorf(jsonrpc2.ParseError, "Content-Length %.40q: a message has 1 to %d bytes", strings.TrimSpace(value), maxBodyBytes)
		}
		length = int(n)
	}
}

// resync reads up to where the next message's header begins.
func (f *frames) resync() error {
	var tail []byte // of what was read: a header may be cut by the buffer's end
	for {
		line, err := f.in.ReadSlice('\n')
		tail = append(tail, line...)
		if at := headerPattern.FindIndex(tail); at != nil {
			f.unread(tail[at[0]:])
			return nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		tail = tail[max(0, len(tail)-maxHeaderBytes):]
	}
}

// unread makes b the next bytes that are read.
func (f *frames) unread(b []byte) {
	rest, _ := f.in.Peek(f.in.Buffered())
	back := append(bytes.Clone(b), rest...)
	f.src.back = append(back, f.src.back...)
	f.in.Reset(f.src)
}

// refuse answers a message that cannot be passed on, with its id if it has one.
// One that is no request gets no answer but a line in the log.
func (f *frames) refuse(ctx context.Context, body []byte, bad *jsonrpc2.Error) {
	f.log.Warn("malformed message", "error", bad.Message, "bytes", len(body))
	var m struct {
		ID     json.RawMessage `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &m) == nil && (m.Result != nil || m.Error != nil) {
		return // a response: nobody waits for an answer
	}
	id := []byte("null")
	if len(m.ID) > 0 && len(m.ID) <= maxIDBytes && strings.IndexByte(`"-0123456789`, m.ID[0]) >= 0 && utf8.Valid(m.ID) {
		id = m.ID
	}
	answer, _ := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   errorObject     `json:"error"`
	}{jsonrpc2.Version, id, errorObject{int32(bad.Code), bad.Message}})
	f.write(ctx, func(b []byte) []byte { return append(b, answer...) })
}

type errorObject struct {
	Code    int32  `json:"code"`
	Message string `json:"message"`
}

// Write writes a message as one piece.
func (f *frames) Write(ctx context.Context, msg jsonrpc2.Message) (int64, error) {
	return f.write(ctx, func(b []byte) []byte { return jsonrpc2.AppendMessage(b, msg) })
}

func (f *frames) write(ctx context.Context, body func([]byte) []byte) (int64, error) {
	f.writeMu.Lock()
	defer f.writeMu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	const room = 64 // for the header, which is written last since it tells the length
	f.out = body(append(f.out[:0], make([]byte, room)...))
	header := "Content-Length: " + strconv.Itoa(len(f.out)-room) + "\r\n\r\n"
	start := room - len(header)
	copy(f.out[start:], header)
	n, err := f.conn.Write(f.out[start:])
	if cap(f.out) > readBytes {
		f.out = nil // one long answer is no reason to keep its room
	}
	return int64(n), err
}

// Close closes the connection.
func (f *frames) Close() error { return f.conn.Close() }
