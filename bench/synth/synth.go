// Package synth writes GGUF files of random weights in the true shape of a
// model, with the mix of quantised types that its real file has and a vocabulary
// that loads, so that speed can be measured on models that were never
// downloaded, here and by llama.cpp. It knows shapes and types; what such a
// model says is noise.
package synth

import (
	"fmt"
	"io"
	"strings"

	"tandem/engine/gguf"
	"tandem/kernels/op"
)

// Shapes lists the names that [Write] knows.
func Shapes() []string {
	names := make([]string, len(shapes))
	for i, s := range shapes {
		names[i] = s.name
	}
	return names
}

// Write streams a GGUF file to w; equal arguments give equal bytes. shape is a
// name of [Shapes], alone for the mix of its real Q4_K_M file, or followed by a
// colon and a type, as in "tiny-llama:Q5_K", for matrices of that type alone
// (rows that do not fill its blocks fall back as llama.cpp's do). progress,
// which may be nil, is told the bytes of weights written and their total; a
// caller that wants to stop lets w fail.
func Write(w io.Writer, shape string, seed uint64, progress func(done, total int64)) error {
	s, choose, err := find(shape)
	if err != nil {
		return err
	}
	tensors := s.tensors(choose)
	total := int64(0)
	for _, t := range tensors {
		total += t.Bytes()
	}
	done := int64(0)
	report := func(n int) {
		if done += int64(n); progress != nil {
			progress(done, total)
		}
	}
	err = gguf.Write(w, s.metadata(shape), tensors, func(i int, w io.Writer) error {
		return s.writeTensor(w, tensors[i], newRandom(seed, uint64(i)), report)
	})
	if err != nil {
		return fmt.Errorf("synth %s: %w", shape, err)
	}
	return nil
}

// find splits NAME[:TYPE] and gives the rule that chooses the matrices' types.
func find(shape string) (shapeOf, typeRule, error) {
	name, typeName, typed := strings.Cut(shape, ":")
	for _, s := range shapes {
		if s.name != name {
			continue
		}
		if !typed {
			return s, s.mix, nil
		}
		t, ok := op.ParseDType(typeName)
		if !ok {
			return s, nil, fmt.Errorf("synth: unknown type %q: the types are %v", typeName, op.DTypes)
		}
		return s, func(role, int) op.DType { return t }, nil
	}
	return shapeOf{}, nil, fmt.Errorf("synth: unknown shape %q: the shapes are %s", name, strings.Join(Shapes(), ", "))
}

// metadata is what the real file says of itself, in its order.
func (s shapeOf) metadata(shape string) []gguf.KV {
	key := func(suffix string) string { return s.arch + "." + suffix }
	meta := []gguf.KV{
		{Key: "general.architecture", Value: s.arch},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: "random weights in the shape of " + shape},
		{Key: key("block_count"), Value: uint32(s.layers)},
		{Key: key("context_length"), Value: uint32(s.context)},
		{Key: key("embedding_length"), Value: uint32(s.hidden)},
		{Key: key("feed_forward_length"), Value: uint32(s.ffn)},
		{Key: key("attention.head_count"), Value: uint32(s.heads)},
		{Key: key("attention.head_count_kv"), Value: uint32(s.kvHeads)},
		{Key: key("rope.freq_base"), Value: s.theta},
		{Key: key("attention.layer_norm_rms_epsilon"), Value: s.eps},
	}
	if s.arch == "llama" {
		meta = append(meta,
			gguf.KV{Key: key("attention.key_length"), Value: uint32(s.headDim())},
			gguf.KV{Key: key("attention.value_length"), Value: uint32(s.headDim())},
			gguf.KV{Key: key("vocab_size"), Value: uint32(s.vocab)},
			gguf.KV{Key: key("rope.dimension_count"), Value: uint32(s.headDim())})
	}
	if !strings.Contains(shape, ":") {
		const mostlyQ4_K_M = 15 // llama.cpp's enum llama_ftype
		meta = append(meta, gguf.KV{Key: "general.file_type", Value: uint32(mostlyQ4_K_M)})
	}
	meta = append(meta, s.vocabulary()...)
	return append(meta, gguf.KV{Key: "general.quantization_version", Value: uint32(2)})
}
