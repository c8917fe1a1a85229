package engine

import (
	"errors"
	"log/slog"
	"time"

	"tandem/engine/kvcache"
	"tandem/internal/bug"
	"tandem/kernels/op"
)

const (
	// handOverTokens is the least number of uncached prompt tokens for which
	// another device prefills: below two pages, moving them is most of the work.
	handOverTokens = 2 * op.PageTokens
	// handOverPages move between two steps of each device.
	handOverPages = 16
)

// errUnfinished is what a call on an executor leaves behind if it panics.
var errUnfinished = errors.New("a call on the device's goroutine did not finish")

// handOver lets the prefill device compute the prompt and moves its KV pages to
// the decode device's cache, which then has only the last token to compute. It
// does nothing when the decode device knows most of the prompt already, and
// leaves the prompt to it when the prefill device fails.
func (g *generation) handOver(p plan) error {
	from, to := p.prefill, p.decode
	known := 0 // tokens of the prompt that the decode device has
	err := to.executor.do(to, func() {
		seq := to.cache.Acquire(g.prompt)
		known = seq.Len()
		seq.Release()
	})
	head := g.prompt[: len(g.prompt)-1 : len(g.prompt)-1]
	if errors.Is(err, op.ErrDeviceLost) {
		return nil // whoever decodes goes on elsewhere
	}
	if err != nil || len(head)-known < handOverTokens {
		return err
	}
	j := &job{ctx: g.ctx, priority: g.req.Priority, on: from, tokens: head, from: len(head)}
	j.began = func(cached int) { g.result.CachedTokens = max(known, cached) }
	err = from.executor.run(j)
	g.elsewhere = max(j.reached, known) - g.result.CachedTokens
	g.result.PrefillTokens = g.elsewhere
	if errors.Is(err, op.ErrDeviceLost) {
		err = errors.Join(err, g.l.leave(g.ctx, from, err))
	}
	if err == nil {
		err = g.movePages(from, to, head, known/op.PageTokens)
	}
	if err != nil && g.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		slog.Warn("engine: the decode device has to prefill", "instead_of", from.executor.device.Name(), "error", err)
		g.elsewhere, g.result.CachedTokens, g.result.PrefillTokens = 0, 0, 0
		return nil
	}
	return err
}

// movePages copies the pages of tokens from page first on, some at a time so
// that other requests need not wait long. Pages that were evicted meanwhile, or
// for which there is no room, are computed again by the decode device.
func (g *generation) movePages(from, to *placed, tokens []int32, first int) error {
	begin, bytes := time.Now(), 0
	pages := (len(tokens) + op.PageTokens - 1) / op.PageTokens
	for ; first < pages; first += handOverPages {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		head := tokens[:min(len(tokens), (first+handOverPages)*op.PageTokens)]
		var moved [][]byte
		var err error
		if e := from.executor.do(from, func() { moved, err = exportPages(from, head, first) }); e != nil || err != nil {
			return errors.Join(e, err)
		}
		if e := to.executor.do(to, func() { err = importPages(to, head, first, moved) }); e != nil || err != nil {
			return errors.Join(e, err)
		}
		for _, page := range moved {
			bytes += len(page)
		}
	}
	g.l.statsMu.Lock()
	defer g.l.statsMu.Unlock()
	g.l.stats.HandOvers++
	g.l.stats.HandOverBytes += int64(bytes)
	g.l.stats.HandOver += time.Since(begin)
	return nil
}

// acquireAll is a sequence with all cached tokens, the last one too.
func acquireAll(c *kvcache.Cache, tokens []int32) *kvcache.Sequence {
	return c.Acquire(append(tokens[:len(tokens):len(tokens)], 0))
}

// exportPages copies the pages of tokens from the given one on.
func exportPages(p *placed, tokens []int32, first int) ([][]byte, error) {
	seq := acquireAll(p.cache, tokens)
	defer seq.Release()
	pool := p.exec.Pages()
	var pages [][]byte
	for i := first; i*op.PageTokens < seq.Len(); i++ {
		bytes := make([]byte, pool.PageBytes())
		if err := pool.Export(bytes, seq.Table()[i], min(op.PageTokens, seq.Len()-i*op.PageTokens)); err != nil {
			return nil, err
		}
		pages = append(pages, bytes)
	}
	return pages, nil
}

// errMoved says that the pages before those that arrive are gone.
var errMoved = errors.New("the beginning was evicted during a hand-over")

// importPages makes tokens known to p's cache: pages hold them from page first on.
func importPages(p *placed, tokens []int32, first int, pages [][]byte) error {
	seq := acquireAll(p.cache, tokens)
	defer seq.Release()
	if len(pages) < pagesOf(len(tokens))-first || seq.Len() < first*op.PageTokens {
		return errMoved
	}
	if len(pages) > 0 && len(pages[0]) != p.exec.Pages().PageBytes() {
		return bug.Errorf("hand-over: pages of %d bytes for a pool of %d", len(pages[0]), p.exec.Pages().PageBytes())
	}
	seq.Truncate(first * op.PageTokens)
	if err := seq.Reserve(len(tokens) - seq.Len()); err != nil {
		return err
	}
	for i, bytes := range pages {
		at := (first + i) * op.PageTokens
		p.exec.Pages().Import(seq.Table()[first+i], bytes, min(op.PageTokens, len(tokens)-at))
	}
	seq.Commit(tokens[seq.Len():])
	p.publish()
	return nil
}

// pagesOf is the number of pages that n tokens take.
func pagesOf(n int) int { return (n + op.PageTokens - 1) / op.PageTokens }
