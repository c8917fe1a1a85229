package model_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"tandem/bench/synth"
	"tandem/engine/gguf"
	"tandem/engine/model"
	"tandem/kernels/cpu"
	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
	"tandem/kernels/ref"
	"tandem/kernels/vulkan"
)

// devices opens every device that runs on this machine; one without a Vulkan
// driver does without.
func devices(t *testing.T) []op.Device {
	onCPU, err := cpu.Open(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { onCPU.Close() })
	opened := []op.Device{ref.Open(2), onCPU}
	gpu, err := vulkan.Open(vulkan.Options{Index: -1})
	if err != nil {
		t.Log(err)
		return opened
	}
	t.Cleanup(func() { gpu.Close() })
	return append(opened, gpu)
}

// chainMatMuls is the length of the chain of matmuls in a tiny model: q/k/v, output, gate/up and down in each of 4 layers, and the head.
const chainMatMuls = 4*4 + 1

// TestRequantised stores the tiny models in every format that fits their width
// and compares the logits of the other devices with ref's. The formats with
// blocks of 256, and pages of Q8_0, fit only the made-up models.
func TestRequantised(t *testing.T) {
	ids := []int32{4, 250, 17, 17, 99, 310, 8, 121, 64, 65, 66, 200, 5, 300, 31, 32, 33, 7, 150, 77, 42, 260, 111, 19, 280, 13, 91, 4, 4, 6, 128, 127, 255, 256}
	pages := []op.DType{op.F32, op.F16, op.Q8_0}
	opened := devices(t)
	for _, arch := range model.Architectures {
		for name, load := range map[string]func(t *testing.T) *op.Program{
			"golden": func(t *testing.T) *op.Program { return build(t, filepath.Join(goldens, arch, "model.gguf")) },
			"synth":  func(t *testing.T) *op.Program { return made(t, "tiny-"+arch) },
		} {
			for i, format := range op.DTypes {
				p, kv := load(t), pages[i%len(pages)]
				if !requantise(t, p, format) {
					continue
				}
				if p.KV[0].HeadDim%kv.BlockValues() != 0 {
					kv = op.F16
				}
				var want []float32
				for _, d := range opened {
					m := open(t, d, p, kv)
					m.step(ids)
					got := m.taps["logits"]
					if d.Name() == "ref" {
						want = got
						continue
					}
					allowed := kerneltest.Tolerances[d.Name()].Chain(chainMatMuls, format, kv) * rms(want)
					compare(t, fmt.Sprintf("%s %s in %v over %v on %s", name, arch, format, kv, d.Name()), got, want, allowed)
				}
			}
		}
	}
}

// made builds a shape of bench/synth with random weights.
func made(t *testing.T, shape string) *op.Program {
	var file bytes.Buffer
	if err := synth.Write(&file, shape, 1, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(shape, file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.Build(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
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
