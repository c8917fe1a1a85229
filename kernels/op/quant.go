package op

import (
	"encoding/binary"
	"math"
)

// Dequantize writes the values of src, blocks of format t, to dst: the plain
// definition that every kernel is measured against. len(dst) is a multiple of
// t.BlockValues() and len(src) is t.RowBytes(len(dst)); anything else panics.
//
// The layouts are facts of the GGUF file format as ggml-common.h of llama.cpp
// declares them (block_q4_0 to block_q6_K). d and m below are the f16 scale and
// minimum of a block, q its unsigned quants. Products are exact in f32, so the
// result does not depend on whether a compiler fuses the multiply and the add.
func Dequantize(t DType, dst []float32, src []byte) {
	l := checkLengths(t, len(dst), len(src))
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
		return
	case F16:
		for i := range dst {
			dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return
	case BF16:
		for i := range dst {
			dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return
	}
	decode := decoders[t]
	for ; len(dst) > 0; dst, src = dst[l.values:], src[l.blockBytes:] {
		decode(dst[:l.values], src[:l.blockBytes])
	}
}

func checkLengths(t DType, values, bytes int) layout {
	l, ok := layouts[t]
	if !ok || values%l.values != 0 || bytes != values/l.values*l.blockBytes {
		panic("op: " + t.String() + ": a length is not that of whole blocks")
	}
	return l
}

var decoders = map[DType]func(x []float32, b []byte){
	Q4_0: decodeQ4_0, Q4_1: decodeQ4_1, Q5_0: decodeQ5_0, Q5_1: decodeQ5_1,
	Q8_0: decodeQ8_0, Q4_K: decodeQ4_K, Q5_K: decodeQ5_K, Q6_K: decodeQ6_K,
}

// half reads the f16 at the start of b.
func half(b []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(b)) }

// decodeQ4_0: d, 16 bytes of nibbles; the low ones are values 0 to 15. x = d*(q-8).
func decodeQ4_0(x []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:18] {
		x[i] = d * float32(int(q&15)-8)
		x[i+16] = d * float32(int(q>>4)-8)
	}
}

// decodeQ4_1: d, m, nibbles as in Q4_0. x = d*q + m.
func decodeQ4_1(x []float32, b []byte) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		x[i] = d*float32(q&15) + m
		x[i+16] = d*float32(q>>4) + m
	}
}

// decodeQ5_0: d, 32 fifth bits, nibbles as in Q4_0. x = d*(q-16).
func decodeQ5_0(x []float32, b []byte) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		x[i] = d * float32(int(q&15)|int(high>>i&1)<<4-16)
		x[i+16] = d * float32(int(q>>4)|int(high>>(i+16)&1)<<4-16)
	}
}

// decodeQ5_1: d, m, 32 fifth bits, nibbles as in Q4_0. x = d*q + m.
func decodeQ5_1(x []float32, b []byte) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		x[i] = d*float32(int(q&15)|int(high>>i&1)<<4) + m
		x[i+16] = d*float32(int(q>>4)|int(high>>(i+16)&1)<<4) + m
	}
}

// decodeQ8_0: d, 32 signed bytes. x = d*q.
func decodeQ8_0(x []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:34] {
		x[i] = d * float32(int8(q))
	}
}

// decodeQ4_K: d, dmin, 12 bytes of scales, then per 64 values 32 bytes whose low
// nibbles are the first 32. x = d*scale*q - dmin*min, for each group of 32.
func decodeQ4_K(x []float32, b []byte) {
	d, dmin := half(b), half(b[2:])
	for g := range 8 {
		scale, minimum := kScale(b[4:16], g)
		dg, mg := d*float32(scale), dmin*float32(minimum)
		y, low, shift := x[g*32:][:32], b[16+g/2*32:][:32], g%2*4
		for i := range y {
			y[i] = dg*float32(low[i]>>shift&15) - mg
		}
	}
}

// decodeQ5_K is Q4_K with 32 bytes of fifth bits before the nibbles: bit g of
// byte i belongs to value i of group g.
func decodeQ5_K(x []float32, b []byte) {
	d, dmin := half(b), half(b[2:])
	high := b[16:48]
	for g := range 8 {
		scale, minimum := kScale(b[4:16], g)
		dg, mg := d*float32(scale), dmin*float32(minimum)
		y, low, shift := x[g*32:][:32], b[48+g/2*32:][:32], g%2*4
		for i := range y {
			q := low[i]>>shift&15 | high[i]>>g&1<<4
			y[i] = dg*float32(q) - mg
		}
	}
}

// kScale gives group g's 6-bit scale and minimum out of the 12 bytes of Q4_K and
// Q5_K: groups 0 to 3 hold them in the low 6 bits of bytes g and g+4, groups 4
// to 7 hold 4 bits of each in byte g+4 and the rest in the top bits of the former.
func kScale(s []byte, g int) (scale, minimum byte) {
	if g < 4 {
		return s[g] & 63, s[g+4] & 63
	}
	return s[g+4]&15 | s[g-4]>>6<<4, s[g+4]>>4 | s[g]>>6<<4
}

// decodeQ6_K: 128 bytes of low nibbles, 64 bytes of bit pairs, 16 signed scales
// (one per 16 values), d. In each half of 128 values, group g of 32 has its
// nibbles in bytes g%2*32.. (high ones from g = 2) and its pairs at bit 2g.
// x = d*scale*(q-32).
func decodeQ6_K(x []float32, b []byte) {
	d := half(b[208:])
	for g := range 8 {
		h, j := g/4, g%4
		y, low, nibble := x[g*32:][:32], b[h*64+j%2*32:][:32], j/2*4
		pairs, pair := b[128+h*32:][:32], 2*j
		scales := [2]float32{d * float32(int8(b[192+g*2])), d * float32(int8(b[193+g*2]))}
		for i := range y {
			q := low[i]>>nibble&15 | pairs[i]>>pair&3<<4
			y[i] = scales[i/16] * float32(int(q)-32)
		}
	}
}
