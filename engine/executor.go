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

// jobsMax bounds the jobs that run on or wait for one device.
const jobsMax = 256

// Executor runs one device: every computation on it is a step, and steps run one
// at a time on the executor's goroutine, which owns the device's executables and
// KV caches. Jobs join and leave between steps. Several models may share an
// executor, so that they never fight over the same cores: whoever opens the
// device makes its executor and names it to every engine that is to run there.
type Executor struct {
	device op.Device
	wake   chan struct{} // capacity 1: something below changed
	ended  chan struct{} // closed when the goroutine is gone

	queueMu sync.Mutex
	queue   []*job // not yet seen by the goroutine
	calls   []call // to run between two steps
	load    int    // jobs that are not done
	closed  bool
	running *step // nil between steps

	// The goroutine's own.
	active  []*job  // the most urgent first, then the one that came first
	current *placed // what the goroutine works on, to blame if that panics
	turn    int     // counts steps: models of equal urgency take turns
	lost    error   // why the device is gone, and no job can run; nil while it is there
}

// call is a function to run on the executor's goroutine, about on. refuse is
// called in its place if the device is lost. done is closed when either has
// returned, or when what its panic left behind is in order.
type call struct {
	on     *placed
	run    func()
	refuse func(lost error)
	done   chan struct{}
}

// job is a sequence on its way through an executor, which computes all of tokens
// and hands out the logits that are wanted; what they are answered with
// continues the sequence. A job belongs to the executor's goroutine from
// [Executor.run] until that returns.
type job struct {
	ctx      context.Context
	priority Priority
	on       *placed
	tokens   []int32 // the sequence so far; those behind seq.Len() are to be computed
	from     int     // first position whose logits are still wanted

	// began, if set, is called once on each device, with the number of tokens found
	// in its cache.
	began func(cached int)
	// logits is called with a position and its logits, from by from. Behind the
	// last token its answer continues the sequence with a token, or ends it.
	logits func(pos int, logits []float32) (next int32, more bool)
	// best, if set, answers for logits where a step gave only the best logits of
	// each row. enough says, before a step that may give up to so many tokens
	// beside the first, how many of the best make its answer what that of logits
	// would be; 0: only all do.
	best   func(pos int, best []op.Scored) (next int32, more bool)
	enough func(more int) int
	// draft, if set, gives at most n tokens that may come behind the last one,
	// which is about to be computed; cost(k) is what the step costs if k are given.
	// What logits answers decides: those that it gives, too, need no step of
	// their own, and verified is told how many that were.
	draft    func(n int, cost func(k int) float64) []int32
	verified func(drafted, accepted int)
	// ask, if set, is called before draft in steps that j has for itself, with
	// the same arguments. It may give a job of another model, for j to wait for.
	ask func(n int, cost func(k int) float64) *job
	// ended, if set, is called when the job is done.
	ended func(err error)

	seq      *kvcache.Sequence // nil while it has no pages
	hasBegun bool
	reached  int     // the most tokens that were ever cached or computed
	rows     int     // of tokens in the current step
	drafted  []int32 // verified in the current step
	asked    *job    // j waits for it; nil for none
	unhook   func() bool
	err      error // once done is closed
	done     chan struct{}
}

// NewExecutor starts the goroutine that drives device.
func NewExecutor(device op.Device) *Executor {
	e := &Executor{device: device, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go e.loop()
	return e
}

// Device is what it drives.
func (e *Executor) Device() op.Device { return e.device }

// Close ends the goroutine after the current step; jobs that are not done get
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
	if err := e.submit(j); err != nil {
		return err
	}
	e.notify()
	<-j.done
	e.queueMu.Lock()
	e.load--
	e.queueMu.Unlock()
	return j.err
}

func (e *Executor) submit(j *job) error {
	e.queueMu.Lock()
	defer e.queueMu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if e.load >= jobsMax {
		return fmt.Errorf("%w: %d on %s", ErrQueueFull, e.load, e.device.Name())
	}
	e.load++
	e.queue = append(e.queue, j)
	j.unhook = context.AfterFunc(j.ctx, func() { e.cancelled(j) })
	if s := e.running; s != nil && s.yieldsTo(j) {
		s.cancel()
	}
	return nil
}

// cancelled is called, on a goroutine of its own, when j's ctx ends. A job that
// was not begun ends here; otherwise the running step stops if it has become
// pointless, and the executor drops the job before the next one.
func (e *Executor) cancelled(j *job) {
	e.queueMu.Lock()
	defer e.queueMu.Unlock()
	if i := slices.Index(e.queue, j); i >= 0 {
		e.queue = slices.Delete(e.queue, i, i+1)
		j.err = j.ctx.Err()
		close(j.done)
		return
	}
	if s := e.running; s != nil && s.pointless() {
		s.cancel()
	}
	e.notify()
}

// do runs f, which is about on, on the goroutine between two steps, and waits
// for it. On a device that is lost f does not run.
func (e *Executor) do(on *placed, f func()) error {
	err := errUnfinished
	done := make(chan struct{})
	e.queueMu.Lock()
	if e.closed {
		e.queueMu.Unlock()
		return ErrClosed
	}
	e.calls = append(e.calls, call{on, func() { f(); err = nil }, func(lost error) { err = lost }, done})
	e.queueMu.Unlock()
	e.notify()
	<-done
	return err
}

func (e *Executor) loop() {
	defer close(e.ended)
	for {
		idle, closed := e.admit()
		if closed {
			return
		}
		if idle || !e.guarded(e.step) {
			<-e.wake
		}
	}
}

// admit takes what was handed over since the last step and drops what was
// cancelled, and everything once the device is lost: nothing of that is touched
// any more. closed says that the executor is, and everything has been failed.
func (e *Executor) admit() (idle, closed bool) {
	e.queueMu.Lock()
	jobs, calls, closed := e.queue, e.calls, e.closed
	e.queue, e.calls = nil, nil
	e.queueMu.Unlock()
	for _, c := range calls {
		e.current = c.on
		if e.lost != nil {
			c.refuse(e.lost)
		} else {
			e.guarded(func() bool { c.run(); return true })
		}
		close(c.done)
	}
	e.active = append(e.active, jobs...)
	for _, j := range slices.Clone(e.active) {
		if closed {
			e.finish(j, ErrClosed)
		} else if err := j.ctx.Err(); err != nil {
			e.finish(j, err)
		} else if e.lost != nil {
			e.finish(j, e.lost)
		}
	}
	return len(e.active) == 0, closed
}

// guarded runs work. If that panics, the model it was about is at fault: its
// jobs fail and its KV cache, whose state nobody knows, starts anew.
func (e *Executor) guarded(work func() bool) (ok bool) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		ok = true
		err := bug.Errorf("%s: %v", e.device.Name(), r)
		e.setRunning(nil)
		e.current.cache = kvcache.New(e.current.exec.Pages(), e.current.cold)
		for _, j := range slices.Clone(e.active) {
			if j.on == e.current {
				j.seq = nil // of the old cache
				e.finish(j, err)
			}
		}
	}()
	return work()
}

// errUnneeded ends a job whose asker ended.
var errUnneeded = errors.New("nobody waits for it any more")

// finish takes j out of the executor, if it is there, and what it waits for.
func (e *Executor) finish(j *job, err error) {
	i := slices.Index(e.active, j)
	if i < 0 {
		return
	}
	e.active = slices.Delete(e.active, i, i+1)
	if j.asked != nil {
		e.finish(j.asked, errUnneeded)
	}
	j.unhook()
	j.suspend()
	j.on.publish()
	j.err = err
	if j.ended != nil {
		j.ended(err)
	}
	close(j.done)
}

// suspend gives j's pages back; they stay cached until somebody needs the room.
func (j *job) suspend() {
	if j.seq != nil {
		j.seq.Release()
		j.seq = nil
	}
}

func (e *Executor) setRunning(s *step) {
	e.queueMu.Lock()
	defer e.queueMu.Unlock()
	e.running = s
}

// placed is a model on a device. All but published belongs to the executor's
// goroutine once a job was run there.
type placed struct {
	executor *Executor
	exec     op.Executable
	program  *op.Program
	cache    *kvcache.Cache
	cold     *kvcache.Cold
	cost     cost
	batch    op.Batch    // memory for the next step's
	logits   []float32   // (logitsMax, vocab), the same
	best     []op.Scored // (logitsMax, bestMax), the same
	bestMax  int         // of a row's logits that exec can find; 0: it gives all
	turn     int         // Executor.turn of its last step
	stats    DeviceStats

	publishedMu sync.Mutex
	published   DeviceStats

	leave leaving // if the device is lost
}

// DeviceStats are sums over an engine's life on one device, and what its KV
// cache holds.
type DeviceStats struct {
	Device string        `json:"device"`
	Steps  int64         `json:"steps"`
	Rows   int64         `json:"rows"`
	Busy   time.Duration `json:"busy"` // in steps
	Cache  kvcache.Stats `json:"cache"`
}

// publish lets other goroutines see the statistics.
func (p *placed) publish() {
	p.stats.Cache = p.cache.Stats()
	p.publishedMu.Lock()
	defer p.publishedMu.Unlock()
	p.published = p.stats
}

func (p *placed) deviceStats() DeviceStats {
	p.publishedMu.Lock()
	defer p.publishedMu.Unlock()
	return p.published
}
