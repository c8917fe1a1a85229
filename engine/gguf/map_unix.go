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

// dropBytes takes the pages that hold any of mapping[from:to] out of this process.
// They are rounded outwards: the mapping is read-only, so that a page somebody else
// still reads only comes back. A system that refuses keeps them, which costs memory
// and nothing else.
func dropBytes(mapping []byte, from, to int) {
	page := os.Getpagesize()
	from = from / page * page
	to = min((to+page-1)/page*page, len(mapping))
	unix.Madvise(mapping[from:to], unix.MADV_DONTNEED)
}
