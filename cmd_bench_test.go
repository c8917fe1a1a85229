package main

import (
	"regexp"
	"testing"
)

// TestBench reads what people see, the profile too.
func TestBench(t *testing.T) {
	h := newHouse(t)
	out := h.run("", "bench", "--model", h.model, "-p", "8", "-n", "2", "-r", "1", "--sequences", "3", "--cached", "40", "--cancels", "2", "--profile")
	for _, want := range []string{
		`limits: \d+\.\d GB/s read from memory, \d+\.\d\d int8 TOPS\n`,
		` prefill +8 +0 +\d+\.\d .* %`,
		` decode +2 +0 +\d+\.\d .* %`,
		`3 sequences together +2 +0 +\d+\.\d .* % +\d+\.\d\d times one alone\n`,
		`first token of a prompt of 40, all but 3 cached: \d+\.\d ms \(.*\), \d+\.\d\d times a decode step of \d+\.\d ms`,
		`during a prefill: cancel p50 .*wake-up p50 `,
		`prefill of 8 tokens at depth 0, op by op as one thread sees it:\n +op +shape +calls`,
		`decode of 2 tokens at depth 0, op by op .*:\n +op +shape +calls`,
		`\n +gated matmul +\S+ 2 x \d+ x \d+ +\d+ .* \d+ %\n`,
		`\n +norm +\d+ +\d+ .* -\n`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	decodeOnly := h.run("", "bench", "--model", h.model, "-p", "0", "-n", "2", "--depth", "40", "-r", "1", "--sequences", "1", "--cached", "0", "--cancels", "0")
	for _, left := range []string{"prefill", "together", "first token", " op "} {
		if regexp.MustCompile(left).MatchString(decodeOnly) {
			t.Errorf("%q was to be left out:\n%s", left, decodeOnly)
		}
	}
	if !regexp.MustCompile(` decode +2 +40 +\d`).MatchString(decodeOnly) {
		t.Errorf("no decode at depth 40:\n%s", decodeOnly)
	}
}
