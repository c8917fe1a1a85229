package lsp

import (
	"encoding/json"
	"sync"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// warnings are what the user was told already.
type warnings struct {
	toldMu sync.Mutex
	told   map[string]bool
}

// once reports whether text is new.
func (w *warnings) once(text string) bool {
	w.toldMu.Lock()
	defer w.toldMu.Unlock()
	if w.told[text] || len(w.told) == maxOutgoing {
		return false
	}
	if w.told == nil {
		w.told = map[string]bool{}
	}
	w.told[text] = true
	return true
}

// showOnce shows the user a message that they have not seen in this session.
func (s *server) showOnce(kind protocol.MessageType, text string) {
	if s.warned.once(text) {
		s.out.send(protocol.MethodWindowShowMessage, &protocol.ShowMessageParams{Type: kind, Message: "tandem: " + text})
	}
}

// configure makes the settings in use: the configuration file's, overridden by
// those of initialize, overridden by the latest that the client sent.
func (s *server) configure(initial, latest json.RawMessage) {
	settings, wrong := s.opt.Settings.With(initial)
	settings, more := settings.With(latest)
	for _, text := range append(wrong, more...) {
		s.log.Warn("settings", "problem", text)
		s.showOnce(protocol.MessageTypeWarning, text)
	}
	s.settings.Store(&settings)
	s.model.configure(&settings)
}

// didChangeConfiguration takes the settings that the client pushes, then asks for
// them where it can be asked: some push nothing, and some only that.
func (s *server) didChangeConfiguration(params []byte) error {
	var p struct {
		Settings json.RawMessage `json:"settings"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	if len(p.Settings) > 0 && string(p.Settings) != "null" {
		s.configure(s.client.InitializationOptions, p.Settings)
	}
	if s.client.Capabilities.Workspace.Configuration {
		go s.pullConfiguration()
	}
	return nil
}

// pullConfiguration asks the client for the settings. An answer that was
// overtaken by a later question is dropped.
func (s *server) pullConfiguration() {
	turn := s.pulls.Add(1)
	name := section
	params := &protocol.ConfigurationParams{Items: []protocol.ConfigurationItem{{Section: &name}}}
	var answer jsonrpc2.RawMessage
	if !s.call(s.ctx, protocol.MethodWorkspaceConfiguration, params, &answer) || turn != s.pulls.Load() {
		return
	}
	var values []json.RawMessage
	if json.Unmarshal(answer, &values) == nil && len(values) == 1 && string(values[0]) != "null" {
		s.configure(s.client.InitializationOptions, values[0])
	}
}
