package sample

import (
	"math"
	"slices"
)

// candidate is a token that may be chosen; its logit is neither NaN nor -Inf.
type candidate struct {
	id    int32
	logit float32
}

// before orders candidates: the highest logit first, then the lowest id.
func (c candidate) before(d candidate) bool {
	return c.logit > d.logit || (c.logit == d.logit && c.id < d.id)
}

// topK keeps the k best, all if k is 0.
func topK(c []candidate, k int) []candidate {
	if k == 0 || k >= len(c) {
		return c
	}
	return best(c, func(candidate) bool {
		k--
		return k == 0
	})
}

// topP keeps the most probable ones until together they have the share p.
func topP(c []candidate, p float64) []candidate {
	if p == 0 || p >= 1 {
		return c
	}
	top, total := highest(c), 0.0
	for _, x := range c {
		total += weight(x, top, 1)
	}
	sum := 0.0
	return best(c, func(x candidate) bool {
		sum += weight(x, top, 1)
		return sum >= p*total
	})
}

// minP keeps those at least p times as probable as the best.
func minP(c []candidate, p float64) []candidate {
	if p == 0 {
		return c
	}
	least := float64(highest(c)) + math.Log(p)
	return slices.DeleteFunc(c, func(x candidate) bool { return float64(x.logit) < least })
}

// draw chooses by the candidates' probabilities at a temperature above 0; u is
// a random number, 0 <= u < 1. It is -1 without candidates.
func draw(c []candidate, temperature, u float64) int32 {
	top, total := highest(c), 0.0
	for _, x := range c {
		total += weight(x, top, temperature)
	}
	u *= total
	chosen := int32(-1)
	for _, x := range c {
		w := weight(x, top, temperature)
		if w == 0 {
			continue
		}
		// The last one stands in for what rounding lost.
		if chosen = x.id; u < w {
			break
		}
		u -= w
	}
	return chosen
}

// weight is in proportion to the probability of x, top being the highest logit.
func weight(x candidate, top float32, temperature float64) float64 {
	if x.logit == top { // +Inf, too
		return 1
	}
	return math.Exp((float64(x.logit) - float64(top)) / temperature)
}

func highest(c []candidate) float32 {
	top := negInf
	for _, x := range c {
		top = max(top, x.logit)
	}
	return top
}

// best moves candidates out of c, best first, until enough says so of the last
// one, and gives them in that order. Of a hundred thousand candidates only a
// few are wanted, so a heap beats sorting them. c is rearranged.
func best(c []candidate, enough func(candidate) bool) []candidate {
	for i := len(c)/2 - 1; i >= 0; i-- {
		siftDown(c, i)
	}
	n := len(c)
	for n > 0 {
		n--
		c[0], c[n] = c[n], c[0]
		siftDown(c[:n], 0)
		if enough(c[n]) {
			break
		}
	}
	slices.Reverse(c[n:])
	return c[n:]
}

// siftDown restores the heap h, best first, after h[i] was replaced.
func siftDown(h []candidate, i int) {
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
