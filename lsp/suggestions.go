package lsp

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// suggestions are the latest ones that were sent, until something newer takes
// their place. Clients may name any of them, or one that is long forgotten.
type suggestions struct {
	mu    sync.Mutex
	last  int
	known map[string]*suggestion // by id
}

// suggestion is what became of one. Its document may hold the first taken bytes of
// it, accepted or typed, in version; the rest then belongs between start and end.
type suggestion struct {
	record  *record // of the request that it answered
	path    string
	text    string
	sent    time.Time
	shown   time.Time // zero: nobody said so
	taken   int
	version int32
	start   int
	end     int
}

// add keeps a suggestion and gives it an id.
func (s *suggestions) add(one *suggestion) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	if s.known == nil {
		s.known = map[string]*suggestion{}
	}
	delete(s.known, strconv.Itoa(s.last-maxSuggestions))
	id = strconv.Itoa(s.last)
	s.known[id] = one
	return id
}

// follow reports whether the change of a document from old to now inserted what
// was suggested there, or the beginning of it.
func (s *suggestions) follow(old, now workspace.Document) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	followed := false
	for _, one := range s.known {
		if one.path == old.Path && one.version == old.Version && one.follow(old.Text.String(), now.Text.String()) {
			one.version, followed = now.Version, true
		}
	}
	return followed
}

// follow moves on by what of the suggestion's rest makes now of old. Whoever takes
// all of it replaces what is to be replaced; whoever takes a word, often not.
func (one *suggestion) follow(old, now string) bool {
	rest := one.text[one.taken:]
	for _, end := range []int{one.start, one.end} {
		n := len(now) - len(old) + end - one.start // bytes that came
		if n <= 0 || n > len(rest) || end > len(old) {
			continue
		}
		if now[:one.start] == old[:one.start] && now[one.start:one.start+n] == rest[:n] && now[one.start+n:] == old[end:] {
			one.end += n - (end - one.start)
			one.start += n
			one.taken += n
			return true
		}
	}
	return false
}

// stages tell what became of the suggestion that answered a request.
func (s *suggestions) stages(r *record) (stages []ExplanationStage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.known {
		if one.record != r {
			continue
		}
		if !one.shown.IsZero() {
			stages = append(stages, ExplanationStage{Name: "shown", MS: millis(one.shown.Sub(one.sent))})
		}
		if one.taken > 0 {
			stages = append(stages, ExplanationStage{Name: "taken", Note: fmt.Sprintf("%d of %d bytes", one.taken, len(one.text))})
		}
	}
	return stages
}

// change changes what is known of a suggestion.
func (s *suggestions) change(id string, f func(*suggestion)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[id]
	if one == nil {
		return fmt.Errorf("no suggestion %.40q: only the last %d are known", id, maxSuggestions)
	}
	f(one)
	return nil
}

// didShow is told when a client draws a suggestion.
func (s *server) didShow(params []byte) error {
	var p SuggestionParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.shown.change(p.ID, func(one *suggestion) {
		one.shown = time.Now()
		s.log.Debug("shown", "id", p.ID, "time", one.shown.Sub(one.record.start))
	})
}

// didAccept is told when the whole of a suggestion was inserted.
func (s *server) didAccept(params []byte) error {
	var p SuggestionParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.accept(p.ID, math.MaxUint32)
}

// didPartiallyAccept is told when the beginning of a suggestion was inserted.
func (s *server) didPartiallyAccept(params []byte) error {
	var p PartialParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.accept(p.ID, p.AcceptedLength)
}

// accept notes that the first length units of a suggestion were inserted. Clients
// say so behind the edit, which may have put the text in otherwise than it was
// suggested, indented anew: that the edit came of a suggestion counts all the same.
func (s *server) accept(id string, length uint32) error {
	return s.shown.change(id, func(one *suggestion) {
		one.taken = max(one.taken, s.mapper.bytes(one.text, uint64(length)))
		s.log.Debug("accepted", "id", id, "bytes", one.taken, "of", len(one.text))
		if last, changed := s.changes[one.path]; changed {
			last.suggested = true
			s.changes[one.path] = last
		}
	})
}

// executeCommand answers workspace/executeCommand: clients that know no didAccept
// run a suggestion's command after they inserted it.
func (s *server) executeCommand(params []byte) (job, error) {
	var p protocol.ExecuteCommandParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	if p.Command != CommandAccepted {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidParams, "command %.40q: there is only %q", p.Command, CommandAccepted)
	}
	var id string
	if len(p.Arguments) != 1 || json.Unmarshal(p.Arguments[0], &id) != nil {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidParams, "%s takes a suggestion's id, a text", CommandAccepted)
	}
	if err := s.accept(id, math.MaxUint32); err != nil {
		s.log.Debug("accepted", "error", err) // the user has the text: nothing to complain about
	}
	return constant(nil), nil
}

// didMoveCursor is told when the cursor went somewhere without an edit. What is
// computed for another place is given up, and what a request at this one would
// need is computed ahead, unless nothing may be asked there.
func (s *server) didMoveCursor(params []byte) error {
	var p PlaceParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	path := pathOf(p.TextDocument.URI)
	r := s.about(path)
	if !r.open {
		return fmt.Errorf("%s is not open", path)
	}
	offset := s.mapper.offset(r.doc.Text, p.Position)
	s.live.moved(path, offset)
	s.workspace.Touch(path)
	if c := s.model.peek(); c != nil && r.settings.Trigger != Manual && r.declines() == "" {
		c.Moved(Question{
			Snapshot: r.snapshot, Path: path, Language: r.doc.Language, Text: r.doc.Text.String(), Offset: offset,
			MaxTokens: r.settings.MaxTokens,
		})
	}
	return nil
}
