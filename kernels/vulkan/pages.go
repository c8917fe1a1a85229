package vulkan

// #include "binding.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"math"

	"tandem/kernels/op"
)

// pages is the pool of KV pages in the GPU's memory. pages.glsl tells how a page
// is laid out: as the hand-over form, but for Q8_0, whose scales stand apart.
type pages struct {
	dev       *Device
	region    *region
	transfer  *region // a page on the host
	n         int
	pageBytes int
	kv        op.DType
	layers    []layerPlace
}

func newPages(d *Device, l *lowering, opt op.CompileOptions) (*pages, error) {
	p := &pages{dev: d, n: opt.Pages, pageBytes: l.pageBytes(), kv: opt.KV, layers: l.kv}
	var err error
	if p.region, err = d.alloc(deviceMemory, p.n*p.pageBytes, "KV pages"); err != nil {
		return nil, fmt.Errorf("%w: a smaller --context takes less", err)
	}
	if p.transfer, err = d.alloc(readbackMemory, p.pageBytes, "a KV page"); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pages) close() {
	p.dev.release(p.region)
	p.dev.release(p.transfer)
}

func (p *pages) Len() int       { return p.n }
func (p *pages) Type() op.DType { return p.kv }

// PageBytes is the size in the hand-over form.
func (p *pages) PageBytes() int {
	n := 0
	for _, l := range p.layers {
		n += l.PageBytes(p.kv)
	}
	return n
}

// Copy copies whole pages: positions from n on are overwritten before they are read.
func (p *pages) Copy(dst, src int32, n int) {
	p.move(p.region, p.offset(src), p.region, p.offset(dst))
}

// Export writes the hand-over form.
func (p *pages) Export(dst []byte, page int32, n int) error {
	if err := p.move(p.region, p.offset(page), p.transfer, 0); err != nil {
		return err
	}
	p.convert(dst, n, true)
	return nil
}

// Import reads it.
func (p *pages) Import(page int32, src []byte, n int) {
	p.convert(src, n, false)
	p.move(p.transfer, 0, p.region, p.offset(page))
}

func (p *pages) offset(page int32) int { return int(page) * p.pageBytes }

// move copies a page. Of those who call it only Export reports that the GPU is lost:
// the others' pages are of no use then, as the next run says.
func (p *pages) move(from *region, fromOffset int, to *region, toOffset int) error {
	d := p.dev
	d.runMu.Lock()
	defer d.runMu.Unlock()
	if p.pageBytes == 0 {
		return nil
	}
	if d.lost {
		return d.errLost()
	}
	w := recorder{d: d}
	err := w.once(func(c C.VkCommandBuffer) error {
		C.record_copy(d.gpu, c, from.buffer.handle, C.uint64_t(fromOffset), to.buffer.handle, C.uint64_t(toOffset), C.uint64_t(p.pageBytes))
		C.record_host_barrier(d.gpu, c)
		return nil
	})
	d.lost = d.lost || err != nil
	return err
}

// convert moves n positions between the page on the host and its hand-over form.
func (p *pages) convert(form []byte, n int, export bool) {
	page := p.transfer.bytes()
	move := func(a, b []byte) {
		if export {
			a, b = b, a
		}
		copy(a, b)
	}
	for _, l := range p.layers {
		position := l.Heads * p.kv.RowBytes(l.HeadDim)
		for range 2 { // K, V
			if p.kv == op.Q8_0 {
				p.convertQuants(page, form, n*l.Heads*l.HeadDim/32, l, export)
			} else {
				move(page[:n*position], form[:n*position])
			}
			page, form = page[halfBytes(p.kv, l.KVLayer):], form[op.PageTokens*position:]
		}
	}
}

// convertQuants moves so many blocks of 32 quants, with their scales, which are
// f32 in a page and f16 in the form.
func (p *pages) convertQuants(page, form []byte, blocks int, l layerPlace, export bool) {
	scales := page[op.PageTokens*l.Heads*l.HeadDim:]
	for i := range blocks {
		quants, scale, block := page[i*32:][:32], scales[i*4:], form[i*34:][:34]
		if export {
			binary.LittleEndian.PutUint16(block, op.F32ToF16(math.Float32frombits(binary.LittleEndian.Uint32(scale))))
			copy(block[2:], quants)
		} else {
			binary.LittleEndian.PutUint32(scale, math.Float32bits(op.F16ToF32(binary.LittleEndian.Uint16(block))))
			copy(quants, block[2:])
		}
	}
}
