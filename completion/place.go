package completion

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem/completion/prompt"
	"tandem/context/retrieve"
)

// idle is the pause after which what a prompt shows around a place is taken anew:
// long enough for a thought between two words, short enough that an edit
// elsewhere is soon seen.
const idle = 2 * time.Second

// chunksAge is how long chunks of other files are shown at one place before a
// pause takes them anew: what is similar to the cursor's lines changes with each
// of them, and prefilling all of a prompt at every pause would only make heat.
const chunksAge = time.Minute

// A brief place shows what the engine prefills in briefTime, within these tokens:
// at most some ten lines above the cursor and three below, and some three and one
// where a large model is slow. A fifth of them is suffix.
const (
	briefTime      = 250 * time.Millisecond
	briefTokensMin = 48
	briefTokensMax = 160
)

// place is where somebody types, and what prompts show there beside the text
// before the cursor. It stands before the text being typed (layout spm-tail), so
// a change of it would cost everything: it stays as it was found, until the
// cursor is elsewhere or [Session.refresh] has computed another ahead. What it
// lacks meanwhile is a closing sign that the editor inserted, or an edit in
// another file; the rules compare with the live text.
type place struct {
	after  string    // the text after the cursor when the place was new
	suffix string    // what prompts show of it
	from   int       // the byte of the document at which they begin
	brief  bool      // they show little, until the whole is prefilled
	since  time.Time // when repository was new
	// repository gathers at its first call and then gives the same again.
	repository func() repository
}

// repository is what is shown of other files, and how it was found.
type repository struct {
	retrieve.Result
	shown prompt.Repository
}

// newPlace is doc's place. Chunks that earlier showed stay where they were.
func (c *Completer) newPlace(doc Document, opts Options, earlier *place) *place {
	p := &place{after: doc.Text[doc.Offset:], since: c.now()}
	p.suffix = p.after
	p.repository = sync.OnceValue(func() repository {
		var before []retrieve.Chunk
		if earlier != nil {
			before = earlier.repository().Chunks
		}
		return c.gather(doc, opts, before)
	})
	return p
}

// briefPlace is doc's place with the lines around the cursor alone.
func (c *Completer) briefPlace(doc Document) *place {
	p := &place{after: doc.Text[doc.Offset:], brief: true, repository: func() repository { return repository{} }}
	tokens := c.speed.within(briefTime, briefTokensMin, briefTokensMax)
	w := prompt.Window{PrefixTokens: tokens - tokens/5, SuffixTokens: tokens / 5}
	fim := w.Near(doc.Text[:doc.Offset], p.after, c.engine.CountTokens)
	p.suffix, p.from = fim.Suffix, doc.Offset-len(fim.Prefix)
	return p
}

// view is what prompts show there when before stands before the cursor.
func (p *place) view(before string) view {
	return view{before[min(p.from, len(before)):], p.suffix, p.repository().shown}
}

// renewed is the same place with what doc's text now is after the cursor, and with
// chunks that are not old.
func (c *Completer) renewed(p *place, doc Document, opts Options) *place {
	if c.now().Sub(p.since) >= chunksAge {
		return c.newPlace(doc, opts, p)
	}
	after := doc.Text[doc.Offset:]
	return &place{after: after, suffix: after, since: p.since, repository: p.repository}
}

// holds reports whether a cursor between before and after is still at p.
func (p *place) holds(before, after string) bool {
	return p != nil && len(before) >= p.from && withoutClosers(after) == withoutClosers(p.after)
}

// withoutClosers drops what editors insert behind the cursor by themselves.
func withoutClosers(after string) string { return strings.TrimLeft(after, ")]}\"'`>") }

// sameAs reports whether prompts at p and q show the same. It may gather.
func (p *place) sameAs(q *place) bool {
	return p.after == q.after && slices.EqualFunc(p.repository().Chunks, q.repository().Chunks, sameChunk)
}

func sameChunk(a, b retrieve.Chunk) bool { return a.Path == b.Path && a.Text == b.Text }

// gather finds what of other files helps at doc's cursor. It ends in time by
// itself: whoever types next at the place waits for the same.
func (c *Completer) gather(doc Document, opts Options, earlier []retrieve.Chunk) repository {
	budget := c.contextTokens(opts)
	if doc.Snapshot == nil || budget <= 0 {
		return repository{}
	}
	before, after := doc.Text[:doc.Offset], doc.Text[doc.Offset:]
	fim := window(c.engine.Info(), opts).Cut(before, after, c.engine.CountTokens)
	c.retriever.Update(doc.Snapshot)
	found := c.retriever.Chunks(context.Background(), retrieve.Query{
		Snapshot: doc.Snapshot, Path: doc.Path, Language: doc.Language, Text: doc.Text, Offset: doc.Offset,
		Shown:  [2]int{len(before) - len(fim.Prefix), len(before) + len(fim.Suffix)},
		Budget: budget, Count: c.engine.CountTokens, Only: opts.Retrievers, Deadline: opts.ContextTime,
	})
	found.Chunks = inOrder(found.Chunks, earlier)
	r := repository{Result: found}
	r.shown.Name, r.shown.Path = nameIn(doc)
	for _, chunk := range found.Chunks {
		r.shown.Chunks = append(r.shown.Chunks, prompt.Chunk{Path: chunk.Path, Text: chunk.Text})
	}
	return r
}

// inOrder is best in the order to show it: as many of the chunks that stood
// first before as are still wanted, which the KV cache has, and then the rest,
// what changes least from place to place first.
func inOrder(best, earlier []retrieve.Chunk) []retrieve.Chunk {
	var shown []retrieve.Chunk
	for _, chunk := range earlier {
		if !slices.ContainsFunc(best, func(b retrieve.Chunk) bool { return sameChunk(b, chunk) }) {
			break
		}
		shown = append(shown, chunk)
	}
	kept := len(shown)
	for _, chunk := range best {
		if !slices.ContainsFunc(shown[:kept], func(s retrieve.Chunk) bool { return sameChunk(s, chunk) }) {
			shown = append(shown, chunk)
		}
	}
	slices.SortStableFunc(shown[kept:], func(a, b retrieve.Chunk) int { return pace(a) - pace(b) })
	return shown
}

// pace ranks a chunk by how soon the next place has another in its stead: what is
// open stays, what the cursor's lines name goes with the lines.
func pace(c retrieve.Chunk) int {
	return slices.Index([]string{retrieve.Open, retrieve.Definition, retrieve.Similar, retrieve.Edit}, c.Source)
}

// nameIn is the name of the folder that doc lies in, and its path there.
func nameIn(doc Document) (folder, path string) {
	if folder, path, ok := doc.Snapshot.InFolder(doc.Path); ok {
		return filepath.Base(folder), path
	}
	return "", filepath.Base(doc.Path)
}
