package completion_test

import (
	"testing"

	"tandem/engine"
	"tandem/kernels/cpu"
	"tandem/models"
)

// openModel opens a real model on the CPU, or skips the test.
func openModel(t *testing.T, name string) engine.Engine {
	t.Helper()
	path, _, err := models.Resolve("", name)
	if err != nil {
		t.Skipf("left out: the real model is not on this machine; run `tandem pull %s`: %v", name, err)
	}
	device, err := cpu.Open(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	executor := engine.NewExecutor(device)
	e, err := engine.Open(t.Context(), engine.Options{Path: path, Prefill: executor, Decode: executor, MaxTokens: 2048})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		executor.Close()
		device.Close()
	})
	return e
}
