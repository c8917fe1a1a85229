package model_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"tandem/engine/model"
	"tandem/kernels/cpu"
	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// devices opens every device that runs on this machine.
func devices(t *testing.T) []op.Device {
	onCPU, err := cpu.Open(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { onCPU.Close() })
	return []op.Device{ref.Open(2), onCPU}
}

// chainMatMuls is the length of the chain of matmuls in a golden model: q/k/v,
// output, gate/up and down in each of 4 layers, and the head.
const chainMatMuls = 4*4 + 1

// TestRequantised stores the tiny models in every format that fits their width
// and compares the logits of the other devices with ref's, over every kind of
// KV pages. (The formats with blocks of 256 need a wider model; kerneltest's
// block Programs have them.)
func TestRequantised(t *testing.T) {
	for _, arch := range model.Architectures {
		ids := readSafetensors(t, filepath.Join(goldens, arch, "golden.safetensors"))["input_ids"].ints
		for _, format := range op.DTypes {
			p := build(t, filepath.Join(goldens, arch, "model.gguf"))
			if !requantise(t, p, format) {
				continue
			}
			for _, kv := range []op.DType{op.F32, op.F16} { // heads of 16 hold no block of Q8_0
				var want []float32
				for _, d := range devices(t) {
					m := open(t, d, p, kv)
					m.step(ids)
					got := m.taps["logits"]
					if d.Name() == "ref" {
						want = got
						continue
					}
					allowed := kerneltest.Tolerances[d.Name()].Chain(chainMatMuls, format, kv) * rms(want)
					compare(t, fmt.Sprintf("%s in %v over %v on %s", arch, format, kv, d.Name()), got, want, allowed)
				}
			}
		}
	}
}

// requantise stores p's matrices in format; false if one does not fit.
func requantise(t *testing.T, p *op.Program, format op.DType) bool {
	fits := true
	stored := map[*op.Tensor]*op.Tensor{}
	replace := func(at **op.Tensor) {
		old := *at
		if old.Cols%format.BlockValues() != 0 {
			fits = false
			return
		}
		if stored[old] == nil {
			x, err := old.Floats()
			if err != nil {
				t.Fatal(err)
			}
			w := *old
			w.Type, w.Data = format, make([]byte, format.RowBytes(len(x)))
			op.Quantize(format, w.Data, x)
			stored[old] = &w
		}
		*at = stored[old]
	}
	for _, o := range p.Ops {
		switch o := o.(type) {
		case *op.Embed:
			replace(&o.Table)
		case *op.MatMul:
			replace(&o.Weight)
		case *op.GatedMatMul:
			replace(&o.Gate)
			replace(&o.Up)
		}
	}
	return fits
}
