package sample

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampler chooses the tokens of one sequence. It belongs to one goroutine.
type Sampler struct {
	o      Options
	masked []int32 // ascending
	random *rand.Rand

	recent []int32       // the last tokens, a ring once it is full
	oldest int           // in recent, when full
	counts map[int32]int // of each token in recent

	penalized  []float32 // copy of the logits
	candidates []candidate
}

// stream separates these random numbers from others with equal seeds.
const stream = 0x73616d706c65

var negInf = float32(math.Inf(-1))

// New makes a sampler; o must pass [Options.Check]. The tokens in masked are
// never chosen.
func New(o Options, masked []int32) *Sampler {
	if o.RepeatLast == 0 {
		o.RepeatLast = repeatLastDefault
	}
	s := &Sampler{o: o, masked: slices.Clone(masked), random: rand.New(rand.NewPCG(o.Seed, stream))}
	slices.Sort(s.masked)
	s.masked = slices.Compact(s.masked)
	s.counts = make(map[int32]int)
	return s
}

// Accept tells which token the sequence goes on with, for the repetition
// penalty.
func (s *Sampler) Accept(id int32) {
	if s.o.RepeatPenalty == 0 || s.o.RepeatPenalty == 1 {
		return
	}
	s.counts[id]++
	if len(s.recent) < s.o.RepeatLast {
		s.recent = append(s.recent, id)
		return
	}
	gone := s.recent[s.oldest]
	if s.counts[gone]--; s.counts[gone] == 0 {
		delete(s.counts, gone)
	}
	s.recent[s.oldest] = id
	s.oldest = (s.oldest + 1) % len(s.recent)
}

// Sample chooses a token by its logits, which are not changed: logits[id] is
// that of id. allowed, if not nil, are the only tokens that may be chosen, each
// named once; masked ones are not chosen even so. NaN and -Inf are never
// chosen. Without a token to choose it is -1.
func (s *Sampler) Sample(logits []float32, allowed []int32) int32 {
	logits = s.penalize(logits)
	if s.o.Temperature == 0 || s.o.TopK == 1 {
		return s.greedy(logits, allowed)
	}
	c := s.candidates[:0]
	for from, to := range s.spans(len(logits), allowed) {
		for i, x := range logits[from:to] {
			if x > negInf {
				c = append(c, candidate{int32(from + i), x})
			}
		}
	}
	s.candidates = c
	c = topK(c, s.o.TopK)
	c = topP(c, s.o.TopP)
	c = minP(c, s.o.MinP)
	return draw(c, s.o.Temperature, s.random.Float64())
}

// greedy is the token with the highest logit, the lowest id of several.
func (s *Sampler) greedy(logits []float32, allowed []int32) int32 {
	best, top := -1, negInf
	for from, to := range s.spans(len(logits), allowed) {
		for i, x := range logits[from:to] {
			// Allowed tokens come in any order.
			if x > top || (x == top && from+i < best) {
				best, top = from+i, x
			}
		}
	}
	return int32(best)
}

// spans gives the tokens that may be chosen out of n as ranges of ids.
func (s *Sampler) spans(n int, allowed []int32) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for _, id := range allowed {
			_, masked := slices.BinarySearch(s.masked, id)
			if id >= 0 && int(id) < n && !masked && !yield(int(id), int(id)+1) {
				return
			}
		}
		if allowed != nil {
			return
		}
		from := 0
		for _, id := range s.masked {
			if int(id) >= from && int(id) < n {
				if int(id) > from && !yield(from, int(id)) {
					return
				}
				from = int(id) + 1
			}
		}
		if from < n {
			yield(from, n)
		}
	}
}

// penalize makes recent tokens less likely, in a copy. A negative logit is
// multiplied, for divided it would come closer to the others.
func (s *Sampler) penalize(logits []float32) []float32 {
	if len(s.counts) == 0 {
		return logits
	}
	s.penalized = append(s.penalized[:0], logits...)
	penalty := float32(s.o.RepeatPenalty)
	for id := range s.counts {
		if id < 0 || int(id) >= len(logits) {
			continue
		}
		if x := &s.penalized[id]; *x > 0 {
			*x /= penalty
		} else {
			*x *= penalty
		}
	}
	return s.penalized
}
