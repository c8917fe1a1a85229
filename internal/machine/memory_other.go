//go:build !linux

package machine

// ReadMemory reports the memory, false where the system does not tell.
func ReadMemory() (Memory, bool) { return Memory{}, false }

// ReadProcess reports what a process takes, false where the system does not tell.
func ReadProcess(int) (Process, bool) { return Process{}, false }
