// Package machine asks the operating system what this computer has to give.
// It knows nothing of who wants it.
package machine

// Memory is the main memory in bytes.
type Memory struct {
	Total int64
	// Available can be had without pushing other programs out, a container's
	// limit respected.
	Available int64
}

// Process is the main memory that a process takes, in bytes, C's heap included.
type Process struct {
	Resident  int64 // all of it
	Anonymous int64 // of that, not a file's; 0 where the system does not tell
}
