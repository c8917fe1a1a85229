package typing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"tandem/internal/editor"
	"tandem/internal/machine"
	"tandem/lsp"
)

// Server is a language server that has just started.
type Server struct {
	Conn io.ReadWriteCloser
	PID  int          // 0 where it is no process of its own
	Wait func() error // waits for its end, once Conn is closed
}

// Start starts a server, which ends with ctx at the latest.
type Start func(ctx context.Context) (Server, error)

// Command starts a program that speaks over its standard input and output. What
// it says besides goes to standard error.
func Command(name string, args ...string) Start {
	return func(ctx context.Context) (Server, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return Server{}, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return Server{}, err
		}
		if err := cmd.Start(); err != nil {
			return Server{}, err
		}
		return Server{pipes{out, in}, cmd.Process.Pid, cmd.Wait}, nil
	}
}

// pipes are the two ends of a child's input and output. Closing the one ends the
// child, which ends the other.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// Document is how a trace's document is opened.
type Document struct {
	Name     string // such as main.rs
	Language string // the protocol's name of it
	Folder   string // that it lies in, whose files may help; "" for none
}

func (d Document) uri() string {
	return editor.FileURI(filepath.Join(cmp.Or(d.Folder, "/typing"), d.Name))
}

// session is a server whose model is loaded. It belongs to one goroutine.
type session struct {
	*editor.Client
	server Server
	doc    Document
	uri    string
}

// dial starts a server and waits until its model is loaded. It has seen nothing
// of the document then.
func dial(ctx context.Context, start Start, doc Document) (*session, error) {
	server, err := start(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{Client: editor.New(server.Conn, nil), server: server, doc: doc, uri: doc.uri()}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, s.end(ctx))
	}
	return s, nil
}

// load begins the session. Its settings win over the user's: what is measured
// is the same everywhere.
func (s *session) load(ctx context.Context) error {
	var root any
	if s.doc.Folder != "" {
		root = editor.FileURI(s.doc.Folder)
	}
	err := s.Initialize(ctx, map[string]any{
		"processId": os.Getpid(), "rootUri": root,
		"capabilities": map[string]any{
			"general":      map[string]any{"positionEncodings": []string{"utf-8"}, "staleRequestSupport": map[string]any{"cancel": true, "retryOnContentModified": []string{}}},
			"textDocument": map[string]any{"inlineCompletion": map[string]any{}},
		},
		"initializationOptions": map[string]any{
			"enabled": true, "trigger": "auto", "languages": map[string]bool{"*": true}, "exclude": []string{}, "idleUnloadMinutes": 0,
		},
	})
	if err != nil {
		return err
	}
	other := s.doc
	other.Name = "other-" + other.Name
	if err := s.Open(other.uri(), s.doc.Language, ""); err != nil {
		return err
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	return s.CloseDocument(other.uri())
}

// end ends the server as an editor does, and waits for it.
func (s *session) end(ctx context.Context) error {
	err := s.Quit(ctx)
	s.Close()
	return errors.Join(err, s.server.Wait())
}

func (s *session) stats(ctx context.Context) (st lsp.Stats, err error) {
	return st, s.Call(ctx, lsp.MethodStats, nil, &st)
}

func (s *session) debug(ctx context.Context) (d lsp.Debug, err error) {
	return d, s.Call(ctx, lsp.MethodDebug, map[string]any{"textDocument": map[string]any{"uri": s.uri}}, &d)
}

// checkDocument compares the document that the server has with want.
func (s *session) checkDocument(ctx context.Context, want string) error {
	d, err := s.debug(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(want))
	switch {
	case d.Document == nil:
		return fmt.Errorf("the server has no document %s", s.uri)
	case d.Document.SHA256 != hex.EncodeToString(sum[:]):
		return fmt.Errorf("the server has another document of %d bytes, the trace one of %d", d.Document.Bytes, len(want))
	case s.Text(s.uri) != want:
		return fmt.Errorf("the replayed document has %d bytes, the trace's %d", len(s.Text(s.uri)), len(want))
	}
	return nil
}

// memory asks the system, or where that does not tell the server.
func (s *session) memory(ctx context.Context) (machine.Process, error) {
	if m, ok := machine.ReadProcess(s.server.PID); ok {
		return m, nil
	}
	st, err := s.stats(ctx)
	return machine.Process{Resident: st.ResidentBytes}, err
}
