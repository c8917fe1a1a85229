package repo

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
)

// resamples of the items of a comparison: the ends of the interval then move by
// less than a tenth of its width from one seed to another.
const resamples = 10_000

// Estimate is a value and its 95 % interval.
type Estimate struct {
	Value Bound `json:"value"`
	Low   Bound `json:"low"`
	High  Bound `json:"high"`
}

// Bound is a number that may be infinite: a ratio to nothing is. In JSON it is
// null then.
type Bound float64

// MarshalJSON writes a number, or null.
func (b Bound) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(b), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(b))
}

// pair is what two arms made of one item, 1 where it was exact.
type pair struct{ arm, against float64 }

// difference is of the means of both.
func difference(pairs []pair) float64 {
	sum := 0.0
	for _, p := range pairs {
		sum += p.arm - p.against
	}
	return sum / float64(max(len(pairs), 1))
}

// ratio is of the sums of both; nothing to nothing is as much as before.
func ratio(pairs []pair) float64 {
	var arm, against float64
	for _, p := range pairs {
		arm += p.arm
		against += p.against
	}
	switch {
	case arm == against:
		return 1
	case against == 0:
		return math.Inf(1)
	}
	return arm / against
}

// bootstrap estimates a statistic of pairs with the interval in which 95 % of its
// values lie for items drawn from these with replacement, both arms of an item
// together (the percentile method). The draws are the same each time.
func bootstrap(pairs []pair, statistic func([]pair) float64) Estimate {
	value := Bound(statistic(pairs))
	if len(pairs) == 0 {
		return Estimate{value, value, value}
	}
	random := rand.New(rand.NewPCG(1, 2))
	values, sample := make([]float64, resamples), make([]pair, len(pairs))
	for i := range values {
		for j := range sample {
			sample[j] = pairs[random.IntN(len(pairs))]
		}
		values[i] = statistic(sample)
	}
	slices.Sort(values)
	const tail = resamples / 40 // 2.5 %
	return Estimate{value, Bound(values[tail]), Bound(values[resamples-1-tail])}
}
