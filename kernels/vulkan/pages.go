package vulkan

// #include "binding.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"math"

	"tandem/kernels/op"
)

// pages is the pool of KV pages in the GPU's memory. pages.glsl tells how a layer
// lies in a page: as in the hand-over form, but for Q8_0, whose scales stand apart.
// A page has a part in each region, at the same offset.
type pages struct {
	dev       *Device
	regions   []*region // each of some layers
	transfer  *region   // a page on the host, its parts in order; nil where the host sees the regions
	n         int
	partBytes int
	kv        op.DType
	layers    []layerPlace
}

func newPages(d *Device, l *lowering, opt op.CompileOptions) (*pages, error) {
	p := &pages{dev: d, n: opt.Pages, partBytes: l.pageBytes(), kv: opt.KV, layers: l.kv}
	regions := 0
	for _, kv := range l.kv {
		regions = max(regions, kv.region+1)
	}
	for range regions {
		r, err := d.alloc(deviceMemory, p.n*p.partBytes, "KV pages")
		if err != nil {
			p.close()
			return nil, fmt.Errorf("%w: a smaller --context takes less", err)
		}
		p.regions = append(p.regions, r)
	}
	if regions > 0 && p.regions[0].buffer.host != nil {
		return p, nil
	}
	var err error
	if p.transfer, err = d.alloc(readbackMemory, regions*p.partBytes, "a KV page"); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// poolBytes is what the pages of a program take.
func poolBytes(p *op.Program, opt op.CompileOptions) int {
	bytes := 0
	for _, kv := range p.KV {
		bytes += 2 * halfBytes(opt.KV, kv) * opt.Pages
	}
	return bytes
}

func (p *pages) close() {
	for _, r := range append(p.regions, p.transfer) {
		p.dev.release(r)
	}
	p.regions, p.transfer = nil, nil
}

func (p *pages) Len() int       { return p.n }
func (p *pages) Type() op.DType { return p.kv }

// layer is the address of a layer's part of page 0.
func (p *pages) layer(i int) uint64 {
	l := p.layers[i]
	return p.regions[l.region].address() + uint64(l.offset)
}

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
	p.move(func(c C.VkCommandBuffer, r *region, part int) {
		p.record(c, r, p.offset(src), r, p.offset(dst))
	})
}

// Export writes the hand-over form.
func (p *pages) Export(dst []byte, page int32, n int) error {
	var err error
	if p.transfer != nil {
		err = p.move(func(c C.VkCommandBuffer, r *region, part int) {
			p.record(c, r, p.offset(page), p.transfer, part*p.partBytes)
		})
	} else {
		err = p.dev.alive()
	}
	if err != nil {
		return err
	}
	p.convert(dst, page, n, true)
	return nil
}

// Import reads it.
func (p *pages) Import(page int32, src []byte, n int) {
	p.convert(src, page, n, false)
	if p.transfer != nil {
		p.move(func(c C.VkCommandBuffer, r *region, part int) {
			p.record(c, p.transfer, part*p.partBytes, r, p.offset(page))
		})
	}
}

func (p *pages) offset(page int32) int { return int(page) * p.partBytes }

// record records the copy of a part of a page.
func (p *pages) record(c C.VkCommandBuffer, from *region, fromOffset int, to *region, toOffset int) {
	C.record_copy(p.dev.gpu, c, from.buffer.handle, C.uint64_t(fromOffset), to.buffer.handle, C.uint64_t(toOffset), C.uint64_t(p.partBytes))
}

// move runs the copies that record gives for each region. Of those who call it only
// Export reports that the GPU is lost: the others' pages are of no use then, as the
// next run says.
func (p *pages) move(record func(c C.VkCommandBuffer, r *region, part int)) error {
	d := p.dev
	d.runMu.Lock()
	defer d.runMu.Unlock()
	if p.partBytes == 0 {
		return nil
	}
	if err := d.aliveLocked(); err != nil {
		return err
	}
	w := recorder{d: d}
	err := w.once(func(c C.VkCommandBuffer) error {
		for part, r := range p.regions {
			record(c, r, part)
		}
		C.record_host_barrier(d.gpu, c)
		return nil
	})
	d.lost = d.lost || err != nil
	return err
}

// part is a page's part of a region as the host sees it: in transfer, or where it lies.
func (p *pages) part(page int32, region int) []byte {
	if p.transfer != nil {
		return p.transfer.bytes()[region*p.partBytes:][:p.partBytes]
	}
	return p.regions[region].bytes()[p.offset(page):][:p.partBytes]
}

// convert moves n positions between the page as the host sees it and its hand-over form.
func (p *pages) convert(form []byte, page int32, n int, export bool) {
	move := func(a, b []byte) {
		if export {
			a, b = b, a
		}
		copy(a, b)
	}
	for _, l := range p.layers {
		position := l.Heads * p.kv.RowBytes(l.HeadDim)
		own := p.part(page, l.region)[l.offset:]
		for range 2 { // K, V
			if p.kv == op.Q8_0 {
				p.convertQuants(own, form, n*l.Heads*l.HeadDim/32, l, export)
			} else {
				move(own[:n*position], form[:n*position])
			}
			own, form = own[halfBytes(p.kv, l.KVLayer):], form[op.PageTokens*position:]
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
