package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"tandem/context/syntax"
	"tandem/engine"
	"tandem/lsp"
	"tandem/models"
)

type lspCmd struct {
	Stdio  bool   `help:"Accepted since many clients pass it; standard input and output are all there is."`
	Hub    string `config:"pull.hub" placeholder:"URL" help:"Model hub to ask in place of the public one, if the editor's user agrees to a download."`
	Mirror string `config:"pull.mirror" placeholder:"FOLDER|URL" help:"Folder or address that is asked first for NAME.gguf."`
	Proxy  string `config:"pull.proxy" placeholder:"URL" help:"Proxy of every connection."`
}

// Help is what --help adds.
func (*lspCmd) Help() string {
	return `Started by an editor. The model is loaded when it is first wanted; one that is not
here is downloaded only after the editor's user said yes to its size and host.
docs/lsp-extensions.md tells what this server adds to the protocol.`
}

// Run serves one editor.
func (c *lspCmd) Run(a *app) error {
	settings, err := lspSettings(a)
	if err != nil {
		return err
	}
	go returnMemory(a.ctx, time.Minute)
	pull := models.Options{HubURL: c.Hub, Mirror: c.Mirror, Proxy: c.Proxy, Token: os.Getenv("HF_TOKEN")}
	return lsp.Serve(a.ctx, stdio{a.in, a.out}, lsp.Options{
		Load:    a.load,
		Missing: func(model string) (lsp.Download, bool) { return missing(model, pull) },
		Pull: func(ctx context.Context, model string, progress func(float64)) error {
			m, err := models.Find(model)
			if err != nil {
				return err
			}
			pull := pull
			pull.Report = func(have, whole int64) { progress(float64(have) / float64(whole)) }
			_, err = models.Pull(ctx, m, pull)
			return err
		},
		Syntax:   func() (trees, bytes int64) { return syntax.Live().Trees, syntax.HeapBytes() },
		Settings: settings,
		Version:  version,
		Log:      a.log,
	})
}

// load loads a model for a server.
func (a *app) load(ctx context.Context, model string, progress func(float64)) (engine.Engine, error) {
	its := *a
	its.Model = model
	m, err := loadModel(ctx, &its, progress)
	if err != nil {
		return nil, err
	}
	return ownedEngine{m.engine, m}, nil
}

// returnMemory gives the system back what the heaps of Go and C do not use, now and
// then while something happens, until ctx ends. A server lives for days beside what
// its user does: left alone, heaps keep the size of their busiest moments.
func returnMemory(ctx context.Context, every time.Duration) {
	const worthwhile = 1 << 20 // bytes allocated since the last time
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for before := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if metrics.Read(allocated); allocated[0].Value.Uint64()-before >= worthwhile {
			debug.FreeOSMemory()
			syntax.ReturnFree()
			before = allocated[0].Value.Uint64()
		}
	}
}

// lspSettings are the settings file's, with the flags.
func lspSettings(a *app) (lsp.Settings, error) {
	settings := lsp.Settings{Model: a.Model, MaxTokens: a.Tokens}
	raw, err := json.Marshal(a.settings.LSP)
	if err != nil {
		return settings, err
	}
	settings, wrong := settings.With(raw)
	if len(wrong) > 0 {
		return settings, fmt.Errorf("%s: table lsp: %s", a.settings.Path, wrong[0])
	}
	return settings, nil
}

// missing tells what a pull of model would download, if it is a model that pull
// knows and not here.
func missing(model string, pull models.Options) (lsp.Download, bool) {
	_, m, err := models.Resolve("", model)
	if !errors.Is(err, models.ErrNotPulled) {
		return lsp.Download{}, false
	}
	sources, err := pull.Sources(*m)
	if err != nil || len(sources) == 0 {
		return lsp.Download{}, false
	}
	return lsp.Download{Bytes: m.Bytes, Host: strings.Join(sources, " or else ")}, true
}

// ownedEngine is an engine whose end is the end of its devices.
type ownedEngine struct {
	*engine.Local
	model *loaded
}

// Close ends both.
func (e ownedEngine) Close() error {
	e.model.close()
	return nil
}

// stdio is the connection to the editor that started this process.
type stdio struct {
	io.Reader
	io.Writer
}

// Close ends the output; the input ends when the editor ends it.
func (s stdio) Close() error {
	if w, ok := s.Writer.(io.Closer); ok {
		return w.Close()
	}
	return nil
}
