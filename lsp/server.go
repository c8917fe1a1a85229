package lsp

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// server is one session with one editor. Messages are read by one goroutine at a
// time, in the order in which they came, and what they change is changed there:
// the phase, what the client can do, the workspace. The rest of a call runs
// beside the messages behind it, on the snapshot that was taken when it came.
type server struct {
	opt    Options
	log    *slog.Logger
	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc
	conn   jsonrpc2.Conn
	out    *outbox

	phase  atomic.Int32
	client client // written by initialize, before anything that reads it
	mapper mapper

	workspace *workspace.Workspace
	changes   map[string]lastChange // by path; only while messages are read
	settings  atomic.Pointer[Settings]
	pulls     atomic.Int64 // questions for the client's settings, so far
	tokens    atomic.Int64 // of progress, so far
	warned    warnings
	model     *model
	calls     calls
	live      live
	stats     stats
	records   records
	shown     suggestions
}

// The phases of a session.
const (
	phaseStarting int32 = iota // initialize has not come
	phaseRunning
	phaseStopped // shutdown has come
)

// job is the part of a call that runs beside later messages.
type job func(ctx context.Context) (any, error)

// handle serves one message. Notifications are served to the end before the next
// message is read, which keeps edits in order; calls only as far as they look at
// state that later messages change.
func (s *server) handle(ctx context.Context, r *jsonrpc2.Request) (result any, err error) {
	method := r.Method() // borrowed until Async copies it
	defer func() {
		if p := recover(); p != nil {
			method = r.Method()
			s.log.Error("panic", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			result, err = nil, errInternal
			if isCompletion(method) {
				err = nil // an empty answer, never a popup
			}
		}
		if !r.IsCall() {
			result, err = nil, nil // an error would end the connection
		}
	}()
	if !r.IsCall() {
		s.notified(method, r.Params())
		return nil, nil
	}
	ctx, done, err := s.calls.begin(ctx, r.ID())
	if err == nil {
		defer done()
	}
	var run job
	if err == nil {
		run, err = s.called(method, r.Params())
	}
	// From here on nothing borrowed is in use, and no write, which may have to
	// wait for the client, holds up the reading.
	jsonrpc2.Async(ctx)
	if run != nil {
		result, err = run(ctx)
	}
	return result, onWire(err)
}

// called is the part of a call that must see the state at its place in the order
// of messages.
func (s *server) called(method string, params []byte) (job, error) {
	switch phase := s.phase.Load(); {
	case phase == phaseStarting && method != protocol.MethodInitialize:
		return nil, errNotInitialized
	case phase == phaseStopped:
		return nil, errStopped
	}
	switch method {
	case protocol.MethodInitialize:
		return s.initialize(params)
	case protocol.MethodShutdown:
		return s.shutdown()
	case protocol.MethodTextDocumentInlineCompletion:
		return s.inlineCompletion(params)
	case protocol.MethodTextDocumentCompletion:
		return s.completion(params)
	case protocol.MethodWorkspaceExecuteCommand:
		return s.executeCommand(params)
	case MethodStats:
		return s.tellStats()
	case MethodExplain:
		return s.explain(params)
	case MethodDebug:
		return s.debug(params)
	}
	return nil, jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "%q is no method of this server", method)
}

// notified serves a notification. Nobody is told of an error; the log is.
func (s *server) notified(method string, params []byte) {
	var err error
	switch {
	case method == protocol.MethodExit:
		s.exit()
	case s.phase.Load() != phaseRunning:
		err = errNotInitialized
	default:
		err = s.serveNotification(method, params)
	}
	if err != nil {
		s.log.Warn("notification without effect", "method", method, "error", err)
	}
}

func (s *server) serveNotification(method string, params []byte) error {
	switch method {
	case protocol.MethodInitialized:
		return s.initialized()
	case protocol.MethodCancelRequest:
		return s.cancelRequest(params)
	case protocol.MethodTextDocumentDidOpen:
		return s.didOpen(params)
	case protocol.MethodTextDocumentDidChange:
		return s.didChange(params)
	case protocol.MethodTextDocumentDidClose:
		return s.didClose(params)
	case protocol.MethodTextDocumentDidSave:
		return s.didSave(params)
	case protocol.MethodWorkspaceDidChangeWatchedFiles:
		return s.didChangeWatchedFiles(params)
	case protocol.MethodWorkspaceDidChangeWorkspaceFolders:
		return s.didChangeFolders(params)
	case protocol.MethodWorkspaceDidChangeConfiguration:
		return s.didChangeConfiguration(params)
	case MethodDidShow:
		return s.didShow(params)
	case MethodDidAccept:
		return s.didAccept(params)
	case MethodDidPartiallyAccept:
		return s.didPartiallyAccept(params)
	case MethodDidMoveCursor:
		return s.didMoveCursor(params)
	}
	// "$/…" and what a client sends to every server are free to be ignored.
	return nil
}
