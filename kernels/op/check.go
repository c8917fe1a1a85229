package op

import "fmt"

// Check tells whether e, which is p compiled with opt, can compute b.
// Every device calls it before it touches a page, so that a mistake of the
// caller is an error and never a write outside a buffer. It does not look for
// two sequences that write the same page; that is the page tables' owner's duty.
func (b *Batch) Check(p *Program, opt CompileOptions, e Executable) error {
	if len(b.Rows) > opt.RowsMax {
		return fmt.Errorf("batch of %d rows, at most %d", len(b.Rows), opt.RowsMax)
	}
	n := b.LogitRows()
	if n > opt.LogitsMax {
		return fmt.Errorf("batch wants logits of %d rows, at most %d", n, opt.LogitsMax)
	}
	if err := b.checkRoom(n, p.Vocab, e); err != nil {
		return err
	}
	pages := e.Pages().Len()
	for i, r := range b.Rows {
		if r.Token < 0 || int(r.Token) >= p.Vocab {
			return fmt.Errorf("row %d: token %d of a vocabulary of %d", i, r.Token, p.Vocab)
		}
		if r.Pos < 0 || int(r.Pos) >= p.MaxTokens {
			return fmt.Errorf("row %d: position %d, the model has %d", i, r.Pos, p.MaxTokens)
		}
		if r.Seq < 0 || int(r.Seq) >= len(b.Tables) {
			return fmt.Errorf("row %d: sequence %d of %d", i, r.Seq, len(b.Tables))
		}
		if i > 0 && r.Seq == b.Rows[i-1].Seq {
			if r.Pos != b.Rows[i-1].Pos+1 {
				return fmt.Errorf("row %d: position %d after %d", i, r.Pos, b.Rows[i-1].Pos)
			}
			continue
		}
		if err := b.checkRun(i, pages); err != nil {
			return fmt.Errorf("row %d: sequence %d: %w", i, r.Seq, err)
		}
	}
	return nil
}

// checkRoom checks where the logits of n rows go.
func (b *Batch) checkRoom(n, vocab int, e Executable) error {
	most := 0
	if ranker, ok := e.(Ranker); ok {
		most = ranker.BestMax()
	}
	if b.BestN < 0 || b.BestN > most {
		return fmt.Errorf("batch wants the best %d logits of a row, at most %d", b.BestN, most)
	}
	if len(b.Best) != n*b.BestN {
		return fmt.Errorf("batch with room for %d of the best logits, needs %d rows of %d", len(b.Best), n, b.BestN)
	}
	if b.BestN > 0 {
		n = 0
	}
	if len(b.Logits) != n*vocab {
		return fmt.Errorf("batch with room for %d logits, needs %d rows of %d", len(b.Logits), n, vocab)
	}
	return nil
}

// checkRun checks the sequence whose rows begin at row first: that it has no
// rows before it, and that its table names a page for each position that its
// rows will read.
func (b *Batch) checkRun(first, pages int) error {
	seq, last := b.Rows[first].Seq, first
	for last+1 < len(b.Rows) && b.Rows[last+1].Seq == seq {
		last++
	}
	for _, r := range b.Rows[:first] {
		if r.Seq == seq {
			return fmt.Errorf("its rows do not stand together")
		}
	}
	pos := int(b.Rows[first].Pos) + last - first
	table, need := b.Tables[seq], pos/PageTokens+1
	if len(table) < need || pages < need {
		return fmt.Errorf("page table of %d pages out of %d for position %d", len(table), pages, pos)
	}
	for i, page := range table[:need] {
		if page < 0 || int(page) >= pages {
			return fmt.Errorf("table entry %d is page %d of %d", i, page, pages)
		}
	}
	return nil
}
