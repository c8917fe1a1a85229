// Package sample chooses the next token from a row of logits: greedily, or by
// chance after repetition penalty, top-k, top-p, min-p and temperature, in
// llama.cpp's order, the same tokens for the same seed. [Prefix] restricts the
// choice to tokens that continue given bytes.
//
// It knows token ids and their bytes, and nothing of models or texts.
package sample

import (
	"fmt"
	"math"
)

// Options say how to choose. The zero value is greedy: the token with the
// highest logit, the lowest id where several have it.
type Options struct {
	// Temperature divides the logits; 0 is greedy, and 1 the model's own distribution.
	Temperature float64 `json:"temperature"`
	// TopK keeps the K tokens with the highest logits; 0 keeps all.
	TopK int `json:"top_k"`
	// TopP keeps the most probable tokens that together have at least this
	// probability; 0 and 1 keep all.
	TopP float64 `json:"top_p"`
	// MinP keeps the tokens whose probability is at least this share of the
	// highest; 0 keeps all.
	MinP float64 `json:"min_p"`
	// RepeatPenalty makes tokens among the last RepeatLast accepted ones less
	// likely: positive logits are divided by it, others multiplied. 0 and 1 do
	// nothing. It works on greedy choice, too.
	RepeatPenalty float64 `json:"repeat_penalty"`
	// RepeatLast is a number of tokens; 0 means 64.
	RepeatLast int `json:"repeat_last"`
	// Seed begins the sequence of random numbers.
	Seed uint64 `json:"seed"`
}

const (
	repeatLastDefault = 64
	repeatLastMax     = 1 << 16
	temperatureMax    = 100
	repeatPenaltyMax  = 100
)

// Check reports the first option that is out of range.
func (o Options) Check() error {
	for _, x := range []struct {
		name     string
		value    float64
		min, max float64
	}{
		{"temperature", o.Temperature, 0, temperatureMax},
		{"top_k", float64(o.TopK), 0, math.MaxInt32},
		{"top_p", o.TopP, 0, 1},
		{"min_p", o.MinP, 0, 1},
		{"repeat_penalty", o.RepeatPenalty, 0, repeatPenaltyMax},
		{"repeat_last", float64(o.RepeatLast), 0, repeatLastMax},
	} {
		// The comparison is worded so that NaN fails it.
		if !(x.value >= x.min && x.value <= x.max) {
			return fmt.Errorf("sample: %s is %v: give a value from %v to %v", x.name, x.value, x.min, x.max)
		}
	}
	return nil
}
