package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"tandem/engine/gguf"
	"tandem/engine/model"
	"tandem/kernels/op"
)

// fake is a weight file in the making: a model of one layer.
type fake struct {
	arch    string
	meta    map[string]any // without the architecture's prefix
	tensors map[string][]int64
}

func newFake(arch string) *fake {
	const vocab, width, heads, kvHeads, headDim, ffn = 40, 64, 4, 2, 16, 96
	f := &fake{
		arch: arch,
		meta: map[string]any{
			"block_count": uint32(1), "context_length": uint32(100), "embedding_length": uint32(width),
			"feed_forward_length": uint32(ffn), "attention.head_count": uint32(heads),
			"attention.head_count_kv": uint32(kvHeads), "attention.layer_norm_rms_epsilon": float32(1e-6),
			"rope.freq_base": float32(10000),
		},
		tensors: map[string][]int64{ // as stored: columns first
			"token_embd.weight": {width, vocab}, "output_norm.weight": {width},
			"blk.0.attn_norm.weight": {width}, "blk.0.ffn_norm.weight": {width},
			"blk.0.attn_q.weight": {width, heads * headDim}, "blk.0.attn_k.weight": {width, kvHeads * headDim},
			"blk.0.attn_v.weight": {width, kvHeads * headDim}, "blk.0.attn_output.weight": {heads * headDim, width},
			"blk.0.ffn_gate.weight": {width, ffn}, "blk.0.ffn_up.weight": {width, ffn}, "blk.0.ffn_down.weight": {ffn, width},
		},
	}
	if arch == "qwen2" {
		f.tensors["blk.0.attn_q.bias"] = []int64{heads * headDim}
		f.tensors["blk.0.attn_k.bias"] = []int64{kvHeads * headDim}
		f.tensors["blk.0.attn_v.bias"] = []int64{kvHeads * headDim}
	}
	return f
}

func (f *fake) bytes(t *testing.T) []byte {
	var meta []gguf.KV
	if f.arch != "" {
		meta = append(meta, gguf.KV{Key: "general.architecture", Value: f.arch})
	}
	for key, value := range f.meta {
		meta = append(meta, gguf.KV{Key: f.arch + "." + key, Value: value})
	}
	var tensors []gguf.TensorInfo
	for name, dims := range f.tensors {
		tensors = append(tensors, gguf.TensorInfo{Name: name, Type: op.F32, Dims: dims})
	}
	slices.SortFunc(tensors, func(a, b gguf.TensorInfo) int { return strings.Compare(a.Name, b.Name) })
	var file bytes.Buffer
	err := gguf.Write(&file, meta, tensors, func(i int, w io.Writer) error {
		_, err := w.Write(make([]byte, tensors[i].Bytes()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func (f *fake) build(t *testing.T) (*op.Program, error) {
	file, err := gguf.Parse("fake.gguf", f.bytes(t))
	if err != nil {
		t.Fatal(err)
	}
	return model.Build(file)
}

func TestBuild(t *testing.T) {
	for _, arch := range model.Architectures {
		p, err := newFake(arch).build(t)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != arch || p.Vocab != 40 || p.MaxTokens != 100 || len(p.KV) != 1 || p.KV[0] != (op.KVLayer{Heads: 2, HeadDim: 16}) {
			t.Errorf("%s: %q, vocabulary %d, %d tokens, KV %v", arch, p.Name, p.Vocab, p.MaxTokens, p.KV)
		}
	}
}

// TestBuildVariants: what converters write differently and means the same.
func TestBuildVariants(t *testing.T) {
	for name, change := range map[string]func(f *fake){
		"an own head":              func(f *fake) { f.tensors["output.weight"] = []int64{64, 40} },
		"numbers per layer":        func(f *fake) { f.meta["feed_forward_length"] = []int32{96} },
		"signed and wide integers": func(f *fake) { f.meta["block_count"], f.meta["attention.head_count"] = int32(1), uint64(4) },
		"integers as floats":       func(f *fake) { f.meta["context_length"] = float32(100) },
		"head lengths in words": func(f *fake) {
			f.meta["attention.key_length"], f.meta["attention.value_length"] = uint32(16), uint32(16)
		},
		"partial rotation":    func(f *fake) { f.meta["rope.dimension_count"] = uint32(8) },
		"no rotation base":    func(f *fake) { delete(f.meta, "rope.freq_base") },
		"no scaling in words": func(f *fake) { f.meta["rope.scaling.type"] = "none" },
		"no experts in words": func(f *fake) { f.meta["expert_count"] = uint32(0) },
	} {
		f := newFake("qwen2")
		change(f)
		p, err := f.build(t)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		head := p.Ops[len(p.Ops)-1].(*op.MatMul).Weight.Name
		if own := f.tensors["output.weight"] != nil; own != (head == "output.weight") {
			t.Errorf("%s: the head is %s", name, head)
		}
		for _, o := range p.Ops {
			if rope, ok := o.(*op.Rope); ok && (len(rope.Freqs) == 4) != (name == "partial rotation") {
				t.Errorf("%s: %d rotated pairs", name, len(rope.Freqs))
			}
		}
	}
	// Heads of another length than width / heads.
	f := newFake("llama")
	f.meta["attention.key_length"], f.meta["attention.value_length"] = uint32(32), uint32(32)
	f.tensors["blk.0.attn_q.weight"], f.tensors["blk.0.attn_output.weight"] = []int64{64, 128}, []int64{128, 64}
	f.tensors["blk.0.attn_k.weight"], f.tensors["blk.0.attn_v.weight"] = []int64{64, 64}, []int64{64, 64}
	if p, err := f.build(t); err != nil || p.KV[0].HeadDim != 32 {
		t.Errorf("long heads: %v", err)
	}
}

// TestBuildRefuses: every error names the file, the thing and a remedy.
func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		arch, want string
		change     func(f *fake)
	}{
		{"", "general.architecture is missing", func(f *fake) {}},
		{"mamba", `architecture "mamba" is not supported; supported are llama, qwen2`, func(f *fake) {}},
		{"qwen2", "qwen2.block_count is missing", func(f *fake) { delete(f.meta, "block_count") }},
		{"qwen2", "qwen2.block_count = 0 is not between 1 and 1024", func(f *fake) { f.meta["block_count"] = uint32(0) }},
		{"qwen2", "qwen2.block_count = 1025", func(f *fake) { f.meta["block_count"] = uint32(1025) }},
		{"qwen2", `tensor "blk.1.attn_norm.weight" is missing`, func(f *fake) { f.meta["block_count"] = uint32(1024) }},
		{"qwen2", "qwen2.embedding_length = -64", func(f *fake) { f.meta["embedding_length"] = int32(-64) }},
		{"qwen2", "qwen2.embedding_length is missing or no integer", func(f *fake) { f.meta["embedding_length"] = "64" }},
		{"qwen2", `tensor "token_embd.weight" is (40, 64), a qwen2 model of this size has (40, 1048576)`, func(f *fake) { f.meta["embedding_length"] = uint32(1 << 20) }},
		{"qwen2", "feed_forward_length differs between layers", func(f *fake) { f.meta["feed_forward_length"] = []uint32{96, 64} }},
		{"qwen2", "feed_forward_length is missing or no integer", func(f *fake) { f.meta["feed_forward_length"] = []uint32{} }},
		{"qwen2", "4 query heads cannot share 3 KV heads", func(f *fake) { f.meta["attention.head_count_kv"] = uint32(3) }},
		{"qwen2", "a width of 64 is not 3 heads", func(f *fake) {
			f.meta["attention.head_count"], f.meta["attention.head_count_kv"] = uint32(3), uint32(3)
		}},
		{"qwen2", "keys and values of different lengths", func(f *fake) { f.meta["attention.value_length"] = uint32(32) }},
		{"qwen2", "attention.key_length = 1000000", func(f *fake) { f.meta["attention.key_length"] = uint32(1000000) }},
		{"qwen2", "18 rotated dimensions in heads of 16", func(f *fake) { f.meta["rope.dimension_count"] = uint32(18) }},
		{"qwen2", "15 rotated dimensions", func(f *fake) { f.meta["rope.dimension_count"] = uint32(15) }},
		{"qwen2", `rope scaling "yarn" is not supported`, func(f *fake) { f.meta["rope.scaling.type"] = "yarn" }},
		{"qwen2", "linear rope scaling by 4", func(f *fake) { f.meta["rope.scale_linear"] = float32(4) }},
		{"llama", "a mixture of 8 experts", func(f *fake) { f.meta["expert_count"] = uint32(8) }},
		{"qwen2", "context_length = 4294967295", func(f *fake) { f.meta["context_length"] = uint32(1<<32 - 1) }},
		{"qwen2", "layer_norm_rms_epsilon is missing", func(f *fake) { delete(f.meta, "attention.layer_norm_rms_epsilon") }},
		{"qwen2", "layer_norm_rms_epsilon is missing or not between 0 and 1", func(f *fake) { f.meta["attention.layer_norm_rms_epsilon"] = float32(-1) }},
		{"qwen2", "rope.freq_base is missing or not between", func(f *fake) { f.meta["rope.freq_base"] = float32(0) }},
		{"qwen2", `tensor "token_embd.weight" is missing`, func(f *fake) { delete(f.tensors, "token_embd.weight") }},
		{"qwen2", `tensor "blk.0.attn_k.bias" is missing`, func(f *fake) { delete(f.tensors, "blk.0.attn_k.bias") }},
		{"qwen2", `tensor "blk.0.ffn_norm.weight" is (1, 63)`, func(f *fake) { f.tensors["blk.0.ffn_norm.weight"] = []int64{63} }},
		{"qwen2", `tensor "blk.0.ffn_down.weight" is (96, 64)`, func(f *fake) { f.tensors["blk.0.ffn_down.weight"] = []int64{64, 96} }},
		{"qwen2", `tensor "output.weight" is (41, 64)`, func(f *fake) { f.tensors["output.weight"] = []int64{64, 41} }},
		{"llama", `tensor "blk.0.attn_q.bias" is not part of a llama model`, func(f *fake) { f.tensors["blk.0.attn_q.bias"] = []int64{64} }},
		{"qwen2", `tensor "blk.1.attn_norm.weight" is not part`, func(f *fake) { f.tensors["blk.1.attn_norm.weight"] = []int64{64} }},
		{"llama", "rope_freqs.weight holds 0", func(f *fake) { f.tensors["rope_freqs.weight"] = []int64{8} }},
		{"llama", `tensor "rope_freqs.weight" is (1, 7)`, func(f *fake) { f.tensors["rope_freqs.weight"] = []int64{7} }},
	} {
		f := newFake(c.arch)
		c.change(f)
		var before, after runtime.MemStats
		data := f.bytes(t)
		file, err := gguf.Parse("fake.gguf", data)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&before)
		_, err = model.Build(file)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "fake.gguf") {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", c.want, n, len(data))
		}
	}
}

// TestBuildCutFile truncates the file between opening it and building the model.
func TestBuildCutFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be truncated on Windows")
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, newFake("qwen2").bytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Build(f); !errors.Is(err, op.ErrFileCutShort) || !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("error %v, want one that says %v and names the file", err, op.ErrFileCutShort)
	}
}
