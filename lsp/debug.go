package lsp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"runtime"

	"go.lsp.dev/protocol"

	"tandem/engine"
)

// DebugParams are those of debug. The document may be left out.
type DebugParams struct {
	TextDocument *protocol.TextDocumentIdentifier `json:"textDocument"`
}

// Debug is what a server that has nothing to do should hold as little of after
// hours as after minutes.
type Debug struct {
	Goroutines   int   `json:"goroutines"`
	HeapBytes    int64 `json:"heap_bytes"`   // of Go, garbage included
	CHeapBytes   int64 `json:"c_heap_bytes"` // in use, trees among it; -1: not known
	SyntaxTrees  int64 `json:"syntax_trees"`
	KVPages      int   `json:"kv_pages"` // of all devices
	KVPagesInUse int   `json:"kv_pages_in_use"`
	KVPagesFree  int   `json:"kv_pages_free"` // that hold nothing
	// Prompts whose keys and values one device handed over to another, by the model
	// that is loaded, and what that took.
	HandOvers      int64          `json:"hand_overs"`
	HandOverBytes  int64          `json:"hand_over_bytes"`
	HandOverMillis int64          `json:"hand_over_ms"`
	Document       *DebugDocument `json:"document,omitempty"` // nil if it is not open
}

// DebugDocument is an open document as the server has it.
type DebugDocument struct {
	Version int32  `json:"version"`
	Bytes   int    `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// debug answers tandem/debug.
func (s *server) debug(params []byte) (job, error) {
	var p DebugParams
	if len(params) > 0 {
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, badParams(err)
		}
	}
	d := &Debug{Goroutines: runtime.NumGoroutine()}
	if p.TextDocument != nil {
		if doc, open := s.workspace.Snapshot().Document(pathOf(p.TextDocument.URI)); open {
			sum := sha256.Sum256([]byte(doc.Text.String()))
			d.Document = &DebugDocument{Version: doc.Version, Bytes: doc.Text.Len(), SHA256: hex.EncodeToString(sum[:])}
		}
	}
	if s.opt.Syntax != nil {
		d.SyntaxTrees, d.CHeapBytes = s.opt.Syntax()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	d.HeapBytes = int64(mem.HeapAlloc)
	stats := s.model.engineStats()
	d.HandOvers, d.HandOverBytes, d.HandOverMillis = stats.HandOvers, stats.HandOverBytes, stats.HandOver.Milliseconds()
	for _, device := range stats.Devices {
		d.KVPages += device.Cache.Pages
		d.KVPagesFree += device.Cache.FreePages
		d.KVPagesInUse += device.Cache.Pages - device.Cache.FreePages - device.Cache.KeptPages
	}
	return constant(d), nil
}

// engineStats are those of the model that is loaded, as far as its engine tells.
func (m *model) engineStats() engine.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return engine.Stats{}
	}
	c, isCounted := m.current.engine.(counted)
	if !isCounted {
		return engine.Stats{}
	}
	e, tells := c.Engine.(interface{ Stats() engine.Stats })
	if !tells {
		return engine.Stats{}
	}
	return e.Stats()
}
