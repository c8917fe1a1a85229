package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"tandem/bench/synth"
	"tandem/engine/kvcache"
	"tandem/internal/bug"
	"tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/kernels/ref"
	"tandem/kernels/vulkan"
)

func TestMain(m *testing.M) {
	bug.Panic = true
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tinyDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	tinyDir string
	tinyMu  sync.Mutex
)

// tiny is the path of a model of random weights with a vocabulary of 1,000
// tokens and a context of 4,096.
func tiny(t testing.TB, shape string) string {
	t.Helper()
	tinyMu.Lock()
	defer tinyMu.Unlock()
	path := filepath.Join(tinyDir, shape+".gguf")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := synth.Write(f, shape, 1, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden is the path of a model 64 wide with a vocabulary of 320 tokens, qwen2
// or llama, whose vocabulary is not byte-level BPE: it takes ids only. Its
// context is 256 tokens, or 512.
func golden(arch string) string {
	return filepath.Join("..", "testdata", "goldens", arch, "model.gguf")
}

// opener opens a device of a kind.
type opener struct {
	name string
	open func(t testing.TB, threads int) op.Device
}

// gpu is the best one; the test is left out where there is none.
var gpu = opener{"vulkan", func(t testing.TB, _ int) op.Device {
	d, err := vulkan.Open(vulkan.Options{Index: -1, CacheDir: filepath.Join(tinyDir, "shaders")})
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	return d
}}

// devices that every test of results runs on.
var devices = []opener{
	{"ref", func(_ testing.TB, threads int) op.Device { return ref.Open(threads) }},
	{"cpu", func(t testing.TB, threads int) op.Device {
		d, err := cpu.Open(cpu.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}},
}

// leaveOut skips a test on the slow device where time is short, as it is under
// the race detector.
func leaveOut(t *testing.T, device string) {
	if testing.Short() && device == "ref" {
		t.Skip("left out by -short: run it without to test on ref, too")
	}
}

// eachDevice runs test once per device.
func eachDevice(t *testing.T, test func(t *testing.T, open func(threads int) op.Device)) {
	for _, d := range devices {
		t.Run(d.name, func(t *testing.T) {
			leaveOut(t, d.name)
			test(t, func(threads int) op.Device {
				device := d.open(t, threads)
				t.Cleanup(func() { device.Close() })
				return device
			})
		})
	}
}

// start makes an executor that ends with the test.
func start(t testing.TB, d op.Device) *Executor {
	e := NewExecutor(d)
	t.Cleanup(e.Close)
	return e
}

// open opens opt with defaults that suit the tests.
func open(t testing.TB, opt Options) *Local {
	t.Helper()
	if opt.Path == "" {
		opt.Path = golden("llama")
	}
	if opt.Prefill == nil {
		opt.Prefill = opt.Decode
	}
	if opt.MaxTokens == 0 {
		opt.MaxTokens = 512
	}
	if opt.KV == op.F32 {
		opt.KV = op.F16
	}
	l, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// openOn is open on one device.
func openOn(t testing.TB, d op.Device) *Local {
	t.Helper()
	return open(t, Options{Decode: start(t, d)})
}

// trace is what a greedy continuation was computed from.
type trace struct {
	cached int
	tokens []int32
	logits [][]float32 // behind each token from the wanted one on
}

// greedy runs a job that continues prompt by n tokens, and keeps the logits
// behind its last token and every sampled one.
func (l *Local) greedy(ctx context.Context, p Priority, prompt []int32, n int) (trace, error) {
	var tr trace
	err := l.decode.executor.run(&job{
		ctx: ctx, priority: p, on: l.decode, tokens: slices.Clone(prompt), from: len(prompt) - 1,
		began: func(cached int) { tr.cached = cached },
		logits: func(_ int, logits []float32) (int32, bool) {
			tr.logits = append(tr.logits, slices.Clone(logits))
			next := argmax(logits)
			tr.tokens = append(tr.tokens, next)
			return next, len(tr.logits) < n
		},
	})
	return tr, err
}

func (l *Local) mustGreedy(t *testing.T, p Priority, prompt []int32, n int) trace {
	t.Helper()
	tr, err := l.greedy(t.Context(), p, prompt, n)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func argmax(logits []float32) int32 {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// forget empties the decode device's KV cache.
func (l *Local) forget(t *testing.T) {
	t.Helper()
	err := l.decode.executor.do(l.decode, func() { l.decode.cache = kvcache.New(l.decode.exec.Pages(), nil) })
	if err != nil {
		t.Fatal(err)
	}
}

// equalTraces demands the same bits.
func equalTraces(t *testing.T, what string, got, want trace) {
	t.Helper()
	if !slices.Equal(got.tokens, want.tokens) {
		t.Errorf("%s: tokens %v, want %v", what, got.tokens, want.tokens)
	}
	if len(got.logits) != len(want.logits) {
		t.Fatalf("%s: %d rows of logits, want %d", what, len(got.logits), len(want.logits))
	}
	for i := range want.logits {
		for id := range want.logits[i] {
			if math.Float32bits(got.logits[i][id]) != math.Float32bits(want.logits[i][id]) {
				t.Fatalf("%s: row %d: logit of %d is %v, want exactly %v", what, i, id, got.logits[i][id], want.logits[i][id])
			}
		}
	}
}

// idsFrom is n random ordinary tokens; equal seeds give equal ones.
func idsFrom(seed uint64, n int) []int32 {
	random := rand.New(rand.NewPCG(seed, 7))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = random.Int32N(320)
	}
	return ids
}

// gated is a device whose steps a test sees and lets run, one by one.
type gated struct {
	op.Device
	steps chan *gatedStep
}

func newGated(d op.Device) *gated { return &gated{Device: d, steps: make(chan *gatedStep)} }

// gatedStep is a step that waits for the test.
type gatedStep struct {
	t       *testing.T
	seqs    [][]op.Row // rows of each sequence
	verdict chan error // nil: compute it
	ended   chan error // what Run returned
}

func (d *gated) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	exec, err := d.Device.Compile(ctx, p, opt, progress)
	return &gatedExec{exec, d}, err
}

type gatedExec struct {
	op.Executable
	d *gated
}

func (e *gatedExec) Run(ctx context.Context, b *op.Batch) (err error) {
	s := &gatedStep{seqs: make([][]op.Row, len(b.Tables)), verdict: make(chan error), ended: make(chan error, 1)}
	for _, r := range b.Rows {
		s.seqs[r.Seq] = append(s.seqs[r.Seq], r)
	}
	defer func() { s.ended <- err }()
	select {
	case e.d.steps <- s:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-s.verdict:
		if err == errPanic {
			panic(err)
		}
		if err != nil {
			return err
		}
		return e.Executable.Run(ctx, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errPanic as a verdict makes the device panic.
var errPanic = fmt.Errorf("the device's own panic")

// patience is how long a test waits for what must come before it fails.
const patience = 30 * time.Second

// next waits for the next step.
func (d *gated) next(t *testing.T) *gatedStep {
	t.Helper()
	select {
	case s := <-d.steps:
		s.t = t
		return s
	case <-time.After(patience):
		t.Fatal("no step came")
		return nil
	}
}

// run lets the step run and waits for its end.
func (s *gatedStep) run() {
	s.t.Helper()
	s.decide(nil)
	if err := <-s.ended; err != nil {
		s.t.Fatal(err)
	}
}

func (s *gatedStep) decide(err error) {
	s.t.Helper()
	select {
	case s.verdict <- err:
	case <-time.After(patience):
		s.t.Fatal("the step does not wait any more")
	}
}

// cancelled waits for the step to be cancelled.
func (s *gatedStep) cancelled() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != context.Canceled {
			s.t.Fatalf("the step ended with %v", err)
		}
	case <-time.After(patience):
		s.t.Fatal("the step was not cancelled")
	}
}

// rowsOf is how many rows the sequence has that starts with or contains token.
func (s *gatedStep) rowsOf(token int32) int {
	for _, rows := range s.seqs {
		for _, r := range rows {
			if r.Token == token {
				return len(rows)
			}
		}
	}
	return 0
}

// free lets all further steps run, until the test ends.
func (d *gated) free(t *testing.T) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case s := <-d.steps:
				select {
				case s.verdict <- nil:
				case <-s.ended: // cancelled meanwhile: it waits for no verdict
				}
			case <-end:
				return
			}
		}
	})
	t.Cleanup(func() { close(end); done.Wait() })
}

// same is n times the same token, by which a test recognises a prompt.
func same(token int32, n int) []int32 {
	return slices.Repeat([]int32{token}, n)
}
