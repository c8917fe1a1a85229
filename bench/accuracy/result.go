package main

import (
	"fmt"
	"math"
	"slices"
)

// result sums up the positions of one model.
type result struct {
	kl      []float64 // KL(llama.cpp || cpu) of each position, nats
	later   []float64 // the same without each window's first position
	same    int       // positions at which both have the same best token
	refCPU  []float64 // KL(ref || cpu)
	refPeer []float64 // KL(ref || llama.cpp)
	// Positions at which ref's best token is cpu's, or llama.cpp's: what an exact
	// engine would reach.
	sameRefCPU, sameRefPeer int
	prompts                 int
	parted                  int     // prompts whose greedy continuations differ
	gap                     float64 // largest distance of the peer's best two at a first difference
}

// add compares a window's position pos. The first one has no context: a few of
// its activations are a thousand times the others, and coarse scales lose those.
func (r *result) add(pos int, peer, cpu []float32) {
	kl := divergence(peer, cpu)
	r.kl = append(r.kl, kl)
	if pos > 0 {
		r.later = append(r.later, kl)
	}
	if best(peer) == best(cpu) {
		r.same++
	}
}

func (r *result) addExact(ref, cpu, peer []float32) {
	r.refCPU = append(r.refCPU, divergence(ref, cpu))
	r.refPeer = append(r.refPeer, divergence(ref, peer))
	if best(ref) == best(cpu) {
		r.sameRefCPU++
	}
	if best(ref) == best(peer) {
		r.sameRefPeer++
	}
}

func (r *result) passes() bool {
	return mean(r.kl) <= klGate && float64(r.same) >= topGate*float64(len(r.kl)) &&
		mean(r.refCPU) <= mean(r.refPeer) && r.gap <= greedyGate
}

// row is the model's line of the table.
func (r *result) row(name string) string {
	sorted := slices.Sorted(slices.Values(r.kl))
	return fmt.Sprintf("| %s | %d | %.5f; %.5f; %.4f; %.3f | %s | %d | %s | %s | %s |", name, len(r.kl),
		mean(r.kl), mean(r.later), sorted[len(sorted)*99/100], sorted[len(sorted)-1], share(r.same, len(r.kl)),
		len(r.refCPU), exact(r.refCPU, r.sameRefCPU), exact(r.refPeer, r.sameRefPeer), r.greedy())
}

// exact words a distance from exact arithmetic, if it was measured.
func exact(kl []float64, same int) string {
	if len(kl) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.5f; %s", mean(kl), share(same, len(kl)))
}

func (r *result) greedy() string {
	if r.prompts == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d; %.3f nats", r.parted, r.prompts, r.gap)
}

func share(part, whole int) string {
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}

// divergence is KL(softmax(p) || softmax(q)) in nats.
func divergence(p, q []float32) float64 {
	logP, logQ := logSum(p), logSum(q)
	sum := 0.0
	for i := range p {
		a := float64(p[i]) - logP
		sum += math.Exp(a) * (a - (float64(q[i]) - logQ))
	}
	return sum
}

// logSum is log(sum(exp(x))).
func logSum(x []float32) float64 {
	top, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

func best(x []float32) int {
	b := 0
	for i, v := range x {
		if v > x[b] {
			b = i
		}
	}
	return b
}

func mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
