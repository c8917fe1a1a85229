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
