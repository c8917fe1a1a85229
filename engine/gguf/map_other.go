//go:build !unix

package gguf

import (
	"io"
	"os"
)

// mapBytes reads the first n bytes of file into memory: right everywhere, and
// as costly as the model is large.
func mapBytes(file *os.File, n int) ([]byte, func() error, error) {
	data := make([]byte, n)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, nil, err
	}
	return data, func() error { return nil }, nil
}

// dropBytes does nothing: the bytes are this process's only copy.
func dropBytes([]byte, int, int) {}
