package engine

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/vulkan"
)

// logitsApart is what two devices' logits may differ by on real weights. Each rounds
// activations to int8: on this prompt cpu and vulkan are both up to 0.4 from ref,
// and 0.25 from each other.
const logitsApart = 0.5

// TestGPU holds the GPU against the CPU on real weights: the same logits within what
// int8 costs and the same first tokens, also where the CPU computes the prompt and
// hands its pages over. (The other way takes a software driver minutes; tiny models
// go it in TestHandOver.)
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
		t.Skip("left out: no weights: run `tandem pull qwen2.5-coder-0.5b`")
	}
	device, err := vulkan.Open(vulkan.Options{Index: -1})
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	t.Cleanup(func() { device.Close() })
	short := Request{Prompt: textPiece("def fibonacci(n):"), MaxTokens: 5}
	long := Request{Prompt: textPiece(strings.Repeat("def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n\n\n", 3) + "def fact"), MaxTokens: 8}
	onCPU, onGPU := start(t, openCPU(t)), start(t, device)
	plain := open(t, Options{Path: path, Decode: onCPU, KV: op.F16})
	split := open(t, Options{Path: path, Prefill: onCPU, Decode: onGPU, KV: op.F16}) // does short prompts on the GPU alone
	for what, req := range map[string]Request{"gpu": short, "cpu, then gpu": long} {
		got, want := generate(t, split, req), generate(t, plain, req)
		if got.Text != want.Text || got.Text == "" {
			t.Errorf("%s: %q, the CPU says %q", what, got.Text, want.Text)
		}
	}
	s := split.Stats()
	if t.Logf("%d bytes handed over in %v", s.HandOverBytes, s.HandOver); s.HandOvers != 1 {
		t.Errorf("%d hand-overs, want that of the long prompt", s.HandOvers)
	}

	ids := plain.Tokenizer().Encode(nil, short.Prompt[0].Text)
	logits := func(l *Local) (all []float32) {
		err := l.Logits(t.Context(), ids, func(_ int, row []float32) error {
			all = append(all, row...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	most, want := 0.0, logits(plain)
	for i, x := range logits(split) {
		most = max(most, math.Abs(float64(x-want[i])))
	}
	if t.Logf("logits differ by at most %.4f", most); !(most <= logitsApart) {
		t.Errorf("logits differ by %.4f, at most %v", most, logitsApart)
	}
}
