package engine

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"tandem/kernels/op"
	"tandem/models"
)

// residentOf is how much of a mapped file is in this process's memory, as
// smaps(5) tells.
func residentOf(t *testing.T, path string) (bytes int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skipf("left out: the system does not tell what is in memory: %v: run it where /proc is there", err)
	}
	mapped := false
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case !strings.HasSuffix(fields[0], ":"): // the first line of a mapping ends with its file
			mapped = strings.HasSuffix(strings.TrimSpace(line), path)
		case mapped && fields[0] == "Rss:":
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			bytes += kilobytes << 10
		}
	}
	return bytes
}

// TestModelIsInMemoryOnce: the device has its own copy of the weights, so that
// the file's pages must not stay beside it, nor pile up while it is made. (That ref,
// which has no copy, still reads the file then is in every test that runs on it.)
func TestModelIsInMemoryOnce(t *testing.T) {
	t.Run("cpu", func(t *testing.T) { testInMemoryOnce(t, start(t, openCPU(t))) })
	t.Run("vulkan", func(t *testing.T) {
		d := gpu.open(t, 0)
		t.Cleanup(func() { d.Close() })
		testInMemoryOnce(t, start(t, d))
	})
}

func testInMemoryOnce(t *testing.T, e *Executor) {
	for name, find := range map[string]func() (string, error){
		"tiny-qwen2": func() (string, error) { return tiny(t, "tiny-qwen2"), nil },
		"smollm2-135m": func() (string, error) {
			path, _, err := models.Resolve("", "smollm2-135m")
			return path, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := find()
			if err != nil {
				t.Skipf("left out: run `tandem pull %s` to test with real weights: %v", name, err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			most, calls := int64(0), 0
			open(t, Options{
				Decode: e, Path: path, KV: op.F16,
				Progress: func(float64) {
					if calls++; calls%8 == 0 { // smaps takes longer than packing
						most = max(most, residentOf(t, path))
					}
				},
			})
			if most > info.Size()/8+4<<20 { // as docs/kernels.md promises, «Tiles»
				t.Errorf("%d of the file's %d bytes were in memory at once while it was loaded", most, info.Size())
			}
			if left := residentOf(t, path); left > info.Size()/10 {
				t.Errorf("%d of the file's %d bytes are still in memory", left, info.Size())
			}
		})
	}
}
