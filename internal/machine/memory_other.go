//go:build !linux

package machine

// ReadMemory reports the memory, false where the system does not tell.
func ReadMemory() (Memory, bool) { return Memory{}, false }
