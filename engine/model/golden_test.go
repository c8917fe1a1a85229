package model_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tandem/engine/gguf"
	"tandem/engine/model"
	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
)

const goldens = "../../testdata/goldens"

// refTolerance is for ref against transformers in float32, whose own sums are
// the noise; other devices have their row of kerneltest.Tolerances.
const refTolerance = 2e-4

// TestGoldens runs the tiny models on every device and compares every activation
// that transformers recorded, and the greedy continuation.
func TestGoldens(t *testing.T) {
	opened := devices(t)
	for _, arch := range model.Architectures {
		want := readSafetensors(t, filepath.Join(goldens, arch, "golden.safetensors"))
		for _, chunk := range []int{1000, 7} {
			for _, d := range opened {
				t.Run(fmt.Sprintf("%s/%s/chunk=%d", arch, d.Name(), chunk), func(t *testing.T) {
					p := build(t, filepath.Join(goldens, arch, "model.gguf"))
					m := open(t, d, p, op.F32)
					for ids := want["input_ids"].ints; len(ids) > 0; ids = ids[min(chunk, len(ids)):] {
						m.step(ids[:min(chunk, len(ids))])
					}
					addDifferences(m.taps, len(p.KV))
					compareGolden(t, d, m.taps, want)
					m.checkGreedy(t, want["greedy"].ints)
				})
			}
		}
	}
}

func compareGolden(t *testing.T, d op.Device, taps map[string][]float32, want map[string]goldenTensor) {
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(want)) {
		tensor := want[name]
		if tensor.floats == nil || name == "rope_inv_freq" {
			continue
		}
		compared++
		allowed := refTolerance
		if d.Name() != "ref" {
			allowed = kerneltest.Tolerances[d.Name()].Chain(chainMatMuls, op.F32, op.F32) * rms(tensor.floats)
		}
		compare(t, name, taps[name], tensor.floats, allowed)
	}
	if compared < 13 { // embed, 4 layers, 3 taps in two of them, norm, logits
		t.Errorf("only %d activations in the golden file", compared)
	}
}

// TestGoldenRopeFreqs compares llama3's scaled rotations, all three bands of them.
func TestGoldenRopeFreqs(t *testing.T) {
	p := build(t, filepath.Join(goldens, "llama", "model.gguf"))
	want := readSafetensors(t, filepath.Join(goldens, "llama", "golden.safetensors"))["rope_inv_freq"].floats
	for _, o := range p.Ops {
		rope, ok := o.(*op.Rope)
		if !ok {
			continue
		}
		if len(rope.Freqs) != len(want) {
			t.Fatalf("%d rotations, want %d", len(rope.Freqs), len(want))
		}
		for k, f := range rope.Freqs {
			if math.Abs(float64(f-want[k])) > 1e-6*float64(want[k]) {
				t.Errorf("rotation %d: %v, want %v", k, f, want[k])
			}
		}
	}
}

// machine runs a Program on ref for one sequence and collects what is tapped.
type machine struct {
	t     *testing.T
	p     *op.Program
	exec  op.Executable
	table []int32
	pos   int
	taps  map[string][]float32
}

func open(t *testing.T, d op.Device, p *op.Program, kv op.DType) *machine {
	const rows, pages = 64, 4
	exec, err := d.Compile(t.Context(), p, op.CompileOptions{RowsMax: rows, LogitsMax: rows, KV: kv, Pages: pages}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Close() })
	return &machine{t: t, p: p, exec: exec, table: []int32{2, 0, 3, 1}, taps: map[string][]float32{}}
}

// step computes ids behind what was computed before and appends to the taps.
func (m *machine) step(ids []int32) {
	b := &op.Batch{
		Tables: [][]int32{m.table},
		Logits: make([]float32, len(ids)*m.p.Vocab),
		Tap:    func(name string, rows []float32) { m.taps[name] = append(m.taps[name], rows...) },
	}
	for _, id := range ids {
		b.Rows = append(b.Rows, op.Row{Token: id, Pos: int32(m.pos), Logits: true})
		m.pos++
	}
	if err := m.exec.Run(context.Background(), b); err != nil {
		m.t.Fatal(err)
	}
	tapped := m.taps["logits"]
	if !slices.Equal(tapped[len(tapped)-len(b.Logits):], b.Logits) {
		m.t.Error("the tapped logits are not the batch's")
	}
}

// checkGreedy continues the sequence and compares the tokens.
func (m *machine) checkGreedy(t *testing.T, want []int32) {
	var got []int32
	for range want {
		last := m.taps["logits"][len(m.taps["logits"])-m.p.Vocab:]
		best := 0
		for i, v := range last {
			if v > last[best] {
				best = i
			}
		}
		got = append(got, int32(best))
		m.step([]int32{int32(best)})
	}
	if !slices.Equal(got, want) {
		t.Errorf("greedy continuation %v, want %v", got, want)
	}
}

// addDifferences adds the outputs of attention and FFN, which the Program adds
// to the residual stream in the same op.
func addDifferences(taps map[string][]float32, nLayers int) {
	before := taps["embed"]
	for n := range nLayers {
		middle, after := taps[fmt.Sprintf("layer.%d.attn_residual", n)], taps[fmt.Sprintf("layer.%d.out", n)]
		taps[fmt.Sprintf("layer.%d.attn_out", n)] = difference(middle, before)
		taps[fmt.Sprintf("layer.%d.mlp_out", n)] = difference(after, middle)
		before = after
	}
}

func difference(a, b []float32) []float32 {
	out := make([]float32, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

func compare(t *testing.T, name string, got, want []float32, allowed float64) {
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", name, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range want {
		if e := math.Abs(float64(got[i] - want[i])); !(e <= worst) {
			worst, at = e, i
		}
	}
	t.Logf("%-20s max difference %.2g of %.2g", name, worst, allowed)
	if !(worst <= allowed) {
		t.Errorf("%s: value %d = %v, want %v", name, at, got[at], want[at])
	}
}

// rms is the root mean square of x.
func rms(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(x)))
}

func build(t *testing.T, path string) *op.Program {
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p, err := model.Build(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// goldenTensor is a tensor of a safetensors file, F32 or I32.
type goldenTensor struct {
	floats []float32
	ints   []int32
}

// readSafetensors reads the little of the format that the goldens use.
func readSafetensors(t *testing.T, path string) map[string]goldenTensor {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		DType   string `json:"dtype"`
		Offsets []int  `json:"data_offsets"`
	}
	if err := json.Unmarshal(dropMetadata(data[8:8+n]), &header); err != nil {
		t.Fatal(err)
	}
	tensors := map[string]goldenTensor{}
	for name, h := range header {
		var tensor goldenTensor
		body := bytes.NewReader(data[8+n:][h.Offsets[0]:h.Offsets[1]])
		switch h.DType {
		case "F32":
			tensor.floats = make([]float32, body.Len()/4)
			err = binary.Read(body, binary.LittleEndian, tensor.floats)
		case "I32":
			tensor.ints = make([]int32, body.Len()/4)
			err = binary.Read(body, binary.LittleEndian, tensor.ints)
		default:
			err = fmt.Errorf("%s is %s", name, h.DType)
		}
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = tensor
	}
	return tensors
}

// dropMetadata removes the one entry of a header that is not a tensor.
func dropMetadata(header []byte) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(header, &all) != nil {
		return header
	}
	delete(all, "__metadata__")
	out, _ := json.Marshal(all)
	return out
}
