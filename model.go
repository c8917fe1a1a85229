package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/engine"
	"tandem/kernels/op"
	"tandem/models"
)

// loaded is a model that is ready, and the devices it runs on.
type loaded struct {
	engine    *engine.Local
	devices   *devices
	fallback  op.Device // takes over if the others are lost; nil where they cannot be
	executors []*engine.Executor
	loadTime  time.Duration
}

// openModel loads the model that the flags name and draws how far it is. Nothing
// is downloaded.
func openModel(a *app) (*loaded, error) {
	bar := newProgress(a.err, "loading")
	defer bar.done()
	return loadModel(a.ctx, a, func(share float64) { bar.show(share, "") })
}

// loadModel loads the model that the flags name, and tells progress the share done.
func loadModel(ctx context.Context, a *app, progress func(share float64)) (*loaded, error) {
	start := time.Now()
	path, known, err := models.Resolve("", a.Model)
	if err != nil {
		return nil, err
	}
	draftPath, err := a.draftPath(known)
	if err != nil {
		return nil, err
	}
	kv, err := kvType(a.KV)
	if err != nil {
		return nil, err
	}
	m := &loaded{}
	if m.devices, err = openDevices(a.flags); err != nil {
		return nil, err
	}
	opt := engine.Options{Path: path, KV: kv, MaxTokens: a.Context, DraftPath: draftPath, DraftOptional: a.DraftModel == draftAuto}
	opt.Prefill = m.executor(m.devices.prefill)
	opt.Decode = opt.Prefill
	if m.devices.decode != m.devices.prefill {
		opt.Decode = m.executor(m.devices.decode)
	}
	if m.fallback, err = openFallback(a.flags); err != nil {
		m.closeDevices()
		return nil, err
	}
	if m.fallback != nil {
		opt.Fallback = m.executor(m.fallback)
	}
	opt.Progress = progress
	m.engine, err = engine.Open(ctx, opt)
	if err != nil {
		m.closeDevices()
		return nil, err
	}
	m.loadTime = time.Since(start)
	info := m.engine.Info()
	a.log.Info("loaded", "model", info.Model, "path", info.Path, "prefill", info.PrefillDevice, "decode", info.DecodeDevice, "draft_model", info.DraftModel,
		"weight_bytes", info.WeightBytes, "cache_bytes", info.CacheBytes, "time", m.loadTime)
	if a.Context > info.MaxTokens {
		m.close()
		return nil, fmt.Errorf("--context %d: %s was made for %d tokens", a.Context, a.Model, info.MaxTokens)
	}
	return m, nil
}

// What --draft-model means beside a model's name or path.
const (
	draftAuto = "auto"
	draftNone = "none"
)

// draftPath is the file of the model that drafts for known, which is nil for a
// model that was given by its path; "" for none. What was not asked for by name
// need not be here.
func (f flags) draftPath(known *models.Model) (string, error) {
	switch {
	case f.DraftModel == draftNone, f.DraftModel == draftAuto && (known == nil || known.Drafter == ""):
		return "", nil
	case f.DraftModel == draftAuto:
		path, _, err := models.Resolve("", known.Drafter)
		if errors.Is(err, models.ErrNotPulled) {
			return "", nil
		}
		return path, err
	}
	path, _, err := models.Resolve("", f.DraftModel)
	if err != nil {
		return "", fmt.Errorf("--draft-model: %w", err)
	}
	return path, nil
}

func (m *loaded) executor(d op.Device) *engine.Executor {
	e := engine.NewExecutor(d)
	m.executors = append(m.executors, e)
	return e
}

// close ends the engine, then the devices.
func (m *loaded) close() {
	m.engine.Close()
	m.closeDevices()
}

func (m *loaded) closeDevices() {
	for _, e := range m.executors {
		e.Close()
	}
	m.devices.close()
	if m.fallback != nil {
		m.fallback.Close()
	}
}

// where names the devices: "cpu avx2, 4 threads".
func (m *loaded) where() string {
	info := m.devices.prefill.Info()
	text := fmt.Sprintf("%s %s, %d threads", info.Name, info.ISA, info.Threads)
	if m.devices.decode != m.devices.prefill {
		text += ", decode on " + m.devices.decode.Name()
	}
	return text
}
