//go:build !linux

package machine

import "runtime"

// Cores is how many cores this process may keep busy; here every hardware thread
// counts as one.
func Cores() int { return runtime.NumCPU() }
