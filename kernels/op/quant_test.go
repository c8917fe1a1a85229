package op

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// TestDequantizeTable holds one block per format whose byte i is
// (29i² + 131i + 7) mod 251, with the halves 0.0371 and -0.412 written over its
// scale and minimum. The expected values were computed by gguf.quants.dequantize
// of the Python package gguf 2.4.6; the sum is weighted by position, so that two
// values in each other's place change it.
func TestDequantizeTable(t *testing.T) {
	for _, c := range []struct {
		format DType
		halves []int     // offsets of the scale and the minimum
		some   []float32 // values 1, n/4+1, n/2+1, 3n/4+1 and n-1 of n
		sum    float64   // of value i times i+1
	}{
		{Q4_0, []int{0}, []float32{0.259765625, 0.1484375, 0.037109375, 0.111328125, -0.1484375}, 12.208984375},
		{Q4_1, []int{0, 2}, []float32{-0.263671875, -0.2265625, -0.115234375, -0.2265625, -0.041015625}, -43.587890625},
		{Q5_0, []int{0}, []float32{0.22265625, 0.22265625, 0.185546875, -0.111328125, 0.51953125}, 19.705078125},
		{Q5_1, []int{0, 2}, []float32{0.3671875, -0.078125, -0.375, 0.330078125, -0.337890625}, 86.703125},
		{Q8_0, []int{0}, []float32{-3.599609375, -2.5234375, -3.4140625, 3.228515625, 0.66796875}, 170.109375},
		{Q4_K, []int{0, 2}, []float32{25.765625, 4.896484375, 33.763671875, 36.576171875, 21.810546875}, 782742.884765625},
		{Q5_K, []int{0, 2}, []float32{42.46484375, 7.865234375, 46.455078125, 51.271484375, 40.587890625}, 1060998.775390625},
		{Q6_K, []int{208}, []float32{-35.40234375, 40.00390625, 6.234375, -2.783203125, -30.7265625}, 3374.318359375},
	} {
		block := make([]byte, c.format.BlockBytes())
		for i := range block {
			block[i] = byte((29*i*i + 131*i + 7) % 251)
		}
		for i, at := range c.halves {
			binary.LittleEndian.PutUint16(block[at:], F32ToF16([]float32{0.0371, -0.412}[i]))
		}
		n := c.format.BlockValues()
		x := make([]float32, n)
		Dequantize(c.format, x, block)
		for i, at := range []int{1, n/4 + 1, n/2 + 1, 3*n/4 + 1, n - 1} {
			if x[at] != c.some[i] {
				t.Errorf("%v: value %d = %v, want %v", c.format, at, x[at], c.some[i])
			}
		}
		var sum float64
		for i, v := range x {
			sum += float64(v) * float64(i+1)
		}
		if sum != c.sum {
			t.Errorf("%v: weighted sum %v, want %v", c.format, sum, c.sum)
		}
	}
}

// TestQuantizeNearest checks that every value comes back within half a step of
// its block's scale, plus what rounding the scale itself to an f16 can cost.
func TestQuantizeNearest(t *testing.T) {
	// The largest step in units of the block's largest magnitude: 1/levels, for
	// the formats with a minimum 2/levels, for the K formats widened by the
	// rounding of the 6-bit scale and minimum.
	steps := map[DType]float64{
		F32: 0, F16: 1.0 / 1024, BF16: 1.0 / 128,
		Q4_0: 1.0 / 4, Q4_1: 2.0 / 15, Q5_0: 1.0 / 8, Q5_1: 2.0 / 31, Q8_0: 1.0 / 127,
		Q4_K: 2.0/15 + 2.0/63, Q5_K: 2.0/31 + 2.0/63, Q6_K: 1.0/16 + 1.0/127,
	}
	rng := rand.New(rand.NewPCG(3, 1))
	for _, format := range DTypes {
		n := 64 * format.BlockValues()
		x, y, data := make([]float32, n), make([]float32, n), make([]byte, format.RowBytes(n))
		for i := range x {
			x[i] = float32(rng.NormFloat64() * math.Pow(10, float64(i*64/n%5-2)))
		}
		Quantize(format, data, x)
		Dequantize(format, y, data)
		for b := 0; b < n; b += format.BlockValues() {
			block := x[b : b+format.BlockValues()]
			far := farthest(block)
			bound := math.Abs(float64(far)) * (steps[format]/2 + 1.0/1024)
			if format == F32 {
				bound = 0
			}
			for i, v := range block {
				if e := math.Abs(float64(v - y[b+i])); e > bound {
					t.Fatalf("%v: %v came back as %v, off by %v, bound %v", format, v, y[b+i], e, bound)
				}
			}
		}
	}
}

// TestQuantizeEdges: blocks of zeros, of one value, and of one sign come back.
func TestQuantizeEdges(t *testing.T) {
	for _, format := range DTypes {
		for _, v := range []float32{0, 1, -1, 0x1p-3} {
			x := make([]float32, max(format.BlockValues(), 2))
			for i := range x {
				x[i] = v
			}
			data := make([]byte, format.RowBytes(len(x)))
			Quantize(format, data, x)
			Dequantize(format, x, data)
			for _, got := range x {
				if math.Abs(float64(got-v)) > 1e-3*math.Abs(float64(v)) {
					t.Errorf("%v: %v came back as %v", format, v, got)
				}
			}
		}
	}
}

func TestHalfRoundTrip(t *testing.T) {
	for h := range 1 << 16 {
		x := F16ToF32(uint16(h))
		if x != x {
			if back := F32ToF16(x); back&0x7c00 != 0x7c00 || back&0x3ff == 0 {
				t.Fatalf("NaN %04x came back as %04x", h, back)
			}
			continue
		}
		if back := F32ToF16(x); back != uint16(h) {
			t.Fatalf("half %04x = %v came back as %04x", h, x, back)
		}
	}
}

// TestHalfRounding: values on and beside the middle between two halves.
func TestHalfRounding(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x    float32
		f16  uint16
		bf16 uint16
	}{
		{0, 0, 0},
		{float32(math.Copysign(0, -1)), 0x8000, 0x8000},
		{1, 0x3c00, 0x3f80},
		{1 + 0x1p-11, 0x3c00, 0x3f80},           // a tie in f16 goes to even, down
		{1 + 0x1p-10 + 0x1p-11, 0x3c02, 0x3f80}, // and up
		{1 + 0x1p-11 + 0x1p-20, 0x3c01, 0x3f80},
		{1 + 0x1p-8, 0x3c04, 0x3f80}, // a tie in bf16, down
		{1 + 0x1p-7 + 0x1p-8, 0x3c0c, 0x3f82},
		{65504, 0x7bff, 0x4780},
		{65519, 0x7bff, 0x4780},
		{65520, 0x7c00, 0x4780},
		{-inf, 0xfc00, 0xff80},
		{0x1p-14, 0x0400, 0x3880},
		{0x1p-24, 0x0001, 0x3380}, // the smallest subnormal half
		{0x1p-25, 0x0000, 0x3300}, // a tie between it and zero
		{0x1.8p-24, 0x0002, 0x33c0},
		{0x1.ffcp-15, 0x0400, 0x3880}, // a subnormal that rounds up to a normal
		{math.MaxFloat32, 0x7c00, 0x7f80},
	} {
		if got := F32ToF16(c.x); got != c.f16 {
			t.Errorf("F32ToF16(%v) = %04x, want %04x", c.x, got, c.f16)
		}
		if got := F32ToBF16(c.x); got != c.bf16 {
			t.Errorf("F32ToBF16(%v) = %04x, want %04x", c.x, got, c.bf16)
		}
	}
}
