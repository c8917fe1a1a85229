package vulkan

import (
	"encoding/binary"

	"tandem/kernels/op"
)

// A quantised matrix of n groups of 32 values along k, row by row, lies on the
// GPU as planes, one behind the other:
//
//	quads   16 bytes a group: byte i holds value i in the low and i+16 in the high
//	        half; for Q8_0 values 0-15
//	high    Q8_0: 16 bytes, values 16-31
//	        Q5: 4 bytes; bit 8b+j is bit 4 of value 4j+b
//	        Q6_K: 8 bytes; bits 8b+2j of word w are bits 4-5 of value 16w+4j+b
//	supers  K formats: 4 bytes for 8 groups: d and dmin, f16 (Q6_K: d)
//	scales  2 bytes: d; Q4_K, Q5_K: the 6-bit scale and minimum; Q6_K: the scales of
//	        values 0-15 and 16-31. 4 bytes for Q4_1, Q5_1: d and m
//
// So neighbouring threads, which take neighbouring groups, read neighbouring
// bytes, 16 each, and one shift and mask bring four values' bits into place.
// Float matrices stay as the file has them.
type planes struct {
	quads, high, supers, scales int // bytes for 8 groups of each plane
}

var planesOf = map[op.DType]planes{
	op.Q4_0: {quads: 128, scales: 16},
	op.Q4_1: {quads: 128, scales: 32},
	op.Q5_0: {quads: 128, high: 32, scales: 16},
	op.Q5_1: {quads: 128, high: 32, scales: 32},
	op.Q8_0: {quads: 128, high: 128, scales: 16},
	op.Q4_K: {quads: 128, supers: 4, scales: 16},
	op.Q5_K: {quads: 128, high: 32, supers: 4, scales: 16},
	op.Q6_K: {quads: 128, high: 64, supers: 4, scales: 16},
}

const groupValues = 32 // that share a scale and are multiplied together

// groupOf is how many values of a row of that type are the least that a thread takes.
func groupOf(t op.DType) int {
	if t.IsFloat() {
		return 16
	}
	return groupValues
}

// planeSizes are the bytes of each plane of n groups, whole rows, in order; a float
// matrix has one.
func planeSizes(t op.DType, n int) []int {
	if t.IsFloat() {
		return []int{t.RowBytes(n * groupOf(t))}
	}
	p := planesOf[t]
	return []int{p.quads * n / 8, p.high * n / 8, p.supers * n / 8, p.scales * n / 8}
}

// repackRow moves a row of n groups from the file's order to its place in each plane.
func repackRow(t op.DType, row []byte, n int, to [][]byte) {
	if t.IsFloat() {
		copy(to[0], row)
		return
	}
	quads, high, supers, scales := to[0], to[1], to[2], to[3]
	block := t.BlockBytes()
	switch t {
	case op.Q4_0, op.Q4_1, op.Q5_0, op.Q5_1, op.Q8_0:
		head := planesOf[t].scales / 8 // d, or d and m
		for g := range n {
			b := row[g*block:][:block]
			copy(scales[g*head:], b[:head])
			copy(quads[g*16:], b[block-16:])
			switch t {
			case op.Q5_0, op.Q5_1:
				binary.LittleEndian.PutUint32(high[g*4:], spreadBits(binary.LittleEndian.Uint32(b[head:])))
			case op.Q8_0:
				copy(quads[g*16:], b[2:18])
				copy(high[g*16:], b[18:34])
			}
		}
	case op.Q4_K, op.Q5_K:
		for at := 0; at < n; at += 8 {
			b := row[at/8*block:][:block]
			copy(supers[at/2:], b[:4])
			for g := range 8 {
				scales[2*(at+g)], scales[2*(at+g)+1] = kScale(b[4:16], g)
				packNibbles(quads[(at+g)*16:], b[block-128+g/2*32:], g%2*4)
				if t == op.Q5_K {
					binary.LittleEndian.PutUint32(high[(at+g)*4:], gatherBits(b[16:48], g))
				}
			}
		}
	case op.Q6_K:
		for at := 0; at < n; at += 8 {
			b := row[at/8*block:][:block]
			copy(supers[at/2:], b[208:210])
			copy(scales[2*at:], b[192:208])
			for g := range 8 {
				packNibbles(quads[(at+g)*16:], b[g/4*64+g%2*32:], g%4/2*4)
				binary.LittleEndian.PutUint64(high[(at+g)*8:], gatherPairs(b[128+g/4*32:], 2*(g%4)))
			}
		}
	}
}

// packNibbles takes the nibbles at bit shift of 32 bytes.
func packNibbles(to, from []byte, shift int) {
	const mask = 0x0f0f0f0f0f0f0f0f
	for i := 0; i < 16; i += 8 {
		low := binary.LittleEndian.Uint64(from[i:]) >> shift & mask
		high := binary.LittleEndian.Uint64(from[16+i:]) >> shift & mask
		binary.LittleEndian.PutUint64(to[i:], low|high<<4)
	}
}

// spreadBits moves bit 4j+b to bit 8b+j.
func spreadBits(bits uint32) (to uint32) {
	for j := range 8 {
		// The product puts bit b of four also at bit 8b.
		to |= bits >> (4 * j) & 15 * 0x00204081 & 0x01010101 << j
	}
	return to
}

// gatherBits takes bit i of 32 bytes: that of byte 4j+b becomes bit 8b+j.
func gatherBits(from []byte, i int) (to uint32) {
	for j := range 8 {
		to |= binary.LittleEndian.Uint32(from[4*j:]) >> i & 0x01010101 << j
	}
	return to
}

// gatherPairs takes the pairs at bit shift of 32 bytes: those of byte 16w+4j+b
// become bits 8b+2j of word w.
func gatherPairs(from []byte, shift int) (to uint64) {
	for w := range 2 {
		for j := range 4 {
			pairs := binary.LittleEndian.Uint32(from[16*w+4*j:]) >> shift & 0x03030303
			to |= uint64(pairs<<(2*j)) << (32 * w)
		}
	}
	return to
}

// kScale is group g's 6-bit scale and minimum out of the 12 bytes of Q4_K and
// Q5_K; op's decoder has the layout.
func kScale(s []byte, g int) (scale, minimum byte) {
	if g < 4 {
		return s[g] & 63, s[g+4] & 63
	}
	return s[g+4]&15 | s[g-4]>>6<<4, s[g+4]>>4 | s[g]>>6<<4
}
