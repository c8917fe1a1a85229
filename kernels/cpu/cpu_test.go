package cpu

import (
	"testing"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
)

// Every rung that this processor has passes the same tests; the others are
// named in the output as skipped.
func TestKernels(t *testing.T) {
	for _, isa := range rungNames {
		t.Run(isa, func(t *testing.T) {
			if _, err := chooseRung(isa); err != nil {
				t.Skip(err)
			}
			kerneltest.Run(t, func(t testing.TB, threads int) op.Device {
				d, err := Open(Options{Threads: threads, ISA: isa})
				if err != nil {
					t.Fatal(err)
				}
				return d
			})
		})
	}
}
