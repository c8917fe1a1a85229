package sample

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tandem/kernels/op"
)

var (
	nan  = float32(math.NaN())
	pInf = float32(math.Inf(1))
)

func TestGreedy(t *testing.T) {
	for _, test := range []struct {
		name            string
		logits          []float32
		masked, allowed []int32
		want            int32
	}{
		{"highest", []float32{1, 3, 2}, nil, nil, 1},
		{"lowest id of equals", []float32{1, 3, 3, 3}, nil, nil, 1},
		{"negative", []float32{-5, -3, -4}, nil, nil, 1},
		{"NaN is passed over", []float32{nan, 1, nan, 2, nan}, nil, nil, 3},
		{"all NaN", []float32{nan, nan}, nil, nil, -1},
		{"all -Inf", []float32{negInf, negInf}, nil, nil, -1},
		{"-Inf and NaN", []float32{negInf, nan, -1e38}, nil, nil, 2},
		{"+Inf", []float32{1, pInf, pInf}, nil, nil, 1},
		{"nothing", nil, nil, nil, -1},
		{"masked", []float32{1, 9, 2, 9, 0}, []int32{3, 1, 3}, nil, 2},
		{"masked at the ends", []float32{9, 1, 9}, []int32{0, 2}, nil, 1},
		{"all masked", []float32{9, 1}, []int32{0, 1}, nil, -1},
		{"masked outside", []float32{1, 2}, []int32{-7, 2, 100}, nil, 1},
		{"allowed", []float32{9, 1, 2, 3}, nil, []int32{2, 1}, 2},
		{"allowed in any order", []float32{3, 3, 3, 3}, nil, []int32{3, 1, 2}, 1},
		{"allowed but masked", []float32{9, 1, 2}, []int32{2}, []int32{2, 1}, 1},
		{"allowed outside", []float32{9, 1}, nil, []int32{-1, 2, 1 << 30, 1}, 1},
		{"none allowed", []float32{9, 1}, nil, []int32{}, -1},
		{"allowed but NaN", []float32{9, nan}, nil, []int32{1}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, o := range []Options{
				{}, {TopK: 1, Temperature: 2}, {TopP: 1e-9, Temperature: 1}, {Temperature: 1e-300},
				{MinP: 1, TopK: 2, TopP: 0.01, Temperature: 0.7}, {Temperature: 0, TopP: 0.9, Seed: 7},
			} {
				before := slices.Clone(test.logits)
				got := New(o, test.masked).Sample(test.logits, test.allowed)
				// With a temperature, equals are chosen from by chance.
				equal := got == test.want || (o.Temperature > 0 && got >= 0 && test.logits[got] == test.logits[test.want])
				if !equal {
					t.Errorf("%+v chose %d, want %d", o, got, test.want)
				}
				if !slices.EqualFunc(before, test.logits, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Errorf("%+v changed the logits", o)
				}
			}
		})
	}
}

// probabilities computes the distribution in the plainest way: everything
// sorted, every step on the whole of it.
func probabilities(o Options, logits []float32) map[int32]float64 {
	type token struct {
		id int32
		p  float64
	}
	var tokens []token
	for id, x := range logits {
		if !math.IsNaN(float64(x)) && !math.IsInf(float64(x), -1) {
			tokens = append(tokens, token{int32(id), math.Exp(float64(x))})
		}
	}
	slices.SortStableFunc(tokens, func(a, b token) int { return cmp.Compare(b.p, a.p) })
	if o.TopK > 0 {
		tokens = tokens[:min(o.TopK, len(tokens))]
	}
	total := 0.0
	for _, x := range tokens {
		total += x.p
	}
	if o.TopP > 0 {
		sum := 0.0
		for i, x := range tokens {
			if sum += x.p; sum >= o.TopP*total {
				tokens = tokens[:i+1]
				break
			}
		}
	}
	for i, x := range tokens {
		if x.p < o.MinP*tokens[0].p {
			tokens = tokens[:i]
			break
		}
	}
	total = 0
	for _, x := range tokens {
		total += math.Pow(x.p, 1/o.Temperature)
	}
	out := make(map[int32]float64)
	for _, x := range tokens {
		out[x.id] = math.Pow(x.p, 1/o.Temperature) / total
	}
	return out
}

// TestDistribution draws often and compares with the exact probabilities.
func TestDistribution(t *testing.T) {
	logits := []float32{1, -2, 2.5, nan, 0, 2, negInf, 1.5, -1, 2.25}
	const draws = 40000
	for i, o := range []Options{
		{Temperature: 1},
		{Temperature: 0.5},
		{Temperature: 3},
		{Temperature: 100},
		{Temperature: 1, TopK: 3},
		{Temperature: 1, TopK: 100},
		{Temperature: 2, TopP: 0.6},
		{Temperature: 1, TopP: 1},
		{Temperature: 1, MinP: 0.25},
		{Temperature: 0.8, TopK: 5, TopP: 0.8},
		{Temperature: 1.3, TopK: 6, TopP: 0.95, MinP: 0.3},
		{Temperature: 0.7, TopP: 0.9, MinP: 0.05},
	} {
		o.Seed = uint64(i)
		want := probabilities(o, logits)
		s := New(o, nil)
		counts := make(map[int32]int)
		for range draws {
			counts[s.Sample(logits, nil)]++
		}
		for id := range int32(len(logits)) {
			p := want[id]
			got := float64(counts[id]) / draws
			// Five standard deviations, and exactly none of what is cut off.
			if math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/draws) {
				t.Errorf("%+v: token %d came with frequency %.4f, its probability is %.4f", o, id, got, p)
			}
			delete(counts, id)
		}
		if len(counts) > 0 {
			t.Errorf("%+v: other tokens came: %v", o, counts)
		}
	}
}

func TestSeed(t *testing.T) {
	logits := make([]float32, 1000)
	draw := func(seed uint64) (ids []int32) {
		s := New(Options{Temperature: 1, Seed: seed}, nil)
		for range 50 {
			ids = append(ids, s.Sample(logits, nil))
		}
		return ids
	}
	if !slices.Equal(draw(1), draw(1)) {
		t.Error("one seed gives two sequences")
	}
	if slices.Equal(draw(1), draw(2)) || slices.Equal(draw(0), draw(1)) {
		t.Error("two seeds give one sequence")
	}
}

func TestAllowedAndMaskedByChance(t *testing.T) {
	logits := []float32{3, 3, 3, 3, 3, 3}
	seen := make(map[int32]bool)
	s := New(Options{Temperature: 1}, []int32{1, 4})
	for range 200 {
		seen[s.Sample(logits, nil)] = true
		if got := s.Sample(logits, []int32{5, 4, 3}); got != 5 && got != 3 {
			t.Fatalf("chose %d", got)
		}
	}
	if len(seen) != 4 || seen[1] || seen[4] {
		t.Errorf("chose %v", seen)
	}
}

func TestRepeatPenalty(t *testing.T) {
	logits := []float32{2, 3, -1, 0}
	for _, test := range []struct {
		name     string
		o        Options
		accepted []int32
		allowed  []int32
		want     int32
	}{
		{"none", Options{}, []int32{1, 1}, nil, 1},
		{"of 1", Options{RepeatPenalty: 1}, []int32{1, 1}, nil, 1},
		{"of a positive logit", Options{RepeatPenalty: 2}, []int32{1}, nil, 0},
		{"not for each time", Options{RepeatPenalty: 1.4}, []int32{1, 1, 1, 1, 1}, nil, 1},
		{"of a negative logit", Options{RepeatPenalty: 50}, []int32{0, 1, 3, 2}, []int32{1, 2}, 1},
		{"forgotten", Options{RepeatPenalty: 9, RepeatLast: 2}, []int32{1, 2, 2}, nil, 1},
		{"still remembered", Options{RepeatPenalty: 9, RepeatLast: 3}, []int32{1, 2, 2}, nil, 0},
		{"twice, forgotten once", Options{RepeatPenalty: 9, RepeatLast: 2}, []int32{1, 1, 2}, nil, 0},
		{"outside the logits", Options{RepeatPenalty: 9}, []int32{-1, 100}, nil, 1},
		{"with a temperature", Options{RepeatPenalty: 9, TopP: 1e-9, Temperature: 1}, []int32{1}, nil, 0},
		{"a reward", Options{RepeatPenalty: 0.1}, []int32{0}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(test.o, nil)
			for _, id := range test.accepted {
				s.Accept(id)
			}
			if got := s.Sample(logits, test.allowed); got != test.want {
				t.Errorf("chose %d, want %d", got, test.want)
			}
		})
	}
	if !slices.Equal(logits, []float32{2, 3, -1, 0}) {
		t.Errorf("logits were changed to %v", logits)
	}
}

// TestBest compares the heap with sorting.
func TestBest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		c := make([]candidate, 1+random.IntN(60))
		for i := range c {
			c[i] = candidate{int32(i), float32(random.IntN(20))}
		}
		random.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		want := slices.Clone(c)
		slices.SortFunc(want, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
		})
		k := 1 + random.IntN(len(c))
		if got := topK(slices.Clone(c), k); k < len(c) && !slices.Equal(got, want[:k]) {
			t.Fatalf("the best %d of %v are %v", k, c, got)
		}
		if got := best(c, func(candidate) bool { return false }); !slices.Equal(got, want) {
			t.Fatalf("sorted to %v, want %v", got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, o := range []Options{{}, {Temperature: 1, TopK: 40, TopP: 0.9, MinP: 0.05, RepeatPenalty: 1.1, RepeatLast: 64, Seed: 1 << 63}, {TopP: 1, MinP: 1}} {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for name, o := range map[string]Options{
		"temperature":    {Temperature: -0.1},
		"temperature is": {Temperature: math.NaN()},
		"top_k":          {TopK: -1},
		"top_p":          {TopP: 1.01},
		"top_p is":       {TopP: math.Inf(1)},
		"min_p":          {MinP: -1},
		"repeat_penalty": {RepeatPenalty: -2},
		"repeat_last":    {RepeatLast: 1 << 20},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: error is %v; it should name %s", o, err, name)
		}
	}
}

func FuzzSample(f *testing.F) {
	f.Add(0.8, 40, 0.9, 0.05, 1.1, 3, uint64(1), []byte{0, 1, 2, 100, 200, 255, 128, 7}, byte(3))
	f.Add(1e-300, 0, 1e-300, 1.0, 1e-40, 1, uint64(0), []byte{254, 253, 252, 255, 255}, byte(0))
	f.Add(100.0, 1<<30, 0.5, 1e-300, 100.0, 0, uint64(5), []byte{128}, byte(255))
	f.Fuzz(func(t *testing.T, temperature float64, topK int, topP, minP, penalty float64, last int, seed uint64, raw []byte, bits byte) {
		o := Options{temperature, topK, topP, minP, penalty, last, seed}
		if o.Check() != nil {
			return
		}
		logits := make([]float32, len(raw))
		for i, b := range raw {
			switch b {
			case 255:
				logits[i] = nan
			case 254:
				logits[i] = pInf
			case 253:
				logits[i] = negInf
			case 252:
				logits[i] = math.MaxFloat32
			case 251:
				logits[i] = -math.MaxFloat32
			case 250:
				logits[i] = math.SmallestNonzeroFloat32
			default:
				logits[i] = (float32(b) - 125) / 4
			}
		}
		var masked, allowed []int32
		for i := range int32(min(8, len(raw))) {
			if bits>>i&1 != 0 {
				masked = append(masked, i)
			} else if seed&1 != 0 {
				allowed = append(allowed, i)
			}
		}
		s := New(o, masked)
		for range 4 {
			id := s.Sample(logits, allowed)
			if id < 0 {
				break
			}
			if int(id) >= len(logits) || slices.Contains(masked, id) || (allowed != nil && !slices.Contains(allowed, id)) {
				t.Fatalf("%+v chose %d, which is not allowed", o, id)
			}
			if x := logits[id]; x != x || x == negInf {
				t.Fatalf("%+v chose %d, whose logit is %v", o, id, x)
			}
			s.Accept(id)
		}
	})
}

// BenchmarkSample chooses from as many tokens as Qwen has.
func BenchmarkSample(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 151936)
	for i := range logits {
		logits[i] = float32(random.NormFloat64() * 3)
	}
	masked := []int32{}
	for id := int32(151665); id < 151936; id++ {
		masked = append(masked, id)
	}
	for name, o := range map[string]Options{
		"greedy":      {},
		"penalty":     {RepeatPenalty: 1.1},
		"temperature": {Temperature: 0.8},
		"top_k":       {Temperature: 0.8, TopK: 40, TopP: 0.9},
		"top_p":       {Temperature: 0.8, TopP: 0.9},
		"min_p":       {Temperature: 0.8, MinP: 0.05},
	} {
		b.Run(name, func(b *testing.B) {
			s := New(o, masked)
			for b.Loop() {
				s.Accept(s.Sample(logits, nil))
			}
		})
	}
}

// TestSampleBest: as many of the best logits as Enough says give what all of them give,
// one token after the other.
func TestSampleBest(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	odd := []float32{nan, pInf, negInf, 0, float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}
	short, compared := 0, 0
	for range 3000 {
		vocab := 1 + random.IntN(60)
		var masked []int32
		for id := range int32(vocab) {
			if random.IntN(8) == 0 {
				masked = append(masked, id)
			}
		}
		o := Options{Seed: random.Uint64(), TopK: random.IntN(12)}
		if random.IntN(3) > 0 {
			o.Temperature, o.TopP, o.MinP = 0.1+2*random.Float64(), float64(random.IntN(2))*random.Float64(), random.Float64()/4
		}
		if random.IntN(2) > 0 {
			o.RepeatPenalty, o.RepeatLast = 0.9+random.Float64(), 1+random.IntN(9)
		}
		all, best := New(o, masked), New(o, masked)
		for range 6 {
			// Some tokens are accepted between the question and the choice, as drafts are.
			more := random.IntN(4)
			enough := best.Enough(more)
			if enough == 0 {
				break
			}
			for range more {
				id := random.Int32N(int32(vocab))
				all.Accept(id)
				best.Accept(id)
			}
			logits := make([]float32, vocab)
			for i := range logits {
				if logits[i] = float32(random.IntN(9) - 4); random.IntN(6) == 0 {
					logits[i] = odd[random.IntN(len(odd))]
				}
			}
			ranked := make([]op.Scored, 0, vocab)
			for id, x := range logits {
				if x > negInf && !slices.Contains(masked, int32(id)) {
					ranked = append(ranked, op.Scored{Token: int32(id), Logit: x})
				}
			}
			slices.SortFunc(ranked, func(a, b op.Scored) int {
				return cmp.Or(cmp.Compare(b.Logit, a.Logit), cmp.Compare(a.Token, b.Token))
			})
			if len(ranked) > enough {
				short++
			}
			for len(ranked) < enough {
				ranked = append(ranked, op.NoToken)
			}
			want, got := all.Sample(logits, nil), best.SampleBest(ranked[:enough])
			if got != want {
				t.Fatalf("%+v: the best %d of %v without %v give %d, all %d", o, enough, logits, masked, got, want)
			}
			compared++
			if got < 0 {
				break
			}
			all.Accept(got)
			best.Accept(got)
		}
	}
	if short < compared/10 || short > 9*compared/10 {
		t.Errorf("%d of %d choices had more to choose from than was given: want some of both", short, compared)
	}
}
