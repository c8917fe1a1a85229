package op

import (
	"strings"
	"testing"
)

// fake is an executable with so many pages that can find so many logits.
type fake struct {
	Executable
	pages, best int
}

type fakePages struct {
	Pages
	n int
}

func (e fake) Pages() Pages  { return fakePages{n: e.pages} }
func (e fake) BestMax() int  { return e.best }
func (p fakePages) Len() int { return p.n }

func TestCheck(t *testing.T) {
	p := &Program{Vocab: 10, MaxTokens: 100}
	opt := CompileOptions{RowsMax: 6, LogitsMax: 2}
	e := fake{pages: 3, best: 4}
	// Two sequences: one in its second page, one at its beginning; one row wants logits.
	good := func() *Batch {
		return &Batch{
			Rows: []Row{
				{Token: 1, Pos: 40, Seq: 1}, {Token: 2, Pos: 41, Seq: 1, Logits: true},
				{Token: 9, Pos: 0, Seq: 0}, {Token: 0, Pos: 1, Seq: 0},
			},
			Tables: [][]int32{{2}, {0, 1}},
			Logits: make([]float32, 10),
		}
	}
	if err := good().Check(p, opt, e); err != nil {
		t.Fatalf("a good batch: %v", err)
	}
	if err := (&Batch{}).Check(p, opt, e); err != nil {
		t.Fatalf("an empty batch: %v", err)
	}
	best := func(b *Batch, n int) { b.Logits, b.Best, b.BestN = nil, make([]Scored, n), n }
	for n := 1; n <= e.best; n++ {
		b := good()
		if best(b, n); b.Check(p, opt, e) != nil {
			t.Fatalf("the best %d: %v", n, b.Check(p, opt, e))
		}
		if err := b.Check(p, opt, struct{ Executable }{e}); err == nil || !strings.Contains(err.Error(), "at most 0") {
			t.Fatalf("the best %d of a device that ranks nothing: %v", n, err)
		}
	}
	for _, c := range []struct {
		want  string
		spoil func(b *Batch)
	}{
		{"7 rows, at most 6", func(b *Batch) { b.Rows = make([]Row, 7) }},
		{"logits of 3 rows, at most 2", func(b *Batch) { b.Rows[0].Logits, b.Rows[2].Logits = true, true }},
		{"room for 9 logits", func(b *Batch) { b.Logits = b.Logits[:9] }},
		{"best 5 logits of a row, at most 4", func(b *Batch) { best(b, 5) }},
		{"best -1 logits", func(b *Batch) { b.BestN = -1 }},
		{"room for 3 of the best logits", func(b *Batch) { best(b, 2); b.Best = make([]Scored, 3) }},
		{"room for 1 of the best logits", func(b *Batch) { b.Best = make([]Scored, 1) }},
		{"needs 0 rows of 10", func(b *Batch) { best(b, 2); b.Logits = make([]float32, 10) }},
		{"row 0: token 10", func(b *Batch) { b.Rows[0].Token = 10 }},
		{"row 3: token -1", func(b *Batch) { b.Rows[3].Token = -1 }},
		{"row 0: position -1", func(b *Batch) { b.Rows[0].Pos = -1 }},
		{"row 0: position 100", func(b *Batch) { b.Rows[0].Pos = 100 }},
		{"row 3: position 3 after 0", func(b *Batch) { b.Rows[3].Pos = 3 }},
		{"row 1: position -2000000000", func(b *Batch) { b.Rows[1].Pos = -2000000000 }},
		{"row 0: sequence 2 of 2", func(b *Batch) { b.Rows[0].Seq = 2 }},
		{"row 0: sequence -1", func(b *Batch) { b.Rows[0].Seq = -1 }},
		{"do not stand together", func(b *Batch) {
			b.Rows = []Row{{Pos: 0, Seq: 0}, {Pos: 40, Seq: 1}, {Pos: 1, Seq: 0}}
			b.Logits = nil
		}},
		{"page table of 1 pages", func(b *Batch) { b.Tables[1] = []int32{0} }},
		{"out of 3 for position 97", func(b *Batch) {
			b.Rows[0].Pos, b.Rows[1].Pos, b.Tables[1] = 96, 97, []int32{0, 1, 1, 1}
		}},
		{"table entry 1 is page 3 of 3", func(b *Batch) { b.Tables[1][1] = 3 }},
		{"table entry 0 is page -1", func(b *Batch) { b.Tables[0][0] = -1 }},
	} {
		b := good()
		c.spoil(b)
		if err := b.Check(p, opt, e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
