// Package model builds the Program of a weight file: one readable file per
// architecture, in the order of its paper, and the binding of tensors by name.
// Everything the file claims is checked against the shapes of its tensors.
//
// It computes nothing, and knows neither tokenizers nor devices.
package model

import (
	"fmt"
	"strings"

	"tandem/engine/gguf"
	"tandem/kernels/op"
)

// Architectures lists the values of general.architecture that Build knows.
var Architectures = []string{"llama", "qwen2"}

// Build gives the forward pass of f, whose tensors it refers to: f stays open
// as long as the Program is compiled or run. Values are named for taps: "embed",
// "layer.N.attn_norm", "layer.N.attn_residual" (the residual stream after
// attention), "layer.N.out", "final_norm" and "logits".
func Build(f *gguf.File) (*op.Program, error) {
	w := &weights{f: f, arch: f.Arch(), used: map[string]bool{}}
	var p *op.Program
	var err error
	switch w.arch {
	case "qwen2":
		p, err = qwen2(w)
	case "llama":
		p, err = llama(w)
	case "":
		w.fail("general.architecture is missing: this is not a language model; choose another file")
	default:
		w.fail("architecture %q is not supported; supported are %s", w.arch, strings.Join(Architectures, ", "))
	}
	w.refuseUnused()
	if w.err != nil {
		return nil, w.err
	}
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", f.Path(), err)
	}
	return p, nil
}
