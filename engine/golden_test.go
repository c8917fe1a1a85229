package engine

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// goldenInts reads an I32 tensor of a golden file, which is a safetensors file:
// the length of a JSON header, the header, the data.
func goldenInts(t *testing.T, arch, name string) []int32 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(golden(arch)), "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	body := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:body], &header); err != nil {
		t.Fatal(err)
	}
	var tensor struct {
		DType   string `json:"dtype"`
		Offsets []int  `json:"data_offsets"`
	}
	if err := json.Unmarshal(header[name], &tensor); err != nil || tensor.DType != "I32" {
		t.Fatalf("%s: %s is %s, %v", arch, name, header[name], err)
	}
	bytes := data[body:][tensor.Offsets[0]:tensor.Offsets[1]]
	ints := make([]int32, len(bytes)/4)
	for i := range ints {
		ints[i] = int32(binary.LittleEndian.Uint32(bytes[4*i:]))
	}
	return ints
}
