package ref

import (
	"fmt"

	"tandem/kernels/op"
)

// Pages is the pool of KV pages, kept in the hand-over form of [op.Pages]: for
// each layer all K then all V, each [position][head][dim].
type Pages struct {
	format op.DType
	layers []layer
	bytes  int      // of a page
	pages  [][]byte // (bytes) each
}

// layer is where a layer's keys and values lie in a page.
type layer struct {
	keys, values int // offsets
	heads        int
	headDim      int
	headBytes    int // one head of one position
}

func newPages(p *op.Program, opt op.CompileOptions) (*Pages, error) {
	switch opt.KV {
	case op.F32, op.F16, op.Q8_0:
	default:
		return nil, fmt.Errorf("KV pages of %v: %w", opt.KV, op.ErrNotSupported)
	}
	ps := &Pages{format: opt.KV}
	for i, kv := range p.KV {
		if kv.HeadDim%opt.KV.BlockValues() != 0 {
			return nil, fmt.Errorf("layer %d: head dimension %d is not whole blocks of %v: %w", i, kv.HeadDim, opt.KV, op.ErrNotSupported)
		}
		l := layer{keys: ps.bytes, heads: kv.Heads, headDim: kv.HeadDim, headBytes: opt.KV.RowBytes(kv.HeadDim)}
		l.values = l.keys + op.PageTokens*l.positionBytes()
		ps.layers = append(ps.layers, l)
		ps.bytes = l.values + op.PageTokens*l.positionBytes()
	}
	pool := make([]byte, opt.Pages*ps.bytes)
	ps.pages = make([][]byte, opt.Pages)
	for i := range ps.pages {
		ps.pages[i] = pool[i*ps.bytes : (i+1)*ps.bytes : (i+1)*ps.bytes]
	}
	return ps, nil
}

// positionBytes is the size of a position's keys, or of its values.
func (l layer) positionBytes() int { return l.heads * l.headBytes }

// Len is the number of pages.
func (ps *Pages) Len() int { return len(ps.pages) }

// PageBytes is the size of a page.
func (ps *Pages) PageBytes() int { return ps.bytes }

// Type is the storage of keys and values.
func (ps *Pages) Type() op.DType { return ps.format }

// Copy copies the first n positions of page src to page dst.
func (ps *Pages) Copy(dst, src int32, n int) { ps.copy(ps.pages[dst], ps.pages[src], n) }

// Export writes the first n positions of page to dst; the rest of dst is left.
func (ps *Pages) Export(dst []byte, page int32, n int) error {
	ps.copy(dst, ps.pages[page], n)
	return nil
}

// Import takes the first n positions of src into page.
func (ps *Pages) Import(page int32, src []byte, n int) { ps.copy(ps.pages[page], src, n) }

func (ps *Pages) copy(dst, src []byte, n int) {
	for _, l := range ps.layers {
		for _, at := range []int{l.keys, l.values} {
			end := at + n*l.positionBytes()
			copy(dst[at:end], src[at:end])
		}
	}
}

// store writes x, (heads * headDim), as position pos of a sequence's keys or
// values, which begin at offset at of its pages.
func (ps *Pages) store(l layer, at int, table []int32, pos int, x []float32) {
	page := ps.pages[table[pos/op.PageTokens]]
	at += pos % op.PageTokens * l.positionBytes()
	op.Quantize(ps.format, page[at:at+l.positionBytes()], x)
}

// load reads one head of the first n positions of a page's keys or values, which
// begin at offset at, into w's scratch and returns them, (n, headDim).
func (ps *Pages) load(w *worker, l layer, at int, page int32, head, n int) []float64 {
	row, out := w.row[:l.headDim], w.page[:n*l.headDim]
	for i := range n {
		from := at + i*l.positionBytes() + head*l.headBytes
		op.Dequantize(ps.format, row, ps.pages[page][from:from+l.headBytes])
		widen(out[i*l.headDim:(i+1)*l.headDim], row)
	}
	return out
}
