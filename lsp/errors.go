package lsp

import (
	"context"
	"errors"
	"fmt"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/completion"
)

// Errors with the codes of the protocol. Those of an ended completion are
// dropped silently by every client that knows the code; Neovim knows -32800 only.
var (
	errNotInitialized = jsonrpc2.NewError(jsonrpc2.ServerNotInitialized, "initialize comes first")
	errStopped        = jsonrpc2.NewError(jsonrpc2.InvalidRequest, "shutdown was the last request of this session")
	errInternal       = jsonrpc2.NewError(jsonrpc2.InternalError, "a bug in tandem: its log has the stack")
	errCancelled      = jsonrpc2.NewError(protocol.CodeRequestCancelled, "cancelled")

	errSuperseded   error = overtaken{jsonrpc2.NewError(protocol.CodeRequestCancelled, "superseded by a later request")}
	errStale        error = overtaken{jsonrpc2.NewError(protocol.CodeContentModified, "the document changed")}
	errStaleQuietly error = overtaken{jsonrpc2.NewError(protocol.CodeRequestCancelled, "the document changed")}
)

// overtaken ends a request that a newer one follows, or will: what is computed
// for it may serve that one.
type overtaken struct{ coded *jsonrpc2.Error }

func (o overtaken) Error() string        { return o.coded.Error() }
func (o overtaken) Unwrap() error        { return o.coded }
func (o overtaken) Is(target error) bool { return target == completion.ErrSuperseded }

// onWire is err with a code of its own: the library sends others with code 0.
func onWire(err error) error {
	var coded *jsonrpc2.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, context.Canceled):
		return errCancelled
	}
	return jsonrpc2.NewError(jsonrpc2.InternalError, err.Error())
}

// badParams is the error of a request whose params are not what its method takes.
func badParams(err error) error {
	return jsonrpc2.NewError(jsonrpc2.InvalidParams, fmt.Sprintf("params: %v", err))
}

// decode reads params into v, whose type the protocol's package has.
func decode(params []byte, v any) error {
	if len(params) == 0 {
		return badParams(errors.New("there are none"))
	}
	if err := protocol.Unmarshal(params, v); err != nil {
		return badParams(err)
	}
	return nil
}

// codec is how the connection's payloads are written and read.
type codec struct{}

// Marshal writes v; messages that are written already pass as they are.
func (codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.(jsonrpc2.RawMessage); ok {
		return raw, nil
	}
	return protocol.Marshal(v)
}

// Unmarshal reads data, which it may not keep, into v.
func (codec) Unmarshal(data []byte, v any) error {
	if raw, ok := v.(*jsonrpc2.RawMessage); ok {
		*raw = append(jsonrpc2.RawMessage(nil), data...)
		return nil
	}
	return protocol.Unmarshal(data, v)
}
