package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tandem/engine/kvcache"
	"tandem/internal/bug"
	"tandem/kernels/op"
)

const (
	rowsMax      = 512                    // rows of a step
	logitsMax    = 32                     // rows of a step that want logits
	jobsMax      = 256                    // waiting for one device
	backgroundMS = 100 * time.Millisecond // a step that a more urgent request may have to wait for
)

// Executor runs one device: every computation on it is a step, and steps run one
// at a time on the executor's goroutine, which owns the device's executables and
// KV caches. Jobs join and leave between steps. Several models may share an
// executor, so that they never fight over the same cores.
type Executor struct {
	device op.Device
	wake   chan struct{} // capacity 1: something below changed
	ended  chan struct{} // closed when the goroutine is gone

	queueMu sync.Mutex
	queue   []*job   // not yet seen by the goroutine
	calls   []func() // to run between two steps
	closed  bool
	running *step // nil between steps

	active []*job // the goroutine's own
	turn   int    // counts steps: models of equal urgency take turns
}

// placed is a model on a device. It belongs to that device's executor.
type placed struct {
	executor *Executor
	exec     op.Executable
	program  *op.Program
	cache    *kvcache.Cache
	cold     *kvcache.Cold
	// prefillRate is the measured prefill speed in tokens per second, for
	// sizing the chunks of work that others may have to wait for.
	prefillRate float64
}

// job is a sequence on its way through an executor: it computes all of tokens,
// hands the logits to the callbacks, and goes on with what they append. Its
// fields belong to the executor's goroutine from submit until done is closed.
type job struct {
	ctx      context.Context
	priority Priority
	on       *placed
	tokens   []int32 // the sequence so far; those behind seq.Len() are to be computed
	every    bool    // logits of every token, instead of the last one's
	silent   bool    // no logits: fill the cache

	// began is called once, with the number of tokens found in the cache.
	began func(cached int)
	// logits is called with a computed token's position and logits; the last
	// one's answer continues the sequence with a token or ends it.
	logits func(pos int, logits []float32) (next int32, more bool)
	// end is called when the job has succeeded, before its pages are released.
	end func(seq *kvcache.Sequence)

	seq    *kvcache.Sequence
	rows   int   // in the current step
	live   bool  // counted in the current step's live; guarded by queueMu
	err    error // once done is closed
	done   chan struct{}
	unhook func() bool // of ctx
}

// step is what the device runs now.
type step struct {
	cancel context.CancelFunc
	live   int      // jobs in it that still want the result; guarded by queueMu
	best   Priority // of its jobs
}

// NewExecutor starts the goroutine that drives device.
func NewExecutor(device op.Device) *Executor {
	e := &Executor{device: device, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go e.loop()
	return e
}

// Device is what it drives.
func (e *Executor) Device() op.Device { return e.device }

// Close ends the goroutine after the current step; jobs that still wait get
// ErrClosed. The device stays open.
func (e *Executor) Close() {
	e.queueMu.Lock()
	e.closed = true
	e.queueMu.Unlock()
	e.notify()
	<-e.ended
}

func (e *Executor) notify() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run hands j over and returns when it is done: after its last token, or soon
// after its ctx ends.
func (e *Executor) run(j *job) error {
	j.done = make(chan struct{})
	e.queueMu.Lock()
	switch {
	case e.closed:
		e.queueMu.Unlock()
		return ErrClosed
	case len(e.queue) >= jobsMax:
		e.queueMu.Unlock()
		return fmt.Errorf("%w: %d", ErrQueueFull, len(e.queue))
	}
	e.queue = append(e.queue, j)
	if s := e.running; s != nil && s.best == WarmUp && j.priority < WarmUp {
		s.cancel() // its finished chunks stay cached
	}
	e.queueMu.Unlock()
	e.notify()
	<-j.done
	return j.err
}

// do runs f on the goroutine between two steps and waits for it.
func (e *Executor) do(f func()) error {
	done := make(chan struct{})
	e.queueMu.Lock()
	if e.closed {
		e.queueMu.Unlock()
		return ErrClosed
	}
	e.calls = append(e.calls, func() { defer close(done); f() })
	e.queueMu.Unlock()
	e.notify()
	<-done
	return nil
}

func (e *Executor) loop() {
	defer close(e.ended)
	for {
		if e.admit() {
			return
		}
		if len(e.active) == 0 {
			<-e.wake
			continue
		}
		e.step()
	}
}

// admit takes what was handed over since the last step. It reports whether the
// executor was closed, after failing everything that waits.
func (e *Executor) admit() (closed bool) {
	e.queueMu.Lock()
	jobs, calls, closed := e.queue, e.calls, e.closed
	e.queue, e.calls = nil, nil
	e.queueMu.Unlock()
	for _, call := range calls {
		call()
	}
	for _, j := range jobs {
		j.unhook = context.AfterFunc(j.ctx, e.jobCancelled(j))
		e.active = append(e.active, j)
	}
	for _, j := range slices.Clone(e.active) {
		if closed {
			e.finish(j, ErrClosed)
		} else if err := context.Cause(j.ctx); err != nil {
			e.finish(j, err)
		}
	}
	return closed
}

// jobCancelled is called, on a goroutine of its own, when j's ctx ends: when
// nobody is left who wants the running step, it stops.
func (e *Executor) jobCancelled(j *job) func() {
	return func() {
		e.queueMu.Lock()
		s := e.running
		if s != nil && j.live {
			j.live = false
			if s.live--; s.live == 0 {
				s.cancel()
			}
		}
		e.queueMu.Unlock()
		e.notify()
	}
}

// finish takes j out of the executor.
func (e *Executor) finish(j *job, err error) {
	e.active = slices.DeleteFunc(e.active, func(a *job) bool { return a == j })
	j.unhook()
	if err == nil && j.end != nil {
		j.end(j.seq)
	}
	if j.seq != nil {
		j.seq.Release()
	}
	j.err = err
	close(j.done)
}

// step forms one batch, runs it, and hands the results out.
func (e *Executor) step() {
	jobs, batch := e.form()
	if len(jobs) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &step{cancel: cancel, best: WarmUp}
	e.queueMu.Lock()
	for _, j := range jobs {
		s.best = min(s.best, j.priority)
		if j.live = j.ctx.Err() == nil; j.live {
			s.live++
		}
	}
	if s.live == 0 || s.best == WarmUp && slices.ContainsFunc(e.queue, func(j *job) bool { return j.priority < WarmUp }) {
		cancel()
	}
	e.running = s
	e.queueMu.Unlock()

	begin := time.Now()
	err := e.compute(ctx, jobs[0].on, batch)

	e.queueMu.Lock()
	e.running = nil
	e.queueMu.Unlock()
	if errors.Is(err, context.Canceled) {
		return // whoever is still wanted tries again
	}
	jobs[0].on.measure(len(batch.Rows), time.Since(begin))
	e.deliver(jobs, batch, err)
}

// compute runs the batch; a panic in a device becomes an error of its jobs.
func (e *Executor) compute(ctx context.Context, on *placed, batch *op.Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = bug.Errorf("%s: step of %d rows: %v", e.device.Name(), len(batch.Rows), r)
		}
	}()
	return on.exec.Run(ctx, batch)
}

// measure updates the prefill speed from a step of many rows.
func (p *placed) measure(rows int, took time.Duration) {
	if rows < 8 {
		return
	}
	rate := float64(rows) / took.Seconds()
	if p.prefillRate == 0 {
		p.prefillRate = rate
	}
	p.prefillRate += 0.3 * (rate - p.prefillRate)
}

// form chooses the jobs of the next step and writes their rows. The most urgent
// job decides the model; every job of that model that decodes joins with its one
// row; prefill chunks of the most urgent jobs fill the rest.
func (e *Executor) form() (jobs []*job, batch *op.Batch) {
	urgent := slices.MinFunc(e.active, func(a, b *job) int { return int(a.priority - b.priority) }).priority
	var candidates []*job
	for _, j := range e.active {
		if j.priority == urgent {
			candidates = append(candidates, j)
		}
	}
	e.turn++
	model := candidates[e.turn%len(candidates)].on
	batch = &op.Batch{}
	rows, logits := rowsMax, logitsMax
	if urgent != Completion {
		rows = model.backgroundRows()
	}
	for _, decoding := range []bool{true, false} {
		for _, j := range slices.Clone(e.active) {
			if j.on != model || !decoding && j.priority != urgent || rows == 0 || logits == 0 {
				continue
			}
			if j.seq == nil {
				e.begin(j)
			}
			if (len(j.tokens)-j.seq.Len() == 1) != decoding {
				continue
			}
			n, err := e.addRows(batch, j, rows, logits)
			if err != nil {
				e.finish(j, err)
				continue
			}
			rows -= n
			logits = logitsMax - batch.LogitRows()
			if n > 0 {
				jobs = append(jobs, j)
			}
		}
	}
	batch.Logits = make([]float32, batch.LogitRows()*model.program.Vocab)
	return jobs, batch
}

// backgroundRows is how many rows take about backgroundMS.
func (p *placed) backgroundRows() int {
	if p.prefillRate == 0 {
		return 32
	}
	return max(16, min(rowsMax, int(p.prefillRate*backgroundMS.Seconds())))
}

func (e *Executor) begin(j *job) {
	j.seq = j.on.cache.Acquire(j.tokens)
	if j.every { // logits of cached tokens are not kept
		j.seq.Truncate(0)
	}
	if j.began != nil {
		j.began(j.seq.Len())
	}
}

// addRows appends up to rows tokens of j to the batch.
func (e *Executor) addRows(batch *op.Batch, j *job, rows, logits int) (int, error) {
	from := j.seq.Len()
	n := min(rows, len(j.tokens)-from)
	if j.every {
		n = min(n, logits)
	}
	if err := j.seq.Reserve(n); err != nil {
		return 0, fmt.Errorf("%w: %d tokens: use a larger pool or a shorter prompt", err, len(j.tokens))
	}
	for i := range n {
		last := from+i == len(j.tokens)-1
		batch.Rows = append(batch.Rows, op.Row{
			Token: j.tokens[from+i], Pos: int32(from + i), Seq: int32(len(batch.Tables)),
			Logits: j.every || last && !j.silent,
		})
	}
	batch.Tables = append(batch.Tables, slices.Clone(j.seq.Table()))
	j.rows = n
	return n, nil
}

// deliver commits what was computed and lets each job go on or end.
func (e *Executor) deliver(jobs []*job, batch *op.Batch, err error) {
	row, logits := 0, batch.Logits
	for _, j := range jobs {
		n := j.rows
		if err != nil {
			e.finish(j, err)
			continue
		}
		from := j.seq.Len()
		j.seq.Commit(j.tokens[from : from+n])
		more := j.seq.Len() < len(j.tokens)
		for i := range n {
			if batch.Rows[row+i].Logits {
				vocab := j.on.program.Vocab
				more = e.continueWith(j, from+i, logits[:vocab]) || j.seq.Len() < len(j.tokens)
				logits = logits[vocab:]
			}
		}
		row += n
		if !more {
			e.finish(j, nil)
		}
	}
}

// continueWith gives j the logits at pos and appends the token it answers with.
func (e *Executor) continueWith(j *job, pos int, logits []float32) (more bool) {
	next, more := j.logits(pos, logits)
	if more && pos == len(j.tokens)-1 {
		j.tokens = append(j.tokens, next)
	}
	return more
}
