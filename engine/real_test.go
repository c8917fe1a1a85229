package engine

import (
	"strings"
	"testing"

	"tandem/kernels/op"
	"tandem/models"
)

// openReal is a real model on the CPU; without it the test says so.
func openReal(t *testing.T, name string) *Local {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: run it without to test with real weights")
	}
	path, _, err := models.Resolve("", name)
	if err != nil {
		t.Skipf("left out: run `tandem pull %s` to test with real weights: %v", name, err)
	}
	return open(t, Options{Decode: start(t, openCPU(t)), Path: path, MaxTokens: 1024, KV: op.F16})
}

// TestRealTyping types into a real prompt: what is shown does not depend on the
// cache, and a keystroke computes next to nothing.
func TestRealTyping(t *testing.T) {
	l := openReal(t, "smollm2-135m")
	const code = "def area_of_circle(radius):\n    return 3.14 * radius * radius\n\n\ndef area_of_square(side):\n    "
	typed := "return si"
	for n := range len(typed) + 1 {
		req := Request{Prompt: textPiece(code + typed[:n]), Heal: true, MaxTokens: 8, Stop: []string{"\n"}}
		warm := generate(t, l, req)
		if n > 0 && warm.PrefillTokens > 4 {
			t.Errorf("%q: %d tokens computed, %d cached", typed[:n], warm.PrefillTokens, warm.CachedTokens)
		}
		l.forget(t)
		cold := generate(t, l, req)
		if cold.Text != warm.Text || cold.Stop != warm.Stop || cold.CachedTokens != 0 {
			t.Errorf("%q: warm %+v, cold %+v", typed[:n], warm, cold)
		}
		t.Logf("%q¦%q", typed[:n], warm.Text)
	}
}

// TestRealHeal: inside a word the model goes on with the word.
func TestRealHeal(t *testing.T) {
	l := openReal(t, "smollm2-135m")
	for _, test := range []struct{ prompt, want string }{
		{"The capital of France is Par", "is"},
		{"import os\nimport sys\n\nif __name__ == \"__ma", "in__"},
		{"for i in rang", "e("},
	} {
		got := generate(t, l, Request{Prompt: textPiece(test.prompt), Heal: true, MaxTokens: 6})
		if !strings.HasPrefix(got.Text, test.want) {
			t.Errorf("%q is continued by %q, want %q", test.prompt, got.Text, test.want)
		}
	}
}
