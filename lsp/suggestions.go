package lsp

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// suggestions are the latest ones that were sent, until something newer takes
// their place. Clients may name any of them, or one that is long forgotten.
type suggestions struct {
	mu    sync.Mutex
	last  int
	known map[string]*suggestion
}

// suggestion is what became of one.
type suggestion struct {
	path     string
	text     string
	shown    bool
	accepted int // bytes
}

// add keeps a suggestion and gives it an id.
func (s *suggestions) add(path, text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	if s.known == nil {
		s.known = map[string]*suggestion{}
	}
	delete(s.known, strconv.Itoa(s.last-maxSuggestions))
	id := strconv.Itoa(s.last)
	s.known[id] = &suggestion{path: path, text: text}
	return id
}

// change changes what is known of a suggestion; it is false for an unknown one.
func (s *suggestions) change(id string, f func(*suggestion)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[id]
	if one != nil {
		f(one)
	}
	return one != nil
}

func (s *server) changeSuggestion(id string, f func(*suggestion)) error {
	if !s.shown.change(id, f) {
		return fmt.Errorf("no suggestion %.40q: only the last %d are known", id, maxSuggestions)
	}
	return nil
}

// didShow is told when a client draws a suggestion.
func (s *server) didShow(params []byte) error {
	var p SuggestionParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.changeSuggestion(p.ID, func(one *suggestion) { one.shown = true })
}

// didAccept is told when the whole of a suggestion was inserted.
func (s *server) didAccept(params []byte) error {
	var p SuggestionParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.accept(p.ID)
}

func (s *server) accept(id string) error {
	s.log.Debug("accepted", "id", id)
	return s.changeSuggestion(id, func(one *suggestion) { one.accepted = len(one.text) })
}

// didPartiallyAccept is told when the beginning of a suggestion was inserted.
func (s *server) didPartiallyAccept(params []byte) error {
	var p PartialParams
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	return s.changeSuggestion(p.ID, func(one *suggestion) {
		one.accepted = s.mapper.bytes(one.text, uint64(p.AcceptedLength))
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
	if err := s.accept(id); err != nil {
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
	d, open := s.workspace.Snapshot().Document(path)
	if !open {
		return fmt.Errorf("%s is not open", path)
	}
	offset := s.mapper.offset(d.Text, p.Position)
	s.live.moved(path, offset)
	s.workspace.Touch(path)
	r := &request{snapshot: s.workspace.Snapshot(), settings: s.settings.Load(), doc: d, open: true}
	if c := s.model.peek(); c != nil && s.declines(r) == "" {
		c.Moved(Question{
			Snapshot: r.snapshot, Path: path, Language: d.Language, Text: d.Text.String(), Offset: offset,
			MaxTokens: r.settings.MaxTokens,
		})
	}
	return nil
}
