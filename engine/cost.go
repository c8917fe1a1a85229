package engine

import "time"

const (
	fewRows   = 4  // a step of so many costs hardly more than one of one row
	manyRows  = 16 // a step of so many tells what a row costs
	rowsFirst = 32 // of a chunk before anything was measured
	// costWeight is the share of the latest step in the moving averages.
	costWeight = 0.2
)

// cost is a device's measured speed at a model: a step takes start + rows *
// perRow seconds. Both are moving averages, for other programs come and go and
// a row costs more behind a longer prompt. 0 is not yet known.
type cost struct{ start, perRow float64 }

// add learns from a step.
func (c *cost) add(rows int, took time.Duration) {
	average, x := &c.start, took.Seconds()
	if rows >= manyRows {
		average, x = &c.perRow, max(x-c.start, 0)/float64(rows)
	} else if rows > fewRows {
		return
	}
	if *average == 0 {
		*average = x
	}
	*average += costWeight * (x - *average)
}

// rowsIn is how many rows of a prompt a step computes in d.
func (c *cost) rowsIn(d time.Duration) int {
	if c.perRow == 0 {
		return rowsFirst
	}
	return int(max(manyRows, min((d.Seconds()-c.start)/c.perRow, rowsMax)))
}
