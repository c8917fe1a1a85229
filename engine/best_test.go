package engine

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"tandem/engine/sample"
	"tandem/kernels/op"
	"tandem/kernels/vulkan"
)

// among is a choice for generation.next among all logits.
func among(g *generation, logits []float32) func(allowed []int32) int32 {
	return func(allowed []int32) int32 { return g.sampler.Sample(logits, allowed) }
}

// ranking is a device that finds the best logits in the plainest way.
type ranking struct {
	op.Device
	best, all atomic.Int64 // steps that asked for each
}

type rankingExec struct {
	op.Executable
	d      *ranking
	p      *op.Program
	masked []int32
}

func (d *ranking) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	exec, err := d.Device.Compile(ctx, p, opt, progress)
	return &rankingExec{exec, d, p, opt.Masked}, err
}

func (e *rankingExec) BestMax() int { return 41 }

func (e *rankingExec) Run(ctx context.Context, b *op.Batch) error {
	if b.BestN == 0 {
		e.d.all.Add(1)
		return e.Executable.Run(ctx, b)
	}
	e.d.best.Add(1)
	vocab := e.p.Vocab
	inner := &op.Batch{Rows: b.Rows, Tables: b.Tables, Logits: make([]float32, b.LogitRows()*vocab)}
	if err := e.Executable.Run(ctx, inner); err != nil {
		return err
	}
	for i := range b.LogitRows() {
		to := b.Best[i*b.BestN : (i+1)*b.BestN]
		for n := copy(to, e.rank(inner.Logits[i*vocab:(i+1)*vocab])); n < len(to); n++ {
			to[n] = op.NoToken
		}
	}
	return nil
}

func (e *rankingExec) rank(logits []float32) []op.Scored {
	var all []op.Scored
	for id, x := range logits {
		if x > float32(math.Inf(-1)) && !slices.Contains(e.masked, int32(id)) {
			all = append(all, op.Scored{Token: int32(id), Logit: x})
		}
	}
	slices.SortFunc(all, func(a, b op.Scored) int { return cmp.Or(cmp.Compare(b.Logit, a.Logit), cmp.Compare(a.Token, b.Token)) })
	return all
}

// TestBestText: requests of all kinds say the same by the best logits as by all, with
// drafts of both kinds, alone and together.
func TestBestText(t *testing.T) {
	d := &ranking{Device: openCPU(t)}
	by := start(t, d)
	plain := open(t, Options{Decode: start(t, openCPU(t)), Path: tiny(t, "tiny-qwen2"), NoDraft: true})
	random := rand.New(rand.NewPCG(31, 31))
	for name, l := range map[string]*Local{
		"one by one":  open(t, Options{Decode: by, Path: tiny(t, "tiny-qwen2"), NoDraft: true}),
		"drafting":    open(t, Options{Decode: by, Path: tiny(t, "tiny-qwen2")}),
		"draft model": openDrafting(t, by, tiny(t, "tiny-qwen2")),
	} {
		var all sync.WaitGroup
		check := func(req Request) {
			want, err := plain.Generate(t.Context(), req, nil)
			got, bestErr := l.Generate(t.Context(), req, nil)
			if err != nil || bestErr != nil || got.Text != want.Text || got.Stop != want.Stop || got.DecodedTokens != want.DecodedTokens {
				t.Errorf("%s: %+v:\n%+v, %v, by all logits\n%+v, %v", name, req, got, bestErr, want, err)
			}
		}
		for _, together := range []bool{false, true} {
			for range 12 {
				l.cheap(t)
				if l.drafts != nil {
					l.eager(t)
				}
				req := anyRequest(random, plain)
				switch random.IntN(5) {
				case 0:
					req.Sampling = sample.Options{Temperature: 0.8, TopK: 5 + random.IntN(60), TopP: 0.9, Seed: random.Uint64()}
				case 1:
					req.Sampling = sample.Options{RepeatPenalty: 1.3, RepeatLast: 1 + random.IntN(60)}
				case 2:
					req.Sampling = sample.Options{}
				}
				if together {
					all.Go(func() { check(req) })
				} else {
					check(req)
				}
			}
			all.Wait()
		}
		best, rest := d.best.Swap(0), d.all.Swap(0)
		t.Logf("%s: %d steps by the best logits, %d by all or none; %+v", name, best, rest, l.Stats())
		if best == 0 || rest == 0 {
			t.Errorf("%s: %d steps by the best logits, %d by all or none: want some of both", name, best, rest)
		}
		if s := l.Stats(); !l.opt.NoDraft && s.Accepted == 0 {
			t.Errorf("%s: no draft was accepted: %+v", name, s)
		}
	}
}

// TestBestNumber: a batch asks for as many of the best as its jobs need, for all if
// one needs all, and for all of a device that ranks nothing or not so many.
func TestBestNumber(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	for _, test := range []struct {
		bestMax, want int
		enough        []int // of each job; -1: it can do with all only
	}{
		{64, 1, []int{1}}, {64, 41, []int{1, 41, 2}}, {64, 0, []int{1, 0}}, {64, 0, []int{-1, 1}},
		{64, 64, []int{64}}, {64, 0, []int{65}}, {0, 0, []int{1}}, {64, 0, nil},
	} {
		s := &step{on: &placed{bestMax: test.bestMax}}
		for _, n := range test.enough {
			j := &job{tokens: []int32{1, 2}, from: 1, rows: 2, seq: l.decode.cache.Acquire(nil), drafted: []int32{3, 4, 5}}
			defer j.seq.Release()
			if n >= 0 {
				j.enough = func(more int) int {
					if more != 3 {
						t.Errorf("asked about %d more tokens, want 3", more)
					}
					return n
				}
			}
			s.jobs = append(s.jobs, j)
		}
		// One that wants no logits has no say.
		quiet := &job{tokens: []int32{1, 2, 3}, from: 2, rows: 2, seq: l.decode.cache.Acquire(nil)}
		defer quiet.seq.Release()
		s.jobs = append(s.jobs, quiet)
		if got := s.enough(); got != test.want {
			t.Errorf("%+v: the best %d", test, got)
		}
	}
}

// unranked hides that a device ranks.
type unranked struct{ op.Device }

func (d unranked) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	exec, err := d.Device.Compile(ctx, p, opt, progress)
	return struct{ op.Executable }{exec}, err
}

// TestBestOnGPU: what the GPU ranks gives the text that its logits give.
func TestBestOnGPU(t *testing.T) {
	gpu, err := vulkan.Open(vulkan.Options{Index: -1})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { gpu.Close() })
	ranked := open(t, Options{Decode: start(t, gpu), Path: tiny(t, "tiny-qwen2"), NoDraft: true})
	plain := open(t, Options{Decode: start(t, unranked{gpu}), Path: tiny(t, "tiny-qwen2"), NoDraft: true})
	if ranked.decode.bestMax == 0 || plain.decode.bestMax != 0 {
		t.Fatalf("the best %d and %d", ranked.decode.bestMax, plain.decode.bestMax)
	}
	for i, sampling := range []sample.Options{{}, {Temperature: 1, TopK: 40, Seed: 3}, {RepeatPenalty: 1.2, RepeatLast: 20}} {
		req := Request{IDs: idsFrom(uint64(i), 12), MaxTokens: 12, Sampling: sampling}
		if got, want := generate(t, ranked, req), generate(t, plain, req); got.Text != want.Text {
			t.Errorf("%+v: %q, by all logits %q", sampling, got.Text, want.Text)
		}
	}
}
