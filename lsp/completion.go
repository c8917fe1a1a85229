package lsp

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.lsp.dev/protocol"
)

// triggerCharacters are where clients without ghost text ask beside words.
var triggerCharacters = []string{".", "(", "[", "{", ",", ":", "=", " "}

// maxLabelRunes of a suggestion are shown in a menu.
const maxLabelRunes = 60

// completion answers textDocument/completion for clients that know no inline
// completion: a menu with the suggestion as its one item.
func (s *server) completion(params []byte) (job, error) {
	var p protocol.CompletionParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	manual := p.Context.TriggerKind == protocol.CompletionTriggerKindInvoked
	r := s.begin(p.TextDocumentPositionParams, manual)
	return func(ctx context.Context) (any, error) {
		answer, err := s.suggestion(ctx, r)
		if err != nil || answer.Text == "" {
			return nil, err
		}
		return &protocol.CompletionList{IsIncomplete: true, Items: []protocol.CompletionItem{s.menuItem(r, answer)}}, nil
	}, nil
}

// menuItem is the suggestion behind the word at the cursor, which it repeats:
// menus show only what begins with that word.
func (s *server) menuItem(r *request, answer Answer) protocol.CompletionItem {
	line := r.doc.Text.Line(r.doc.Text.LineOf(r.offset))
	left := line[:min(len(line), r.offset-r.doc.Text.LineStart(r.doc.Text.LineOf(r.offset)))]
	word := left[len(strings.TrimRightFunc(left, isWord)):]
	id := s.offer(r, word+answer.Text, r.offset-len(word), r.offset+answer.Replace)
	argument, _ := json.Marshal(id)
	yes := true
	return protocol.CompletionItem{
		Label:            label(word + answer.Text),
		Kind:             protocol.CompletionItemKindText,
		Detail:           protocol.NewOptional("tandem"),
		Preselect:        protocol.NewOptional(yes),
		FilterText:       protocol.NewOptional(word + answer.Text),
		InsertTextFormat: protocol.InsertTextFormatPlainText,
		InsertTextMode:   protocol.InsertTextModeAsIs,
		TextEdit: &protocol.TextEdit{
			Range: protocol.Range{
				Start: s.mapper.position(r.doc.Text, r.offset-len(word)),
				End:   s.mapper.position(r.doc.Text, r.offset+answer.Replace),
			},
			NewText: word + answer.Text,
		},
		Command: protocol.Command{Title: "Accepted", Command: CommandAccepted, Arguments: []protocol.LSPAny{argument}},
	}
}

// label is text's first line that says something, cut to what a menu has room for.
func label(text string) string {
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if utf8.RuneCountInString(first) > maxLabelRunes {
		first, more = string([]rune(first)[:maxLabelRunes]), true
	}
	if more {
		first += " …"
	}
	return first
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
