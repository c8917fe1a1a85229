package model

import (
	"fmt"

	"tandem/engine/gguf"
	"tandem/kernels/op"
)

// weights hands out a file's tensors and hyper-parameters. The first mistake is
// kept in err and what follows it is of the right shape but empty, so that a
// model reads without error handling.
type weights struct {
	f    *gguf.File
	arch string
	used map[string]bool // tensors handed out
	err  error
}

func (w *weights) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("model: %s: "+format, append([]any{w.f.Path()}, args...)...)
	}
}

// has reports whether the file has the tensor.
func (w *weights) has(name string) bool {
	_, ok := w.f.Tensor(name)
	return ok
}

// matrix is tensor name, which must be (rows, cols).
func (w *weights) matrix(rows, cols int, name string, args ...any) *op.Tensor {
	name = fmt.Sprintf(name, args...)
	t, ok := w.f.Tensor(name)
	w.used[name] = true
	switch {
	case !ok:
		w.fail("tensor %q is missing: the file does not hold a whole %s model; fetch it again", name, w.arch)
	case t.Rows != rows || t.Cols != cols:
		w.fail("tensor %q is (%d, %d), a %s model of this size has (%d, %d): the file is not consistent; fetch it again",
			name, t.Rows, t.Cols, w.arch, rows, cols)
	default:
		return t
	}
	return &op.Tensor{Name: name, Rows: rows, Cols: cols}
}

// vector is the n values of tensor name, dequantised; nil after a mistake.
func (w *weights) vector(n int, name string, args ...any) []float32 {
	t := w.matrix(1, n, name, args...)
	if w.err != nil {
		return nil
	}
	x, err := t.Floats()
	if err != nil {
		w.err = fmt.Errorf("model: %w", err)
		return nil
	}
	return x
}

// head is the output projection (vocab, width): the embedding table unless the
// file has one of its own, even when the model is called tied.
func (w *weights) head(h hyper) *op.Tensor {
	if w.has("output.weight") {
		return w.matrix(h.vocab, h.width, "output.weight")
	}
	return w.matrix(h.vocab, h.width, "token_embd.weight")
}

// refuseUnused fails when the file has tensors that the model did not ask for:
// such a file is a variant that would run and give wrong answers.
func (w *weights) refuseUnused() {
	for _, t := range w.f.Tensors() {
		if w.err == nil && !w.used[t.Name] {
			w.fail("tensor %q is not part of a %s model: the file holds a variant that is not supported; choose another file", t.Name, w.arch)
		}
	}
}

// Limits of hyper-parameters, above any model that will run here. They keep
// products of two within an int and what a lying header can cost small.
const (
	maxLayers  = 1024
	maxWidth   = 1 << 20
	maxHeads   = 4096
	maxHeadDim = 4096
	maxContext = 1 << 24
)

// hyper is the hyper-parameters of a decoder with grouped-query attention.
type hyper struct {
	vocab     int
	width     int // of the residual stream
	layers    int
	heads     int // query heads
	kvHeads   int
	headDim   int
	ropeDims  int // rotated dimensions of a head
	ffn       int // width between the two halves of the FFN
	maxTokens int
	eps       float32 // of the norms
	theta     float64 // base of the rotation
}

// hyper reads the hyper-parameters and holds them against each other and the
// embedding table.
func (w *weights) hyper() hyper {
	h := hyper{
		width:     w.int("embedding_length", maxWidth),
		layers:    w.int("block_count", maxLayers),
		heads:     w.int("attention.head_count", maxHeads),
		ffn:       w.int("feed_forward_length", maxWidth),
		maxTokens: w.int("context_length", maxContext),
		eps:       float32(w.float("attention.layer_norm_rms_epsilon", 0, 1)),
		theta:     10000, // where the key is missing, as llama.cpp has it
	}
	if w.has("token_embd.weight") {
		t, _ := w.f.Tensor("token_embd.weight")
		h.vocab = t.Rows
	}
	if w.err != nil {
		return h
	}
	h.kvHeads = w.intOr("attention.head_count_kv", maxHeads, h.heads)
	h.headDim = w.intOr("attention.key_length", maxHeadDim, h.width/h.heads)
	h.ropeDims = w.intOr("rope.dimension_count", maxHeadDim, h.headDim)
	if w.hasKey("rope.freq_base") {
		h.theta = w.float("rope.freq_base", 0, 1e12)
	}
	w.checkHyper(h)
	return h
}

func (w *weights) checkHyper(h hyper) {
	explicit := w.hasKey("attention.key_length")
	switch {
	case w.err != nil:
	case h.heads%h.kvHeads != 0:
		w.fail("%d query heads cannot share %d KV heads: the file is not consistent; fetch it again", h.heads, h.kvHeads)
	case !explicit && h.width%h.heads != 0:
		w.fail("a width of %d is not %d heads: the file is not consistent; fetch it again", h.width, h.heads)
	case w.intOr("attention.value_length", maxHeadDim, h.headDim) != h.headDim:
		w.fail("keys and values of different lengths are not supported; choose another file")
	case h.ropeDims%2 != 0 || h.ropeDims > h.headDim:
		w.fail("%d rotated dimensions in heads of %d: the file is not consistent; fetch it again", h.ropeDims, h.headDim)
	}
	w.refuseScaling()
	if n, ok := w.f.Int(w.arch + ".expert_count"); ok && n > 0 {
		w.fail("a mixture of %d experts is not supported; choose another file", n)
	}
}

// refuseScaling fails for position scaling given by keys. Llama 3's is a tensor.
func (w *weights) refuseScaling() {
	if kind, ok := w.f.Text(w.arch + ".rope.scaling.type"); ok && kind != "none" && kind != "" {
		w.fail("rope scaling %q is not supported (none, and llama3 in the tensor rope_freqs.weight, are); choose a file without it", kind)
	}
	if scale, ok := w.f.Float(w.arch + ".rope.scale_linear"); ok && scale != 1 && scale != 0 {
		w.fail("linear rope scaling by %g is not supported; choose a file without it", scale)
	}
}

// hasKey reports whether the file has the architecture's key as a number.
func (w *weights) hasKey(key string) bool {
	_, ok := w.f.Floats(w.arch + "." + key)
	return ok
}

// int reads the architecture's key, from 1 to limit. Converters write some keys
// as an array with a value per layer; the values must then be equal.
func (w *weights) int(key string, limit int64) int {
	key = w.arch + "." + key
	values, ok := w.f.Ints(key)
	if !ok || len(values) == 0 {
		if err := w.f.Err(); err != nil && w.err == nil {
			w.err = fmt.Errorf("model: %w", err)
		}
		w.fail("%s is missing or no integer: the file does not look like a %s model; fetch it again", key, w.arch)
		return 1
	}
	for _, v := range values {
		if v < 1 || v > limit {
			w.fail("%s = %d is not between 1 and %d: the file is damaged; fetch it again", key, v, limit)
			return 1
		}
		if v != values[0] {
			w.fail("%s differs between layers, which is not supported; choose another file", key)
		}
	}
	return int(values[0])
}

// intOr is int with a default for a missing key.
func (w *weights) intOr(key string, limit int64, otherwise int) int {
	if !w.hasKey(key) {
		return otherwise
	}
	return w.int(key, limit)
}

// float reads the architecture's key, above lo and below hi.
func (w *weights) float(key string, lo, hi float64) float64 {
	key = w.arch + "." + key
	x, ok := w.f.Float(key)
	if !ok || !(x > lo && x < hi) {
		w.fail("%s is missing or not between %g and %g: the file does not look like a %s model; fetch it again", key, lo, hi, w.arch)
		return hi
	}
	return x
}
