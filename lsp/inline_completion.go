package lsp

import (
	"context"
	"encoding/json"

	"go.lsp.dev/protocol"

	"tandem/context/workspace"
)

// inlineCompletion answers textDocument/inlineCompletion with one item, or with
// null. An empty list would do as well for most clients, but Neovim then hides
// what it shows, also where the request was a superseded one.
func (s *server) inlineCompletion(params []byte) (job, error) {
	var p protocol.InlineCompletionParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	r := s.begin(p.TextDocumentPositionParams, p.Context.TriggerKind == protocol.InlineCompletionTriggerKindInvoked)
	s.selectItem(r, p.Context.SelectedCompletionInfo)
	return func(ctx context.Context) (any, error) {
		answer, err := s.suggestion(ctx, r)
		if err != nil || answer.Text == "" {
			return nil, err
		}
		item := s.inlineItem(r, answer)
		return &protocol.InlineCompletionList{Items: []protocol.InlineCompletionItem{item}}, nil
	}, nil
}

// selectItem completes behind the item that is selected in the client's menu,
// as if it were inserted.
func (s *server) selectItem(r *request, info protocol.SelectedCompletionInfo) {
	if info == (protocol.SelectedCompletionInfo{}) || info.Range.Start.Line != info.Range.End.Line {
		return
	}
	start, end := s.mapper.offset(r.text, info.Range.Start), s.mapper.offset(r.text, info.Range.End)
	if start > end || end != r.offset {
		return
	}
	text, err := r.text.Edit(workspace.Edit{Start: start, End: end, Text: info.Text})
	if err != nil {
		return // too large by a few bytes: complete without the item
	}
	r.text, r.offset = text, start+len(info.Text)
	r.selected, r.before = info.Text, end-start
}

// inlineItem is the suggestion as the protocol has it. Its range is empty unless
// text is replaced: clients draw what replaces text over it, and what does not
// into the line.
func (s *server) inlineItem(r *request, answer Answer) protocol.InlineCompletionItem {
	text := r.selected + answer.Text
	cursor := s.mapper.offset(r.doc.Text, r.at)
	id := s.offer(r, text, cursor-r.before, cursor+answer.Replace)
	argument, _ := json.Marshal(id)
	return protocol.InlineCompletionItem{
		InsertText: protocol.String(text),
		Range: &protocol.Range{
			Start: s.mapper.position(r.doc.Text, cursor-r.before),
			End:   s.mapper.position(r.doc.Text, cursor+answer.Replace),
		},
		Command: protocol.Command{Title: "Accepted", Command: CommandAccepted, Arguments: []protocol.LSPAny{argument}},
	}
}

// isCompletion reports whether a method's failures are answered with nothing.
func isCompletion(method string) bool {
	return method == protocol.MethodTextDocumentInlineCompletion || method == protocol.MethodTextDocumentCompletion
}
