package lsp

import (
	"context"
	"encoding/json"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// client is what initialize tells of the other side, as far as anybody asks.
// Only that is read: a capability that is spelled in a new way is no reason to
// refuse a session.
type client struct {
	ProcessID    *int `json:"processId"`
	Capabilities struct {
		General struct {
			PositionEncodings   []protocol.PositionEncodingKind `json:"positionEncodings"`
			StaleRequestSupport *struct{}                       `json:"staleRequestSupport"`
		} `json:"general"`
		TextDocument struct {
			InlineCompletion *struct{} `json:"inlineCompletion"`
		} `json:"textDocument"`
		Window struct {
			WorkDoneProgress bool `json:"workDoneProgress"`
		} `json:"window"`
		Workspace struct {
			Configuration          bool    `json:"configuration"`
			DidChangeConfiguration dynamic `json:"didChangeConfiguration"`
			DidChangeWatchedFiles  dynamic `json:"didChangeWatchedFiles"`
		} `json:"workspace"`
	} `json:"capabilities"`
	RootURI               string          `json:"rootUri"`
	RootPath              string          `json:"rootPath"`
	WorkspaceFolders      []folder        `json:"workspaceFolders"`
	InitializationOptions json.RawMessage `json:"initializationOptions"`
}

// dynamic is a capability that has to be asked for.
type dynamic struct {
	Registration bool `json:"dynamicRegistration"`
}

// initialize begins the session.
func (s *server) initialize(params []byte) (job, error) {
	if s.phase.Load() != phaseStarting {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "initialize comes once")
	}
	var c client
	if err := json.Unmarshal(params, &c); err != nil {
		return nil, badParams(err)
	}
	s.client = c
	s.mapper = newMapper(s.client.Capabilities.General.PositionEncodings)
	s.setFolders(s.client.folders())
	s.configure(s.client.InitializationOptions, nil)
	if pid := s.client.ProcessID; pid != nil {
		go s.watchParent(*pid)
	}
	s.phase.Store(phaseRunning)
	result := s.capabilities()
	return constant(result), nil
}

// constant is the job of a call whose answer is known.
func constant(result any) job {
	return func(context.Context) (any, error) { return result, nil }
}

func (s *server) capabilities() *protocol.InitializeResult {
	yes, incremental := true, protocol.TextDocumentSyncKindIncremental
	result := &protocol.InitializeResult{
		ServerInfo: protocol.ServerInfo{Name: "tandem", Version: protocol.NewOptional(s.opt.Version)},
		Capabilities: protocol.ServerCapabilities{
			PositionEncoding: s.mapper.encoding,
			TextDocumentSync: &protocol.TextDocumentSyncOptions{
				OpenClose: &yes, Change: &incremental, Save: &protocol.SaveOptions{},
			},
			ExecuteCommandProvider: protocol.ExecuteCommandOptions{Commands: []string{CommandAccepted}},
			Workspace: &protocol.WorkspaceOptions{WorkspaceFolders: &protocol.WorkspaceFoldersServerCapabilities{
				Supported: &yes, ChangeNotifications: protocol.Boolean(true),
			}},
		},
	}
	if s.client.Capabilities.TextDocument.InlineCompletion != nil {
		result.Capabilities.InlineCompletionProvider = &protocol.InlineCompletionOptions{}
	} else {
		// Offered to both, it would show every suggestion twice.
		result.Capabilities.CompletionProvider = &protocol.CompletionOptions{TriggerCharacters: triggerCharacters}
	}
	return result
}
