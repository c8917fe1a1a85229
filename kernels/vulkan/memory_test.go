package vulkan

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"tandem/kernels/op"
)

// TestMemory: results and pages are the same bits whether the host sees the GPU's
// memory or not, and in whatever pieces the driver gives it.
func TestMemory(t *testing.T) {
	t.Setenv(AwaitEnv, "off") // with "on" activations take more than the piece below
	for _, kv := range []op.DType{op.F16, op.Q8_0} {
		var want []float32
		var wantPage []byte
		for _, test := range []struct {
			name   string
			unseen bool
			most   int // bytes of an allocation, 0 for the driver's own limit
		}{{"unseen", true, 0}, {"as it is", false, 0}, {"unseen, in pieces", true, 400_000}, {"in pieces", false, 400_000}} {
			d := open(t)
			d.unseen = test.unseen
			if test.most > 0 {
				d.allocationMax = test.most
			}
			exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 8, LogitsMax: 8, KV: kv, Pages: 16}, nil)
			if err != nil {
				t.Fatalf("%v, %s: %v", kv, test.name, err)
			}
			e := exec.(*executable)
			if split := len(e.weights.regions) > 1 && (len(e.pages.regions) == 2 || kv != op.F16); split != (test.most > 0) {
				t.Errorf("%v, %s: %d regions of weights, %d of pages", kv, test.name, len(e.weights.regions), len(e.pages.regions))
			}
			if test.unseen != (e.pages.transfer != nil) {
				t.Logf("%v, %s: the host does not see this GPU's memory", kv, test.name)
			}
			logits, page := throughPages(t, e)
			if want == nil {
				want, wantPage = logits, page
			}
			if !slices.Equal(logits, want) || !bytes.Equal(page, wantPage) {
				t.Errorf("%v, %s: other results", kv, test.name)
			}
			exec.Close()
			d.Close()
		}
	}
}

// throughPages computes 40 tokens, moves their pages about, and continues behind them
// where they are then. It gives the logits and a page in the hand-over form.
func throughPages(t *testing.T, e *executable) (logits []float32, page []byte) {
	t.Helper()
	run := func(from, to int, table []int32) {
		for ; from < to; from += 8 {
			b := &op.Batch{Tables: [][]int32{table}, Logits: make([]float32, fewVocab)}
			for i := from; i < from+8; i++ {
				b.Rows = append(b.Rows, op.Row{Token: int32(i % fewVocab), Pos: int32(i), Logits: i == from+7})
			}
			if err := e.Run(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			logits = append(logits, b.Logits...)
		}
	}
	run(0, 40, []int32{3, 7})
	page = make([]byte, e.pages.PageBytes())
	if err := e.pages.Export(page, 3, op.PageTokens); err != nil {
		t.Fatal(err)
	}
	e.pages.Import(11, page, op.PageTokens)
	e.pages.Copy(5, 7, 8)
	run(40, 48, []int32{11, 5})
	run(40, 48, []int32{3, 7})
	if n := len(logits); !slices.Equal(logits[n-2*fewVocab:n-fewVocab], logits[n-fewVocab:]) {
		t.Error("moved pages give other results")
	}
	return logits, page
}

// TestNoRoom: what does not fit is refused before anything is allocated, with sizes
// and remedy; so is a tensor that the driver gives no piece for.
func TestNoRoom(t *testing.T) {
	d := open(t)
	defer d.Close()
	opt := op.CompileOptions{RowsMax: 8, LogitsMax: 8, KV: op.F16, Pages: 1 << 28}
	_, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), opt, nil)
	if !errors.Is(err, op.ErrOutOfMemory) || !strings.Contains(err.Error(), "GB free: choose a smaller --model or --context, or --device cpu") {
		t.Errorf("8 TB of pages: %v", err)
	}
	opt.Pages, d.allocationMax = 1, 50_000
	if _, err = d.Compile(t.Context(), fewProgram(t, op.Q4_K), opt, nil); !errors.Is(err, op.ErrOutOfMemory) || !strings.Contains(err.Error(), "in one piece") {
		t.Errorf("50 KB in one piece: %v", err)
	}
}

// TestLost: a GPU that its driver gave up computes nothing more, and hands out no pages.
func TestLost(t *testing.T) {
	for _, unseen := range []bool{true, false} {
		d := open(t)
		d.unseen = unseen
		exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 8, LogitsMax: 8, KV: op.F16, Pages: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		d.lost = true
		b := &op.Batch{Rows: []op.Row{{Token: 1}}, Tables: [][]int32{{0}}}
		if err := exec.Run(t.Context(), b); !errors.Is(err, op.ErrDeviceLost) {
			t.Errorf("run: %v", err)
		}
		if err := exec.Pages().Export(make([]byte, exec.Pages().PageBytes()), 0, 1); !errors.Is(err, op.ErrDeviceLost) {
			t.Errorf("export: %v", err)
		}
		if err := exec.Close(); err != nil {
			t.Error(err)
		}
		d.Close()
	}
}
