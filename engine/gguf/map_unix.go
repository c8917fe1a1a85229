//go:build unix

package gguf

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapBytes maps the first n bytes of file read-only and shared, so that every
// process that has a model open shares its pages.
func mapBytes(file *os.File, n int) ([]byte, func() error, error) {
	data, err := unix.Mmap(int(file.Fd()), 0, n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
