package op

import "math"

// F16ToF32 widens an IEEE 754 half; exact, NaN payloads included.
func F16ToF32(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	if rest >= 0x7c00 { // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest<<13)
	}
	// Shifted into place, the number is too small by the difference of the
	// exponents' biases, 127-15; the product is exact for subnormals as well.
	const rebias = 0x1p112
	x := math.Float32frombits(rest<<13) * rebias
	return math.Float32frombits(sign | math.Float32bits(x))
}

// F32ToF16 rounds to the nearest half, ties to even; what is too large becomes
// infinity. NaN stays NaN (made quiet), as the conversion of x86 and arm64 does.
func F32ToF16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, rest := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case rest > 0x7f800000:
		return sign | 0x7e00 | uint16(rest>>13&0x3ff)
	case rest >= 0x477ff000: // 65520, half way above the largest half
		return sign | 0x7c00
	case rest < 0x38800000: // below the smallest normal half, 2^-14
		// Adding 1/2 leaves the value in units of 2^-24, a half's last place, in
		// the low bits of the sum, rounded to even by the addition.
		sum := math.Float32frombits(rest) + 0.5
		return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
	}
	rest += 0xfff + rest>>13&1
	return sign | uint16(rest>>13-(127-15)<<10)
}

// BF16ToF32 widens a bfloat16, the upper half of a float32.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even. NaN stays NaN (made quiet).
func F32ToBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
