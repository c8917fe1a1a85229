package lsp

import (
	"context"

	"go.lsp.dev/protocol"
)

// initialized is the client's leave to send requests: for its settings, and to be
// told when they or files of the folders change.
func (s *server) initialized() error {
	s.model.tell()
	can := s.client.Capabilities.Workspace
	if can.DidChangeConfiguration.Registration {
		go s.register(protocol.MethodWorkspaceDidChangeConfiguration, `{"section":"`+section+`"}`)
	}
	if can.DidChangeWatchedFiles.Registration {
		go s.register(protocol.MethodWorkspaceDidChangeWatchedFiles, watchers)
	}
	if can.Configuration {
		go s.pullConfiguration()
	}
	return nil
}

func (s *server) register(method, options string) {
	params := &protocol.RegistrationParams{Registrations: []protocol.Registration{{
		ID: "tandem." + method, Method: method, RegisterOptions: protocol.LSPAny(options),
	}}}
	s.call(s.ctx, protocol.MethodClientRegisterCapability, params, nil)
}

// call asks the client. A refusal is the client's business and only logged.
func (s *server) call(ctx context.Context, method string, params, result any) bool {
	if _, err := s.conn.Call(ctx, method, params, result); err != nil {
		s.log.Debug("the client refused", "method", method, "error", err)
		return false
	}
	return true
}
