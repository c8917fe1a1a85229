package engine

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/vulkan"
)

// logitsApart is what two devices' logits may differ by on real weights. Each rounds
// activations to int8: on this prompt cpu and vulkan are both up to 0.4 from ref,
// and 0.25 from each other.
const logitsApart = 0.5

// TestGPU holds the GPU against the CPU on real weights: the same first tokens,
// also where the CPU computes the prompt and hands its pages over.
func TestGPU(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "tandem", "models", "qwen2.5-coder-0.5b.gguf")
	if _, err := os.Stat(path); err != nil {
		t.Skip("no weights: run `tandem pull`")
	}
	gpu, err := vulkan.Open(vulkan.Options{Index: -1})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { gpu.Close() })
	req := Request{Prompt: textPiece("def fibonacci(n):"), MaxTokens: 5}
	run := func(opt Options) (string, [][]float32) {
		opt.Path = path
		l := open(t, opt)
		var rows [][]float32
		ids := l.Tokenizer().Encode(nil, req.Prompt[0].Text)
		if err := l.Logits(t.Context(), ids, func(_ int, logits []float32) error {
			rows = append(rows, slices.Clone(logits))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return generate(t, l, req).Text, rows
	}
	onCPU, onGPU := start(t, openCPU(t)), start(t, gpu)
	want, wantLogits := run(Options{Decode: onCPU, KV: op.F16})
	for name, opt := range map[string]Options{
		"gpu":           {Decode: onGPU, KV: op.F16},
		"cpu, then gpu": {Prefill: onCPU, Decode: onGPU, KV: op.F16},
	} {
		got, logits := run(opt)
		if got != want {
			t.Errorf("%s: %q, the CPU says %q", name, got, want)
		}
		most := 0.0
		for i := range logits {
			for k := range logits[i] {
				most = max(most, math.Abs(float64(logits[i][k]-wantLogits[i][k])))
			}
		}
		if t.Logf("%s: logits differ by at most %.4f", name, most); most > logitsApart {
			t.Errorf("%s: logits differ by %.4f, at most %v", name, most, logitsApart)
		}
	}
}
