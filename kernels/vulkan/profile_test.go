package vulkan

import (
	"testing"

	"tandem/kernels/op"
)

// TestProfile: every step that runs has its time, and products what they read.
func TestProfile(t *testing.T) {
	d := open(t)
	defer d.Close()
	exec, err := d.Compile(t.Context(), fewProgram(t, op.Q8_0), op.CompileOptions{RowsMax: 64, LogitsMax: 64, KV: op.F16, Pages: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	profiler := exec.(op.Profiler)
	profiler.StartProfile()
	for _, rows := range []int{20, 1, 1} {
		b := &op.Batch{Rows: make([]op.Row, rows), Tables: [][]int32{{0}}}
		for i := range b.Rows {
			b.Rows[i].Pos = int32(i)
		}
		if err := exec.Run(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]op.Cost{}
	for _, c := range profiler.StopProfile() {
		if c.Time <= 0 || c.Calls == 0 {
			t.Errorf("%s %s: %d calls took %v", c.Kind, c.Shape, c.Calls, c.Time)
		}
		seen[c.Kind+" "+c.Shape] = c
	}
	const block = 34.0 / 32 // bytes of a Q8_0 weight, in planes as in files
	for name, want := range map[string]op.Cost{
		"gated matmul Q8_0 2 x 512 x 256":        {Calls: 2 * 3, Bytes: 2 * 3 * 2 * 512 * 256 * block, Ops: 2 * 2 * 2 * 512 * 256 * 22},
		"qkv Q8_0 Q8_0 Q8_0 256 + 2 x 128 x 256": {Calls: 2 * 2, Bytes: 2 * 2 * 512 * 256 * block, Ops: 2 * 2 * 512 * 256 * 2},
		"matmul Q8_0 128 x 256":                  {Calls: 2 * 2, Bytes: 2 * 2 * 128 * 256 * block, Ops: 2 * 2 * 2 * 128 * 256 * 20},
	} {
		got := seen[name]
		if got.Calls != want.Calls || got.Bytes != want.Bytes || got.Ops != want.Ops {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestLimits: there are some.
func TestLimits(t *testing.T) {
	d := open(t)
	defer d.Close()
	read, ops, err := d.Limits(t.Context())
	if err != nil || read <= 0 || ops <= 0 {
		t.Fatalf("%v GB/s, %v TOPS, %v", read, ops, err)
	}
	t.Logf("%s: %.1f GB/s, %.3f TOPS", d.Info().Detail, read, ops)
}
