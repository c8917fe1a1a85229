package machine

import (
	"math/bits"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Cores is how many cores this process may keep busy: those that its affinity
// allows, hardware threads of one core counted once, within its control groups' quota.
func Cores() int { return cores(os.DirFS("/"), allowedCPUs()) }

// allowedCPUs are the numbers of the CPUs that the calling thread may run on,
// which are its process's unless somebody pinned it.
func allowedCPUs() []int {
	var mask [1 << 10]uint64 // 65,536 CPUs; the kernel's own bound is 8,192
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	var cpus []int
	for i, word := range mask {
		for ; word != 0; word &= word - 1 {
			cpus = append(cpus, 64*i+bits.TrailingZeros64(word))
		}
	}
	if len(cpus) > 0 {
		return cpus
	}
	for cpu := range runtime.NumCPU() { // a sandbox that refuses the call
		cpus = append(cpus, cpu)
	}
	return cpus
}
