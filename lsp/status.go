package lsp

import (
	"encoding/json"

	"go.lsp.dev/jsonrpc2"
)

// set changes what is told while nothing is loaded.
func (m *model) set(state State, message string, share float64) {
	m.state, m.message, m.share = state, message, share
	m.tellLocked()
}

// progress announces a long piece of work to the client. report takes the share
// done; done ends the announcement.
func (m *model) progress(state State, title string) (report func(share float64), done func()) {
	m.mu.Lock()
	m.set(state, title, 0)
	m.mu.Unlock()
	p := m.s.newProgress(title)
	last := 0.0
	return func(share float64) {
		share = min(max(share, 0), 1)
		if share < last+reportStep && share < 1 || share <= last {
			return
		}
		last = share
		p.report(share)
		m.mu.Lock()
		m.set(state, title, share)
		m.mu.Unlock()
	}, p.end
}

// tell tells the client the state once more.
func (m *model) tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = ""
	m.tellLocked()
}

// tellLocked tells the client the state if it changed.
func (m *model) tellLocked() {
	if m.s.phase.Load() != phaseRunning {
		return // nothing may be told before, and nobody listens after
	}
	status := m.statusLocked()
	text, err := json.Marshal(status)
	if err != nil || string(text) == m.told {
		return
	}
	m.told = string(text)
	m.s.out.send(MethodStatus, jsonrpc2.RawMessage(text))
}

// statusLocked is the state as clients see it.
func (m *model) statusLocked() Status {
	settings := m.s.settings.Load()
	status := Status{State: m.state, Message: m.message, Model: m.name}
	if status.Model == "" {
		status.Model = settings.Model
	}
	switch {
	case settings.Disabled:
		status.State, status.Message = Disabled, "the setting enabled is false"
	case m.current != nil && m.current.users > 0:
		status.State, status.Message = Busy, "completing"
	case m.current != nil:
		status.State, status.Message = Ready, "ready"
		if lost := m.current.engine.Info().Lost; lost != "" {
			status.Message += "; " + lost
		}
	case m.share >= 0:
		share := m.share
		status.Progress = &share
	}
	return status
}

// summary words the state for people.
func (m *model) summary() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.summaryLocked()
}

func (m *model) summaryLocked() string {
	status := m.statusLocked()
	return "the model is " + string(status.State) + ": " + status.Message
}
