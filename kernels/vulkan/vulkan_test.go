package vulkan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/kernels/kerneltest"
	"tandem/kernels/op"
)

// TestMain has Mesa's software driver compile without optimising: what the tests
// compute is little, and their shaders are many.
func TestMain(m *testing.M) {
	const option = "GALLIVM_PERF"
	if _, set := os.LookupEnv(option); !set {
		os.Setenv(option, "nopt")
	}
	os.Exit(m.Run())
}

// open opens the best device, or skips where there is none.
func open(t testing.TB) *Device {
	t.Helper()
	return openCached(t, t.TempDir())
}

func openCached(t testing.TB, dir string) *Device {
	t.Helper()
	d, err := Open(Options{Index: -1, CacheDir: dir})
	if err != nil {
		t.Skip(err)
	}
	return d
}

// TestKernels runs on whatever GPU there is; CI has a software driver.
func TestKernels(t *testing.T) {
	dir := t.TempDir()
	kerneltest.Run(t, func(t testing.TB, _ int) op.Device { return openCached(t, dir) })
}

// TestCache: what one device compiled the next one finds; a damaged file is as
// good as none.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	compile := func() (read int) {
		d := openCached(t, dir)
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := d.pipes.get("select", itemThreads, nil); err != nil {
			t.Fatal(err)
		}
		return d.pipes.size
	}
	if n := compile(); n != 0 {
		t.Errorf("%d bytes out of an empty folder", n)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("files %v, want one", files)
	}
	if n := compile(); n == 0 {
		t.Error("the cache was not read")
	}
	file, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)-1] ^= 1
	if err := os.WriteFile(files[0], file, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := compile(); n != 0 {
		t.Errorf("%d bytes out of a damaged file", n)
	}
}

// TestNoDevice: a number that no device has is an error that lists them.
func TestNoDevice(t *testing.T) {
	open(t).Close()
	if _, err := Open(Options{Index: 99}); err == nil || !strings.Contains(err.Error(), "vulkan:0") {
		t.Errorf("device 99: %v", err)
	}
}
