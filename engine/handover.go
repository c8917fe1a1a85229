package engine

import (
	"tandem/engine/kvcache"
	"tandem/kernels/op"
)

// handOver lets the prefill device compute the prompt and moves its KV pages to
// the decode device's cache, which then has only the last token to compute. It
// does nothing when the decode device knows most of the prompt already.
func (g *generation) handOver() error {
	from, to := g.l.prefill, g.l.decode
	var known int
	err := to.executor.do(func() {
		seq := to.cache.Acquire(g.prompt)
		known = seq.Len()
		seq.Release()
	})
	if err != nil {
		return err
	}
	rest := len(g.prompt) - 1 - known
	if rest < handOverTokens {
		return nil
	}
	first := known / op.PageTokens // pages before it are there
	var pages [][]byte
	err = from.executor.run(&job{
		ctx: g.ctx, priority: g.req.Priority, on: from, tokens: g.prompt[: len(g.prompt)-1 : len(g.prompt)-1], silent: true,
		end: func(seq *kvcache.Sequence) { pages = export(from.exec.Pages(), seq, first) },
	})
	if err != nil {
		return err
	}
	var full error
	err = to.executor.do(func() { full = importPages(to, g.prompt, first, pages) })
	if err != nil || full != nil {
		return err // without room, the decode device computes the prompt itself
	}
	g.result.PrefillTokens = rest
	return nil
}

// export copies a sequence's pages from the given one on.
func export(pool op.Pages, seq *kvcache.Sequence, first int) [][]byte {
	var pages [][]byte
	for i := first; i*op.PageTokens < seq.Len(); i++ {
		bytes := make([]byte, pool.PageBytes())
		pool.Export(bytes, seq.Table()[i], min(op.PageTokens, seq.Len()-i*op.PageTokens))
		pages = append(pages, bytes)
	}
	return pages
}

// importPages makes the prompt, but for its last token, known to p's cache:
// pages hold its tokens from page `first` on.
func importPages(p *placed, prompt []int32, first int, pages [][]byte) error {
	seq := p.cache.Acquire(prompt)
	defer seq.Release()
	seq.Truncate(first * op.PageTokens)
	if seq.Len() < first*op.PageTokens {
		return kvcache.ErrFull // evicted since
	}
	n := len(prompt) - 1
	if err := seq.Reserve(n - seq.Len()); err != nil {
		return err
	}
	for i, bytes := range pages {
		at := (first + i) * op.PageTokens
		p.exec.Pages().Import(seq.Table()[first+i], bytes, min(op.PageTokens, n-at))
	}
	seq.Commit(prompt[seq.Len():n])
	return nil
}
