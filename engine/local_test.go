package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// TestLogits: all positions in order, the same when they are cached as when
// they are not, and those a continuation is sampled from.
func TestLogits(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		l := openOn(t, device(2))
		ids := idsFrom(1, 75)
		collect := func() [][]float32 {
			var rows [][]float32
			err := l.Logits(t.Context(), ids, func(pos int, logits []float32) error {
				if pos != len(rows) || len(logits) != l.program.Vocab {
					t.Errorf("position %d with %d logits, want %d with %d", pos, len(logits), len(rows), l.program.Vocab)
				}
				rows = append(rows, append([]float32(nil), logits...))
				return nil
			})
			if err != nil || len(rows) != len(ids) {
				t.Fatalf("%d positions of %d, %v", len(rows), len(ids), err)
			}
			return rows
		}
		want := collect()
		equalTraces(t, "when cached", trace{logits: collect()}, trace{logits: want})
		for _, n := range []int{1, 32, 33, 75} {
			l.forget(t)
			got := l.mustGreedy(t, Completion, ids[:n], 1)
			equalTraces(t, fmt.Sprintf("behind %d tokens", n), trace{logits: got.logits}, trace{logits: want[n-1 : n]})
		}
	})
}

func TestLogitsErrors(t *testing.T) {
	l := openOn(t, openCPU(t))
	enough := errors.New("enough")
	for _, last := range []int{0, 40, 63} {
		seen := 0
		err := l.Logits(t.Context(), idsFrom(1, 64), func(pos int, _ []float32) error {
			if seen++; pos == last {
				return enough
			}
			return nil
		})
		if err != enough || seen != last+1 {
			t.Errorf("stopped at position %d: %d seen, %v", last, seen, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Logits(ctx, idsFrom(2, 64), func(int, []float32) error { cancel(); return nil })
	if err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	for _, ids := range [][]int32{nil, {320}, {-1}} {
		if err := l.Logits(t.Context(), ids, nil); err == nil {
			t.Errorf("logits of %v", ids)
		}
	}
}

// TestIDsOnly: a model whose vocabulary is not known computes all the same.
func TestIDsOnly(t *testing.T) {
	l := openOn(t, openCPU(t))
	if l.Tokenizer() != nil || l.CountTokens("a b") != 0 {
		t.Error("the golden model has a tokenizer")
	}
	if res := prefill(t, l, idsFrom(1, 20)); res.PrefillTokens != 20 {
		t.Errorf("%+v", res)
	}
	for _, req := range []Request{{Prompt: textPiece("a")}, {IDs: []int32{1}, MaxTokens: 1}} {
		if _, err := l.Generate(t.Context(), req, nil); err == nil || !strings.Contains(err.Error(), "vocabulary") {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

func TestInfo(t *testing.T) {
	shared := 0.0
	a, b := start(t, ref.Open(1)), start(t, openCPU(t))
	l := open(t, Options{Path: tiny(t, "tiny-llama"), Prefill: b, Decode: a, MaxTokens: 100, PoolTokens: 130,
		Progress: func(share float64) {
			if share < shared || share > 1 {
				t.Errorf("progress %v after %v", share, shared)
			}
			shared = share
		}})
	info := l.Info()
	pages := l.decode.exec.Pages()
	if info.PrefillDevice != "cpu" || info.DecodeDevice != "ref" || info.MaxTokens != 100 || info.Model == "" || info.Path == "" ||
		info.CacheBytes != int64(2*5*pages.PageBytes()) || info.WeightBytes < 1e6 || shared != 1 {
		t.Errorf("%+v, progress %v", info, shared)
	}
	if n := l.CountTokens("the quick brown fox"); n == 0 || n != len(l.tokenizer.Encode(nil, "the quick brown fox")) {
		t.Errorf("%d tokens", n)
	}
	unnamed := open(t, Options{Decode: a, MaxTokens: 1 << 20})
	if info := unnamed.Info(); info.MaxTokens != unnamed.program.MaxTokens || info.Model == "" {
		t.Errorf("%+v", info)
	}
}

// TestOpenErrors name the file and leave nothing behind.
func TestOpenErrors(t *testing.T) {
	e := start(t, ref.Open(1))
	bad := filepath.Join(t.TempDir(), "bad.gguf")
	if err := os.WriteFile(bad, []byte("no weights, only a few bytes of text"), 0o600); err != nil {
		t.Fatal(err)
	}
	canceled := canceledContext()
	for _, test := range []struct {
		ctx context.Context
		opt Options
	}{
		{t.Context(), Options{Path: bad}},
		{t.Context(), Options{Path: filepath.Join(t.TempDir(), "absent.gguf")}},
		{t.Context(), Options{Path: golden("llama"), KV: op.Q4_K}},
		{canceled, Options{Path: golden("llama"), KV: op.F16}},
	} {
		test.opt.Prefill, test.opt.Decode = e, e
		l, err := Open(test.ctx, test.opt)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), filepath.Base(test.opt.Path)) {
			t.Errorf("%+v: %v", test.opt, err)
		}
	}
}

// TestTwoModels share a device and answer as each would alone.
func TestTwoModels(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		e := start(t, device(2))
		models := []*Local{open(t, Options{Decode: e}), open(t, Options{Decode: e, Path: golden("qwen2"), MaxTokens: 256})}
		var want [2]trace
		for i, l := range models {
			want[i] = l.mustGreedy(t, Chat, idsFrom(1, 90), 8)
			l.forget(t)
		}
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				got, err := models[n%2].greedy(t.Context(), Priority(n%3), idsFrom(1, 90), 8)
				if err != nil {
					t.Error(err)
					return
				}
				equalTraces(t, fmt.Sprintf("model %d", n%2), got, want[n%2])
			})
		}
		all.Wait()
	})
}

// TestGolden continues the golden prompts as transformers does.
func TestGolden(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		for _, arch := range []string{"qwen2", "llama"} {
			l := open(t, Options{Decode: start(t, device(2)), Path: golden(arch), MaxTokens: 256})
			ids, want := goldenInts(t, arch, "input_ids"), goldenInts(t, arch, "greedy")
			got := l.mustGreedy(t, Completion, ids, len(want))
			for i := range want {
				if got.tokens[i] == want[i] {
					continue
				}
				if gap := got.logits[i][got.tokens[i]] - got.logits[i][want[i]]; gap > tolerance {
					t.Errorf("%s: token %d is %d, want %d, which is %.2g behind", arch, i, got.tokens[i], want[i], gap)
				}
				break // from here on it is another text
			}
			for _, x := range got.logits[0] {
				if math.IsNaN(float64(x)) {
					t.Fatal("a logit is NaN")
				}
			}
		}
	})
}
