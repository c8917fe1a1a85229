package synth

import (
	"fmt"
	"slices"
	"strconv"

	"tandem/engine/gguf"
	"tandem/kernels/op"
)

// shapeOf is a model's hyper-parameters.
type shapeOf struct {
	name, arch string
	layers     int
	hidden     int
	heads      int
	kvHeads    int
	ffn        int
	vocab      int // rows of the embedding
	ordinary   int // tokens that are neither special nor padding
	context    int // tokens
	theta      float32
	eps        float32
	// ownOutput: the file has output.weight beside token_embd.weight.
	ownOutput bool
	// byName: the file's layers stand in the order of their names (0, 1, 10,
	// 11, ...), and the mix counts them in that order.
	byName bool
}

// Qwen's 0.5B and 1.5B are Qwen's own files, which a test compares with; they
// hold an output.weight although the models are tied. The rest is from each
// model's config.json, and the files' layout is what llama.cpp's converter and
// quantiser give: sizes and counts of types are those of files on the model hub.
var shapes = []shapeOf{
	{name: "qwen2.5-coder-0.5b", arch: "qwen2", layers: 24, hidden: 896, heads: 14, kvHeads: 2, ffn: 4864, vocab: 151936, ordinary: 151643, context: 32768, theta: 1e6, eps: 1e-6, ownOutput: true, byName: true},
	{name: "qwen2.5-coder-1.5b", arch: "qwen2", layers: 28, hidden: 1536, heads: 12, kvHeads: 2, ffn: 8960, vocab: 151936, ordinary: 151643, context: 32768, theta: 1e6, eps: 1e-6, ownOutput: true, byName: true},
	{name: "qwen2.5-coder-3b", arch: "qwen2", layers: 36, hidden: 2048, heads: 16, kvHeads: 2, ffn: 11008, vocab: 151936, ordinary: 151643, context: 32768, theta: 1e6, eps: 1e-6},
	{name: "qwen2.5-coder-7b", arch: "qwen2", layers: 28, hidden: 3584, heads: 28, kvHeads: 4, ffn: 18944, vocab: 152064, ordinary: 151643, context: 131072, theta: 1e6, eps: 1e-6, ownOutput: true},
	{name: "qwen2.5-coder-14b", arch: "qwen2", layers: 48, hidden: 5120, heads: 40, kvHeads: 8, ffn: 13824, vocab: 152064, ordinary: 151643, context: 131072, theta: 1e6, eps: 1e-6, ownOutput: true},
	{name: "qwen2.5-coder-32b", arch: "qwen2", layers: 64, hidden: 5120, heads: 40, kvHeads: 8, ffn: 27648, vocab: 152064, ordinary: 151643, context: 131072, theta: 1e6, eps: 1e-6, ownOutput: true},
	{name: "llama-3.2-1b", arch: "llama", layers: 16, hidden: 2048, heads: 32, kvHeads: 8, ffn: 8192, vocab: 128256, ordinary: 128000, context: 131072, theta: 5e5, eps: 1e-5},
	{name: "llama-3.2-3b", arch: "llama", layers: 28, hidden: 3072, heads: 24, kvHeads: 8, ffn: 8192, vocab: 128256, ordinary: 128000, context: 131072, theta: 5e5, eps: 1e-5},

	// For tests: a block of every format fits each row, and 4 layers of the mix
	// hold both of its types.
	{name: "tiny-qwen2", arch: "qwen2", layers: 4, hidden: 256, heads: 4, kvHeads: 2, ffn: 512, vocab: 1024, ordinary: 1000, context: 4096, theta: 1e6, eps: 1e-6, ownOutput: true},
	{name: "tiny-llama", arch: "llama", layers: 4, hidden: 256, heads: 4, kvHeads: 1, ffn: 512, vocab: 1024, ordinary: 768, context: 4096, theta: 5e5, eps: 1e-5},
}

func (s shapeOf) headDim() int { return s.hidden / s.heads }

// role is what the mix chooses a matrix's type by.
type role int

const (
	roleOther  role = iota
	roleEmbed       // token_embd beside an output.weight
	roleOutput      // output.weight, or token_embd in its place
	roleValue       // attn_v
	roleDown        // ffn_down
)

// typeRule gives a matrix's type; i counts the layers in file order.
type typeRule func(r role, i int) op.DType

// mix is llama.cpp's Q4_K_M (llama-quant.cpp): Q4_K, but Q6_K for the output
// and, in the first and the last eighth of the layers and in every third
// between, for attn_v and ffn_down.
func (s shapeOf) mix(r role, i int) op.DType {
	n := s.layers
	more := i < n/8 || i >= 7*n/8 || (i-n/8)%3 == 2
	if r == roleOutput || more && (r == roleValue || r == roleDown) {
		return op.Q6_K
	}
	return op.Q4_K
}

// fallback is what llama.cpp takes for rows of n values that do not fill t's
// blocks (tensor_type_fallback in llama-quant.cpp).
func fallback(t op.DType, n int) op.DType {
	if n%t.BlockValues() == 0 {
		return t
	}
	switch t {
	case op.Q4_K:
		t = op.Q5_0
	case op.Q5_K:
		t = op.Q5_1
	case op.Q6_K:
		t = op.Q8_0
	}
	if n%t.BlockValues() == 0 {
		return t
	}
	return op.F16
}

// tensors lists the file's tensors in its order.
func (s shapeOf) tensors(choose typeRule) []gguf.TensorInfo {
	q, kv := s.heads*s.headDim(), s.kvHeads*s.headDim()
	var list []gguf.TensorInfo
	vector := func(name string, n int) {
		list = append(list, gguf.TensorInfo{Name: name, Type: op.F32, Dims: []int64{int64(n)}})
	}
	matrix := func(name string, r role, i, rows, cols int) {
		list = append(list, gguf.TensorInfo{Name: name, Type: fallback(choose(r, i), cols), Dims: []int64{int64(cols), int64(rows)}})
	}
	if s.ownOutput {
		matrix("output.weight", roleOutput, 0, s.vocab, s.hidden)
		matrix("token_embd.weight", roleEmbed, 0, s.vocab, s.hidden)
	} else {
		matrix("token_embd.weight", roleOutput, 0, s.vocab, s.hidden)
	}
	if s.arch == "llama" {
		vector(ropeFreqs, s.headDim()/2)
	}
	for i, layer := range s.fileOrder() {
		block := fmt.Sprintf("blk.%d.", layer)
		bias := func(name string, n int) {
			if s.arch == "qwen2" {
				vector(block+name, n)
			}
		}
		vector(block+"attn_norm.weight", s.hidden)
		matrix(block+"ffn_down.weight", roleDown, i, s.hidden, s.ffn)
		matrix(block+"ffn_gate.weight", roleOther, i, s.ffn, s.hidden)
		matrix(block+"ffn_up.weight", roleOther, i, s.ffn, s.hidden)
		vector(block+"ffn_norm.weight", s.hidden)
		bias("attn_k.bias", kv)
		matrix(block+"attn_k.weight", roleOther, i, kv, s.hidden)
		matrix(block+"attn_output.weight", roleOther, i, s.hidden, q)
		bias("attn_q.bias", q)
		matrix(block+"attn_q.weight", roleOther, i, q, s.hidden)
		bias("attn_v.bias", kv)
		matrix(block+"attn_v.weight", roleValue, i, kv, s.hidden)
	}
	vector("output_norm.weight", s.hidden)
	return list
}

// fileOrder lists the layers' numbers as they stand in the file.
func (s shapeOf) fileOrder() []int {
	layers := make([]int, s.layers)
	for i := range layers {
		layers[i] = i
	}
	if s.byName {
		slices.SortFunc(layers, func(a, b int) int {
			if strconv.Itoa(a) < strconv.Itoa(b) {
				return -1
			}
			return 1
		})
	}
	return layers
}
