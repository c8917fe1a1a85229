// Package lsp is the language server: it speaks LSP 3.18 with one editor, keeps
// the workspace as the editor has it, and answers inline completions. It alone
// knows the protocol, URIs and UTF-16; everything behind it counts bytes. It
// decides when to answer (settings, cancelling, stale documents, whether a model
// is there), and deliberately not what: that is package completion's. It opens
// no file and no connection; main tells it how to load and to download a model.
package lsp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"go.lsp.dev/jsonrpc2"

	"tandem/context/workspace"
	"tandem/engine"
)

// Loader loads a model by name or path, and calls progress with the share done,
// 0 to 1. It ends soon after its ctx does.
type Loader func(ctx context.Context, model string, progress func(share float64)) (engine.Engine, error)

// Download is what would have to come over the network before a model can load.
type Download struct {
	Bytes int64
	Host  string
}

// Options are what a server needs from its process.
type Options struct {
	Load Loader
	// Missing tells what of a model is not on this machine; nil means nothing.
	Missing func(model string) (Download, bool)
	// Pull downloads what Missing told. It is called only after the user agreed.
	Pull func(ctx context.Context, model string, progress func(share float64)) error
	// Completer makes the completer of an engine; nil is package completion's.
	Completer func(engine.Engine) Completer
	// Syntax tells how many syntax trees the process holds, and how many bytes C's
	// memory has given out, -1 where that is not known; nil means none.
	Syntax func() (trees, bytes int64)
	// Settings hold until the client has its own.
	Settings Settings
	Version  string // for the client's log
	Log      *slog.Logger
}

// ErrNoShutdown says that the editor went away without a shutdown request.
var ErrNoShutdown = errors.New("lsp: the editor ended the session without shutdown")

// Serve speaks with the editor at the other end of conn, until it says exit, its
// process ends, conn ends or ctx does. It closes conn and returns nil if the
// session ended as the protocol has it. A read of conn that Close cannot
// interrupt, as that of a terminal, is left behind.
func Serve(ctx context.Context, conn io.ReadWriteCloser, opt Options) error {
	s := newServer(ctx, conn, opt)
	go s.out.run(s.ctx)
	s.conn.Go(s.ctx, s.handle)
	<-s.ctx.Done()
	s.log.Info("session ends", "why", context.Cause(s.ctx))
	conn.Close()
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	for _, done := range []<-chan struct{}{s.model.close(), s.conn.Done(), s.out.done} {
		select {
		case <-done:
		case <-grace.C:
			s.log.Warn("left behind what did not end", "after", endGrace)
			return s.verdict(ctx)
		}
	}
	return s.verdict(ctx)
}

// verdict is what Serve returns.
func (s *server) verdict(ctx context.Context) error {
	switch {
	case s.phase.Load() == phaseStopped:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return ErrNoShutdown
}

func newServer(ctx context.Context, conn io.ReadWriteCloser, opt Options) *server {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Completer == nil {
		opt.Completer = newCompleter
	}
	s := &server{opt: opt, log: opt.Log, workspace: workspace.New(nil), changes: map[string]lastChange{}}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.settings.Store(&opt.Settings)
	s.conn = jsonrpc2.NewConn(newFrames(conn, s.log, s.cancel), jsonrpc2.WithCodec(codec{}))
	s.out = newOutbox(s.conn, s.log)
	s.model = newModel(s)
	return s
}
