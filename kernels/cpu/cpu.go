// Package cpu is the device that is always there: C kernels on the processor's
// own cores. A run is one call into C, in which a pool of workers walks the
// whole list of ops. Weights are repacked at load into tiles of 16 interleaved
// rows; activations are quantised to int8 per row in groups of 32. A row's
// result depends on nothing but the row and its keys: not on its batch, its
// chunk or the number of workers. docs/kernels.md explains the layouts.
package cpu

/*
#cgo CFLAGS: -std=c11 -Wall -Wextra
#cgo !race CFLAGS: -O3
#cgo race CFLAGS: -O1
#cgo LDFLAGS: -lm -lpthread
// The race detector watches Go, not C: for it the kernels are compiled in half the time.
#include "cpu.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"tandem/internal/machine"
	"tandem/kernels/op"
)

// rungNames are the instruction sets that kernels exist for, by C's enum.
var rungNames = [C.RUNGS]string{
	C.RUNG_GENERIC:    "generic",
	C.RUNG_NEONDOT:    "neondot",
	C.RUNG_AVX2:       "avx2",
	C.RUNG_AVXVNNI:    "avxvnni",
	C.RUNG_AMX:        "amx",
	C.RUNG_AVX512VNNI: "avx512vnni",
	C.RUNG_AVX512BF16: "avx512bf16",
}

// ISAEnv is the environment variable that forces a rung, for tests and bug reports.
const ISAEnv = "TANDEM_CPU_ISA"

// Options of a device.
type Options struct {
	Threads int    // workers; 0: as many cores as the process may use
	ISA     string // a rung's name; "": $TANDEM_CPU_ISA, else the best supported
}

// Device is the processor. Its workers sleep when nothing runs.
type Device struct {
	threads int
	rung    int

	poolMu sync.Mutex
	pool   *C.struct_pool // one run at a time
}

// Open starts the workers.
func Open(opt Options) (*Device, error) {
	rung, err := chooseRung(opt.ISA)
	if err != nil {
		return nil, err
	}
	threads := opt.Threads
	if threads <= 0 {
		threads = machine.Cores()
	}
	pool := C.pool_open(C.int(threads), C.int(rung))
	if pool == nil {
		return nil, fmt.Errorf("cpu: cannot start %d threads: use fewer (--threads)", threads)
	}
	return &Device{threads: threads, rung: rung, pool: pool}, nil
}

func chooseRung(name string) (int, error) {
	if name == "" {
		name = os.Getenv(ISAEnv)
	}
	for rung := len(rungNames) - 1; rung >= 0; rung-- {
		supported := C.cpu_rung_supported(C.int(rung)) != 0
		if name == rungNames[rung] && !supported {
			return 0, fmt.Errorf("cpu: this processor has no %s; supported: %s", name, strings.Join(Supported(), ", "))
		}
		if supported && (name == "" || name == rungNames[rung]) {
			return rung, nil
		}
	}
	return 0, fmt.Errorf("cpu: unknown instruction set %q; supported here: %s", name, strings.Join(Supported(), ", "))
}

// ISAs names all rungs, those that this processor cannot run, too.
func ISAs() []string { return rungNames[:] }

// Supported names the rungs that this processor can run, slowest first.
func Supported() []string {
	var names []string
	for rung, name := range rungNames {
		if C.cpu_rung_supported(C.int(rung)) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// Info says which rung runs on how many threads.
func (d *Device) Info() op.Info {
	return op.Info{
		Name: "cpu", ISA: rungNames[d.rung], Threads: d.threads,
		Detail: fmt.Sprintf("%s/%s, kernels: %s", runtime.GOOS, runtime.GOARCH, strings.Join(Supported(), ", ")),
	}
}

// Close ends the workers. Executables must be closed first.
func (d *Device) Close() error {
	d.poolMu.Lock()
	defer d.poolMu.Unlock()
	if d.pool == nil {
		return errors.New("cpu: closed twice")
	}
	C.pool_close(d.pool)
	d.pool = nil
	return nil
}

// run walks ops [first, last) of p on all workers.
func (d *Device) run(p *C.struct_cpu_program, first, last int) {
	d.poolMu.Lock()
	defer d.poolMu.Unlock()
	C.cpu_run(d.pool, p, C.int(first), C.int(last))
}

const (
	limitBytes   = 512 << 20 // larger than any cache
	limitRepeats = 5
)

// Limits measures what the machine allows right now with this device's threads:
// the best of five reads of 512 MB in GB/s, and int8 multiply-adds from
// registers in 10^12 operations per second (two each).
func (d *Device) Limits(ctx context.Context) (readGBs, teraOps float64, err error) {
	p := C.cpu_alloc(limitBytes)
	if p == nil {
		return 0, 0, fmt.Errorf("cpu: limits: %w", op.ErrOutOfMemory)
	}
	defer C.cpu_free(p)
	clear(unsafe.Slice((*byte)(p), limitBytes))
	d.poolMu.Lock()
	defer d.poolMu.Unlock()
	for range limitRepeats {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		readGBs = max(readGBs, float64(C.cpu_read_gb_s(d.pool, (*C.uint8_t)(p), limitBytes)))
		teraOps = max(teraOps, float64(C.cpu_tera_ops(d.pool)))
	}
	return readGBs, teraOps, nil
}
