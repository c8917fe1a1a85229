package op

import "math"

// RopeFreqs gives the rotation per position of each pair, theta^(-2k/dim),
// k = 0..dim/2-1 (Su et al. 2021, §3.4.2). divisor, if not nil, divides each one:
// GGUF's rope_freqs tensor, which carries llama3 scaling.
func RopeFreqs(dim int, theta float64, divisor []float32) []float32 {
	freqs := make([]float32, dim/2)
	for k := range freqs {
		f := math.Pow(theta, -2*float64(k)/float64(dim))
		if divisor != nil {
			f /= float64(divisor[k])
		}
		freqs[k] = float32(f)
	}
	return freqs
}

// RopeTable fills cos and sin, (rows, len(freqs)) each, for the rows' positions.
// Every device uses it, in f64, so that a key's rotation never depends on where
// or in which batch it was computed.
func RopeTable(cos, sin []float32, rows []Row, freqs []float32) {
	for r, row := range rows {
		for k, f := range freqs {
			s, c := math.Sincos(float64(row.Pos) * float64(f))
			cos[r*len(freqs)+k], sin[r*len(freqs)+k] = float32(c), float32(s)
		}
	}
}
