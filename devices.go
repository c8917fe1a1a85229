package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/kernels/ref"
	"tandem/kernels/vulkan"
	"tandem/models"
)

// deviceNames are the processors that --device chooses from; "vulkan" is the best GPU.
var deviceNames = []string{"cpu", "ref", "vulkan"}

// gpuNames choose among several GPUs, in the order that their drivers list them.
var gpuNames = []string{"vulkan:0", "vulkan:1", "vulkan:2", "vulkan:3"}

// allDevices is what --device accepts.
func allDevices() []string { return slices.Concat(deviceNames, gpuNames) }

// devices are what one command computes on; both may be the same.
type devices struct {
	prefill, decode op.Device
}

func openDevices(f flags) (*devices, error) {
	prefill, decode := f.deviceNames()
	var d devices
	var err error
	if d.prefill, err = openDevice(prefill, f.Threads); err != nil {
		return nil, err
	}
	if prefill == decode {
		d.decode = d.prefill
		return &d, nil
	}
	if d.decode, err = openDevice(decode, f.Threads); err != nil {
		d.prefill.Close()
		return nil, err
	}
	return &d, nil
}

// openFallback opens the CPU where only GPUs, which can be lost, are asked for; else
// it gives nil.
func openFallback(f flags) (op.Device, error) {
	prefill, decode := f.deviceNames()
	if !isGPU(prefill) || !isGPU(decode) {
		return nil, nil
	}
	return openDevice("cpu", f.Threads)
}

// gpuName is what --device calls a GPU by its number.
func gpuName(i int) string { return fmt.Sprintf("vulkan:%d", i) }

func isGPU(name string) bool { return strings.HasPrefix(name, "vulkan") }

// deviceNames are the names of the devices that prefill and decode.
func (f flags) deviceNames() (prefill, decode string) {
	prefill, decode = f.PrefillDevice, f.DecodeDevice
	if prefill == "" {
		prefill = f.Device
	}
	if decode == "" {
		decode = f.Device
	}
	return prefill, decode
}

func openDevice(name string, threads int) (op.Device, error) {
	if threads < 0 {
		return nil, fmt.Errorf("%d threads: use --threads 0 for every core, or a number", threads)
	}
	kind, number, numbered := strings.Cut(name, ":")
	switch kind {
	case "cpu":
		return cpu.Open(cpu.Options{Threads: threads})
	case "ref":
		return ref.Open(threads), nil
	case "vulkan":
		opt := vulkan.Options{Index: -1}
		if index, err := strconv.Atoi(number); err == nil && numbered {
			opt.Index = index
		}
		if dir, err := models.Dir(); err == nil { // without a cache, shaders are compiled anew
			opt.CacheDir = filepath.Join(filepath.Dir(dir), "shaders")
		}
		return vulkan.Open(opt)
	}
	return nil, fmt.Errorf("no device %q: there are %s", name, strings.Join(allDevices(), ", "))
}

// close frees the devices, whose executables are closed.
func (d *devices) close() {
	if d.decode != d.prefill {
		d.decode.Close()
	}
	d.prefill.Close()
}

// kvType is the storage format that --kv names.
func kvType(name string) (op.DType, error) {
	t, ok := op.ParseDType(strings.ToUpper(name))
	if !ok {
		return 0, fmt.Errorf("--kv %s: use f16, q8_0 or f32", name)
	}
	return t, nil
}
