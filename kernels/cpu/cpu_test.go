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
			kerneltest.Run(t, func(t testing.TB, threads int) op.Device { return open(t, threads, isa) })
		})
	}
}

func open(t testing.TB, threads int, isa string) op.Device {
	d, err := Open(Options{Threads: threads, ISA: isa})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// BenchmarkShapes profiles the best rung, or what TANDEM_CPU_ISA forces:
//
//	go test ./kernels/cpu -run NONE -bench Shapes/Q4_K
func BenchmarkShapes(b *testing.B) {
	kerneltest.Bench(b, func(t testing.TB, threads int) op.Device { return open(t, threads, "") }, op.DTypes...)
}
