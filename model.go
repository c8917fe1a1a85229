package main

import (
	"fmt"
	"time"

	"tandem/engine"
	"tandem/models"
)

// loaded is a model that is ready, and the devices it runs on.
type loaded struct {
	engine   engine.Engine
	devices  *devices
	loadTime time.Duration
}

// openModel loads the model that the flags name. Nothing is downloaded.
func openModel(a *app) (*loaded, error) {
	start := time.Now()
	path, _, err := models.Resolve("", a.Model)
	if err != nil {
		return nil, err
	}
	d, err := openDevices(a.flags)
	if err != nil {
		return nil, err
	}
	_ = path
	_ = start
	d.close()
	return nil, fmt.Errorf("no engine yet")
}

// close ends the engine, then the devices.
func (m *loaded) close() {
	m.engine.Close()
	m.devices.close()
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
