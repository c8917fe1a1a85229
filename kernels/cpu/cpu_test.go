// Package cpu_test is outside of package cpu, so that the tests need no second
// compilation of the kernels, which takes a minute.
package cpu_test

import (
	"slices"
	"testing"

	"tandem/kernels/cpu"
	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
)

// Every rung that this processor has passes the same tests; the others are
// named in the output as skipped. Where time is short, as it is under the race
// detector, the best one does: all that is Go is the same for each.
func TestKernels(t *testing.T) {
	supported := cpu.Supported()
	best := supported[len(supported)-1]
	for _, isa := range cpu.ISAs() {
		t.Run(isa, func(t *testing.T) {
			needs(t, isa)
			if testing.Short() && isa != best {
				t.Skip("left out by -short: run it without to test every rung")
			}
			kerneltest.Run(t, func(t testing.TB, threads int) op.Device { return open(t, threads, isa) })
		})
	}
}

// needs leaves the test out where the processor has no such instructions.
func needs(t *testing.T, isa string) {
	t.Helper()
	if supported := cpu.Supported(); !slices.Contains(supported, isa) {
		t.Skipf("this processor has no %s, only %v", isa, supported)
	}
}

func open(t testing.TB, threads int, isa string) op.Device {
	t.Helper()
	d, err := cpu.Open(cpu.Options{Threads: threads, ISA: isa})
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
