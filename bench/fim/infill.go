package fim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// What llama.vim sends for a keystroke.
const (
	infillLinesBefore = 256
	infillLinesAfter  = 64
	infillTokens      = 128
	infillPromptMS    = 500
	infillPredictMS   = 250
	infillBytesMax    = 1 << 20 // of an answer
)

// Infill asks a llama-server by its /infill endpoint as the editor plugin
// llama.vim does for a keystroke. It is safe for concurrent use, but answers
// that wait for each other measure nothing.
type Infill struct{ peer }

// NewInfill asks the llama-server at url, such as http://127.0.0.1:8080.
func NewInfill(url string) *Infill { return &Infill{newPeer(url)} }

// InfillAnswer is what the server says and what that cost.
type InfillAnswer struct {
	Text          string        `json:"text"`
	Took          time.Duration `json:"-"` // of the whole HTTP request
	PromptTokens  int           `json:"prompt_tokens"`
	DecodedTokens int           `json:"decoded_tokens"`
}

// Ask asks what to insert at offset of text. On a line of blanks the plugin asks
// for the whole line and shows what is not there yet; so does the answer's Text.
func (i *Infill) Ask(ctx context.Context, text string, offset int) (InfillAnswer, error) {
	request, blanks := infillRequest(text, offset)
	start := time.Now()
	body, err := i.post(ctx, "/infill", request)
	if err != nil {
		return InfillAnswer{}, err
	}
	defer body.Close()
	said, err := io.ReadAll(io.LimitReader(body, infillBytesMax))
	took := time.Since(start)
	if err != nil {
		return InfillAnswer{}, fmt.Errorf("peer: /infill: %w", err)
	}
	var reply struct {
		Content       *string `json:"content"`
		PromptTokens  int     `json:"timings/prompt_n"`
		DecodedTokens int     `json:"timings/predicted_n"`
	}
	if err := json.Unmarshal(said, &reply); err != nil || reply.Content == nil {
		return InfillAnswer{}, fmt.Errorf("peer: /infill: %.200q has no content (is it a llama-server?)", said)
	}
	answer := *reply.Content
	for len(blanks) > 0 && answer != "" && strings.IndexByte(" \t", answer[0]) >= 0 {
		blanks, answer = blanks[1:], answer[1:]
	}
	return InfillAnswer{answer, took, reply.PromptTokens, reply.DecodedTokens}, nil
}

// infillRequest is the plugin's request, and the blanks before the cursor that
// it leaves to the model.
func infillRequest(text string, offset int) (request map[string]any, blanks string) {
	before, after := text[:offset], text[offset:]
	cut := strings.LastIndexByte(before, '\n') + 1
	above, line := lastLines(before[:cut], infillLinesBefore), before[cut:]
	rest, below, _ := strings.Cut(after, "\n")
	if strings.Trim(line+rest, " \t\r") == "" {
		line, rest, blanks = "", "", line
	}
	return map[string]any{
		"id_slot": 0, "input_prefix": above, "prompt": line, "input_suffix": rest + "\n" + firstLines(below, infillLinesAfter),
		"input_extra": []any{}, "n_predict": infillTokens, "n_indent": len(line) - len(strings.TrimLeft(line, " \t")),
		"top_k": 40, "top_p": 0.9, "samplers": []string{"top_k", "top_p", "infill"}, "stream": false, "cache_prompt": true,
		"t_max_prompt_ms": infillPromptMS, "t_max_predict_ms": infillPredictMS,
		"response_fields": []string{"content", "timings/prompt_n", "timings/predicted_n"},
	}, blanks
}

// lastLines is the end of text, n lines of it. Each line ends with a line break.
func lastLines(text string, n int) string {
	at := len(text)
	for ; n > 0 && at > 0; n-- {
		at = strings.LastIndexByte(text[:at-1], '\n') + 1
	}
	return text[at:]
}

// firstLines is the beginning of text, n lines of it.
func firstLines(text string, n int) string {
	at := 0
	for ; n > 0 && at < len(text); n-- {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			return text + "\n"
		}
		at += next + 1
	}
	return text[:at]
}
