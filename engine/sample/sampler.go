package sample

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"tandem/kernels/op"
)

// Sampler chooses the tokens of one sequence. It belongs to one goroutine.
type Sampler struct {
	o      Options
	masked []int32 // ascending
	random *rand.Rand

	recent []int32       // the last tokens, a ring once it is full
	oldest int           // in recent, when full
	counts map[int32]int // of each token in recent

	copied     []float32 // the logits, to be penalized
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
	if !s.penalizes() {
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
	if s.greedily() {
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
	return s.choose(c)
}

// Enough is how many of a row's best logits SampleBest needs to choose what Sample
// would of all of them without allowed, after at most so many more tokens are
// accepted. It is 0 where no number is known to be enough.
func (s *Sampler) Enough(accepted int) int {
	n := 1
	if !s.greedily() {
		if s.o.TopK == 0 {
			return 0
		}
		n = s.o.TopK + 1 // it matters whether there are more
	}
	switch {
	case !s.penalizes():
		return n
	case s.o.RepeatPenalty < 1:
		return 0 // may bring up any
	}
	// So many of the list may fall behind it. What is not on it is no better than
	// the last one that is, and a penalty makes it no better.
	return n + min(len(s.counts)+accepted, s.o.RepeatLast)
}

// SampleBest chooses like Sample, by a row's best logits in the order of
// [op.Batch.Best], made without masked tokens; at least as many as Enough said.
func (s *Sampler) SampleBest(best []op.Scored) int32 {
	c := s.candidates[:0]
	for _, b := range best {
		x := candidate{b.Token, b.Logit}
		if s.counts[x.id] > 0 {
			x.logit = s.penalized(x.logit)
		}
		if x.logit > negInf {
			c = append(c, x)
		}
	}
	s.candidates = c
	if s.greedily() {
		return first(c)
	}
	if len(c) <= s.o.TopK { // these are all, and then Sample has them by id
		slices.SortFunc(c, func(a, b candidate) int { return int(a.id - b.id) })
	}
	return s.choose(c)
}

// greedily reports whether chance plays no part.
func (s *Sampler) greedily() bool { return s.o.Temperature == 0 || s.o.TopK == 1 }

// choose draws one of c by what the options leave of them.
func (s *Sampler) choose(c []candidate) int32 {
	c = topK(c, s.o.TopK)
	c = topP(c, s.o.TopP)
	c = minP(c, s.o.MinP)
	return draw(c, s.o.Temperature, s.random.Float64())
}

// first is the best of c, -1 if there is none.
func first(c []candidate) int32 {
	if len(c) == 0 {
		return -1
	}
	return slices.MinFunc(c, func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	}).id
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

// penalize makes recent tokens less likely, in a copy.
func (s *Sampler) penalize(logits []float32) []float32 {
	if len(s.counts) == 0 {
		return logits
	}
	s.copied = append(s.copied[:0], logits...)
	for id := range s.counts {
		if id >= 0 && int(id) < len(logits) {
			s.copied[id] = s.penalized(logits[id])
		}
	}
	return s.copied
}

// penalized is what becomes of a recent token's logit. A negative one is
// multiplied, for divided it would come closer to the others.
func (s *Sampler) penalized(logit float32) float32 {
	penalty := float32(s.o.RepeatPenalty)
	if logit > 0 {
		return logit / penalty
	}
	return logit * penalty
}

func (s *Sampler) penalizes() bool { return s.o.RepeatPenalty != 0 && s.o.RepeatPenalty != 1 }
