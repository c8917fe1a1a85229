// Package speed measures how fast a device runs a model, beside what the
// machine allows at the same moment, and how soon a running prefill lets go of
// the processor. It drives the device's own steps: no tokenizer, no sampling,
// no cache, so that the numbers stand beside those of other engines' benches. What
// a step gives back is what greedy choice needs, as in the engine: of each row all
// logits, or the best one where the device finds it.
// Only the time to a first token has cache and sampling in it, as users do.
package speed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tandem/kernels/op"
)

const (
	chunkRows    = 512 // tokens of a prompt in one step
	sequencesMax = 32  // that decode together: as many as the engine lets
)

// Options of a measurement.
type Options struct {
	Model   string   // what the report calls it
	Prefill []int    // prompts' lengths in tokens
	Decode  []int    // continuations' lengths
	Depths  []int    // tokens in the KV cache before each; none means 0
	Repeats int      // of each, after one that does not count
	KV      op.DType // storage of keys and values
	// Sequences is how many decode together, in turns with one alone; below 2
	// leaves that out.
	Sequences int
	// Cached is the length of a prompt whose last 3 tokens alone are new, to
	// measure the time to its first token; 0 leaves that out.
	Cached int
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
	run, err := compile(ctx, p, prefill, opt)
	if err != nil {
		return Report{}, err
	}
	defer run.exe.Close()
	if err := r.prefill(ctx, run, prefill == decode, opt); err != nil {
		return Report{}, err
	}
	if prefill != decode {
		to, err := compile(ctx, p, decode, opt)
		if err != nil {
			return Report{}, err
		}
		defer to.exe.Close()
		if err := r.decode(ctx, to, opt); err != nil {
			return Report{}, err
		}
		opt.tell(0.9, "hand-over")
		if err := r.handOver(run.exe.Pages(), to.exe.Pages(), opt); err != nil {
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
func (r *Report) prefill(ctx context.Context, run *runner, alsoDecode bool, opt Options) (err error) {
	for _, depth := range opt.Depths {
		for _, n := range opt.Prefill {
			if err := run.fill(ctx, depth); err != nil {
				return err
			}
			spreads, err := turns(opt.Repeats, timed{n, func() error { return run.prompt(ctx, depth, n) }})
			if err != nil {
				return err
			}
			s := spreads[0]
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
			rate, err := r.decodeRate(ctx, run, opt, depth, n)
			if err != nil {
				return err
			}
			r.Decode = append(r.Decode, rate)
		}
	}
	if opt.Cached == 0 {
		return nil
	}
	opt.tell(0.6, "first token")
	var err error
	r.FirstToken, err = run.firstToken(ctx, opt)
	return err
}

// decodeRate measures n tokens behind depth others: of one sequence, and in
// turns with that of several together.
func (r *Report) decodeRate(ctx context.Context, run *runner, opt Options, depth, n int) (Rate, error) {
	if err := run.fill(ctx, depth); err != nil {
		return Rate{}, err
	}
	alone := func() error { return run.continuation(ctx, depth, n, 1) }
	runs := []timed{{n, alone}}
	if opt.Sequences > 1 {
		run.copyTo(opt.Sequences, depth)
		runs = append(runs, timed{n * opt.Sequences, func() error { return run.continuation(ctx, depth, n, opt.Sequences) }})
	}
	spreads, err := turns(opt.Repeats, runs...)
	if err != nil {
		return Rate{}, err
	}
	positions := float64(depth) + float64(n)/2 // before a row, on average
	rate := Rate{Tokens: n, Depth: depth, TokensPerSecond: spreads[0]}
	rate.ShareOfLimit = run.work.decodeShare(spreads[0].Median, positions, r.Limits)
	if several := float64(opt.Sequences); opt.Sequences > 1 {
		rate.Together = &Together{
			Sequences: opt.Sequences, TokensPerSecond: spreads[1], Ratio: spreads[1].Median / spreads[0].Median,
			ShareOfLimit: run.work.decodeShare(spreads[1].Median/several, several*positions, r.Limits),
		}
	}
	rate.Costs, err = run.costs(opt, alone)
	return rate, err
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
	if o.Sequences < 0 || o.Sequences > sequencesMax {
		return fmt.Errorf("bench: %d sequences: at least 0, at most %d", o.Sequences, sequencesMax)
	}
	if o.Cached != 0 && o.Cached <= newTokens {
		return fmt.Errorf("bench: a cached prompt of %d tokens, %d of them new: at least %d, or 0 for none", o.Cached, newTokens, newTokens+1)
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
		return fmt.Errorf("bench: %d tokens are more than the model's context of %d: use a smaller --depth, -p, -n or --cached", n, p.MaxTokens)
	}
	return nil
}

// positions is the longest sequence that is measured.
func (o Options) positions() int {
	n := slices.Max(o.Depths) + slices.Max(slices.Concat(o.Prefill, o.Decode, []int{1}))
	if o.Cached > 0 {
		n = max(n, o.Cached+1) // and a decode step
	}
	if o.Cancels > 0 {
		n = max(n, cancelTokens)
	}
	return n
}

// pagesEach is the KV pages of each of the sequences that decode together.
func (o Options) pagesEach() int {
	return pagesOf(slices.Max(o.Depths) + slices.Max(slices.Concat(o.Decode, []int{1})))
}

// pages is what everything that is measured has room in.
func (o Options) pages() int {
	n := pagesOf(o.positions())
	if o.Cached > 0 {
		n++ // the old end of the prompt stays cached beside the new one
	}
	return max(n, o.Sequences*o.pagesEach())
}

func pagesOf(tokens int) int { return (tokens + op.PageTokens - 1) / op.PageTokens }

// runner drives one executable with sequences of random tokens.
type runner struct {
	p      *op.Program
	exe    op.Executable
	work   work
	tables [][]int32   // the first one's has every page
	filled int         // positions of the first sequence that fill has computed
	logits []float32   // (sequences, vocab); nil where the device ranks
	best   []op.Scored // (sequences) where it does, else nil
	random *rand.Rand
}

func compile(ctx context.Context, p *op.Program, d op.Device, opt Options) (*runner, error) {
	sequences := max(opt.Sequences, 1)
	exe, err := d.Compile(ctx, p, op.CompileOptions{RowsMax: chunkRows, LogitsMax: sequences, KV: opt.KV, Pages: opt.pages()}, nil)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	run := &runner{p: p, exe: exe, work: workOf(p, exe.Pages()), random: rand.New(rand.NewPCG(1, 2))}
	if _, ok := exe.(op.Ranker); ok {
		run.best = make([]op.Scored, sequences)
	} else {
		run.logits = make([]float32, sequences*p.Vocab)
	}
	pages := make([]int32, opt.pages())
	for i := range pages {
		pages[i] = int32(i)
	}
	run.tables = [][]int32{pages}
	for i, each := 1, opt.pagesEach(); i < sequences; i++ {
		run.tables = append(run.tables, pages[i*each:(i+1)*each])
	}
	return run, nil
}

// fill sees to it that the first depth positions hold keys and values. Those
// that are written over later hold others, which take as long.
func (run *runner) fill(ctx context.Context, depth int) error {
	if depth <= run.filled {
		return nil
	}
	if err := run.prompt(ctx, run.filled, depth-run.filled); err != nil {
		return err
	}
	run.filled = depth
	return nil
}

// copyTo gives each of the sequences pages of its own with the first one's keys
// and values: pages that they shared would stay in the processor's caches.
func (run *runner) copyTo(sequences, depth int) {
	for _, table := range run.tables[1:sequences] {
		for i := range pagesOf(depth) {
			run.exe.Pages().Copy(table[i], run.tables[0][i], op.PageTokens)
		}
	}
}

// timed is a run and the number of tokens it computes.
type timed struct {
	tokens int
	run    func() error
}

// turns runs each once, which brings the weights into memory, and then all in
// turn, so that a machine that becomes slower does so for all of them. It gives
// the tokens per second of each.
func turns(times int, runs ...timed) ([]Spread, error) {
	perSecond := make([][]float64, len(runs))
	for turn := range times + 1 {
		for i, r := range runs {
			start := time.Now()
			if err := r.run(); err != nil {
				return nil, err
			}
			if turn > 0 {
				perSecond[i] = append(perSecond[i], float64(r.tokens)/time.Since(start).Seconds())
			}
		}
	}
	spreads := make([]Spread, len(runs))
	for i, values := range perSecond {
		spreads[i] = SpreadOf(values)
	}
	return spreads, nil
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

// continuation computes n tokens behind pos others, one by one, of the first so
// many sequences together.
func (run *runner) continuation(ctx context.Context, pos, n, sequences int) error {
	rows := make([]op.Row, sequences)
	for i := range n {
		for seq := range rows {
			rows[seq] = op.Row{Token: run.token(), Pos: int32(pos + i), Seq: int32(seq), Logits: true}
		}
		if err := run.rows(ctx, rows, run.tables); err != nil {
			return err
		}
	}
	return nil
}

// step computes n tokens of the first sequence behind pos others.
func (run *runner) step(ctx context.Context, pos, n int, logits bool) error {
	rows := make([]op.Row, n)
	for i := range rows {
		rows[i] = op.Row{Token: run.token(), Pos: int32(pos + i)}
	}
	rows[n-1].Logits = logits
	return run.rows(ctx, rows, run.tables)
}

// rows runs a step of these.
func (run *runner) rows(ctx context.Context, rows []op.Row, tables [][]int32) error {
	b := &op.Batch{Rows: rows, Tables: tables}
	if n := b.LogitRows(); run.best != nil {
		b.Best, b.BestN = run.best[:n], 1
	} else {
		b.Logits = run.logits[:n*run.p.Vocab]
	}
	return run.exe.Run(ctx, b)
}

func (run *runner) token() int32 { return run.random.Int32N(int32(run.p.Vocab)) }
