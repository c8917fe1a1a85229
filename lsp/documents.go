package lsp

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// didOpen adds a document. A model is loaded for the first one in which there
// may be something to complete, so that the first request finds it.
func (s *server) didOpen(params []byte) error {
	var p protocol.DidOpenTextDocumentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	d := p.TextDocument
	// Copied, for its strings are parts of the message, all of which would stay with them.
	path, language := strings.Clone(pathOf(d.URI)), strings.Clone(string(d.LanguageID))
	s.live.end(path, s.staleError())
	if err := s.workspace.Open(workspace.Item{Path: path, Language: language, Version: d.Version, Text: d.Text}); err != nil {
		return err
	}
	if c := s.model.peek(); c != nil {
		c.Look(s.workspace.Snapshot())
	}
	r := s.about(path)
	delete(s.changes, r.doc.Path)
	if r.settings.Trigger != Manual && r.declines() == "" {
		s.model.want(r.settings.Model, false)
	}
	return nil
}

// didChange makes edits, in the order in which they came. What is computed for
// the text before them is of no use any more.
func (s *server) didChange(params []byte) error {
	var p struct {
		TextDocument   protocol.VersionedTextDocumentIdentifier `json:"textDocument"`
		ContentChanges []change                                 `json:"contentChanges"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return badParams(err)
	}
	path := pathOf(p.TextDocument.URI)
	edits := make([]func(workspace.Text) workspace.Edit, len(p.ContentChanges))
	var last workspace.Edit
	what := newChange()
	for i, c := range p.ContentChanges {
		if c.Text == nil {
			return badParams(fmt.Errorf("change %d has no text", i))
		}
		edit := s.mapper.edit(c)
		edits[i] = func(text workspace.Text) workspace.Edit {
			last = edit(text)
			what.include(text, last)
			return last
		}
	}
	before, _ := s.workspace.Snapshot().Document(path)
	outcome, err := s.workspace.Change(path, p.TextDocument.Version, edits...)
	if err != nil {
		return err
	}
	if outcome.Backwards {
		s.log.Warn("a version went backwards", "version", p.TextDocument.Version)
	}
	s.live.end(path, s.staleError())
	d := outcome.Document
	what.suggested = s.shown.follow(before, d)
	s.changes[d.Path] = what
	if c := s.model.peek(); c != nil && last.End != workspace.ToEnd && s.about(path).declines() == "" {
		// The cursor stands behind what was typed, or will be told of.
		c.Changed(Question{Path: d.Path, Language: d.Language, Text: d.Text.String(), Offset: last.Start + len(last.Text)})
	}
	return nil
}

// didClose forgets a document.
func (s *server) didClose(params []byte) error {
	var p protocol.DidCloseTextDocumentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	path := pathOf(p.TextDocument.URI)
	s.live.end(path, s.staleError())
	s.records.forget(path)
	delete(s.changes, s.about(path).doc.Path)
	if c := s.model.peek(); c != nil {
		c.Closed(path)
	}
	return s.workspace.Close(path)
}

// didSave tells the workspace that a file on the disk is new.
func (s *server) didSave(params []byte) error {
	var p protocol.DidSaveTextDocumentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	s.workspace.Save(pathOf(p.TextDocument.URI))
	return nil
}

// staleError ends a request whose document changed. The protocol's own code is
// for clients that say they know it; the others might show it to the user.
func (s *server) staleError() error {
	if s.client.Capabilities.General.StaleRequestSupport != nil {
		return errStale
	}
	return errStaleQuietly
}
