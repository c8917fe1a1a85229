package vulkan

import (
	"errors"
	"slices"
	"testing"

	"tandem/kernels/op"
)

// TestAwait: steps that wait for each other without barriers give the bits that they
// give with them: one row and more, few splits of the keys and many, which have barriers.
func TestAwait(t *testing.T) {
	var want [][]float32
	for _, mode := range []string{"off", "on"} {
		t.Setenv(AwaitEnv, mode)
		d := open(t)
		exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 512, LogitsMax: 8, KV: op.F16, Pages: 24}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if awaits := exec.(*executable).fused.awaits; awaits != (mode == "on") {
			t.Fatalf("%s=%s: awaits %v", AwaitEnv, mode, awaits)
		}
		var got [][]float32
		at := 0
		run := func(n int) {
			b := &op.Batch{Tables: [][]int32{make([]int32, 24)}}
			for i := range b.Tables[0] {
				b.Tables[0][i] = int32(i)
			}
			for range n {
				b.Rows = append(b.Rows, op.Row{Token: int32(at * 7 % fewVocab), Pos: int32(at), Logits: n <= fewRows})
				at++
			}
			if n <= fewRows {
				b.Logits = make([]float32, n*fewVocab)
			}
			if err := exec.Run(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if n <= fewRows {
				got = append(got, b.Logits)
			}
		}
		for _, n := range []int{1, 8, 500, 50, 1, 8} {
			run(n)
		}
		exec.Close()
		d.Close()
		if want == nil {
			want = got
		}
		for i := range got {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%s=%s: batch %d has other logits", AwaitEnv, mode, i)
			}
		}
	}
}

// TestAwaitInVain: a step whose input never comes ends, and the run says so.
func TestAwaitInVain(t *testing.T) {
	t.Setenv(AwaitEnv, "on")
	d := open(t)
	defer d.Close()
	exec, err := d.Compile(t.Context(), fewProgram(t, op.Q4_K), op.CompileOptions{RowsMax: 8, LogitsMax: 8, KV: op.F16, Pages: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	e := exec.(*executable)
	norm := slices.IndexFunc(e.fused.steps, func(s step) bool {
		return s.kind == "norm" && s.call(shape{rows: 1, selected: 1, splits: 1, runs: 1}).x > 0
	})
	e.fused.steps = e.fused.steps[norm : norm+1]
	for range 2 { // the next run says so, too
		b := &op.Batch{Tables: [][]int32{{0}}, Rows: []op.Row{{Logits: true}}, Logits: make([]float32, fewVocab)}
		if err := exec.Run(t.Context(), b); !errors.Is(err, op.ErrDeviceLost) {
			t.Errorf("%v, want that the device is lost", err)
		}
	}
}
