package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/bench/synth"
	"tandem/internal/bug"
	"tandem/kernels/op"
	"tandem/models"
)

// stranger is a model with the vocabulary of tiny-qwen2 that says other things.
func stranger(t *testing.T) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stranger.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := synth.Write(f, "tiny-qwen2", 2, nil); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// openDrafting opens tiny-qwen2 with a draft model.
func openDrafting(t *testing.T, e *Executor, draftPath string) *Local {
	t.Helper()
	return open(t, Options{Decode: e, Path: tiny(t, "tiny-qwen2"), DraftPath: draftPath})
}

// eager makes the draft model look cheap beside the big one, for about a
// hundred steps, and good.
func (l *Local) eager(t *testing.T) {
	t.Helper()
	err := l.decode.executor.do(l.decode, func() {
		l.decode.cost.one = 1e12
		l.drafts.ratio, l.drafts.share = 0.01, 0.9
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestModelDraftedText: requests of all kinds say the same with a draft model,
// one that is always right and one that never is, as without.
func TestModelDraftedText(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		e := start(t, device(2))
		plain := open(t, Options{Decode: e, Path: tiny(t, "tiny-qwen2"), NoDraft: true})
		for name, path := range map[string]string{"itself": tiny(t, "tiny-qwen2"), "stranger": stranger(t)} {
			drafting := openDrafting(t, e, path)
			random := rand.New(rand.NewPCG(12, 12))
			rounds := 15
			if e.device.Name() == "ref" {
				rounds = 3
			}
			for range rounds {
				drafting.eager(t)
				req := anyRequest(random, plain)
				want, got := generate(t, plain, req), generate(t, drafting, req)
				if got.Text != want.Text || got.Stop != want.Stop || got.DecodedTokens != want.DecodedTokens {
					t.Errorf("%s: %+v:\n%+v, without drafts\n%+v", name, req, got, want)
				}
			}
			s := drafting.Stats()
			t.Logf("%s: %+v", name, s)
			// What is sampled at a temperature is not always what is likeliest.
			if s.ModelDrafted == 0 || (name == "itself") != (s.ModelAccepted > s.ModelDrafted/4) {
				t.Errorf("%s: %d tokens drafted, %d accepted", name, s.ModelDrafted, s.ModelAccepted)
			}
		}
	})
}

// TestModelDraftsTogether: several requests at once get what each gets alone.
func TestModelDraftsTogether(t *testing.T) {
	e := start(t, openCPU(t))
	plain := open(t, Options{Decode: e, Path: tiny(t, "tiny-qwen2"), NoDraft: true})
	l := openDrafting(t, e, tiny(t, "tiny-qwen2"))
	l.eager(t)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			req := Request{IDs: idsFrom(uint64(i), 20+10*i), MaxTokens: 10 + 5*i, Priority: Priority(i % 3)}
			want, err := plain.Generate(t.Context(), req, nil)
			got, draftErr := l.Generate(t.Context(), req, nil)
			if err != nil || draftErr != nil || got.Text != want.Text {
				t.Errorf("request %d: %q, %v, without drafts %q, %v", i, got.Text, draftErr, want.Text, err)
			}
		})
	}
	all.Wait()
	if s := l.Stats(); s.ModelAccepted == 0 {
		t.Errorf("%+v", s)
	}
}

// openGatedDrafting has a draft model on a device whose steps a test sees.
func openGatedDrafting(t *testing.T) (*Local, *gated) {
	t.Helper()
	g := newGated(openCPU(t))
	l := openDrafting(t, start(t, g), tiny(t, "tiny-qwen2"))
	l.eager(t)
	return l, g
}

// generating is a request in the background.
func generating(ctx context.Context, l *Local, req Request) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		_, err := l.Generate(ctx, req, nil)
		ended <- outcome{err: err}
	}()
	return ended
}

// TestModelDraftCancel: a cancel stops the draft model's step, and what others
// ask for is done between such steps.
func TestModelDraftCancel(t *testing.T) {
	l, g := openGatedDrafting(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := generating(ctx, l, Request{IDs: idsFrom(1, 40), MaxTokens: 20, Priority: WarmUp})
	g.next(t).run() // a chunk of the prompt
	g.next(t).run() // the rest of it
	s := g.next(t)
	if len(s.seqs[0]) != 41 && len(s.seqs[0]) != rowsFirst {
		t.Fatalf("not the draft model's prompt: %v", s.seqs)
	}
	urgent := generating(t.Context(), l, Request{IDs: same(2, 10)})
	s.cancelled() // makes way
	for s = g.next(t); s.rowsOf(2) != 10; s = g.next(t) {
		s.run()
	}
	s.run()
	if o := wait(t, urgent); o.err != nil {
		t.Error(o.err)
	}
	s = g.next(t)
	cancel()
	s.cancelled()
	if o := wait(t, ended); !errors.Is(o.err, context.Canceled) {
		t.Errorf("the cancelled request ended with %v", o.err)
	}
	if l.drafts.dropped {
		t.Error("a cancel dropped the draft model")
	}
	g.free(t)
	l.eager(t)
	if generate(t, l, Request{IDs: idsFrom(1, 40), MaxTokens: 20}); l.Stats().ModelAccepted == 0 {
		t.Errorf("%+v", l.Stats())
	}
	l.drafts.following.Wait() // that holds pages, too
	for _, d := range l.Stats().Devices {
		if d.Cache.KeptPages+d.Cache.FreePages != d.Cache.Pages {
			t.Errorf("pages are lost: %+v", d)
		}
	}
}

// TestModelDraftDropped: requests go on without a draft model that fails, and
// without it from then on; the log has a line.
func TestModelDraftDropped(t *testing.T) {
	bug.Panic = false
	defer func() { bug.Panic = true }()
	before := slog.Default()
	defer slog.SetDefault(before)
	for _, verdict := range []error{op.ErrOutOfMemory, errPanic} {
		var log strings.Builder
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		l, g := openGatedDrafting(t)
		req := Request{IDs: idsFrom(1, 40), MaxTokens: 20}
		ended := generating(t.Context(), l, req)
		g.next(t).run()
		g.next(t).decide(verdict)
		g.free(t)
		if o := wait(t, ended); o.err != nil {
			t.Errorf("%v: %v", verdict, o.err)
		}
		l.eager(t)
		got := generate(t, l, req)
		plain := open(t, Options{Decode: l.decode.executor, Path: tiny(t, "tiny-qwen2"), NoDraft: true})
		if want := generate(t, plain, req); got.Text != want.Text {
			t.Errorf("%v: %q, without drafts %q", verdict, got.Text, want.Text)
		}
		if s := l.Stats(); s.ModelDrafted != 0 || s.Devices[1].Steps != 0 {
			t.Errorf("%v: %+v", verdict, s)
		}
		if n := strings.Count(log.String(), "goes on without the draft model"); n != 1 {
			t.Errorf("%v: %d lines in the log: %s", verdict, n, log.String())
		}
	}
}

// TestModelDraftFailsWithBig: where the big model's step fails nothing is left
// waiting for.
func TestModelDraftFailsWithBig(t *testing.T) {
	l, g := openGatedDrafting(t)
	ended := generating(t.Context(), l, Request{IDs: idsFrom(1, 20), MaxTokens: 20})
	g.next(t).run()
	for s := g.next(t); ; s = g.next(t) {
		if s.seqs[0][0].Logits && len(s.seqs[0]) > 1 { // verifies
			s.decide(op.ErrDeviceLost)
			break
		}
		s.run()
	}
	if o := wait(t, ended); !errors.Is(o.err, op.ErrDeviceLost) {
		t.Errorf("ended with %v", o.err)
	}
	l.queued(t, 0)
	g.free(t)
}

// TestOtherVocabulary names both files and the remedy.
func TestOtherVocabulary(t *testing.T) {
	e := start(t, openCPU(t))
	for _, draftPath := range []string{tiny(t, "tiny-llama"), golden("qwen2"), filepath.Join(t.TempDir(), "absent.gguf")} {
		opt := Options{Prefill: e, Decode: e, KV: op.F16, Path: tiny(t, "tiny-qwen2"), DraftPath: draftPath}
		l, err := Open(t.Context(), opt)
		if err == nil {
			l.Close()
			t.Errorf("%s drafts", draftPath)
			continue
		}
		wanted := []string{draftPath}
		if !errors.Is(err, os.ErrNotExist) {
			wanted = append(wanted, opt.Path, "choose a draft model of the same family, or none")
		}
		for _, part := range wanted {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v: no %q", err, part)
			}
		}
		opt.DraftOptional = true
		if l := open(t, opt); l.drafts != nil || l.Info().DraftModel != "" {
			t.Errorf("%+v", l.Info())
		}
	}
}

// TestModelDraftInfo: the draft model counts as memory.
func TestModelDraftInfo(t *testing.T) {
	e := start(t, openCPU(t))
	path := tiny(t, "tiny-qwen2")
	plain, l := open(t, Options{Decode: e, Path: path}).Info(), openDrafting(t, e, path).Info()
	if l.WeightBytes != 2*plain.WeightBytes || l.CacheBytes != 2*plain.CacheBytes || l.DraftModel != plain.Model || plain.DraftModel != "" {
		t.Errorf("%+v, without a draft model %+v", l, plain)
	}
}

// TestFollow: after a request the draft model computes its prompt, so that the
// next one, which begins alike, need not.
func TestFollow(t *testing.T) {
	l := openDrafting(t, start(t, openCPU(t)), tiny(t, "tiny-qwen2"))
	ids := idsFrom(1, 300)
	generate(t, l, Request{IDs: ids, MaxTokens: 2}) // now it is known what a step costs
	l.eager(t)
	generate(t, l, Request{IDs: ids})
	l.drafts.following.Wait()
	if rows := l.Stats().Devices[1].Rows; rows != 300 {
		t.Errorf("the draft model has computed %d rows, want 300", rows)
	}
	l.eager(t)
	res := generate(t, l, Request{IDs: append(ids, 5, 6), MaxTokens: 20})
	l.drafts.following.Wait()
	if rows := l.Stats().Devices[1].Rows - 300; l.Stats().ModelDrafted == 0 || rows > 60 {
		t.Errorf("%d rows for %+v", rows, res)
	}
}

// TestModelLength: where the draft model is right, the text costs far less than
// plain decode; where it is not, or dear, hardly more, however short the texts.
func TestModelLength(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, test := range []struct {
		step, share float64
		most        float64 // cost of all steps, in steps of one row for each token
	}{
		{0.1, 0.9, 0.5}, {0.3, 0.8, 0.8}, {0.3, 0.35, 1.03}, {0.3, 0.05, 1.03}, {0.1, 0.05, 1.03}, {0.6, 0.5, 1.03}, {1.5, 0.9, 1},
	} {
		big := &placed{cost: cost{one: 1}}
		small := &placed{cost: cost{one: test.step}}
		m := &draftModel{on: small, big: big, ratio: test.step, share: believedModel}
		const tokens = 4000
		said, cost := 0, 0.0
		for said < tokens {
			n, _ := m.length(draftMax)
			if n == 0 {
				m.forget()
			}
			right := 0
			for right < n && random.Float64() < test.share {
				right++
			}
			if n > 0 {
				m.verified(n, right)
			}
			said += 1 + right
			cost += big.cost.verify(1+n) + float64(n)*test.step
		}
		t.Logf("a step of %.1f, a share of %.2f: cost %.3f", test.step, test.share, cost/float64(said))
		if cost > test.most*float64(said) {
			t.Errorf("a step of %.1f, a share of %.2f: cost %.3f, want at most %.2f", test.step, test.share, cost/float64(said), test.most)
		}
	}
}

// TestModelCatchUp: a prompt that the draft model does not know is worth
// computing only for a text that has gone on for long enough.
func TestModelCatchUp(t *testing.T) {
	big := &placed{cost: cost{one: 1}}
	small := &placed{cost: cost{one: 0.1}}
	m := &draftModel{on: small, big: big, ratio: 0.1, share: believedModel}
	for _, test := range []struct {
		rows int
		want float64
	}{{1, 0}, {fewRows, 0}, {fewRows + 100, 1}} {
		if got := m.catchUp(test.rows); got < test.want-1e-9 || got > test.want+1e-9 {
			t.Errorf("%d rows cost %v steps, want %v", test.rows, got, test.want)
		}
	}
	small.cost.perRow = 0.05
	if got := m.catchUp(fewRows + 100); got < 4.99 || got > 5.01 {
		t.Errorf("measured, 100 rows cost %v steps, want 5", got)
	}
}

// TestRealDraftModel: the 1.5B says the same with the 0.5B as its draft model.
func TestRealDraftModel(t *testing.T) {
	plain := openReal(t, "qwen2.5-coder-1.5b")
	draftPath, _, err := models.Resolve("", "qwen2.5-coder-0.5b")
	if err != nil {
		t.Skipf("left out: run `tandem pull qwen2.5-coder-0.5b` to test with real weights: %v", err)
	}
	l := open(t, Options{Decode: plain.decode.executor, Path: plain.info.Path, DraftPath: draftPath, MaxTokens: 1024})
	for _, code := range []string{
		"package stack\n\n// Stack is a stack of integers.\ntype Stack struct {\n",
		"def quicksort(numbers):\n    \"\"\"Sort a list of numbers.\"\"\"\n",
		"Once upon a time in a village by the sea there lived",
	} {
		l.eager(t)
		req := Request{Prompt: textPiece(code), MaxTokens: 48}
		want := generate(t, plain, req)
		begin := time.Now()
		got := generate(t, l, req)
		if got.Text != want.Text || got.Stop != want.Stop {
			t.Errorf("%q: %q with a draft model, %q without", code, got.Text, want.Text)
		}
		t.Logf("%d tokens, %d drafted, %d accepted in %v", got.DecodedTokens, got.Drafted, got.Accepted, time.Since(begin))
	}
	s := l.Stats()
	if s.ModelAccepted == 0 {
		t.Errorf("%+v", s)
	}
	t.Logf("the draft model drafted %d tokens, of which %d were accepted", s.ModelDrafted, s.ModelAccepted)
}
