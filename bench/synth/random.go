package synth

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"

	"tandem/engine/gguf"
	"tandem/kernels/op"
)

const (
	ropeFreqs  = "rope_freqs.weight"
	chunkBytes = 1 << 20 // of a tensor, made at a time
)

// newRandom is the source of tensor i's bits.
func newRandom(seed, i uint64) *rand.PCG { return rand.NewPCG(seed, i) }

// fill writes random bytes over b, whose length is a multiple of 8.
func fill(b []byte, r *rand.PCG) {
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
}

// writeTensor writes t's blocks. Matrices have mean 0 and variance 1/columns, so
// that a product keeps the size of its input, and norms lie about 1.
func (s shapeOf) writeTensor(w io.Writer, t gguf.TensorInfo, r *rand.PCG, report func(bytes int)) error {
	if t.Name == ropeFreqs {
		return writeFloats(w, s.ropeDivisors(), report)
	}
	if len(t.Dims) == 1 {
		middle, spread := float32(1), float32(0.1)
		if strings.HasSuffix(t.Name, ".bias") {
			middle = 0
		}
		x := make([]float32, t.Dims[0])
		for i := range x {
			x[i] = middle + spread*signed(r.Uint64())
		}
		return writeFloats(w, x, report)
	}
	shape, err := newBlocks(t.Type, 1/math.Sqrt(float64(t.Dims[0])))
	if err != nil {
		return err
	}
	// A chunk is whole blocks; the random bytes run on to a multiple of 8.
	size := t.Type.BlockBytes()
	buffer := make([]byte, chunkBytes/size*size+8)
	for left := t.Bytes(); left > 0; {
		n := int(min(left, chunkBytes/int64(size)*int64(size)))
		fill(buffer[:(n+7)&^7], r)
		for at := 0; at < n; at += size {
			shape(buffer[at : at+size])
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
		report(n)
	}
	return nil
}

// signed maps random bits to -1..1.
func signed(bits uint64) float32 { return float32(int32(bits)) / (1 << 31) }

func writeFloats(w io.Writer, x []float32, report func(bytes int)) error {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	report(len(b))
	return nil
}

// ropeDivisors is the "llama3" scaling of the rotations' frequencies (transformers,
// modeling_rope_utils.py) with Llama 3.2's factor of 32, in GGUF's form: what
// each frequency is divided by.
func (s shapeOf) ropeDivisors() []float32 {
	const factor, low, high, trained = 32, 1, 4, 8192
	out := make([]float32, s.headDim()/2)
	for k := range out {
		f := math.Pow(float64(s.theta), -2*float64(k)/float64(s.headDim()))
		length := 2 * math.Pi / f
		switch {
		case length < trained/high:
			out[k] = 1
		case length > trained/low:
			out[k] = factor
		default:
			t := (trained/length - low) / (high - low)
			out[k] = float32(1 / ((1-t)/factor + t))
		}
	}
	return out
}

// newBlocks gives the function that turns random bytes into a block of type t
// whose values have mean 0 and standard deviation sigma. Quants stay the random
// bits they are; what it writes are scales, one of eight sizes about the right
// one, chosen by the random bits it writes over.
func newBlocks(t op.DType, sigma float64) (func(b []byte), error) {
	root3 := float32(sigma * math.Sqrt(3)) // uniform in ±sqrt(3) has deviation 1
	switch t {
	case op.F32:
		return func(b []byte) {
			x := root3 * signed(uint64(binary.LittleEndian.Uint32(b)))
			binary.LittleEndian.PutUint32(b, math.Float32bits(x))
		}, nil
	case op.F16:
		return func(b []byte) {
			binary.LittleEndian.PutUint16(b, op.F32ToF16(root3*signed(uint64(binary.LittleEndian.Uint16(b))<<16)))
		}, nil
	case op.BF16:
		return func(b []byte) {
			binary.LittleEndian.PutUint16(b, op.F32ToBF16(root3*signed(uint64(binary.LittleEndian.Uint16(b))<<16)))
		}, nil
	case op.Q4_0, op.Q5_0, op.Q8_0:
		d := scales(sigma/deviation[t], true)
		return func(b []byte) { binary.LittleEndian.PutUint16(b, d[b[0]&7]) }, nil
	case op.Q4_1, op.Q5_1:
		d := scales(sigma/deviation[t], false)
		m := scales(-sigma/deviation[t]*middle[t], false)
		return func(b []byte) {
			i := b[0] & 7
			binary.LittleEndian.PutUint16(b, d[i])
			binary.LittleEndian.PutUint16(b[2:], m[i])
		}, nil
	case op.Q4_K, op.Q5_K:
		d := scales(sigma/deviation[t]/kScaleSize, false)
		m := scales(sigma/deviation[t]/kScaleSize*middle[t], false)
		return func(b []byte) {
			i := b[0] & 7
			binary.LittleEndian.PutUint16(b, d[i])
			binary.LittleEndian.PutUint16(b[2:], m[i])
			equalScales(b[4:16])
		}, nil
	case op.Q6_K:
		d := scales(sigma/deviation[t]/q6ScaleSize, false)
		return func(b []byte) {
			for i, s := range b[192:208] {
				// 64..127 or -128..-65: large, either sign.
				b[192+i] = s&^0x40 | ^s>>1&0x40
			}
			binary.LittleEndian.PutUint16(b[208:], d[b[208]&7])
		}, nil
	}
	return nil, fmt.Errorf("%s: random blocks of this type are not known: choose one of %v", t, op.DTypes)
}

// deviation of a type's quants when their bits are random, for 2^n levels
// sqrt((4^n - 1) / 12); middle is their mean, where it is taken off by a minimum.
var (
	deviation = map[op.DType]float64{op.Q4_0: 4.61, op.Q4_1: 4.61, op.Q5_0: 9.23, op.Q5_1: 9.23, op.Q8_0: 73.9, op.Q4_K: 4.61, op.Q5_K: 9.23, op.Q6_K: 18.47}
	middle    = map[op.DType]float64{op.Q4_1: 7.5, op.Q5_1: 15.5, op.Q4_K: 7.5, op.Q5_K: 15.5}
)

const (
	kScaleSize  = 48.4 // root mean square of 32..63
	q6ScaleSize = 98.0 // of ±64..127
)

// scales are f16 of eight sizes about x; with bothSigns half of them are
// negative, which takes off the mean of quants that are not symmetric.
func scales(x float64, bothSigns bool) (list [8]uint16) {
	for i := range list {
		size := x * (0.825 + 0.05*float64(i))
		if bothSigns && i%2 == 1 {
			size = -size
		}
		list[i] = op.F32ToF16(float32(size))
	}
	return list
}

// equalScales makes the eight scales and minima of a K block equal in pairs, so
// that each minimum takes off the mean of its group, and at least 32. Groups 0-3
// lie in the low 6 bits of bytes g and g+4; 4-7 in the nibbles of byte g+4 and
// the top bits of those.
func equalScales(s []byte) {
	for g := range 4 {
		s[g] |= 0xa0
		s[g+4] = s[g]
		s[g+8] = s[g+8]&15 | s[g+8]<<4
	}
}
