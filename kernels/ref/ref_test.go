package ref_test

import (
	"testing"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// TestKernels holds ref against itself: on other numbers of threads, in other
// chunks and batches it must give the same bits.
func TestKernels(t *testing.T) {
	kerneltest.Run(t, func(t testing.TB, threads int) op.Device { return ref.Open(threads) })
}
