package machine

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// TestCoresOfThread binds a thread to one of the CPUs that it has. The thread ends
// with the test, since nobody unlocks it.
func TestCoresOfThread(t *testing.T) {
	before := allowedCPUs()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		last := before[len(before)-1]
		var mask [1 << 10]uint64
		mask[last/64] = 1 << (last % 64)
		if _, _, err := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); err != 0 {
			t.Errorf("binding to CPU %d: %v", last, err)
			return
		}
		if cpus := allowedCPUs(); len(cpus) != 1 || cpus[0] != last || Cores() != 1 {
			t.Errorf("bound to CPU %d: may run on %v, %d cores", last, cpus, Cores())
		}
	}()
	<-done
	if n := Cores(); n < 1 || n > len(before) {
		t.Errorf("%d cores of CPUs %v", n, before)
	}
}
