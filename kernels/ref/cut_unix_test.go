//go:build unix

package ref_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// TestFileCutShort truncates a mapped weight file under a compiled Program: the
// next run must be an error that names the file, in every op that reads weights.
func TestFileCutShort(t *testing.T) {
	const vocab, width = 64, 512
	for name, mapped := range map[string]func(p, ok *op.Tensor) (embed, weight, gate *op.Tensor){
		"embed": func(p, ok *op.Tensor) (*op.Tensor, *op.Tensor, *op.Tensor) { return p, ok, ok },
		"mul":   func(p, ok *op.Tensor) (*op.Tensor, *op.Tensor, *op.Tensor) { return ok, p, ok },
		"gated": func(p, ok *op.Tensor) (*op.Tensor, *op.Tensor, *op.Tensor) { return ok, ok, p },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weights")
			data := mapFile(t, path, vocab*width*4)
			cut := &op.Tensor{Name: "cut", File: path, Type: op.F32, Rows: vocab, Cols: width, Data: data}
			whole := &op.Tensor{Name: "whole", Type: op.F32, Rows: vocab, Cols: width, Data: make([]byte, len(data))}
			embed, weight, gate := mapped(cut, whole)
			b := op.NewBuilder("cut", vocab, 100)
			x := b.Embed(embed)
			b.GatedMatMul(x, gate, gate, op.SiLU)
			p, err := b.Program(b.MatMul(b.Select(x), weight, nil))
			if err != nil {
				t.Fatal(err)
			}
			exec, err := ref.Open(2).Compile(t.Context(), p, op.CompileOptions{RowsMax: 1, LogitsMax: 1, KV: op.F32, Pages: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			batch := &op.Batch{Rows: []op.Row{{Token: vocab - 1, Logits: true}}, Tables: [][]int32{{0}}, Logits: make([]float32, vocab)}
			if err := exec.Run(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			err = exec.Run(t.Context(), batch)
			if !errors.Is(err, op.ErrFileCutShort) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one that says %v and names the file", err, op.ErrFileCutShort)
			}
		})
	}
}

// mapFile maps a new file of n bytes.
func mapFile(t *testing.T, path string, n int) []byte {
	if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := syscall.Mmap(int(f.Fd()), 0, n, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(data) })
	return data
}
