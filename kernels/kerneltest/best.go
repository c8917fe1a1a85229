package kerneltest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"tandem/kernels/op"
)

// testBest holds the best logits of each row against all of them, bit for bit.
func testBest(t *testing.T, open Open) {
	d, _ := openDevice(t, open, 2)
	opt := op.CompileOptions{RowsMax: 12, LogitsMax: 10, KV: op.F16, Pages: 2}
	exec := compile(t, d, valuesProgram(t, 16), opt).exec
	if _, ok := exec.(op.Ranker); !ok {
		b := &op.Batch{Rows: sequence(0, 0, []int32{1}), Tables: [][]int32{{0}}, Best: make([]op.Scored, 1), BestN: 1}
		if err := exec.Run(t.Context(), b); err == nil {
			t.Errorf("%s takes a batch that wants the best logits and is no Ranker", d.Name())
		}
		t.Skipf("%s is no Ranker: the engine looks through all logits itself", d.Name())
	}
	for _, vocab := range []int{16, 304} {
		p := valuesProgram(t, vocab)
		all := make([]int32, vocab)
		for id := range all {
			all[id] = int32(id)
		}
		for _, opt.Masked = range [][]int32{nil, {2, 0, 2, int32(vocab) - 1, int32(vocab), -1}, all} {
			m := compile(t, d, p, opt)
			most := m.exec.(op.Ranker).BestMax()
			checkBest(t, m, opt.Masked, 3, 1, 5, most)
			checkBest(t, m, opt.Masked, 12, 1, most-1)
			checkBestSeen(t, m, opt.Masked)
		}
	}
	for _, vocab := range []int{70_001, 262_144} {
		opt.Masked = []int32{3, int32(vocab) - 2}
		checkBest(t, compile(t, d, wideProgram(t, vocab), opt), opt.Masked, 3, 1, 40)
	}
}

// valuesProgram's logits are a row of a table, which token tells: of all that orders and
// devices may stumble over, and with many that are equal.
func valuesProgram(t *testing.T, vocab int) *op.Program {
	s := newSource(uint64(vocab))
	odd := []float32{
		float32(math.NaN()), math.Float32frombits(0xff800001), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)),
		math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32, 1, -1,
	}
	kinds := []func() float32{
		func() float32 { return odd[s.IntN(len(odd))] },
		func() float32 { return odd[s.IntN(2)] },
		func() float32 { return odd[3] },
		func() float32 { return odd[4+s.IntN(2)] },
		func() float32 { return float32(s.IntN(5) - 3) },
		func() float32 { return float32(s.NormFloat64()) },
		func() float32 { return odd[6+s.IntN(2)] },
	}
	x := make([]float32, vocab*vocab)
	for i := range x {
		x[i] = kinds[i/vocab%len(kinds)]()
	}
	b := op.NewBuilder(fmt.Sprintf("values, vocabulary of %d", vocab), vocab, 64)
	p, err := b.Program(b.Select(b.Embed(s.tensor(op.F32, x, vocab)))) // (rows, vocab)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wideProgram has a large vocabulary; some logits are equal there, too.
func wideProgram(t *testing.T, vocab int) *op.Program {
	const width = 32
	s := newSource(uint64(vocab))
	x := make([]float32, vocab*width)
	for i := range x {
		x[i] = float32(s.IntN(3) - 1)
	}
	table := s.tensor(op.Q8_0, x, width)
	b := op.NewBuilder(fmt.Sprintf("wide, vocabulary of %d", vocab), vocab, 64)
	p, err := b.Program(b.MatMul(b.Select(b.Embed(table)), table, nil)) // (rows, vocab)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkBest asks m for several numbers of the best logits of some of n rows.
func checkBest(t *testing.T, m *machine, masked []int32, n int, numbers ...int) {
	t.Helper()
	rows, table := someLogits(m, n), []int32{0}
	logits := m.run(rows, table)
	what := fmt.Sprintf("%s, %d rows, %d masked", m.p.Name, n, len(masked))
	for _, n := range numbers {
		equalBest(t, fmt.Sprintf("%s, the best %d", what, n), m.best(rows, table, n, nil), bestOf(m, logits, masked, n))
	}
	equal(t, what+", all after the best", m.run(rows, table), logits)
}

// checkBestSeen asks for the best while values are tapped, and while ops are measured.
func checkBestSeen(t *testing.T, m *machine, masked []int32) {
	t.Helper()
	const n = 2
	rows, table := someLogits(m, 3), []int32{0}
	want := bestOf(m, m.run(rows, table), masked, n)
	equalBest(t, m.p.Name+", with taps", m.best(rows, table, n, func(string, []float32) {}), want)
	if p, ok := m.exec.(op.Profiler); ok {
		p.StartProfile()
		equalBest(t, m.p.Name+", measured", m.best(rows, table, n, nil), want)
		p.StopProfile()
	}
}

// someLogits is n rows, most of which want logits.
func someLogits(m *machine, n int) []op.Row {
	rows := sequence(0, 0, make([]int32, n))
	for i := range rows {
		rows[i].Token, rows[i].Logits = int32((n+i)%m.p.Vocab), i%6 != 1
	}
	return rows
}

// best computes rows and gives the best n logits of each.
func (m *machine) best(rows []op.Row, table []int32, n int, tap func(string, []float32)) []op.Scored {
	m.t.Helper()
	b := &op.Batch{Rows: rows, Tables: [][]int32{table}, BestN: n, Tap: tap}
	b.Best = make([]op.Scored, n*b.LogitRows())
	if err := m.exec.Run(m.t.Context(), b); err != nil {
		m.t.Fatal(err)
	}
	return b.Best
}

// bestOf is the definition: every row sorted.
func bestOf(m *machine, logits []float32, masked []int32, n int) (best []op.Scored) {
	for row := range slices.Chunk(logits, m.p.Vocab) {
		best = append(best, bestOfRow(row, masked, n)...)
	}
	return best
}

func bestOfRow(logits []float32, masked []int32, n int) []op.Scored {
	var all []op.Scored
	for id, x := range logits {
		if x == x && !math.IsInf(float64(x), -1) && !slices.Contains(masked, int32(id)) {
			all = append(all, op.Scored{Token: int32(id), Logit: x})
		}
	}
	slices.SortFunc(all, func(a, b op.Scored) int {
		return cmp.Or(cmp.Compare(b.Logit, a.Logit), cmp.Compare(a.Token, b.Token))
	})
	for len(all) < n {
		all = append(all, op.NoToken)
	}
	return all[:n]
}

func equalBest(t *testing.T, what string, got, want []op.Scored) {
	t.Helper()
	for i := range want {
		if got[i].Token != want[i].Token || math.Float32bits(got[i].Logit) != math.Float32bits(want[i].Logit) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}
