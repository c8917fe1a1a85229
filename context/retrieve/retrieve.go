// Package retrieve finds what of the rest of a workspace helps to complete at a
// cursor: chunks of source from several retrievers, which run side by side under
// one deadline, fused and fitted to a budget. It knows texts, names and paths, and
// deliberately no prompt and no token: what a text costs it is told, and where a
// chunk goes is its caller's business. It reads files only by way of a Snapshot.
package retrieve

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/panics"

	"tandem/context/workspace"
)

// Limits of a query. What goes beyond one is left out.
const (
	// DefaultDeadline is when Chunks answers: later, the user has typed on.
	DefaultDeadline = 20 * time.Millisecond

	maxInFlight   = 20       // retrievers at work; one that hangs on a disk must not pile up
	maxPerSource  = 24       // chunks that one retriever gives
	maxChunkBytes = 1600     // some forty lines: more is no hint any more
	minChunkBytes = 240      // the longest signature
	maxReads      = 32       // files that one query reads
	maxCounts     = 96       // calls of Count, at some 20 µs for each KB
	maxFollowed   = 32       // files that one name is followed through
	maxMoved      = 400      // lines by which a definition may have moved since it was indexed
	parseNowBytes = 16 << 10 // of a file that is not indexed yet: 5 ms
)

// Limits of the index. Files beyond them are not in it.
const (
	maxIndexBytes   = 64 << 20 // as far as facts.size knows: some 15,000 files of 200 lines
	indexEntryBytes = 24       // about what a map and a list take for one name or word
	maxOpen         = 256      // documents outside of the folders' listing, or changed, that are indexed
	maxSymbols      = 4_000    // of a file; a megabyte of usual source has as many
	maxImports      = 512      // of a file, and names of one
	maxDepth        = 32       // of symbols in symbols, and of folders that are looked in
	maxCandidates   = 256      // files of one name that are looked at for an import
	maxPackageFiles = 64       // of a folder whose files are one package
	maxMeanLine     = 300      // bytes; longer ones are generated
	maxWordLines    = 20_000   // of a file
	minWordBytes    = 3        // shorter words are everywhere
	blockLines      = 8        // of the grid that windows of similar code lie on
	maxPostings     = 4_000    // files with a word; what more have says nothing
	fewFiles        = 8        // up to as many may have a word that counts
	maxPlainBytes   = 256 << 10
)

// Chunk is a piece of gathered source.
type Chunk struct {
	Path       string  // as shown to the model: relative to its folder, slashed
	Text       string  // whole lines, the last one ended
	Source     string  // the retriever that found it first: one of Sources
	Score      float64 // after fusion; comparable within one Result
	Start, End int     // the lines of the file that it is about, from zero, End not included

	file     string // the workspace's path
	verbatim bool   // Text is those lines
}

// The retrievers, in the order of Result.Reports.
const (
	Definition = "definition" // of the names around the cursor
	Edit       = "edit"       // what was edited lately
	Open       = "open"       // the documents that were used last
	Similar    = "similar"    // code like that around the cursor
)

// Sources are the names of the retrievers, in that order.
func Sources() []string { return []string{Definition, Edit, Open, Similar} }

// Query asks for chunks. It belongs to the caller and is only read.
type Query struct {
	Snapshot *workspace.Snapshot
	Path     string // of the document, as the workspace has it
	Language string // as the editor names it; may be ""
	Text     string
	Offset   int    // of the cursor
	Shown    [2]int // the bytes of Text that the prompt shows anyway: chunks of this file lie outside
	Budget   int    // tokens for all chunks
	// Only are the retrievers to ask, out of Sources; nil asks all.
	Only []string
	// Deadline is how long Chunks may take; 0 means DefaultDeadline. Retrievers are
	// told to end after half of it, and waited for as long as three quarters.
	Deadline time.Duration
	// Count is how many tokens a text costs. Chunks calls it from one goroutine
	// and does not interrupt it.
	Count func(string) int
}

// Result is the answer to a Query.
type Result struct {
	Chunks  []Chunk // best first
	Tokens  int     // what they cost together
	Reports []Report
}

// Report tells what one retriever did.
type Report struct {
	Source string
	Found  int           // chunks that it gave
	Kept   int           // of those in the Result, the ones it found first
	Time   time.Duration // that it took, or until it was not waited for any longer
	Missed bool          // the deadline, or it was too busy to begin: it gave nothing
	Failed bool          // a bug, which the log tells: it gave nothing
}

// Retriever owns the index of a workspace and the goroutine that keeps it. It is
// safe for concurrent use. Whoever made it closes it.
type Retriever struct {
	index   *index
	worker  *worker
	slots   chan struct{} // taken by retrievers at work
	sources []source

	closeMu sync.Mutex // guards closed, and that nothing begins behind it
	closed  bool
	running conc.WaitGroup
}

// source is one retriever: it gives chunks best first, and looks at ctx at least
// every millisecond, between reads.
type source struct {
	name   string
	weight float64
	find   func(*search, context.Context) []Chunk
}

// New makes a Retriever that knows nothing yet: see Update.
func New() *Retriever {
	r := &Retriever{index: newIndex(), slots: make(chan struct{}, maxInFlight)}
	r.sources = []source{
		{Definition, 1.0, (*search).definitions},
		{Edit, 0.8, (*search).edits},
		{Open, 0.4, (*search).open},
		{Similar, 0.95, (*search).similar},
	}
	r.worker = newWorker(r.index)
	return r
}

// Update tells the Retriever what the workspace has become. The index follows in
// the background; where nothing changed that costs nothing.
func (r *Retriever) Update(s *workspace.Snapshot) { r.worker.update(s) }

// Wait waits until the index has seen all that the last Update told of, and makes
// it hurry. The error is ctx's, or that the Retriever is closed.
func (r *Retriever) Wait(ctx context.Context) error { return r.worker.wait(ctx) }

// Close stops everything and returns when nothing of it runs any more. Later
// queries have empty results. Closing twice does nothing.
func (r *Retriever) Close() {
	r.closeMu.Lock()
	r.closed = true
	r.closeMu.Unlock()
	r.worker.close()
	r.running.Wait()
}

// Chunks answers by the deadline, or when ctx is done, with what there is by then.
func (r *Retriever) Chunks(ctx context.Context, q Query) Result {
	if q.Deadline <= 0 {
		q.Deadline = DefaultDeadline
	}
	ctx, cancel := context.WithTimeout(ctx, q.Deadline)
	defer cancel()
	if q.Snapshot == nil || q.Count == nil || q.Budget <= 0 {
		return Result{}
	}
	found, reports := r.gather(ctx, newSearch(q, r.index))
	f := fusion{snapshot: q.Snapshot, query: q}
	for i, s := range r.sources {
		f.add(s, found[i])
	}
	result := f.fit(ctx)
	for i := range reports {
		for _, c := range result.Chunks {
			if c.Source == reports[i].Source {
				reports[i].Kept++
			}
		}
	}
	result.Reports = reports
	return result
}

// answer is what one retriever found.
type answer struct {
	source int
	chunks []Chunk
	time   time.Duration
	failed bool
}

// gather runs all retrievers and waits for them as long as there is time. One
// that comes later is not waited for, and ends by itself.
func (r *Retriever) gather(ctx context.Context, s *search) ([][]Chunk, []Report) {
	begin := time.Now()
	searching, cancel := context.WithTimeout(ctx, s.Deadline/2)
	defer cancel()
	waited, stop := context.WithTimeout(ctx, s.Deadline*3/4)
	defer stop()
	answers := make(chan answer, len(r.sources)) // nobody waits to send
	waiting := 0
	found := make([][]Chunk, len(r.sources))
	reports := make([]Report, len(r.sources))
	for i, s := range r.sources {
		reports[i] = Report{Source: s.name, Missed: true}
	}
	for i, from := range r.sources {
		if only := s.Only; only != nil && !slices.Contains(only, from.name) {
			reports[i].Missed = false
			continue
		}
		if r.start(searching, s, from, func(a answer) { a.source = i; answers <- a }) {
			waiting++
		}
	}
	take := func(a answer) {
		found[a.source] = a.chunks
		reports[a.source] = Report{Source: r.sources[a.source].name, Found: len(a.chunks), Time: a.time, Failed: a.failed}
	}
	for late := false; waiting > 0 && !late; waiting-- {
		select {
		case a := <-answers:
			take(a)
		case <-waited.Done():
			late = true
		}
	}
	for len(answers) > 0 { // that came at the same moment
		take(<-answers)
	}
	for i := range reports {
		if reports[i].Missed {
			reports[i].Time = time.Since(begin)
		}
	}
	return found, reports
}

// start runs a retriever, if there is room for it, and hands on what it finds.
func (r *Retriever) start(ctx context.Context, s *search, from source, done func(answer)) bool {
	r.closeMu.Lock()
	defer r.closeMu.Unlock()
	if r.closed {
		return false
	}
	select {
	case r.slots <- struct{}{}:
	default:
		return false
	}
	r.running.Go(func() {
		defer func() { <-r.slots }()
		begin := time.Now()
		var chunks []Chunk
		caught := panics.Try(func() { chunks = from.find(s, ctx) })
		if caught != nil {
			slog.Error("retrieve: a retriever panicked", "retriever", from.name, "panic", caught.Value, "stack", string(caught.Stack))
			chunks = nil
		}
		chunks = slices.Clip(chunks[:min(len(chunks), maxPerSource)])
		done(answer{chunks: chunks, time: time.Since(begin), failed: caught != nil})
	})
	return true
}
