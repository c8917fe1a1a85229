package op

import (
	"encoding/binary"
	"math"
)

// Quantize stores src in format t, each value at the level nearest to it. It is
// for tests, tools and KV pages: the scale of a block follows from its largest
// value (or from its range), where llama.cpp's quantiser searches for the scale
// of least error. Lengths as for [Dequantize]. Values must be finite and small
// enough that a block's scale fits an f16.
func Quantize(t DType, dst []byte, src []float32) {
	l := checkLengths(t, len(src), len(dst))
	switch t {
	case F32:
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
		return
	case F16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(x))
		}
		return
	case BF16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(x))
		}
		return
	}
	encode := encoders[t]
	clear(dst) // encoders add bits
	for ; len(src) > 0; dst, src = dst[l.blockBytes:], src[l.values:] {
		encode(dst[:l.blockBytes], src[:l.values])
	}
}

var encoders = map[DType]func(b []byte, x []float32){
	Q4_0: encodeQ4_0, Q4_1: encodeQ4_1, Q5_0: encodeQ5_0, Q5_1: encodeQ5_1,
	Q8_0: encodeQ8_0, Q4_K: encodeQ4_K, Q5_K: encodeQ5_K, Q6_K: encodeQ6_K,
}

// putHalf stores x as an f16 and returns what was stored: quants are chosen for
// the scale that a reader will see.
func putHalf(b []byte, x float32) float32 {
	binary.LittleEndian.PutUint16(b, F32ToF16(x))
	return half(b)
}

// level is the quant whose value step*quant is nearest to x, within lo to hi.
func level(x, step float32, lo, hi int) int {
	if step == 0 {
		return min(max(0, lo), hi)
	}
	return int(min(max(math.Round(float64(x/step)), float64(lo)), float64(hi)))
}

// farthest is the value with the largest magnitude, its sign kept.
func farthest(x []float32) float32 {
	var far float32
	for _, v := range x {
		if max(v, -v) > max(far, -far) {
			far = v
		}
	}
	return far
}

// span is the range of x.
func span(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// encodeQ4_0 gives the farthest value the level -8, the one without a positive twin.
func encodeQ4_0(b []byte, x []float32) {
	d := putHalf(b, farthest(x)/-8)
	for i := range 16 {
		b[2+i] = byte(level(x[i], d, -8, 7)+8) | byte(level(x[i+16], d, -8, 7)+8)<<4
	}
}

func encodeQ4_1(b []byte, x []float32) {
	lo, hi := span(x)
	d, m := putHalf(b, (hi-lo)/15), putHalf(b[2:], lo)
	for i := range 16 {
		b[4+i] = byte(level(x[i]-m, d, 0, 15)) | byte(level(x[i+16]-m, d, 0, 15))<<4
	}
}

func encodeQ5_0(b []byte, x []float32) {
	d := putHalf(b, farthest(x)/-16)
	putFive(b[2:], func(i int) int { return level(x[i], d, -16, 15) + 16 })
}

func encodeQ5_1(b []byte, x []float32) {
	lo, hi := span(x)
	d, m := putHalf(b, (hi-lo)/31), putHalf(b[2:], lo)
	putFive(b[4:], func(i int) int { return level(x[i]-m, d, 0, 31) })
}

// putFive stores 32 quants of 5 bits: the fifth bits, then the nibbles.
func putFive(b []byte, quant func(i int) int) {
	var high uint32
	for i := range 32 {
		q := quant(i)
		high |= uint32(q>>4) << i
		b[4+i%16] |= byte(q&15) << (i / 16 * 4)
	}
	binary.LittleEndian.PutUint32(b, high)
}

func encodeQ8_0(b []byte, x []float32) {
	far := farthest(x)
	d := putHalf(b, max(far, -far)/127)
	for i, v := range x {
		b[2+i] = byte(int8(level(v, d, -127, 127)))
	}
}

func encodeQ4_K(b []byte, x []float32) {
	steps, offsets := putKScales(b, x, 15)
	for i, v := range x {
		g := i / 32
		q := level(v+offsets[g], steps[g], 0, 15)
		b[16+g/2*32+i%32] |= byte(q) << (g % 2 * 4)
	}
}

func encodeQ5_K(b []byte, x []float32) {
	steps, offsets := putKScales(b, x, 31)
	for i, v := range x {
		g := i / 32
		q := level(v+offsets[g], steps[g], 0, 31)
		b[16+i%32] |= byte(q>>4) << g
		b[48+g/2*32+i%32] |= byte(q&15) << (g % 2 * 4)
	}
}

// putKScales stores the header of Q4_K and Q5_K for quants up to top and returns
// each group's step and offset as a reader sees them: x = step*q - offset. A
// minimum cannot be positive, so a group above zero is stored from zero.
func putKScales(b []byte, x []float32, top int) (steps, offsets [8]float32) {
	for g := range 8 {
		lo, hi := span(x[g*32 : g*32+32])
		lo, hi = min(lo, 0), max(hi, 0)
		steps[g], offsets[g] = (hi-lo)/float32(top), -lo
	}
	_, stepMax := span(steps[:])
	_, offsetMax := span(offsets[:])
	d, dmin := putHalf(b, stepMax/63), putHalf(b[2:], offsetMax/63)
	for g := range 8 {
		scale, minimum := level(steps[g], d, 0, 63), level(offsets[g], dmin, 0, 63)
		putKScale(b[4:16], g, byte(scale), byte(minimum))
		steps[g], offsets[g] = d*float32(scale), dmin*float32(minimum)
	}
	return steps, offsets
}

// putKScale is the reverse of kScale.
func putKScale(s []byte, g int, scale, minimum byte) {
	if g < 4 {
		s[g] |= scale
		s[g+4] |= minimum
		return
	}
	s[g+4] |= scale&15 | minimum<<4
	s[g-4] |= scale >> 4 << 6
	s[g] |= minimum >> 4 << 6
}

func encodeQ6_K(b []byte, x []float32) {
	var steps [16]float32
	for j := range steps {
		steps[j] = farthest(x[j*16:j*16+16]) / -32
	}
	far := farthest(steps[:])
	d := putHalf(b[208:], max(far, -far)/127)
	for i, v := range x {
		g, j := i/32, i/32%4
		scale := level(steps[i/16], d, -127, 127)
		b[192+i/16] = byte(int8(scale))
		q := level(v, d*float32(scale), -32, 31) + 32
		b[g/4*64+j%2*32+i%32] |= byte(q&15) << (j / 2 * 4)
		b[128+g/4*32+i%32] |= byte(q>>4) << (2 * j)
	}
}
