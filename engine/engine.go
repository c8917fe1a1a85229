// Package engine turns prompts into text: tokens in, tokens out. It knows
// nothing of editors or source code; a prompt is pieces of text and a
// continuation comes back as a stream.
//
// [Engine] is what callers hold. [Open] gives the implementation inside this
// process: a tokenizer, a Program on one or two devices, a KV cache on each and
// an executor per device that runs one step at a time.
package engine

import (
	"context"
	"errors"
	"time"

	"tandem/engine/sample"
)

// Engine is the whole of what completion and the HTTP front end see. Its
// requests and results are plain data, so that an engine in another process
// serves it as well.
type Engine interface {
	// Generate continues req's prompt. emit is called with each new piece of
	// text (whole characters only) and ends the generation by returning false.
	// A cancelled ctx stops the computation and is returned as its error, with
	// the Result of what was done. Safe for concurrent use.
	Generate(ctx context.Context, req Request, emit func(text string) bool) (Result, error)
	// CountTokens is the number of tokens of text, without special tokens.
	CountTokens(text string) int
	// Info describes the model and where it runs.
	Info() Info
	// Close waits for running requests to end and frees the model.
	Close() error
}

// Piece is a part of a prompt. The text of a special piece is the spelling of
// one special token, such as "<|fim_prefix|>"; in ordinary pieces such a
// spelling is only text.
type Piece struct {
	Text    string `json:"text"`
	Special bool   `json:"special,omitempty"`
}

// Priority orders requests that wait for the same device.
type Priority int

// The priorities, most urgent first.
const (
	Completion Priority = iota
	Chat
	WarmUp
)

// Errors of limits; callers compare with errors.Is.
var (
	// ErrContextFull: the prompt is longer than the model's context.
	ErrContextFull = errors.New("the prompt does not fit the context")
	// ErrQueueFull: too many requests wait for the device.
	ErrQueueFull = errors.New("too many requests are waiting")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("the engine is closed")
)

// Request asks for a continuation.
type Request struct {
	// Prompt is the text to continue; IDs, if set, are its tokens instead.
	Prompt []Piece `json:"prompt,omitempty"`
	IDs    []int32 `json:"ids,omitempty"`
	// Heal continues inside the prompt's last word: its tokens are dropped, the
	// continuation is made to begin with its bytes, and only what follows them
	// is emitted.
	Heal bool `json:"heal,omitempty"`
	// MaxTokens bounds the continuation; 0 only prefills.
	MaxTokens int            `json:"max_tokens"`
	Sampling  sample.Options `json:"sampling"`
	// Stop ends the continuation before the first of these texts, StopTokens
	// at these tokens, given by their text. The model's own end tokens always end it.
	Stop       []string `json:"stop,omitempty"`
	StopTokens []string `json:"stop_tokens,omitempty"`
	Priority   Priority `json:"priority"`
}

// StopReason says why a continuation ended.
type StopReason string

// The reasons.
const (
	StopToken     StopReason = "token"      // an end token of the model or of StopTokens
	StopText      StopReason = "text"       // a text of Stop
	StopCaller    StopReason = "caller"     // emit returned false
	StopLimit     StopReason = "limit"      // MaxTokens reached
	StopContext   StopReason = "context"    // the model's context is full
	StopCancelled StopReason = "cancelled"  // ctx ended
	StopDead      StopReason = "constraint" // no token fits the bytes to heal
)

// Result tells what a request did.
type Result struct {
	Text          string        `json:"text"`
	Stop          StopReason    `json:"stop"`
	PromptTokens  int           `json:"prompt_tokens"`  // the prompt without healed tokens
	CachedTokens  int           `json:"cached_tokens"`  // of those, found in the KV cache
	PrefillTokens int           `json:"prefill_tokens"` // of those, computed
	DecodedTokens int           `json:"decoded_tokens"` // sampled, the stop token included
	Drafted       int           `json:"drafted"`        // tokens drafted to be verified
	Accepted      int           `json:"accepted"`       // of those, sampled: decoded without steps of their own
	TTFT          time.Duration `json:"ttft"`           // from the call to the first emitted text
	Prefill       time.Duration `json:"prefill"`        // from the call to the first logits
	Total         time.Duration `json:"total"`
}

// Info describes an open engine.
type Info struct {
	Model         string `json:"model"` // name in the weight file
	Path          string `json:"path"`
	PrefillDevice string `json:"prefill_device"`
	DecodeDevice  string `json:"decode_device"`
	Lost          string `json:"lost"`         // a device that stopped answering and what to do about it, "" for none
	MaxTokens     int    `json:"max_tokens"`   // context in use
	DraftModel    string `json:"draft_model"`  // name in its weight file, "" without one
	WeightBytes   int64  `json:"weight_bytes"` // with the draft model's
	CacheBytes    int64  `json:"cache_bytes"`  // KV pages, with the draft model's
}
