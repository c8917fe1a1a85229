// Package speed measures how fast a device runs a model, beside what the
// machine allows at the same moment, and how soon a running prefill lets go of
// the processor. It drives the device's own steps: no tokenizer, no sampling,
// no cache, so that the numbers stand beside those of other engines' benches.
package speed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tandem/kernels/op"
)

// chunkRows is how many tokens of a prompt go into one step.
const chunkRows = 512

// Options of a measurement.
type Options struct {
	Model   string   // what the report calls it
	Prefill []int    // prompts' lengths in tokens
	Decode  []int    // continuations' lengths
	Depths  []int    // tokens in the KV cache before each; none means 0
	Repeats int      // of each, after one that does not count
	KV      op.DType // storage of keys and values
	// Cancels is how many prefills of 2,048 tokens are cancelled at a random
	// moment; 0 leaves responsiveness out.
	Cancels int
	// Profile makes Rate.Costs, from one run more of each.
	Profile bool
	// Progress, which may be nil, is told what begins and the share done.
	Progress func(share float64, what string)
}

// limiter is a device that can measure what the machine allows.
type limiter interface {
	Limits(ctx context.Context) (readGBs, teraOps float64, err error)
}

// Measure runs p on prefill and decode, which may be the same device.
func Measure(ctx context.Context, p *op.Program, prefill, decode op.Device, opt Options) (Report, error) {
	if len(opt.Depths) == 0 {
		opt.Depths = []int{0}
	}
	if err := opt.check(p); err != nil {
		return Report{}, err
	}
	r := report(opt, prefill, decode)
	opt.tell(0, "limits")
	for _, d := range []op.Device{prefill, decode} {
		if err := r.Limits.raise(ctx, d); err != nil {
			return Report{}, err
		}
	}
	opt.tell(0.1, "prefill")
	if err := r.prefill(ctx, p, prefill, prefill == decode, opt); err != nil {
		return Report{}, err
	}
	if prefill != decode {
		run, err := compile(ctx, p, decode, opt)
		if err != nil {
			return Report{}, err
		}
		defer run.exe.Close()
		if err := r.decode(ctx, run, opt); err != nil {
			return Report{}, err
		}
	}
	return r, nil
}

func report(opt Options, prefill, decode op.Device) Report {
	info := prefill.Info()
	r := Report{Model: opt.Model, Device: prefill.Name(), ISA: info.ISA, Threads: info.Threads, Prefill: []Rate{}, Decode: []Rate{}}
	if prefill != decode {
		r.Device += "+" + decode.Name()
		r.ISA += "+" + decode.Info().ISA
	}
	return r
}

// prefill measures everything that the prefilling device does; decode too if
// that is the same one, so that the weights are loaded once.
func (r *Report) prefill(ctx context.Context, p *op.Program, d op.Device, alsoDecode bool, opt Options) error {
	run, err := compile(ctx, p, d, opt)
	if err != nil {
		return err
	}
	defer run.exe.Close()
	for _, depth := range opt.Depths {
		for _, n := range opt.Prefill {
			s, err := run.repeat(ctx, depth, n, opt.Repeats, func() error { return run.prompt(ctx, depth, n) })
			if err != nil {
				return err
			}
			share := run.work.prefillShare(s.Median, n, r.Limits)
			costs, err := run.costs(opt, func() error { return run.prompt(ctx, depth, n) })
			if err != nil {
				return err
			}
			r.Prefill = append(r.Prefill, Rate{Tokens: n, Depth: depth, TokensPerSecond: s, ShareOfLimit: share, Costs: costs})
		}
	}
	if alsoDecode {
		if err := r.decode(ctx, run, opt); err != nil {
			return err
		}
	}
	if opt.Cancels == 0 {
		return nil
	}
	opt.tell(0.7, "responsiveness")
	r.CancelMillis, r.WakeupMillis, err = run.responsiveness(ctx, opt.Cancels)
	return err
}

func (r *Report) decode(ctx context.Context, run *runner, opt Options) error {
	opt.tell(0.4, "decode")
	for _, depth := range opt.Depths {
		for _, n := range opt.Decode {
			s, err := run.repeat(ctx, depth, n, opt.Repeats, func() error { return run.continuation(ctx, depth, n) })
			if err != nil {
				return err
			}
			share := run.work.decodeShare(s.Median, float64(depth)+float64(n)/2, r.Limits)
			costs, err := run.costs(opt, func() error { return run.continuation(ctx, depth, n) })
			if err != nil {
				return err
			}
			r.Decode = append(r.Decode, Rate{Tokens: n, Depth: depth, TokensPerSecond: s, ShareOfLimit: share, Costs: costs})
		}
	}
	return nil
}

// raise takes d's limits where they are higher.
func (l *Limits) raise(ctx context.Context, d op.Device) error {
	m, ok := d.(limiter)
	if !ok {
		return nil
	}
	read, ops, err := m.Limits(ctx)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	l.ReadGBs, l.TeraOps = max(l.ReadGBs, read), max(l.TeraOps, ops)
	return nil
}

func (o Options) tell(share float64, what string) {
	if o.Progress != nil {
		o.Progress(share, what)
	}
}

// check holds every length against the model's context.
func (o Options) check(p *op.Program) error {
	if o.Repeats < 1 {
		return fmt.Errorf("bench: %d repeats: at least 1", o.Repeats)
	}
	for _, n := range slices.Concat(o.Prefill, o.Decode) {
		if n < 1 {
			return fmt.Errorf("bench: %d tokens: at least 1", n)
		}
	}
	for _, depth := range o.Depths {
		if depth < 0 {
			return fmt.Errorf("bench: depth %d: at least 0", depth)
		}
	}
	if n := o.positions(); n > p.MaxTokens {
		return fmt.Errorf("bench: %d tokens are more than the model's context of %d: use a smaller --depth, -p or -n", n, p.MaxTokens)
	}
	return nil
}

// positions is the longest sequence that is measured.
func (o Options) positions() int {
	n := slices.Max(o.Depths) + slices.Max(slices.Concat(o.Prefill, o.Decode, []int{1}))
	if o.Cancels > 0 {
		n = max(n, cancelTokens)
	}
	return n
}

// runner drives one executable with one sequence of random tokens.
type runner struct {
	p      *op.Program
	exe    op.Executable
	work   work
	table  []int32
	logits []float32 // (vocab)
	random *rand.Rand
}

func compile(ctx context.Context, p *op.Program, d op.Device, opt Options) (*runner, error) {
	pages := (opt.positions() + op.PageTokens - 1) / op.PageTokens
	exe, err := d.Compile(ctx, p, op.CompileOptions{RowsMax: chunkRows, LogitsMax: 1, KV: opt.KV, Pages: pages}, nil)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	run := &runner{p: p, exe: exe, work: workOf(p, exe.Pages()), logits: make([]float32, p.Vocab), random: rand.New(rand.NewPCG(1, 2))}
	for i := range pages {
		run.table = append(run.table, int32(i))
	}
	return run, nil
}

// repeat fills the cache with depth tokens, then times f, which computes n.
func (run *runner) repeat(ctx context.Context, depth, n, times int, f func() error) (Spread, error) {
	if depth > 0 {
		if err := run.prompt(ctx, 0, depth); err != nil {
			return Spread{}, err
		}
	}
	if err := f(); err != nil { // brings the weights into memory
		return Spread{}, err
	}
	var perSecond []float64
	for range times {
		start := time.Now()
		if err := f(); err != nil {
			return Spread{}, err
		}
		perSecond = append(perSecond, float64(n)/time.Since(start).Seconds())
	}
	return spread(perSecond), nil
}

// costs profiles f, if that is wanted and the device can.
func (run *runner) costs(opt Options, f func() error) ([]op.Cost, error) {
	p, ok := run.exe.(op.Profiler)
	if !opt.Profile || !ok {
		return nil, nil
	}
	p.StartProfile()
	err := f()
	return p.StopProfile(), err
}

// prompt computes n tokens behind pos others, chunk by chunk; the last one's
// logits too.
func (run *runner) prompt(ctx context.Context, pos, n int) error {
	for end := pos + n; pos < end; pos += chunkRows {
		rows := min(chunkRows, end-pos)
		if err := run.step(ctx, pos, rows, pos+rows == end); err != nil {
			return err
		}
	}
	return nil
}

// continuation computes n tokens behind pos others, one by one.
func (run *runner) continuation(ctx context.Context, pos, n int) error {
	for i := range n {
		if err := run.step(ctx, pos+i, 1, true); err != nil {
			return err
		}
	}
	return nil
}

func (run *runner) step(ctx context.Context, pos, n int, logits bool) error {
	b := &op.Batch{Rows: make([]op.Row, n), Tables: [][]int32{run.table}}
	for i := range b.Rows {
		b.Rows[i] = op.Row{Token: run.random.Int32N(int32(run.p.Vocab)), Pos: int32(pos + i)}
	}
	if logits {
		b.Rows[n-1].Logits = true
		b.Logits = run.logits
	}
	return run.exe.Run(ctx, b)
}
