package op

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Cost is what the ops of one kind and shape took in a profile, as one worker saw it.
type Cost struct {
	Kind  string        `json:"kind"`
	Shape string        `json:"shape"`
	Calls int           `json:"calls"`
	Time  time.Duration `json:"time_ns"`
	Wait  time.Duration `json:"wait_ns"` // for the others, before the op
	Bytes float64       `json:"bytes"`   // of weights, keys and values, each counted once a call
	Ops   float64       `json:"ops"`     // multiplications and additions of products
}

// Add adds another's sums.
func (c *Cost) Add(o Cost) {
	c.Calls += o.Calls
	c.Time += o.Time
	c.Wait += o.Wait
	c.Bytes += o.Bytes
	c.Ops += o.Ops
}

// SumCosts adds up what is of one kind and shape, the dearest first.
func SumCosts(costs []Cost) []Cost {
	var sums []Cost
	for _, c := range costs {
		at := slices.IndexFunc(sums, func(s Cost) bool { return s.Kind == c.Kind && s.Shape == c.Shape })
		if at < 0 {
			at = len(sums)
			sums = append(sums, Cost{Kind: c.Kind, Shape: c.Shape})
		}
		sums[at].Add(c)
	}
	slices.SortStableFunc(sums, func(a, b Cost) int { return int(b.Time + b.Wait - a.Time - a.Wait) })
	return sums
}

// ShareOfLimit is the part that c takes of what the machine allows, of readGBs
// 10^9 bytes a second or of teraOps 10^12 operations a second, whichever it
// comes closer to. ok is false for ops that neither bounds, and where no limit
// is known (0).
func (c Cost) ShareOfLimit(readGBs, teraOps float64) (share float64, ok bool) {
	if c.Ops == 0 || c.Time <= 0 || readGBs == 0 || teraOps == 0 {
		return 0, false
	}
	return max(c.gbs()/readGBs, c.tera()/teraOps), true
}

func (c Cost) gbs() float64  { return c.Bytes / c.Time.Seconds() / 1e9 }
func (c Cost) tera() float64 { return c.Ops / c.Time.Seconds() / 1e12 }

// WriteCosts writes a profile as a table: each kind of op with its share of the
// time and of the machine's limits, see [Cost.ShareOfLimit].
func WriteCosts(w io.Writer, costs []Cost, readGBs, teraOps float64) error {
	var whole time.Duration
	for _, c := range costs {
		whole += c.Time + c.Wait
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "op\tshape\tcalls\tms\twait\tof all\tMB\tM ops\tGB/s\tTOPS\tof the limit\t")
	for _, c := range costs {
		share := "-"
		if s, ok := c.ShareOfLimit(readGBs, teraOps); ok {
			share = fmt.Sprintf("%.0f %%", 100*s)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.2f\t%.2f\t%.1f %%\t%.1f\t%.1f\t%.1f\t%.3f\t%s\t\n", c.Kind, c.Shape, c.Calls,
			c.Time.Seconds()*1e3, c.Wait.Seconds()*1e3, 100*float64(c.Time+c.Wait)/float64(whole), c.Bytes/1e6, c.Ops/1e6, c.gbs(), c.tera(), share)
	}
	return table.Flush()
}
