//go:build unix

package workspace

import (
	"os"
	"syscall"
)

// readFlags open a file without waiting for the other end of a pipe, and without
// making a terminal the process's own.
const readFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
