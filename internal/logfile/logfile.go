// Package logfile is where slog's records go: a file whose size is bounded, and
// a rule that keeps source text out of it unless the user asks for it. It knows
// nothing of what is logged. Whatever holds source code or a prompt is logged
// as [Text], which every handler but one opened with Options.SourceText shows
// as its length.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// maxBytes bounds the file; the one before it is kept beside it as NAME.1.
const maxBytes = 4 << 20

// Text is source code or a prompt.
type Text string

// MarshalText tells the length and not the text. slog's handlers call it.
func (t Text) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "(%d bytes of text)", len(t)), nil
}

// String is MarshalText for the printf family.
func (t Text) String() string { return fmt.Sprintf("(%d bytes of text)", len(t)) }

// Options of a log.
type Options struct {
	Level      slog.Leveler
	SourceText bool      // show Text as it is
	Also       io.Writer // receives every record too; nil for none
}

// Open appends to the log at path, whose folder is made if it is not there.
// The file belongs to the caller until Close.
func Open(path string, opt Options) (*slog.Logger, io.Closer, error) {
	f, err := openFile(path, maxBytes)
	if err != nil {
		return nil, nil, err
	}
	var w io.Writer = f
	if opt.Also != nil {
		w = io.MultiWriter(f, opt.Also)
	}
	return New(w, opt), f, nil
}

// New logs to w.
func New(w io.Writer, opt Options) *slog.Logger {
	h := &slog.HandlerOptions{Level: opt.Level}
	if opt.SourceText {
		h.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
			if t, ok := a.Value.Any().(Text); ok {
				a.Value = slog.StringValue(string(t))
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, h))
}

// file is a log file that starts anew when it is full. Several processes may
// write to one path: each looks whether another has moved it away.
type file struct {
	path string
	max  int64

	fileMu sync.Mutex
	f      *os.File // nil after Close
	size   int64    // as far as this process knows
}

func openFile(path string, max int64) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	w := &file{path: path, max: max}
	if err := w.reopen(); err != nil {
		return nil, err
	}
	return w, nil
}

// reopen opens the file at path, where another process may have begun a new one.
func (w *file) reopen() error {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("log: %w", err)
	}
	w.f, w.size = f, info.Size()
	return nil
}

// Write appends one record.
func (w *file) Write(record []byte) (int, error) {
	w.fileMu.Lock()
	defer w.fileMu.Unlock()
	if w.f == nil {
		return 0, errors.New("log: closed")
	}
	if w.size > 0 && w.size+int64(len(record)) > w.max {
		if err := w.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := w.f.Write(record)
	w.size += int64(n)
	return n, err
}

// rotate moves the full file to NAME.1. It closes it first, because some
// systems move no open file; where another process has it open there, the file
// grows until that one ends.
func (w *file) rotate() error {
	full, err := w.f.Stat()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	w.f.Close()
	w.f = nil
	if there, err := os.Stat(w.path); err == nil && os.SameFile(full, there) {
		os.Rename(w.path, w.path+".1") // if it fails the file is reopened as it is
	}
	return w.reopen()
}

// Close ends the log.
func (w *file) Close() error {
	w.fileMu.Lock()
	defer w.fileMu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}
