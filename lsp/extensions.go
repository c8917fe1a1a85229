package lsp

import "go.lsp.dev/protocol"

// Methods beside the protocol's; docs/lsp-extensions.md describes them.
const (
	MethodStatus             = "tandem/status"
	MethodDidShow            = "tandem/didShow"
	MethodDidAccept          = "tandem/didAccept"
	MethodDidPartiallyAccept = "tandem/didPartiallyAccept"
	MethodDidMoveCursor      = "tandem/didMoveCursor"
	MethodStats              = "tandem/stats"
	MethodExplain            = "tandem/explain"
	MethodDebug              = "tandem/debug"
)

// CommandAccepted is the command of a suggestion, which clients run once it is
// inserted; its argument is the suggestion's id.
const CommandAccepted = "tandem.accepted"

// State is what the server can do at the moment.
type State string

// The states.
const (
	Unloaded    State = "unloaded"
	Downloading State = "downloading"
	Loading     State = "loading"
	Ready       State = "ready"
	Busy        State = "busy"
	Disabled    State = "disabled"
	Failed      State = "error"
)

// Status is what tandem/status tells.
type Status struct {
	State    State    `json:"state"`
	Message  string   `json:"message"`
	Model    string   `json:"model"`
	Progress *float64 `json:"progress,omitempty"` // 0 to 1, while downloading or loading
}

// SuggestionParams are those of didShow and didAccept.
type SuggestionParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
	ID           string                          `json:"id"`
}

// PartialParams are those of didPartiallyAccept.
type PartialParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
	ID           string                          `json:"id"`
	// AcceptedLength counts from the start of insertText, in the units of the
	// agreed position encoding.
	AcceptedLength uint32 `json:"acceptedLength"`
}

// PlaceParams are those of didMoveCursor and explain.
type PlaceParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
	Position     protocol.Position               `json:"position"`
}

// Stats are counted since the session began.
type Stats struct {
	Requests            int64 `json:"requests"`
	ServedWithoutEngine int64 `json:"served_without_engine"` // answered, and the engine was not asked
	Superseded          int64 `json:"superseded"`            // by a later request, an edit or a move
	Cancelled           int64 `json:"cancelled"`             // by the client
	PromptTokens        int64 `json:"prompt_tokens"`
	CachedTokens        int64 `json:"cached_tokens"`
	PrefillTokens       int64 `json:"prefill_tokens"`
	DecodedTokens       int64 `json:"decoded_tokens"`
	DecodedAfterCancel  int64 `json:"decoded_after_cancel"` // pieces of text given after the end of their request
	EngineBusyMillis    int64 `json:"engine_busy_ms"`
	ResidentBytes       int64 `json:"resident_bytes"` // of the process now
}

// Explanation says why the last request at a place gave what it gave.
type Explanation struct {
	Found    bool               `json:"found"` // whether there was a request at that place
	Outcome  string             `json:"outcome"`
	Reason   string             `json:"reason"`
	Position protocol.Position  `json:"position"`
	Version  int32              `json:"version"`
	Stages   []ExplanationStage `json:"stages"`
	TotalMS  float64            `json:"total_ms"`
}

// ExplanationStage is a step of a request, in order.
type ExplanationStage struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
	Note string  `json:"note"`
}
