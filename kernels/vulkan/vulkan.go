// Package vulkan is the device for GPUs, of any maker, through Vulkan 1.3
// compute. The library is opened at run time. Weights are repacked at load into
// planes that threads read side by side; a Program becomes a list of dispatches,
// recorded once for each size of batch and submitted again and again. The
// shaders lie in shaders/, as GLSL and as the SPIR-V that is embedded.
//
// It knows no vendors: what differs between GPUs it asks them, but for what only a
// measurement tells (awaitBytesMax).
package vulkan

/*
#cgo CFLAGS: -std=c11 -O2 -Wall -Wextra
#cgo linux LDFLAGS: -ldl
#include "binding.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	"tandem/kernels/op"
)

// MatrixEnv is the environment variable that does without cooperative matrices if
// it is "off", for tests and bug reports.
const MatrixEnv = "TANDEM_VULKAN_MATRIX"

// Options of a device.
type Options struct {
	// Index is the device's number as [Devices] lists them; -1 is the best one.
	Index int
	// CacheDir is where compiled shaders are kept between runs; "": nowhere.
	CacheDir string
}

// Device is a GPU.
type Device struct {
	vk    *C.struct_vk
	gpu   *C.struct_gpu
	index int
	found C.struct_found
	pipes *pipelines
	// allocationMax is the most bytes that the driver gives in one piece.
	allocationMax int
	// unseen, for tests, makes the host not see the GPU's own memory, as on a discrete one.
	unseen bool
	// matrix: products of many rows go by cooperative matrices.
	matrix   bool
	software bool // it is the processor, driven as a GPU

	// runMu is held while commands are recorded or under way: a queue belongs to
	// one thread at a time.
	runMu sync.Mutex
	lost  bool // guarded by runMu
}

// noLibrary is the remedy where there is no Vulkan at all.
const noLibrary = "no Vulkan library on this machine: install the GPU's driver (on Debian: libvulkan1 and mesa-vulkan-drivers), or use --device cpu"

// Open opens a GPU. Without a Vulkan driver, or with one that lacks what the
// kernels need, the error says what is missing.
func Open(opt Options) (*Device, error) {
	d := &Device{}
	if err := check("starting", C.vk_open(&d.vk)); err != nil {
		return nil, err
	}
	if err := d.open(opt); err != nil {
		d.free()
		return nil, err
	}
	return d, nil
}

func (d *Device) open(opt Options) error {
	all := find(d.vk)
	if len(all) == 0 {
		return errors.New("vulkan: no Vulkan device on this machine: install the GPU's driver, or use --device cpu")
	}
	index := opt.Index
	if index < 0 {
		index = best(all)
	}
	if index >= len(all) {
		return fmt.Errorf("vulkan: no device %d: there are %s", opt.Index, strings.Join(names(all), ", "))
	}
	d.index, d.found = index, all[index]
	d.allocationMax = int(min(uint64(d.found.allocation_max), math.MaxInt64))
	d.software = d.found._type == C.VK_PHYSICAL_DEVICE_TYPE_CPU
	d.matrix = d.found.matrix_m > 0 && slices.ContainsFunc(tiles, d.holds) && os.Getenv(MatrixEnv) != "off"
	if lacks := missing(d.found); lacks != "" {
		return fmt.Errorf("vulkan: %s lacks %s: a newer driver may have it; else use --device cpu", name(d.found), lacks)
	}
	if err := check("cannot open "+name(d.found), C.gpu_open(d.vk, C.int(index), C.int(flag(d.matrix)), &d.gpu)); err != nil {
		return err
	}
	var err error
	d.pipes, err = openPipelines(d.gpu, d.found, opt.CacheDir)
	return err
}

// find lists the machine's devices.
func find(vk *C.struct_vk) []C.struct_found {
	all := make([]C.struct_found, C.vk_count(vk))
	for i := range all {
		C.vk_find(vk, C.int(i), &all[i])
	}
	return all
}

// best is the number of the device to use if none is named: one that can run the
// kernels, with memory of its own, else one that shares the host's, a software
// driver last.
func best(all []C.struct_found) int {
	rank := func(f C.struct_found) int {
		r := map[C.int32_t]int{C.VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: 3, C.VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: 2, C.VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: 1}[f._type]
		if missing(f) != "" {
			r -= 10
		}
		return r
	}
	first := 0
	for i := range all {
		if rank(all[i]) > rank(all[first]) {
			first = i
		}
	}
	return first
}

// missing names what a device lacks for the kernels, "" if nothing.
func missing(f C.struct_found) string {
	for _, need := range []struct {
		has  bool
		what string
	}{
		{f.has_1_3 != 0, "Vulkan 1.3"}, // and with it maintenance4
		{f.has_address != 0, "bufferDeviceAddress"},
		{f.has_int64 != 0, "shaderInt64"},
		{f.has_16_bit != 0, "storageBuffer16BitAccess"},
		{f.has_dot != 0, "shaderIntegerDotProduct"},
		{f.has_subgroups != 0 && f.subgroup_min >= 8, "subgroups of 8 or more with arithmetic and shuffles"},
		{f.has_subgroup_size != 0 || f.subgroup_min == f.subgroup_max, "a choice of the subgroups' size"},
		{f.shared_bytes >= 32<<10 && f.invocations_max >= manyThreads, "workgroups of 256 threads with 32 KB"},
	} {
		if !need.has {
			return need.what
		}
	}
	return ""
}

func name(f C.struct_found) string { return C.GoString(&f.name[0]) }

func names(all []C.struct_found) []string {
	var list []string
	for i, f := range all {
		list = append(list, fmt.Sprintf("vulkan:%d (%s)", i, name(f)))
	}
	return list
}

// Name is "vulkan".
func (d *Device) Name() string { return "vulkan" }

// Info says which GPU it is.
func (d *Device) Info() op.Info {
	kind := map[C.int32_t]string{
		C.VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: "discrete GPU", C.VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: "integrated GPU",
		C.VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: "virtual GPU", C.VK_PHYSICAL_DEVICE_TYPE_CPU: "software driver",
	}[d.found._type]
	isa, matrices := "spirv", "no cooperative matrices"
	if d.matrix {
		isa = "spirv matrix"
		matrices = fmt.Sprintf("cooperative matrices of %d x %d x %d", d.found.matrix_m, d.found.matrix_n, d.found.matrix_k)
	}
	return op.Info{
		Name: "vulkan", ISA: isa, Threads: 1, // one of the host's, which submits and waits
		Detail: fmt.Sprintf("%s, %s, driver %s, subgroups of %d, %s, %s",
			name(d.found), kind, C.GoString(&d.found.driver[0]), d.found.subgroup, matrices, heapsText(d.found)),
	}
}

// heapsText lists the heaps of memory, with what the driver grants of each now.
func heapsText(f C.struct_found) string {
	var heaps []string
	for _, h := range f.heaps[:f.n_heaps] {
		where := "on the host"
		if h.local != 0 {
			where = "on the device"
		}
		heaps = append(heaps, fmt.Sprintf("%.1f of %.1f GB free %s", float64(h.free)/1e9, float64(h.bytes)/1e9, where))
	}
	return strings.Join(heaps, ", ")
}

// FreeBytes is what the driver grants of the device's own memory now.
func (d *Device) FreeBytes() int64 {
	C.vk_find(d.vk, C.int(d.index), &d.found) // others may have taken some since
	return int64(d.found.heap_free)
}

// Devices is how many devices there are, whether they can run the kernels or not,
// and the number of the best one.
func Devices() (n, bestIndex int, err error) {
	var vk *C.struct_vk
	if err := check("starting", C.vk_open(&vk)); err != nil {
		return 0, 0, err
	}
	defer C.vk_close(vk)
	all := find(vk)
	return len(all), best(all), nil
}

// Close gives the GPU back and writes the cache of compiled shaders. Executables
// must be closed first.
func (d *Device) Close() error {
	d.runMu.Lock()
	defer d.runMu.Unlock()
	if d.vk == nil {
		return errors.New("vulkan: closed twice")
	}
	err := d.pipes.save()
	d.free()
	return err
}

func (d *Device) free() {
	if d.pipes != nil {
		d.pipes.close()
	}
	if d.gpu != nil {
		C.gpu_close(d.gpu)
	}
	C.vk_close(d.vk)
	d.vk, d.gpu, d.pipes = nil, nil, nil
}

// alive says whether the GPU was lost.
func (d *Device) alive() error {
	d.runMu.Lock()
	defer d.runMu.Unlock()
	return d.aliveLocked()
}

func (d *Device) aliveLocked() error {
	if d.lost {
		return fmt.Errorf("vulkan: %s: %w", name(d.found), op.ErrDeviceLost)
	}
	return nil
}

// check makes an error of one of Vulkan's results, nil of success.
func check(what string, result C.int) error {
	switch result {
	case C.VK_NO_LIBRARY:
		return errors.New("vulkan: " + noLibrary)
	case C.VK_ERROR_OUT_OF_DEVICE_MEMORY, C.VK_ERROR_OUT_OF_HOST_MEMORY:
		return fmt.Errorf("vulkan: %s: %w", what, op.ErrOutOfMemory)
	case C.VK_ERROR_DEVICE_LOST:
		return fmt.Errorf("vulkan: %s: %w", what, op.ErrDeviceLost)
	case C.VK_ERROR_INCOMPATIBLE_DRIVER:
		return fmt.Errorf("vulkan: %s: %s", what, "no driver that works: install the GPU's driver, or use --device cpu")
	}
	if result < 0 {
		return fmt.Errorf("vulkan: %s: error %d", what, int(result))
	}
	return nil
}
