package lsp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/completion"
	"tandem/context/workspace"
	"tandem/internal/logfile"
)

// request is a completion on its way through the server.
type request struct {
	ticket   *ticket
	snapshot *workspace.Snapshot
	settings *Settings
	doc      workspace.Document
	open     bool
	at       protocol.Position
	manual   bool
	// text and offset are the document's, with the item that is selected in the
	// client's menu in the place of before, which ends at the cursor.
	text     workspace.Text
	offset   int
	selected string
	before   int // bytes left of the cursor that selected replaces
	change   lastChange
	record   *record
}

// about is what the server knows of the document at path as of now, as a request
// that the user asks for; it is not begun.
func (s *server) about(path string) *request {
	r := &request{snapshot: s.workspace.Snapshot(), settings: s.settings.Load(), manual: true}
	if r.doc, r.open = r.snapshot.Document(path); !r.open {
		r.doc.Path = path
	}
	r.change = s.changes[r.doc.Path]
	return r
}

// begin takes a request at its place in the order of messages. What it needs of
// the state is taken here; later messages do not change it.
func (s *server) begin(p protocol.TextDocumentPositionParams, manual bool) *request {
	s.stats.requests.Add(1)
	path := pathOf(p.TextDocument.URI)
	r := s.about(path)
	r.manual, r.at = manual, p.Position
	r.text, r.offset = r.doc.Text, s.mapper.offset(r.doc.Text, p.Position)
	r.ticket = s.live.start(path, r.offset)
	r.record = newRecord(r.doc, p.Position)
	return r
}

// suggestion computes a request's suggestion, "" if there is none. ctx is the
// call's; the ticket ends when the suggestion is not wanted any more. An answer
// never waits for the engine to notice that.
func (s *server) suggestion(ctx context.Context, r *request) (Answer, error) {
	defer s.live.done(r.ticket)
	stop := context.AfterFunc(ctx, func() { r.ticket.cancel(context.Cause(ctx)) })
	defer stop()
	used := new(atomic.Bool)
	answer, reason, err := s.compute(context.WithValue(r.ticket.ctx, asked{}, used), r)
	if s.ctx.Err() != nil {
		err = errCancelled
	} else if ended := context.Cause(r.ticket.ctx); ended != nil {
		err = ended
	} else if errors.Is(err, completion.ErrSuperseded) {
		err = errSuperseded
	} else if err == nil && s.isStale(r) {
		err = s.staleError()
	}
	if !used.Load() && err == nil {
		s.stats.withoutEngine.Add(1)
	}
	var coded *jsonrpc2.Error
	switch {
	case err == nil:
	case errors.As(err, &coded) && coded != errCancelled:
		s.stats.superseded.Add(1)
	case errors.Is(err, errCancelled) || errors.Is(err, context.Canceled):
		s.stats.cancelled.Add(1)
		err = errCancelled
	default:
		// An engine that fails shows nothing; the log and tandem/explain tell.
		s.log.Error("completion failed", "error", err)
		reason, answer, err = err.Error(), Answer{}, nil
	}
	s.records.add(r.record.finish(answer, reason, err))
	return answer, err
}

// compute asks the completer, unless something says that there is nothing to
// ask; reason is then what.
func (s *server) compute(ctx context.Context, r *request) (answer Answer, reason string, err error) {
	for _, c := range checks {
		if reason = c.why(r); reason != "" {
			r.record.stage(c.stage, reason)
			return Answer{}, reason, nil
		}
		r.record.stage(c.stage, c.fine)
	}
	completer, release, reason := s.model.use(r.settings.Model, r.manual)
	if completer == nil {
		r.record.stage("model", reason)
		return Answer{}, reason, nil
	}
	r.record.stage("model", "ready")
	type outcome struct {
		Answer
		error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer release()
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("panic", "in", "completion", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				o = outcome{error: fmt.Errorf("a bug in tandem: its log has the stack of %v", p)}
			}
			done <- o
		}()
		o.Answer, o.error = completer.Complete(ctx, Question{
			Snapshot: r.snapshot, Path: r.doc.Path, Language: r.doc.Language, Text: r.text.String(), Offset: r.offset,
			MaxTokens: r.settings.MaxTokens, Manual: r.manual,
		})
	}()
	select {
	case <-ctx.Done():
		return Answer{}, "", ctx.Err()
	case o := <-done:
		r.record.include(o.Stages)
		return o.Answer, "", o.error
	}
}

// isStale reports whether the document is another one than the request's.
func (s *server) isStale(r *request) bool {
	now, open := s.workspace.Snapshot().Document(r.doc.Path)
	return open != r.open || now.Version != r.doc.Version || now.Text.String() != r.doc.Text.String()
}

// offer gives a suggestion, which replaces what stands between start and end, an
// id, and writes down that there was one, and not what.
func (s *server) offer(r *request, text string, start, end int) (id string) {
	now := time.Now()
	id = s.shown.add(&suggestion{record: r.record, path: r.doc.Path, version: r.doc.Version, text: text, start: start, end: end, sent: now})
	s.log.Debug("suggested", "id", id, "line", r.at.Line, "lines", strings.Count(text, "\n")+1,
		"time", now.Sub(r.record.start), "text", logfile.Text(text))
	return id
}
