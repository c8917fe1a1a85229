package vulkan

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSPIRVFresh: the SPIR-V was compiled from the sources beside it.
func TestSPIRVFresh(t *testing.T) {
	var sources []string
	for _, pattern := range []string{"shaders/*.comp", "shaders/*.glsl"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		sources = append(sources, found...)
	}
	slices.Sort(sources)
	sum := fnv.New64a()
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write([]byte(filepath.Base(path)))
		sum.Write(text)
		if shader, ok := strings.CutSuffix(path, ".comp"); ok {
			if _, err := spirv.ReadFile(shader + ".spv"); err != nil {
				t.Errorf("%s was not compiled: %v", path, err)
			}
		}
	}
	compiled, err := os.ReadFile("shaders/sources.fnv")
	if want := fmt.Sprintf("%016x\n", sum.Sum64()); err != nil || string(compiled) != want {
		t.Errorf("the SPIR-V is of other sources (%q, now %q, %v): run kernels/vulkan/spirv/compile.sh", compiled, want, err)
	}
}
