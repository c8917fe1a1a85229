package main

import (
	"strings"
	"testing"
)

// TestFallback: the CPU stands by where nothing but GPUs computes, which can be lost.
func TestFallback(t *testing.T) {
	for _, test := range []struct {
		f    flags
		want string
	}{
		{flags{Device: "cpu"}, ""},
		{flags{Device: "ref"}, ""},
		{flags{Device: "vulkan"}, "cpu"},
		{flags{Device: "vulkan:1"}, "cpu"},
		{flags{Device: "vulkan", PrefillDevice: "vulkan:0"}, "cpu"},
		{flags{Device: "vulkan", PrefillDevice: "cpu"}, ""},
		{flags{Device: "cpu", DecodeDevice: "vulkan"}, ""},
	} {
		d, err := openFallback(test.f)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if d != nil {
			got = d.Name()
			d.Close()
		}
		if got != test.want {
			t.Errorf("%+v: falls back on %q, want %q", test.f, got, test.want)
		}
	}
}

// TestDoctorDevices: a GPU that is asked for and not there is a problem, and every one
// that is there is listed with its memory.
func TestDoctorDevices(t *testing.T) {
	var d diagnosis
	for _, name := range foundDevices(flags{Device: "vulkan:9"}) {
		d.Devices = append(d.Devices, d.findDevice(name, flags{Device: "vulkan:9"}))
	}
	last := d.Devices[len(d.Devices)-1]
	if last.Name != "vulkan:9" || last.Problem == "" || len(d.Problems) == 0 {
		t.Errorf("%+v, problems %q", last, d.Problems)
	}
	for _, found := range d.Devices {
		if isGPU(found.Name) && found.Problem == "" && (found.free <= 0 || !strings.Contains(found.Detail, "GB free on the device")) {
			t.Errorf("%+v", found)
		}
	}
	if _, ok := d.gpu("vulkan"); !ok {
		t.Log("left out in part: there is no GPU that can be used")
	}
}
