package main

import (
	"math"
	"testing"
)

func TestDivergence(t *testing.T) {
	// Two choices with p = 3/4, 1/4 and q = 1/2, 1/2.
	p, q := []float32{float32(math.Log(3)) + 7, 7}, []float32{-2, -2}
	want := 0.75*math.Log(1.5) + 0.25*math.Log(0.5)
	if got := divergence(p, q); math.Abs(got-want) > 1e-6 {
		t.Errorf("KL %v, want %v", got, want)
	}
	if got := divergence(p, []float32{p[0] + 5, p[1] + 5}); math.Abs(got) > 1e-6 {
		t.Errorf("KL to a shifted copy %v, want 0", got)
	}
}

func TestGates(t *testing.T) {
	good := result{kl: []float64{0.005}, same: 1, refCPU: []float64{0.001}, refPeer: []float64{0.002}, gap: 0.1}
	for name, spoil := range map[string]func(*result){
		"KL":     func(r *result) { r.kl = []float64{0.02} },
		"top":    func(r *result) { r.same = 0 },
		"exact":  func(r *result) { r.refCPU = []float64{0.003} },
		"greedy": func(r *result) { r.gap = 0.6 },
	} {
		bad := good
		spoil(&bad)
		if !good.passes() || bad.passes() {
			t.Errorf("gate %s does not bite", name)
		}
	}
}
