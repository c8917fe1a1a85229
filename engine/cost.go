package engine

import "time"

const (
	fewRows   = 4  // a step of so many costs hardly more than one of one row
	manyRows  = 16 // a step of so many tells what a row costs
	rowsFirst = 32 // of a chunk before anything was measured
	// costWeight is the share of the latest step in the moving averages.
	costWeight = 0.2
	// verifyWeight is the same for steps that verify, of which there are fewer.
	verifyWeight = 0.4
	// rowFirst is what a row to verify is thought to cost, in steps of one row,
	// before anything was measured.
	rowFirst = 0.1
)

// cost is a device's measured speed at a model: a step takes start + rows *
// perRow seconds. Both are moving averages, for other programs come and go and
// a row costs more behind a longer prompt. 0 is not yet known.
//
// That is for rows of a prompt. Where every row wants logits there are few, and
// what they cost has jumps where a device computes them in another way: it is
// measured for each number of rows, in steps of one row at that time.
type cost struct {
	start, perRow float64
	one           float64                // seconds of a step of one row
	verifies      [logitsMax + 1]float64 // by rows
}

// add learns from a step of rows, of which so many wanted logits.
func (c *cost) add(rows, logits int, took time.Duration) {
	if rows > 1 && rows == logits {
		c.addVerify(rows, took.Seconds())
		return
	}
	if rows == 1 {
		c.one = average(c.one, took.Seconds())
	}
	if rows >= manyRows {
		c.perRow = average(c.perRow, max(took.Seconds()-c.start, 0)/float64(rows))
	} else if rows <= fewRows {
		c.start = average(c.start, took.Seconds())
	}
}

func average(old, latest float64) float64 {
	if old == 0 {
		return latest
	}
	return old + costWeight*(latest-old)
}

// addVerify bounds what one step can teach: a number of rows that seemed dear,
// because another program had the processor, might not be tried again.
func (c *cost) addVerify(rows int, seconds float64) {
	if c.one == 0 {
		return
	}
	was := c.verify(rows)
	c.verifies[rows] = was + verifyWeight*(min(seconds/c.one, 2*was)-was)
}

// verify is what a step costs whose rows all want logits, in steps of one row.
// Rows behind the last number that was measured are thought to be cheap, so
// that it is tried.
func (c *cost) verify(rows int) float64 {
	known, cost := rows, 0.0
	for ; known > 1 && cost == 0; known-- {
		cost = c.verifies[known]
	}
	if cost == 0 {
		return 1 + rowFirst*float64(rows-1)
	}
	return cost + rowFirst*float64(rows-known-1)
}

// rowsIn is how many rows of a prompt a step computes in d.
func (c *cost) rowsIn(d time.Duration) int {
	if c.perRow == 0 {
		return rowsFirst
	}
	return int(max(manyRows, min((d.Seconds()-c.start)/c.perRow, rowsMax)))
}
