package kerneltest

import (
	"bytes"
	"testing"

	"tandem/kernels/op"
)

// testPages checks the pool of KV pages: sharing, copies, the hand-over form,
// and what is left in a page that is used again.
func testPages(t *testing.T, open Open) {
	d, tolerance := openDevice(t, open, 2)
	for _, kv := range kvFormats {
		t.Run(kv.String(), func(t *testing.T) {
			opt := defaults
			opt.KV = kv
			p := blockProgram(t, newSource(21), op.Q8_0)
			m := compile(t, d, p, opt)
			ids := newSource(22).tokens(80, vocab)
			want := m.run(sequence(0, 0, ids), pageTable(0, 3))
			chain := tolerance.Chain(blockMatMuls, op.Q8_0, kv)
			checkSharing(t, m, ids, want, chain)
			checkCopies(t, m)
			checkReuse(t, m, ids, want, chain)
			checkHandOver(t, m, compile(t, d, p, opt), ids, func(got, want []float32) { same(t, m, "after a hand-over", got, want, vocab, chain) })
			handedOver := func(got, want []float32) {
				compare(t, "after a hand-over between devices", got, want, vocab, chain)
			}
			checkHandOver(t, m, compileRef(t, p, opt), ids, handedOver)
			checkHandOver(t, compileRef(t, p, opt), m, ids, handedOver)
			if kv != op.Q8_0 {
				checkForm(t, d, opt)
			}
		})
	}
	t.Run("Q8_0 form", func(t *testing.T) {
		opt := defaults
		opt.KV = op.Q8_0
		checkForm(t, d, opt)
	})
}

// checkSharing goes on from whole pages of another sequence, and from a copy of
// the beginning of its last page.
func checkSharing(t *testing.T, m *machine, ids []int32, want []float32, allowed float64) {
	from := 2 * op.PageTokens
	same(t, m, "on shared pages", m.run(sequence(0, int32(from), ids[from:]), []int32{0, 1, 20}), want[from*vocab:], vocab, allowed)
	m.exec.Pages().Copy(21, 2, 7)
	from += 7
	same(t, m, "on a copied page", m.run(sequence(0, int32(from), ids[from:]), []int32{0, 1, 21}), want[from*vocab:], vocab, allowed)
}

// export is pages.Export, which must succeed.
func export(t *testing.T, pages op.Pages, dst []byte, page int32, n int) {
	t.Helper()
	if err := pages.Export(dst, page, n); err != nil {
		t.Fatal(err)
	}
}

// checkCopies demands that Copy, Export and Import move the first positions.
func checkCopies(t *testing.T, m *machine) {
	pages := m.exec.Pages()
	first := func(page int32, n int) []byte {
		b := make([]byte, pages.PageBytes())
		export(t, pages, b, page, n)
		return beginning(m.p, pages.Type(), b, n)
	}
	for _, n := range []int{1, 5, 31, op.PageTokens} {
		pages.Copy(30, 1, op.PageTokens)
		pages.Copy(30, 0, n)
		if !bytes.Equal(first(30, n), first(0, n)) {
			t.Fatalf("Copy of %d positions differs", n)
		}
		form := make([]byte, pages.PageBytes())
		export(t, pages, form, 0, n)
		pages.Import(31, form, n)
		if !bytes.Equal(first(31, n), first(0, n)) {
			t.Fatalf("Import of %d positions differs from what was exported", n)
		}
	}
}

// beginning is the first n positions of a page in hand-over form.
func beginning(p *op.Program, kv op.DType, page []byte, n int) []byte {
	var out []byte
	for _, l := range p.KV {
		position := l.Heads * kv.RowBytes(l.HeadDim)
		for range 2 { // keys, values
			out = append(out, page[:n*position]...)
			page = page[op.PageTokens*position:]
		}
	}
	return out
}

// checkReuse computes on pages that hold what is not finite from before.
func checkReuse(t *testing.T, m *machine, ids []int32, want []float32, allowed float64) {
	pages := m.exec.Pages()
	garbage := bytes.Repeat([]byte{0xff}, pages.PageBytes()) // NaN in F32 and F16
	if pages.Type() == op.Q8_0 {
		garbage = bytes.Repeat([]byte{0x7c}, pages.PageBytes()) // scales that are NaN
	}
	for page := range int32(3) {
		pages.Import(40+page, garbage, op.PageTokens)
	}
	table := pageTable(40, 3)
	got := m.run(sequence(0, 0, ids[:10]), table)
	got = append(got, m.run(sequence(0, 10, ids[10:]), table)...)
	same(t, m, "on pages with garbage", got, want, vocab, allowed)
}

// checkHandOver computes a beginning on a, hands its pages to b, and goes on there.
func checkHandOver(t *testing.T, a, b *machine, ids []int32, check func(got, want []float32)) {
	const from = 75
	table, other := pageTable(3, 3), []int32{9, 4, 6}
	want := a.run(sequence(0, 0, ids), table)[from*vocab:]
	ap, bp := a.exec.Pages(), b.exec.Pages()
	if ap.PageBytes() != bp.PageBytes() || ap.Type() != bp.Type() {
		t.Fatalf("pages of %d bytes of %v and of %d bytes of %v", ap.PageBytes(), ap.Type(), bp.PageBytes(), bp.Type())
	}
	for i := range table {
		n := min(op.PageTokens, from-i*op.PageTokens)
		form, back := make([]byte, ap.PageBytes()), make([]byte, ap.PageBytes())
		export(t, ap, form, table[i], n)
		bp.Import(other[i], form, n)
		export(t, bp, back, other[i], n)
		if !bytes.Equal(beginning(a.p, ap.Type(), back, n), beginning(a.p, ap.Type(), form, n)) {
			t.Fatalf("page %d is not the same after import and export", i)
		}
	}
	check(b.run(sequence(0, from, ids[from:]), other), want)
}

// checkForm compares the bytes of the hand-over form with ref's, for keys and
// values that the format holds exactly.
func checkForm(t *testing.T, d op.Device, opt op.CompileOptions) {
	shape := attentionShape{qHeads: 4, heads: 2, headDim: 64, positions: op.PageTokens}
	p := attentionProgram(t, newSource(33), shape, opt.KV, op.F32, false)
	rows := sequence(0, 0, newSource(34).tokens(shape.positions, vocab))
	var forms [2][]byte
	for i, m := range []*machine{compile(t, d, p, opt), compileRef(t, p, opt)} {
		m.run(rows, []int32{2})
		forms[i] = make([]byte, m.exec.Pages().PageBytes())
		export(t, m.exec.Pages(), forms[i], 2, op.PageTokens)
	}
	if !bytes.Equal(forms[0], forms[1]) {
		t.Fatalf("hand-over form of %v differs from ref's", opt.KV)
	}
}
