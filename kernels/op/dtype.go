package op

import "fmt"

// DType is the storage format of a tensor, named and numbered as in GGUF
// (ggml's enum ggml_type), so that a file's type field is a DType.
type DType uint32

// The formats that every device reads. Q4_0 to Q8_0 hold groups of 32 values,
// the K formats super-blocks of 256.
const (
	F32  DType = 0
	F16  DType = 1
	Q4_0 DType = 2
	Q4_1 DType = 3
	Q5_0 DType = 6
	Q5_1 DType = 7
	Q8_0 DType = 8
	Q4_K DType = 12
	Q5_K DType = 13
	Q6_K DType = 14
	BF16 DType = 30
)

// DTypes lists every supported format, in order of its number.
var DTypes = []DType{F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16}

// layout is what a format's blocks look like from outside.
type layout struct {
	name       string
	values     int // values in a block
	blockBytes int // bytes in a block
}

var layouts = map[DType]layout{
	F32:  {"F32", 1, 4},
	F16:  {"F16", 1, 2},
	BF16: {"BF16", 1, 2},
	Q4_0: {"Q4_0", 32, 2 + 16},
	Q4_1: {"Q4_1", 32, 2 + 2 + 16},
	Q5_0: {"Q5_0", 32, 2 + 4 + 16},
	Q5_1: {"Q5_1", 32, 2 + 2 + 4 + 16},
	Q8_0: {"Q8_0", 32, 2 + 32},
	Q4_K: {"Q4_K", 256, 2 + 2 + 12 + 128},
	Q5_K: {"Q5_K", 256, 2 + 2 + 12 + 32 + 128},
	Q6_K: {"Q6_K", 256, 128 + 64 + 16 + 2},
}

// IsFloat reports whether values of the type stand alone: F32, F16 and BF16.
func (t DType) IsFloat() bool { return t == F32 || t == F16 || t == BF16 }

// Known reports whether t is a format of this package.
func (t DType) Known() bool { _, ok := layouts[t]; return ok }

// String gives the format's GGUF name.
func (t DType) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// ParseDType finds a format by its GGUF name.
func ParseDType(name string) (DType, bool) {
	for t, l := range layouts {
		if l.name == name {
			return t, true
		}
	}
	return 0, false
}

// BlockValues is the number of values that share a block, 0 for an unknown format.
func (t DType) BlockValues() int { return layouts[t].values }

// BlockBytes is the size of a block in bytes, 0 for an unknown format.
func (t DType) BlockBytes() int { return layouts[t].blockBytes }

// RowBytes is the size in bytes of n values in a row; n must be a multiple of
// [DType.BlockValues].
func (t DType) RowBytes(n int) int {
	l := layouts[t]
	return n / l.values * l.blockBytes
}
