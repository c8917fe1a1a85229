// Package kerneltest holds the tests that every device must pass: each op in
// each format and shape against [ref] within the device's row of [Tolerances],
// and, bit for bit unless that row says otherwise, that a row's result depends
// on nothing but the row and the keys before it. A device's own test calls [Run].
//
// It builds its Programs itself and knows no model files; whole models are
// compared by engine/model.
package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// Open opens the device under test with that many threads. It may skip the test.
type Open func(t testing.TB, threads int) op.Device

// Run tests the device that open opens with weights of formats, or of all
// formats if none are given.
func Run(t *testing.T, open Open, formats ...op.DType) {
	if len(formats) == 0 {
		formats = op.DTypes
	}
	t.Run("RowOps", func(t *testing.T) { testRowOps(t, open) })
	t.Run("MatMul", func(t *testing.T) { testMatMul(t, open, formats) })
	t.Run("Attention", func(t *testing.T) { testAttention(t, open) })
	t.Run("NotFinite", func(t *testing.T) { testNotFinite(t, open, formats) })
	t.Run("Block", func(t *testing.T) { testBlock(t, open, formats) })
	t.Run("Pages", func(t *testing.T) { testPages(t, open) })
	t.Run("Refusals", func(t *testing.T) { testRefusals(t, open) })
	t.Run("Cancel", func(t *testing.T) { testCancel(t, open) })
}

// openDevice opens a device for one test and finds its tolerances.
func openDevice(t *testing.T, open Open, threads int) (op.Device, Tolerance) {
	d := open(t, threads)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	tolerance, ok := toleranceOf(d)
	if !ok {
		t.Fatalf("device %q has no row in kerneltest.Tolerances: add one, derived from its formats", d.Name())
	}
	return d, tolerance
}

// machine is a Program compiled for a device.
type machine struct {
	t        testing.TB
	p        *op.Program
	exec     op.Executable
	regroups bool // see Tolerance
}

// defaults are large enough for every test that does not say otherwise.
var defaults = op.CompileOptions{RowsMax: 640, LogitsMax: 640, KV: op.F16, Pages: 64}

func compile(t testing.TB, d op.Device, p *op.Program, opt op.CompileOptions) *machine {
	t.Helper()
	exec, err := d.Compile(t.Context(), p, opt, nil)
	if err != nil {
		t.Fatalf("%s: %s: %v", d.Name(), p.Name, err)
	}
	t.Cleanup(func() {
		if err := exec.Close(); err != nil {
			t.Error(err)
		}
	})
	tolerance, _ := toleranceOf(d)
	return &machine{t, p, exec, tolerance.Regroups}
}

func compileRef(t testing.TB, p *op.Program, opt op.CompileOptions) *machine {
	return compile(t, ref.Open(2), p, opt)
}

// run computes rows and gives the logits.
func (m *machine) run(rows []op.Row, tables ...[]int32) []float32 {
	m.t.Helper()
	b := &op.Batch{Rows: rows, Tables: tables}
	b.Logits = make([]float32, b.LogitRows()*m.p.Vocab)
	if err := m.exec.Run(m.t.Context(), b); err != nil {
		m.t.Fatal(err)
	}
	return b.Logits
}

// tapped computes rows and gives the named values.
func (m *machine) tapped(rows []op.Row, tables ...[]int32) map[string][]float32 {
	m.t.Helper()
	taps := map[string][]float32{}
	b := &op.Batch{Rows: rows, Tables: tables, Tap: func(name string, rows []float32) {
		taps[name] = append([]float32(nil), rows...)
	}}
	b.Logits = make([]float32, b.LogitRows()*m.p.Vocab)
	if err := m.exec.Run(m.t.Context(), b); err != nil {
		m.t.Fatal(err)
	}
	taps["logits of the batch"] = b.Logits
	return taps
}

// sequence makes rows of one sequence from position pos on, all wanting logits.
func sequence(seq, pos int32, tokens []int32) []op.Row {
	rows := make([]op.Row, len(tokens))
	for i, token := range tokens {
		rows[i] = op.Row{Token: token, Pos: pos + int32(i), Seq: seq, Logits: true}
	}
	return rows
}

// pageTable names n pages from first on.
func pageTable(first, n int32) []int32 {
	table := make([]int32, n)
	for i := range table {
		table[i] = first + int32(i)
	}
	return table
}

// compare holds got against want, (rows, width) each: the largest error in units
// of the root mean square of want's row, or of all of want where rows are too
// short for that to mean much.
func compare(t *testing.T, what string, got, want []float32, width int, tolerance float64) {
	t.Helper()
	const fewest = 16 // values that make a mean
	per := width
	if width < fewest {
		per = len(want)
	}
	compareScaled(t, what, got, want, width, per, tolerance, rms)
}

// compareValues is compare in units of the largest value of want's row, for ops
// that work value by value.
func compareValues(t *testing.T, what string, got, want []float32, width int, tolerance float64) {
	t.Helper()
	compareScaled(t, what, got, want, width, width, tolerance, largest)
}

func compareScaled(t *testing.T, what string, got, want []float32, width, per int, tolerance float64, size func([]float32) float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for at := 0; at < len(want); at += per {
		scale := size(want[at : at+per])
		for i := at; i < at+per; i++ {
			g, w := float64(got[i]), float64(want[i])
			if finite(g) != finite(w) {
				t.Fatalf("%s: row %d, value %d is %v, ref has %v", what, i/width, i%width, g, w)
			}
			// The floor is where f32 loses digits.
			if e := math.Abs(g - w); finite(w) && e > tolerance*scale+1e-36 {
				t.Fatalf("%s: row %d, value %d is %v, ref has %v: error %.3g of the row's size, tolerance %.3g",
					what, i/width, i%width, g, w, e/scale, tolerance)
			}
		}
	}
}

// largest is the largest magnitude of the finite values.
func largest(x []float32) float64 {
	top := 0.0
	for _, v := range x {
		if v := math.Abs(float64(v)); finite(v) {
			top = max(top, v)
		}
	}
	return top
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// rms is the root mean square of the finite values.
func rms(x []float32) float64 {
	sum, n := 0.0, 0
	for _, v := range x {
		if v := float64(v); finite(v) {
			sum, n = sum+v*v, n+1
		}
	}
	return math.Sqrt(sum / float64(max(n, 1)))
}

// equal demands the same bits; NaN equals NaN.
func equal(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
			t.Fatalf("%s: value %d is %v, want exactly %v", what, i, got[i], want[i])
		}
	}
}

// same demands the same bits of what m computed of equal rows in batches of
// different sizes; where m's device regroups sums by size, only what is allowed.
func same(t *testing.T, m *machine, what string, got, want []float32, width int, allowed float64) {
	t.Helper()
	if m.regroups {
		compare(t, what, got, want, width, allowed)
		return
	}
	equal(t, what, got, want)
}

// source makes random tensors; equal seeds make equal tensors.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 1))} }

// normal is n values of the given standard deviation.
func (s source) normal(n int, deviation float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(s.NormFloat64() * deviation)
	}
	return x
}

// weight is a (rows, cols) tensor whose product with values around 1 is around
// 1. Even rows are quantised from normal values; odd rows are random bits, so
// that every bit of the format is met, negative scales included.
func (s source) weight(format op.DType, rows, cols int) *op.Tensor {
	t := s.even(format, rows, cols)
	for r := 1; r < rows; r += 2 {
		s.scramble(format, t.Row(r), 1/math.Sqrt(float64(cols)))
	}
	return t
}

// even is weight without the random bits: as alike in size as a model's weights.
func (s source) even(format op.DType, rows, cols int) *op.Tensor {
	return s.tensor(format, s.normal(rows*cols, 1/math.Sqrt(float64(cols))), cols)
}

// tensor stores x, (rows, cols).
func (s source) tensor(format op.DType, x []float32, cols int) *op.Tensor {
	rows := len(x) / cols
	t := &op.Tensor{
		Name: fmt.Sprintf("%v(%d,%d)", format, rows, cols), File: "made up",
		Type: format, Rows: rows, Cols: cols, Data: make([]byte, format.RowBytes(len(x))),
	}
	op.Quantize(format, t.Data, x)
	return t
}

// halves says where the f16 scales of a format's block lie and what to divide 1
// by so that random quants give values around 1.
var halves = map[op.DType]map[int]float64{
	op.Q4_0: {0: 5}, op.Q4_1: {0: 8, 2: 2}, op.Q5_0: {0: 10}, op.Q5_1: {0: 16, 2: 2}, op.Q8_0: {0: 74},
	op.Q4_K: {0: 8 * 32, 2: 2 * 32}, op.Q5_K: {0: 16 * 32, 2: 2 * 32}, op.Q6_K: {208: 18 * 74},
}

// scramble fills a quantised row with random bits, its scales aside.
func (s source) scramble(format op.DType, row []byte, size float64) {
	scales := halves[format]
	if scales == nil {
		return
	}
	for i := range row {
		row[i] = byte(s.Uint32())
	}
	for ; len(row) > 0; row = row[format.BlockBytes():] {
		for at, divisor := range scales {
			scale := size / divisor * (0.5 + s.Float64())
			if s.Uint32()&1 == 0 {
				scale = -scale
			}
			op.Quantize(op.F16, row[at:at+2], []float32{float32(scale)})
		}
	}
}

// tokens is n random tokens below vocab.
func (s source) tokens(n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(s.IntN(vocab))
	}
	return ids
}
