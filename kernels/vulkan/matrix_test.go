package vulkan

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// BenchmarkTiles measures matrix.comp with each tile on the products of Qwen 2.5
// Coder 0.5B, 1.5B and 7B with 512 rows: what tileOf should choose.
//
//	go test ./kernels/vulkan -run NONE -bench Tiles -benchtime 1x
func BenchmarkTiles(b *testing.B) {
	d := open(b)
	defer d.Close()
	if !d.matrix {
		b.Skip("no cooperative matrices")
	}
	const rows, times = 512, 10
	sums, err := d.alloc(deviceMemory, splitMax*512*18944*2*4, "sums of splits")
	if err != nil {
		b.Fatal(err)
	}
	defer d.release(sums)
	for _, m := range []struct {
		format     op.DType
		gated      bool
		rows, cols int
	}{
		{op.Q4_K, false, 896, 1024}, {op.Q4_K, true, 4864, 1024}, {op.Q6_K, false, 896, 4864},
		{op.Q4_K, false, 1536, 1536}, {op.Q4_K, true, 8960, 1536}, {op.Q6_K, false, 1536, 8960},
		{op.Q4_K, false, 3584, 3584}, {op.Q4_K, true, 18944, 3584}, {op.Q6_K, false, 3584, 18944},
	} {
		exec, err := d.Compile(b.Context(), oneProduct(b, m.format, m.gated, m.rows, m.cols), op.CompileOptions{RowsMax: rows, LogitsMax: 1, KV: op.F16, Pages: 1}, nil)
		if err != nil {
			b.Fatal(err)
		}
		ops, of := 2*float64(m.rows)*float64(m.cols)*rows, m.rows
		if m.gated {
			ops, of = 2*ops, 2*of
		}
		base := exec.(*executable).plain.steps[productStep].call(shape{rows: rows})
		const toAt = 32 // in the push constants
		copy(base.push[toAt:], push{}.address(sums.address()))
		groups := m.cols / groupValues
		for until := time.Now().Add(time.Second); time.Now().Before(until); { // a GPU that idles runs slowly at first
			if _, err := d.timeCalls(base, 100); err != nil {
				b.Fatal(err)
			}
		}
		for _, t := range candidates {
			for _, splits := range []int{1, 2, 3, 4} {
				tiles := ceil(of, t.rows) * ceil(rows, t.cols)
				if !d.holds(t) || splits > 1 && (m.gated || tiles*splits > 600 || groups/splits < splitGroupsMin) {
					continue
				}
				c := base
				c.constants, c.push = c.constants[:3:3], c.push[:len(c.push)-4:len(c.push)-4]
				c = d.cutCall(cut{t, splits}, of, rows, groups, c)
				took := time.Hour
				for range 5 {
					again, err := d.timeCalls(c, times)
					if err != nil {
						b.Fatal(err)
					}
					took = min(took, again)
				}
				b.Logf("%v %dx%d gated=%v %v splits %d: %.1f TFLOPS, %.1f µs", m.format, m.rows, m.cols, m.gated, t, splits, times*ops/took.Seconds()/1e12, took.Seconds()*1e6/times)
			}
		}
		if err := exec.Close(); err != nil {
			b.Error(err)
		}
	}
}

// candidates are tiles to try.
var candidates = []tile{
	{128, 128, 64, 64, 0}, {128, 128, 64, 32, 0}, {64, 128, 64, 32, 0}, {128, 64, 64, 32, 0}, {64, 64, 32, 32, 0}, {64, 32, 32, 16, 0}, {32, 32, 32, 16, 0},
}

// productStep is where the product stands in oneProduct's plain list: behind embed
// and the twin.
const productStep = 2

// oneProduct multiplies embedded tokens with a matrix of random bits.
func oneProduct(t testing.TB, format op.DType, gated bool, rows, cols int) *op.Program {
	t.Helper()
	s := rand.NewChaCha8([32]byte{1})
	weight := func(format op.DType, rows, cols int) *op.Tensor {
		w := &op.Tensor{Name: "made up", Type: format, Rows: rows, Cols: cols, Data: make([]byte, format.RowBytes(rows*cols))}
		s.Read(w.Data)
		return w
	}
	b := op.NewBuilder("product", 1, 1000)
	x := b.Embed(weight(op.Q8_0, 1, cols))
	if gated {
		x = b.GatedMatMul(x, weight(format, rows, cols), weight(format, rows, cols), op.SiLU)
	} else {
		x = b.MatMul(x, weight(format, rows, cols), nil)
	}
	p, err := b.Program(b.MatMul(b.Select(x), weight(op.F32, 1, rows), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestJoins: a product whose k is cut gives with its splits joined by the norm behind it
// what ref gives.
func TestJoins(t *testing.T) {
	d := open(t)
	defer d.Close()
	if !d.matrix {
		t.Skip("no cooperative matrices")
	}
	const width, ffn, rows = 64, 1536, 24
	s := rand.New(rand.NewPCG(1, 1))
	weight := func(rows, cols int) *op.Tensor {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(s.NormFloat64() / math.Sqrt(float64(cols)))
		}
		w := &op.Tensor{Name: "made up", Type: op.Q8_0, Rows: rows, Cols: cols, Data: make([]byte, op.Q8_0.RowBytes(rows*cols))}
		op.Quantize(op.Q8_0, w.Data, x)
		return w
	}
	b := op.NewBuilder("joins", fewVocab, 1000)
	ones := slices.Repeat([]float32{1}, width)
	x := b.Norm(b.Embed(weight(fewVocab, width)), ones, 1e-6)
	x = b.MatMulAdd(x, b.GatedMatMul(x, weight(ffn, width), weight(ffn, width), op.SiLU), weight(width, ffn))
	x = b.MatMulAdd(x, b.Norm(x, ones, 1e-6), weight(width, width)) // reads the sum, too
	p, err := b.Program(b.MatMul(b.Select(x), weight(fewVocab, width), nil))
	if err != nil {
		t.Fatal(err)
	}
	logits := func(d op.Device) []float32 {
		exec, err := d.Compile(t.Context(), p, op.CompileOptions{RowsMax: rows, LogitsMax: rows, KV: op.F16, Pages: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Close()
		if e, ok := exec.(*executable); ok && !slices.ContainsFunc(e.plain.steps, func(s step) bool {
			return s.kind == "norm" && s.call(shape{rows: rows, selected: rows}).shader == "halve" && len(s.reads) == 3
		}) {
			t.Error("no norm joins splits")
		}
		batch := &op.Batch{Tables: [][]int32{{0}}, Logits: make([]float32, rows*fewVocab)}
		for i := range rows {
			batch.Rows = append(batch.Rows, op.Row{Token: int32(i), Pos: int32(i), Logits: true})
		}
		if err := exec.Run(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		return batch.Logits
	}
	got, want := logits(d), logits(ref.Open(2))
	squares := 0.0
	for _, v := range want {
		squares += float64(v) * float64(v)
	}
	allowed := kerneltest.Tolerances["vulkan"].Chain(4, op.Q8_0, op.F32) * math.Sqrt(squares/float64(len(want)))
	for i := range want {
		if e := math.Abs(float64(got[i] - want[i])); !(e <= allowed) {
			t.Fatalf("row %d, value %d is %v, ref has %v", i/fewVocab, i%fewVocab, got[i], want[i])
		}
	}
}
