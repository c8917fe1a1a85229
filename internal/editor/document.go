package editor

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// document is an open document as the server should have it.
type document struct {
	version int
	text    string
}

// Edit replaces the bytes from Start to End of a document by Text.
type Edit struct {
	Start, End int
	Text       string
}

// FileURI is the URI of the file or folder at path, an absolute one.
func FileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// Position is a place in a document in the agreed encoding.
type Position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// Triggers of a request for a suggestion.
const (
	Invoked   = 1 // the user asked for it
	Automatic = 2
)

// Open tells the server of a document.
func (c *Client) Open(uri, language, text string) error {
	c.docs[uri] = &document{1, text}
	return c.Notify("textDocument/didOpen", map[string]any{
		"textDocument": map[string]any{"uri": uri, "languageId": language, "version": 1, "text": text},
	})
}

// Change makes edits one after the other, each in the text that the one before
// it left, and tells the server of all with one notification. Offsets must lie
// inside the text, between characters.
func (c *Client) Change(uri string, edits ...Edit) error {
	d := c.docs[uri]
	if d == nil {
		return fmt.Errorf("editor: %s is not open", uri)
	}
	changes := make([]map[string]any, len(edits))
	text := d.text
	for i, e := range edits {
		if e.Start < 0 || e.End < e.Start || e.End > len(text) {
			return fmt.Errorf("editor: %s: an edit of bytes %d to %d of %d", uri, e.Start, e.End, len(text))
		}
		start := c.Position(text, e.Start)
		end := start
		if e.End > e.Start {
			end = c.Position(text, e.End)
		}
		changes[i] = map[string]any{"range": map[string]any{"start": start, "end": end}, "text": e.Text}
		text = text[:e.Start] + e.Text + text[e.End:]
	}
	d.text = text
	d.version++
	return c.Notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": uri, "version": d.version},
		"contentChanges": changes,
	})
}

// CloseDocument tells the server that a document is closed.
func (c *Client) CloseDocument(uri string) error {
	delete(c.docs, uri)
	return c.Notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri}})
}

// Text is the text of an open document, "" for others.
func (c *Client) Text(uri string) string {
	if d := c.docs[uri]; d != nil {
		return d.text
	}
	return ""
}

// Version is the version of an open document, 0 for others.
func (c *Client) Version(uri string) int {
	if d := c.docs[uri]; d != nil {
		return d.version
	}
	return 0
}

// Position is the place of an offset in text.
func (c *Client) Position(text string, offset int) Position {
	before := text[:offset]
	last := before[strings.LastIndexByte(before, '\n')+1:]
	n := len(last)
	switch c.encoding {
	case "utf-16":
		n = len(utf16.Encode([]rune(last)))
	case "utf-32":
		n = utf8.RuneCountInString(last)
	}
	return Position{Line: strings.Count(before, "\n"), Character: n}
}

// Place is a place of an open document as params have it.
func (c *Client) Place(uri string, offset int) map[string]any {
	return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": c.Position(c.Text(uri), offset)}
}

// Suggest asks for a suggestion at an offset of an open document and does not
// wait.
func (c *Client) Suggest(uri string, offset, trigger int) (*Call, error) {
	params := c.Place(uri, offset)
	params["context"] = map[string]any{"triggerKind": trigger}
	return c.Begin("textDocument/inlineCompletion", params)
}

// Item is a suggestion.
type Item struct {
	InsertText string `json:"insertText"`
	Range      struct {
		Start, End Position
	} `json:"range"`
	Command struct {
		Command   string   `json:"command"`
		Arguments []string `json:"arguments"`
	} `json:"command"`
}

// Item waits for the answer of a [Client.Suggest]: its one item, or nil where
// there is none.
func (call *Call) Item(ctx context.Context) (*Item, error) {
	var list *struct {
		Items []Item `json:"items"`
	}
	if err := call.Wait(ctx, &list); err != nil || list == nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("editor: %d suggestions, want one", len(list.Items))
	}
	return &list.Items[0], nil
}
