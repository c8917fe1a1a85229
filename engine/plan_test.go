package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tandem/engine/sample"
	"tandem/kernels/op"
)

// losing is a device that is lost in a run that the test chooses, and stays so.
type losing struct {
	op.Device
	t    *testing.T
	name string
	left atomic.Int64 // runs before that
	runs atomic.Int64 // that were asked of it, the lost ones too
	open atomic.Int64 // executables that are not closed
}

// newLosing is a CPU, so that all that compute the same give the same bits.
func newLosing(t *testing.T, name string, after int) *losing {
	d := &losing{Device: openCPU(t), t: t, name: name}
	d.left.Store(int64(after))
	t.Cleanup(func() {
		if n := d.open.Load(); n != 0 {
			t.Errorf("%s: %d executables were not closed", name, n)
		}
	})
	return d
}

func (d *losing) Name() string { return d.name }

func (d *losing) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	exec, err := d.Device.Compile(ctx, p, opt, progress)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &losingExec{Executable: exec, d: d}, nil
}

type losingExec struct {
	op.Executable
	d      *losing
	closed atomic.Bool
}

func (e *losingExec) Run(ctx context.Context, b *op.Batch) error {
	e.d.runs.Add(1)
	if e.closed.Load() {
		e.d.t.Errorf("%s: a run after it was closed", e.d.name)
		return op.ErrDeviceLost
	}
	if e.d.left.Add(-1) < 0 {
		return fmt.Errorf("the test's own: %w", op.ErrDeviceLost)
	}
	return e.Executable.Run(ctx, b)
}

func (e *losingExec) Pages() op.Pages {
	if e.closed.Load() {
		e.d.t.Errorf("%s: its pages are used after it was closed", e.d.name)
	}
	return e.Executable.Pages()
}

func (e *losingExec) Close() error {
	if e.closed.Swap(true) {
		e.d.t.Errorf("%s: closed twice", e.d.name)
		return nil
	}
	e.d.open.Add(-1)
	return e.Executable.Close()
}

const never = 1 << 40

// requestsToLose have a prompt of two steps, and are sampled.
func requestsToLose(n int) []Request {
	var reqs []Request
	for i := range n {
		reqs = append(reqs, Request{
			IDs: idsFrom(uint64(20+i), 150+i), MaxTokens: 12, Priority: Chat,
			Sampling: sample.Options{Temperature: 0.8, Seed: uint64(i)},
		})
	}
	return reqs
}

// TestDeviceLost: a request says the same, whenever its device is lost, and the
// next ones do not ask that device again.
func TestDeviceLost(t *testing.T) {
	reqs := requestsToLose(2)
	path := tiny(t, "tiny-qwen2")
	plain := open(t, Options{Decode: start(t, openCPU(t)), Path: path, NoDraft: true})
	for after := range 10 {
		t.Run(fmt.Sprintf("after %d runs", after), func(t *testing.T) {
			lost, spare := newLosing(t, "lost", after), newLosing(t, "spare", never)
			l := open(t, Options{Decode: start(t, lost), Fallback: start(t, spare), Path: path, NoDraft: true})
			if info := l.Info(); info.DecodeDevice != "lost" || info.Lost != "" || spare.open.Load() != 0 {
				t.Errorf("%+v, and %d executables on the spare device", info, spare.open.Load())
			}
			for _, req := range reqs {
				if got, want := generate(t, l, req), generate(t, plain, req); got.Text != want.Text || got.Stop != want.Stop || got.DecodedTokens != want.DecodedTokens {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
			info := l.Info()
			if info.PrefillDevice != "spare" || info.DecodeDevice != "spare" || !strings.Contains(info.Lost, "lost was lost") || !strings.Contains(info.Lost, "restart") {
				t.Errorf("%+v", info)
			}
			if n := lost.runs.Load(); n != int64(after+1) || lost.open.Load() != 0 {
				t.Errorf("%d runs were asked of the lost device, want %d; %d executables are open there", n, after+1, lost.open.Load())
			}
		})
	}
}

// TestPlanShrinks: with two devices the other one does it all, without loading
// anything, then the fallback; and when that is lost, too, requests end with an
// error that tells what to do.
func TestPlanShrinks(t *testing.T) {
	path := tiny(t, "tiny-qwen2")
	plain := open(t, Options{Decode: start(t, openCPU(t)), Path: path, NoDraft: true})
	for _, order := range [][]string{{"prefills", "decodes"}, {"decodes", "prefills"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			all := map[string]*losing{}
			for _, name := range []string{"prefills", "decodes", "spare"} {
				all[name] = newLosing(t, name, never)
			}
			l := open(t, Options{Prefill: start(t, all["prefills"]), Decode: start(t, all["decodes"]), Fallback: start(t, all["spare"]), Path: path, NoDraft: true})
			reqs := requestsToLose(4)
			same := func(i int) {
				t.Helper()
				if got, want := generate(t, l, reqs[i]), generate(t, plain, reqs[i]); got.Text != want.Text {
					t.Errorf("request %d: %q, want %q", i, got.Text, want.Text)
				}
			}
			same(0)
			if all["prefills"].runs.Load() == 0 || all["decodes"].runs.Load() == 0 {
				t.Error("the plan is not split")
			}
			for i, name := range order {
				all[name].left.Store(map[string]int64{"prefills": 0, "decodes": 1}[name])
				same(1 + i)
				next := append(order[1:], "spare")[i]
				if info := l.Info(); info.PrefillDevice != next || info.DecodeDevice != next || all["spare"].open.Load() != int64(i) {
					t.Errorf("without %s: %+v", name, info)
				}
			}
			all["spare"].left.Store(3)
			for range 2 {
				_, err := l.Generate(t.Context(), reqs[3], nil)
				if !errors.Is(err, op.ErrDeviceLost) || !strings.Contains(err.Error(), "restart tandem") {
					t.Errorf("ended with %v", err)
				}
			}
		})
	}
}

// TestDeviceLostByMany: requests that share the device's steps all go on.
func TestDeviceLostByMany(t *testing.T) {
	reqs := requestsToLose(8)
	path := tiny(t, "tiny-qwen2")
	plain := open(t, Options{Decode: start(t, openCPU(t)), Path: path, NoDraft: true})
	var want []Result
	for _, req := range reqs {
		want = append(want, generate(t, plain, req))
	}
	for _, after := range []int{0, 9, 20} {
		lost := newLosing(t, "lost", after)
		// With a draft model, which is lost with the device.
		l := open(t, Options{Decode: start(t, lost), Fallback: start(t, newLosing(t, "spare", never)), Path: path, DraftPath: stranger(t)})
		var wait sync.WaitGroup
		for i, req := range reqs {
			wait.Go(func() {
				got, err := l.Generate(t.Context(), req, nil)
				if err != nil || got.Text != want[i].Text {
					t.Errorf("after %d runs, request %d: %q, %v, want %q", after, i, got.Text, err, want[i].Text)
				}
			})
		}
		wait.Wait()
		if info := l.Info(); info.DecodeDevice != "spare" {
			t.Errorf("%+v", info)
		}
	}
}

// TestDeviceLostLogits: those of a text come whole and once.
func TestDeviceLostLogits(t *testing.T) {
	ids := idsFrom(5, 100)
	logits := func(l *Local) (rows [][]float32) {
		err := l.Logits(t.Context(), ids, func(pos int, row []float32) error {
			if pos != len(rows) {
				t.Errorf("position %d after %d rows", pos, len(rows))
			}
			rows = append(rows, append([]float32(nil), row...))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	want := logits(openOn(t, openCPU(t)))
	l := open(t, Options{Decode: start(t, newLosing(t, "lost", 2)), Fallback: start(t, openCPU(t))})
	equalTraces(t, "logits", trace{logits: logits(l)}, trace{logits: want})
	if l.Info().Lost == "" {
		t.Error("nothing was lost")
	}
}

// slow is a device whose loads wait for the test.
type slow struct {
	op.Device
	begun, goOn chan struct{}
}

func (d slow) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	close(d.begun)
	<-d.goOn
	return d.Device.Compile(ctx, p, opt, progress)
}

// TestCancelWhileReplacing: a request need not wait for the load, which goes on
// without it for the next one.
func TestCancelWhileReplacing(t *testing.T) {
	spare := slow{openCPU(t), make(chan struct{}), make(chan struct{})}
	l := open(t, Options{Decode: start(t, newLosing(t, "lost", 1)), Fallback: start(t, spare), Path: tiny(t, "tiny-qwen2")})
	ctx, cancel := context.WithCancel(t.Context())
	req := requestsToLose(1)[0]
	ended := generating(ctx, l, req)
	<-spare.begun
	cancel()
	if o := wait(t, ended); !errors.Is(o.err, context.Canceled) {
		t.Errorf("ended with %v", o.err)
	}
	close(spare.goOn)
	generate(t, l, req)
}

// TestNoSpareMemory: where the fallback cannot load the model, requests say so.
func TestNoSpareMemory(t *testing.T) {
	l := open(t, Options{Decode: start(t, newLosing(t, "lost", 1)), Fallback: start(t, full{openCPU(t)}), Path: tiny(t, "tiny-qwen2")})
	for range 2 {
		_, err := l.Generate(t.Context(), requestsToLose(1)[0], nil)
		if !errors.Is(err, op.ErrDeviceLost) || !errors.Is(err, op.ErrOutOfMemory) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ended with %v", err)
		}
	}
}

// full is a device without memory.
type full struct{ op.Device }

func (full) Compile(context.Context, *op.Program, op.CompileOptions, func(float64)) (op.Executable, error) {
	return nil, op.ErrOutOfMemory
}
