package main

import (
	"io"

	"tandem/engine"
	"tandem/engine/sample"
	"tandem/internal/logfile"
)

// generateTokens is what -n means to generate where it is not given.
const generateTokens = 256

type generateCmd struct {
	Prompt        string   `arg:"" help:"Text to continue."`
	Temperature   float64  `default:"0" placeholder:"T" help:"Divides the logits; 0 takes the likeliest token (default), 1 the model's own distribution."`
	TopK          int      `default:"0" placeholder:"K" help:"Choose among the K likeliest tokens; 0 for all."`
	TopP          float64  `default:"1" placeholder:"P" help:"Choose among the likeliest tokens that together have probability P."`
	MinP          float64  `default:"0" placeholder:"P" help:"Choose among tokens at least P times as likely as the likeliest."`
	RepeatPenalty float64  `default:"1" placeholder:"X" help:"Make recent tokens less likely; 1 does nothing."`
	Seed          uint64   `default:"0" placeholder:"N" help:"Begins the random numbers: equal seeds give equal text."`
	Stop          []string `sep:"none" placeholder:"TEXT" help:"End before this text. May be given several times."`
	Special       bool     `help:"Spellings of special tokens in the prompt, such as <|im_start|>, become the token."`
}

// Help is what --help adds.
func (*generateCmd) Help() string {
	return `Only the text stands on standard output, without the prompt. With --json the whole
result comes at the end. -n bounds the text's tokens (default 256).`
}

// generated is `tandem generate --json`.
type generated struct {
	Text          string            `json:"text"`
	PromptTokens  int               `json:"prompt_tokens"`
	CachedTokens  int               `json:"cached_tokens"`
	PrefillTokens int               `json:"prefill_tokens"`
	DecodedTokens int               `json:"decoded_tokens"`
	TTFTMillis    float64           `json:"ttft_ms"`
	TotalMillis   float64           `json:"total_ms"`
	Stop          engine.StopReason `json:"stop"`
}

// Run continues the prompt.
func (c *generateCmd) Run(a *app) error {
	m, err := openModel(a)
	if err != nil {
		return err
	}
	defer m.close()
	req := engine.Request{
		MaxTokens: a.Tokens,
		Sampling: sample.Options{
			Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, MinP: c.MinP, RepeatPenalty: c.RepeatPenalty, Seed: c.Seed,
		},
		Stop:     c.Stop,
		Priority: engine.Chat,
	}
	if req.MaxTokens == 0 {
		req.MaxTokens = generateTokens
	}
	if req.IDs, err = promptIDs(m.engine.Tokenizer(), c.Prompt, c.Special); err != nil {
		return err
	}
	var writeErr error
	res, err := m.engine.Generate(a.ctx, req, func(text string) bool {
		if !a.JSON {
			_, writeErr = io.WriteString(a.out, text)
		}
		return writeErr == nil
	})
	a.log.Info("generated", "prompt_tokens", res.PromptTokens, "decoded_tokens", res.DecodedTokens, "stop", res.Stop,
		"total", res.Total, "prompt", logfile.Text(c.Prompt), "text", logfile.Text(res.Text))
	switch {
	case err != nil:
		return err
	case writeErr != nil:
		return writeErr
	case a.JSON:
		return encodeLine(a.out, generated{
			Text: res.Text, PromptTokens: res.PromptTokens, CachedTokens: res.CachedTokens, PrefillTokens: res.PrefillTokens,
			DecodedTokens: res.DecodedTokens, TTFTMillis: millis(res.TTFT), TotalMillis: millis(res.Total), Stop: res.Stop,
		})
	}
	return a.endLine()
}
