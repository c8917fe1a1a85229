package model

import (
	"math"

	"tandem/kernels/op"
)

// llama is Llama 2 to 3.2 and what shares its layout, such as SmolLM (Dubey et
// al. 2024, arXiv:2407.21783, §3.2): qwen2 without biases. GGUF files of
// this architecture have the rows of q and k permuted, so that the rotation
// works on adjacent pairs. Shapes are (rows of the step, width),
// weights (out, in).
func llama(w *weights) (*op.Program, error) {
	h := w.hyper()
	if w.err != nil {
		return nil, w.err
	}
	var (
		q     = h.heads * h.headDim   // all query heads
		kv    = h.kvHeads * h.headDim // all KV heads
		freqs = op.RopeFreqs(h.ropeDims, h.theta, w.ropeDivisor(h))
	)
	b := op.NewBuilder("llama", h.vocab, h.maxTokens)
	x := b.Embed(w.matrix(h.vocab, h.width, "token_embd.weight")) // (rows, width)
	b.Name(x, "embed")

	for n := range h.layers {
		if w.err != nil {
			return nil, w.err
		}
		// x += Wo attention(norm(x))
		normed := b.Norm(x, w.vector(h.width, "blk.%d.attn_norm.weight", n), h.eps) // (rows, width)
		b.Name(normed, "layer.%d.attn_norm", n)
		query := b.MatMul(normed, w.matrix(q, h.width, "blk.%d.attn_q.weight", n), nil)  // (rows, heads * headDim)
		key := b.MatMul(normed, w.matrix(kv, h.width, "blk.%d.attn_k.weight", n), nil)   // (rows, kvHeads * headDim)
		value := b.MatMul(normed, w.matrix(kv, h.width, "blk.%d.attn_v.weight", n), nil) // (rows, kvHeads * headDim)
		query = b.Rope(query, h.headDim, freqs, op.Adjacent)
		key = b.Rope(key, h.headDim, freqs, op.Adjacent)
		attended := b.Attention(query, key, value, h.headDim)                              // (rows, heads * headDim)
		x = b.MatMulAdd(x, attended, w.matrix(h.width, q, "blk.%d.attn_output.weight", n)) // (rows, width)
		b.Name(x, "layer.%d.attn_residual", n)

		// x += Wdown (silu(Wgate norm(x)) * Wup norm(x))
		normed = b.Norm(x, w.vector(h.width, "blk.%d.ffn_norm.weight", n), h.eps) // (rows, width)
		gated := b.GatedMatMul(normed,                                            // (rows, ffn)
			w.matrix(h.ffn, h.width, "blk.%d.ffn_gate.weight", n),
			w.matrix(h.ffn, h.width, "blk.%d.ffn_up.weight", n), op.SiLU)
		x = b.MatMulAdd(x, gated, w.matrix(h.width, h.ffn, "blk.%d.ffn_down.weight", n)) // (rows, width)
		b.Name(x, "layer.%d.out", n)
	}

	x = b.Select(x)                                               // (rows that want logits, width)
	x = b.Norm(x, w.vector(h.width, "output_norm.weight"), h.eps) // (rows that want logits, width)
	b.Name(x, "final_norm")
	logits := b.MatMul(x, w.head(h), nil) // (rows that want logits, vocab)
	b.Name(logits, "logits")
	return b.Program(logits)
}

// ropeDivisor is rope_freqs.weight, (ropeDims/2), by which Llama 3.1 and later
// stretch slow rotations (llama3 scaling, computed by the converter); nil
// without it.
func (w *weights) ropeDivisor(h hyper) []float32 {
	if !w.has("rope_freqs.weight") {
		return nil
	}
	divisor := w.vector(h.ropeDims/2, "rope_freqs.weight")
	for _, d := range divisor {
		if !(d > 0) || math.IsInf(float64(d), 0) {
			w.fail("rope_freqs.weight holds %g: the file is damaged; fetch it again", d)
			return nil
		}
	}
	return divisor
}
