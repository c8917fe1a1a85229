package op

import (
	"context"
	"math"
)

// PageTokens is the number of positions in a KV page: 32 keys of f16 are one
// cache line per head dimension.
const PageTokens = 32

// Device runs Programs. main opens one per processor and closes it last.
type Device interface {
	// Name is what --device calls it: "cpu", "ref".
	Name() string
	// Info says what it found and what it will use.
	Info() Info
	// Compile loads p's weights in the device's own layout. progress, which may
	// be nil, is told the share done, 0 to 1.
	Compile(ctx context.Context, p *Program, opt CompileOptions, progress func(float64)) (Executable, error)
	Close() error
}

// Info describes a device.
type Info struct {
	Name    string `json:"name"`
	ISA     string `json:"isa"`     // instruction set in use, "go" for ref
	Threads int    `json:"threads"` // workers a step runs on
	Detail  string `json:"detail"`  // features found, for doctor
}

// CompileOptions sizes an Executable. Nothing is allocated at run time.
type CompileOptions struct {
	RowsMax   int   // rows of one Run
	LogitsMax int   // rows of one Run that want logits
	KV        DType // storage of keys and values: F16, Q8_0 or F32
	Pages     int   // KV pages in the pool
	// Masked are tokens that Batch.Best leaves out.
	Masked []int32
}

// Executable is a Program compiled for one device with its weights and its KV
// pages. It belongs to one goroutine at a time: the device's executor.
type Executable interface {
	// Run computes b's rows: it stores their keys and values and fills b.Logits or b.Best.
	// A cancelled ctx ends it within about a millisecond of work; the pages
	// written by then hold garbage at the batch's positions.
	Run(ctx context.Context, b *Batch) error
	// Pages is the pool of KV pages.
	Pages() Pages
	// Bytes is the memory held: weights and buffers, without the pages.
	Bytes() int64
	Close() error
}

// Profiler is an Executable that can tell what each kind of op costs.
type Profiler interface {
	StartProfile()
	StopProfile() []Cost // the dearest first
}

// Ranker is an Executable that can find the best logits itself, see [Batch.Best]:
// one from which copying all of them costs something.
type Ranker interface {
	// BestMax is how many of a row at most.
	BestMax() int
}

// Pages is a device's pool of KV pages, each PageTokens positions of every layer.
// On a device that is lost Copy and Import do nothing, which the next Run reports.
type Pages interface {
	// Len is the number of pages; page numbers are 0 to Len-1.
	Len() int
	// Copy copies the first n positions of page src to page dst; what dst holds
	// at later positions is undefined afterwards.
	Copy(dst, src int32, n int)
	// PageBytes is the size of a page in the hand-over form: for each layer all
	// K then all V, each [position][head][dim], stored as Type says (Q8_0: blocks along dim).
	PageBytes() int
	// Type is the storage of the hand-over form, the pool's own KV type.
	Type() DType
	// Export writes page in the hand-over form to dst (PageBytes long); only the
	// first n positions are meaningful. It fails if the device is lost.
	Export(dst []byte, page int32, n int) error
	// Import is the reverse.
	Import(page int32, src []byte, n int)
}

// Batch is what one step computes: rows of one or several sequences.
type Batch struct {
	// Rows: those of a sequence stand together and have consecutive positions.
	Rows []Row
	// Tables holds one page table per sequence: position p lies in page
	// Tables[seq][p / PageTokens].
	Tables [][]int32
	// Logits receives (rows that want logits, vocab), in row order. Its length
	// must be exactly that.
	Logits []float32
	// Best, where BestN is not 0, takes the place of Logits, which must be empty:
	// (rows that want logits, BestN), the highest logits of each row in order, of
	// equal ones the lowest token first; -0 and 0 are equal. Logits that are NaN or
	// -Inf are left out, and so are masked tokens: what remains of a row is NoToken.
	// For a [Ranker] only, and at most what that can.
	Best  []Scored
	BestN int
	// Tap, if set, is called after each op that writes a named value, with that
	// value's rows. For tests: it makes the device stop between ops.
	Tap func(name string, rows []float32)
}

// Scored is a token and its logit.
type Scored struct {
	Token int32
	Logit float32
}

// NoToken stands where a row has no more logits to choose from.
var NoToken = Scored{Token: -1, Logit: float32(math.Inf(-1))}

// Row is one token to compute.
type Row struct {
	Token  int32
	Pos    int32 // its position in its sequence
	Seq    int32 // index into Batch.Tables
	Logits bool  // wanted
}

// Keys counts what attention looks at: positions that rows see, each row for itself,
// and positions to be read, each sequence's once.
func (b *Batch) Keys() (seen, read int) {
	last := map[int32]int{}
	for _, r := range b.Rows {
		seen += int(r.Pos) + 1
		last[r.Seq] = max(last[r.Seq], int(r.Pos)+1)
	}
	for _, n := range last {
		read += n
	}
	return seen, read
}

// LogitRows counts the rows that want logits.
func (b *Batch) LogitRows() int {
	n := 0
	for _, r := range b.Rows {
		if r.Logits {
			n++
		}
	}
	return n
}
