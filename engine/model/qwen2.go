package model

import "tandem/kernels/op"

// qwen2 is Qwen 2 and Qwen 2.5 with their Coder models (Yang et al. 2024,
// arXiv:2407.10671, §2.2): a pre-norm decoder with RMSNorm, grouped-query
// attention with biases on q, k and v, rotary positions in half-split pairs, and
// a SwiGLU FFN. Shapes are (rows of the step, width), weights (out, in).
func qwen2(w *weights) (*op.Program, error) {
	h := w.hyper()
	if w.err != nil {
		return nil, w.err
	}
	var (
		q     = h.heads * h.headDim   // all query heads
		kv    = h.kvHeads * h.headDim // all KV heads
		freqs = op.RopeFreqs(h.ropeDims, h.theta, nil)
	)
	b := op.NewBuilder("qwen2", h.vocab, h.maxTokens)
	x := b.Embed(w.matrix(h.vocab, h.width, "token_embd.weight")) // (rows, width)
	b.Name(x, "embed")

	for n := range h.layers {
		if w.err != nil {
			return nil, w.err
		}
		// x += Wo attention(norm(x))
		normed := b.Norm(x, w.vector(h.width, "blk.%d.attn_norm.weight", n), h.eps) // (rows, width)
		b.Name(normed, "layer.%d.attn_norm", n)
		query := b.MatMul(normed, // (rows, heads * headDim)
			w.matrix(q, h.width, "blk.%d.attn_q.weight", n), w.vector(q, "blk.%d.attn_q.bias", n))
		key := b.MatMul(normed, // (rows, kvHeads * headDim)
			w.matrix(kv, h.width, "blk.%d.attn_k.weight", n), w.vector(kv, "blk.%d.attn_k.bias", n))
		value := b.MatMul(normed, // (rows, kvHeads * headDim)
			w.matrix(kv, h.width, "blk.%d.attn_v.weight", n), w.vector(kv, "blk.%d.attn_v.bias", n))
		query = b.Rope(query, h.headDim, freqs, op.NEOX)
		key = b.Rope(key, h.headDim, freqs, op.NEOX)
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
