package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"tandem/kernels/op"
)

// tolerance is invariant 6's across devices: the largest difference of a logit
// with keys and values in f16.
const tolerance = 0.05

// prefill runs a request that only fills the cache.
func prefill(t *testing.T, l *Local, ids []int32) Result {
	t.Helper()
	res, err := l.Generate(t.Context(), Request{IDs: ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, Request{}, res, "")
	return res
}

// closeTraces demands equal tokens and logits within the tolerance, up to the
// first token at which the best two are too close to call.
func closeTraces(t *testing.T, what string, got, want trace) {
	t.Helper()
	worst := 0.0
	defer func() { t.Logf("%s: largest difference of a logit %.2g", what, worst) }()
	for i := range want.logits {
		for id := range want.logits[i] {
			worst = max(worst, math.Abs(float64(got.logits[i][id]-want.logits[i][id])))
		}
		if !(worst <= tolerance) {
			t.Fatalf("%s: row %d: a logit differs by %.2g", what, i, worst)
		}
		if got.tokens[i] != want.tokens[i] {
			if gap := want.logits[i][want.tokens[i]] - want.logits[i][got.tokens[i]]; gap > 2*tolerance {
				t.Fatalf("%s: token %d is %d, want %d, whose logit is %.2g higher", what, i, got.tokens[i], want.tokens[i], gap)
			}
			return
		}
	}
}

// TestHandOver prefills on one device and decodes on another.
func TestHandOver(t *testing.T) {
	all := append(slices.Clone(devices), gpu)
	for _, from := range all {
		for _, to := range all {
			for _, arch := range []string{"qwen2", "llama"} {
				t.Run(from.name+" to "+to.name+"/"+arch, func(t *testing.T) {
					leaveOut(t, from.name)
					leaveOut(t, to.name)
					// A GPU adds in another order where it prefills.
					exact := from.name == to.name && from.name != gpu.name
					a, b := from.open(t, 1), to.open(t, 2)
					t.Cleanup(func() { a.Close(); b.Close() })
					decode := start(t, b)
					split := open(t, Options{Path: golden(arch), Prefill: start(t, a), Decode: decode, MaxTokens: 256})
					plain := open(t, Options{Path: golden(arch), Decode: decode, MaxTokens: 256})
					testHandOver(t, split, plain, exact)
				})
			}
		}
	}
}

func testHandOver(t *testing.T, split, plain *Local, exact bool) {
	compare := closeTraces
	if exact {
		compare = equalTraces
	}
	// The prompt grows by much, by a keystroke, and changes in the middle. The
	// decode device also knows the last token of each, which it computed itself.
	prompt := idsFrom(1, 100)
	steps := []struct {
		ids                        []int32
		cached, prefilled, decoded int // tokens found, and rows on each device
	}{
		{prompt, 0, 99, 1},
		{append(prompt[:100:100], idsFrom(2, 3)...), 100, 0, 3},
		{append(prompt[:70:70], idsFrom(3, 105)...), 70, 104, 1},
		{append(prompt[:100:100], idsFrom(4, 130)...), 100, 130, 1},
	}
	for i, step := range steps {
		before := split.Stats()
		res := prefill(t, split, step.ids)
		after := split.Stats()
		rows := func(device int) int { return int(after.Devices[device].Rows - before.Devices[device].Rows) }
		prefilled, decoded := rows(0), rows(1)
		if res.CachedTokens != step.cached || prefilled != step.prefilled || decoded != step.decoded {
			t.Errorf("prompt %d: %d tokens cached, %d and %d rows computed, want %+v", i, res.CachedTokens, prefilled, decoded, step)
		}
		moved, bytes := after.HandOvers-before.HandOvers, after.HandOverBytes-before.HandOverBytes
		if (moved == 1) != (step.prefilled > 0) || (bytes > 0) != (moved == 1) || bytes%int64(split.prefill.exec.Pages().PageBytes()) != 0 || (after.HandOver > before.HandOver) != (moved == 1) {
			t.Errorf("prompt %d: %d hand-overs of %d bytes, %v", i, moved, bytes, after.HandOver-before.HandOver)
		}
		what := fmt.Sprintf("prompt %d", i)
		got := split.mustGreedy(t, Completion, step.ids, 6)
		if got.cached != len(step.ids)-1 {
			t.Errorf("%s: %d tokens of %d known to the decode device", what, got.cached, len(step.ids))
		}
		compare(t, what, got, plain.mustGreedy(t, Completion, step.ids, 6))
	}
}

// TestHandOverTypes moves keys and values of the other types, too.
func TestHandOverTypes(t *testing.T) {
	for _, test := range []struct {
		kv   op.DType
		path string
	}{{op.F32, golden("llama")}, {op.Q8_0, tiny(t, "tiny-qwen2")}} {
		t.Run(test.kv.String(), func(t *testing.T) {
			decode := start(t, openCPU(t))
			opt := Options{Path: test.path, Prefill: start(t, openCPU(t)), Decode: decode, MaxTokens: 256, KV: test.kv}
			var models [2]*Local
			for i := range models {
				var err error
				if models[i], err = Open(t.Context(), opt); err != nil {
					t.Fatal(err)
				}
				defer models[i].Close()
				opt.Prefill = decode
			}
			split, plain := models[0], models[1]
			ids := idsFrom(1, 75)
			prefill(t, split, ids)
			if s := split.Stats().Devices; s[0].Rows != 74 || s[1].Rows != 1 {
				t.Errorf("%+v", s)
			}
			equalTraces(t, test.kv.String(), split.mustGreedy(t, Completion, ids, 4), plain.mustGreedy(t, Completion, ids, 4))
		})
	}
}

// TestHandOverSmallPools: pages are evicted on both sides all the time.
func TestHandOverSmallPools(t *testing.T) {
	decode := start(t, openCPU(t))
	opt := Options{Prefill: start(t, openCPU(t)), Decode: decode, MaxTokens: 160, PoolTokens: 160}
	split := open(t, opt)
	plain := open(t, Options{Decode: decode, MaxTokens: 160})
	for i := range 5 {
		ids := append(idsFrom(uint64(i%2), 80), idsFrom(uint64(10+i), 70)...)
		prefill(t, split, ids)
		equalTraces(t, fmt.Sprintf("prompt %d", i), split.mustGreedy(t, Completion, ids, 3), plain.mustGreedy(t, Completion, ids, 3))
	}
}

// TestHandOverFails: the decode device does it all when the other one cannot.
func TestHandOverFails(t *testing.T) {
	broken := newGated(openCPU(t))
	l := open(t, Options{Prefill: start(t, broken), Decode: start(t, openCPU(t))})
	done := make(chan struct{})
	go func() {
		defer close(done)
		broken.next(t).run() // a chunk succeeds
		broken.next(t).decide(op.ErrOutOfMemory)
	}()
	ids := idsFrom(1, 120)
	res, err := l.Generate(t.Context(), Request{IDs: ids, Priority: Chat}, nil)
	<-done
	if err != nil || res.PrefillTokens != 120 || l.Stats().Devices[1].Rows != 120 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestHandOverCancel keeps the chunks that were finished.
func TestHandOverCancel(t *testing.T) {
	g := newGated(openCPU(t))
	l := open(t, Options{Prefill: start(t, g), Decode: start(t, openCPU(t))})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var res Result
	var err error
	go func() {
		defer close(ended)
		res, err = l.Generate(ctx, Request{IDs: idsFrom(1, 200), Priority: Chat}, nil)
	}()
	g.next(t).run()
	s := g.next(t)
	cancel()
	s.cancelled()
	<-ended
	if !errors.Is(err, context.Canceled) || res.Stop != StopCancelled || res.CachedTokens != 0 || res.PrefillTokens != rowsFirst {
		t.Errorf("%+v, %v", res, err)
	}
	g.free(t)
	if res := prefill(t, l, idsFrom(1, 200)); res.CachedTokens != rowsFirst || res.PrefillTokens != 200-rowsFirst {
		t.Errorf("again: %+v", res)
	}
}
