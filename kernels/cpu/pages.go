package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"tandem/kernels/op"
)

// pages is the pool of KV pages in C memory. attention.h tells how a page is
// laid out; the hand-over form has K and V of each layer as [position][head][dim].
type pages struct {
	memory    unsafe.Pointer
	n         int
	pageBytes int
	kv        op.DType
	layers    []layerPlace
}

func (p *pages) Len() int       { return p.n }
func (p *pages) Type() op.DType { return p.kv }

// PageBytes is the size in the hand-over form, which for Q8_0 has f16 scales.
func (p *pages) PageBytes() int {
	n := 0
	for _, l := range p.layers {
		n += l.PageBytes(p.kv)
	}
	return n
}

func (p *pages) page(i int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p.memory, int(i)*p.pageBytes)), p.pageBytes)
}

// Copy copies whole pages: positions from n on are overwritten before they are read.
func (p *pages) Copy(dst, src int32, n int) { copy(p.page(dst), p.page(src)) }

// Export writes the hand-over form.
func (p *pages) Export(dst []byte, page int32, n int) error {
	p.convert(dst, page, n, true)
	return nil
}

// Import reads it.
func (p *pages) Import(page int32, src []byte, n int) { p.convert(src, page, n, false) }

// convert moves n positions between a page and its hand-over form.
func (p *pages) convert(form []byte, page int32, n int, export bool) {
	memory := p.page(page)
	for _, l := range p.layers {
		rowBytes, head := p.kv.RowBytes(l.HeadDim), headBytes(p.kv, l.HeadDim)
		for kv := range 2 {
			for h := range l.Heads {
				own := memory[l.offset+(kv*l.Heads+h)*head:][:head]
				for pos := range n {
					p.convertRow(own, form[(pos*l.Heads+h)*rowBytes:][:rowBytes], l.HeadDim, pos, kv == 0, export)
				}
			}
			form = form[op.PageTokens*l.Heads*rowBytes:]
		}
	}
}

// convertRow moves one position of one head; transposed is K's own layout.
func (p *pages) convertRow(own, row []byte, dim, pos int, transposed, export bool) {
	at, step := pos*dim, 1
	if transposed {
		at, step = pos, op.PageTokens
	}
	switch {
	case p.kv != op.Q8_0 && !transposed:
		own = own[at*len(row)/dim:][:len(row)]
		if export {
			own, row = row, own
		}
		copy(own, row)
		return
	case p.kv == op.F16:
		transpose[uint16](own, row, at, export)
		return
	case p.kv == op.F32:
		transpose[uint32](own, row, at, export)
		return
	}
	scales := own[op.PageTokens*dim:]
	for block := range dim / 32 {
		scale := scales[4*(pos*dim/32+block):]
		if transposed {
			scale = scales[4*(block*op.PageTokens+pos):]
		}
		form := row[block*34:][:34]
		if export {
			binary.LittleEndian.PutUint16(form, op.F32ToF16(math.Float32frombits(binary.NativeEndian.Uint32(scale))))
		} else {
			binary.NativeEndian.PutUint32(scale, math.Float32bits(op.F16ToF32(binary.LittleEndian.Uint16(form))))
		}
		for i := range 32 {
			a, b := &own[at+(block*32+i)*step], &form[2+i]
			if export {
				a, b = b, a
			}
			*a = *b
		}
	}
}

// transpose moves a row of K between the hand-over form and its own layout, where
// its values stand PageTokens apart from the one at on. A hand-over moves millions
// of them while a prompt waits.
func transpose[T uint16 | uint32](own, row []byte, at int, export bool) {
	size := int(unsafe.Sizeof(T(0)))
	column := unsafe.Slice((*T)(unsafe.Pointer(&own[0])), len(own)/size)[at:]
	values := unsafe.Slice((*T)(unsafe.Pointer(&row[0])), len(row)/size)
	if export {
		for d := range values {
			values[d] = column[d*op.PageTokens]
		}
		return
	}
	for d := range values {
		column[d*op.PageTokens] = values[d]
	}
}
