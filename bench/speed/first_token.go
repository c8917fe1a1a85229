package speed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tandem/engine/kvcache"
	"tandem/engine/sample"
	"tandem/kernels/op"
)

const (
	newTokens = 3 // what a keystroke or two add to a prompt
	// stepsEach is how many first tokens a repeat stands for: a single step is
	// too short to tell anything.
	stepsEach = 10
)

// firstToken asks for the same prompt again and again, its last 3 tokens new each
// time, and lets each answer go on for one token: the decode step that the first
// token's time stands beside. Both end with a sampled token.
func (run *runner) firstToken(ctx context.Context, opt Options) (*FirstToken, error) {
	cache := kvcache.New(run.exe.Pages(), nil)
	prompt := make([]int32, opt.Cached)
	for i := range prompt {
		prompt[i] = run.token()
	}
	cached := opt.Cached - newTokens
	sampler := sample.New(sample.Options{}, nil)
	var first, step []float64
	for turn := range stepsEach*opt.Repeats + 1 {
		// One more each time: no earlier prompt goes on like it.
		prompt[cached] = (prompt[cached] + 1) % int32(run.p.Vocab)
		start := time.Now()
		seq := cache.Acquire(prompt)
		found := seq.Len()
		token, err := run.next(ctx, seq, sampler, prompt[found:])
		between := time.Now()
		if err == nil {
			_, err = run.next(ctx, seq, sampler, []int32{token})
		}
		end := time.Now()
		seq.Release()
		if err != nil {
			return nil, err
		}
		if turn == 0 {
			continue // fills the cache
		}
		if found != cached {
			return nil, fmt.Errorf("bench: %d tokens of a prompt of %d found in the KV cache, want %d", found, len(prompt), cached)
		}
		first = append(first, between.Sub(start).Seconds()*1e3)
		step = append(step, end.Sub(between).Seconds()*1e3)
	}
	r := &FirstToken{Prompt: opt.Cached, New: newTokens, Millis: SpreadOf(first), StepMillis: SpreadOf(step)}
	r.Ratio = r.Millis.Median / r.StepMillis.Median
	return r, nil
}

// next computes tokens behind seq's, in chunks, and samples what follows them.
func (run *runner) next(ctx context.Context, seq *kvcache.Sequence, sampler *sample.Sampler, tokens []int32) (int32, error) {
	for chunk := range slices.Chunk(tokens, chunkRows) {
		if err := seq.Reserve(len(chunk)); err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		rows := make([]op.Row, len(chunk))
		for i, token := range chunk {
			rows[i] = op.Row{Token: token, Pos: int32(seq.Len() + i)}
		}
		rows[len(rows)-1].Logits = true
		if err := run.rows(ctx, rows, [][]int32{seq.Table()}); err != nil {
			return 0, err
		}
		seq.Commit(chunk)
	}
	if run.best != nil {
		return sampler.SampleBest(run.best[:1]), nil
	}
	return sampler.Sample(run.logits[:run.p.Vocab], nil), nil
}
