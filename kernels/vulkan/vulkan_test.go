package vulkan

import (
	"testing"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
)

// open opens the best device, or skips where there is none.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(Options{Index: -1, CacheDir: t.TempDir()})
	if err != nil {
		t.Skip(err)
	}
	return d
}

// TestKernels runs on whatever GPU there is; CI has a software driver.
func TestKernels(t *testing.T) {
	kerneltest.Run(t, func(t testing.TB, _ int) op.Device { return open(t) })
}
