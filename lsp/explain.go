package lsp

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// record is a request as tandem/explain tells of it. It belongs to its request
// until that is finished, and then never changes. It holds no source text.
type record struct {
	Explanation
	path  string
	start time.Time
	last  time.Time
}

func newRecord(d workspace.Document, at protocol.Position) *record {
	now := time.Now()
	return &record{
		Explanation: Explanation{Found: true, Position: at, Version: d.Version, Stages: []ExplanationStage{}},
		path:        d.Path, start: now, last: now,
	}
}

// stage notes a step that ends now.
func (r *record) stage(name, note string) {
	now := time.Now()
	r.Stages = append(r.Stages, ExplanationStage{Name: name, MS: millis(now.Sub(r.last)), Note: note})
	r.last = now
}

// include notes the completer's own stages, which end now.
func (r *record) include(stages []ExplanationStage) {
	r.Stages = append(r.Stages, stages...)
	r.last = time.Now()
}

// finish notes what came of the request.
func (r *record) finish(a Answer, reason string, err error) *record {
	r.TotalMS = millis(time.Since(r.start))
	r.Reason = reason
	switch {
	case err != nil:
		r.Outcome, r.Reason = "ended", err.Error()
	case a.Text != "":
		r.Outcome, r.Reason = "suggestion", "the model had one"
	case reason != "":
		r.Outcome = "declined"
	default:
		r.Outcome, r.Reason = "nothing", "the model had nothing worth showing"
	}
	r.stage("answer", r.Outcome)
	return r
}

// records are the latest requests, oldest first.
type records struct {
	mu   sync.Mutex
	list []*record
}

func (rs *records) add(r *record) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.list) == maxRecords {
		rs.list = append(rs.list[:0:0], rs.list[1:]...)
	}
	rs.list = append(rs.list, r)
}

// forget drops the requests in a document.
func (rs *records) forget(path string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var kept []*record
	for _, r := range rs.list {
		if r.path != path {
			kept = append(kept, r)
		}
	}
	rs.list = kept
}

// at is the last request at a place, nil if there was none.
func (rs *records) at(path string, p protocol.Position) *record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i := len(rs.list) - 1; i >= 0; i-- {
		if r := rs.list[i]; r.path == path && r.Position == p {
			return r
		}
	}
	return nil
}

// explain answers tandem/explain. Where nobody asked yet it tells what would come
// of it.
func (s *server) explain(params []byte) (job, error) {
	var p PlaceParams
	if err := json.Unmarshal(params, &p); err != nil || p.TextDocument.URI == "" {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "params: want textDocument and position")
	}
	path := pathOf(p.TextDocument.URI)
	if r := s.records.at(path, p.Position); r != nil {
		answer := r.Explanation
		answer.Stages = append(slices.Clip(answer.Stages), s.shown.stages(r)...)
		return constant(&answer), nil
	}
	r := s.about(path)
	answer := &Explanation{Outcome: "not asked", Position: p.Position, Version: r.doc.Version, Stages: []ExplanationStage{}}
	if answer.Reason = r.declines(); answer.Reason == "" {
		answer.Reason = "no request came for this place; " + s.model.summary()
	}
	return constant(answer), nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
