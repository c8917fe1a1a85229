package speed

import (
	"slices"

	"tandem/kernels/op"
)

// Report is what a measurement found. Its JSON is what the bench command prints.
type Report struct {
	Model   string `json:"model"`
	Device  string `json:"device"` // "cpu", or "cpu+ref" when one prefills and the other decodes
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	Limits  Limits `json:"limits"`
	Prefill []Rate `json:"prefill"`
	Decode  []Rate `json:"decode"`
	// FirstToken is left out when it was not asked for.
	FirstToken *FirstToken `json:"first_token,omitempty"`
	// HandOver has an entry for each length of a prompt where one device prefills and
	// another decodes.
	HandOver []HandOver `json:"hand_over,omitempty"`
	// CancelMillis is the time from a cancel to the return of the step that
	// prefills, WakeupMillis how late a sleeping goroutine wakes up meanwhile.
	// Both are left out when they were not asked for.
	CancelMillis *Percentiles `json:"cancel_ms,omitempty"`
	WakeupMillis *Percentiles `json:"wakeup_ms,omitempty"`
}

// Limits is what the machine allows, measured in the same run; 0 where the
// device cannot tell.
type Limits struct {
	ReadGBs float64 `json:"read_gb_s"` // 10^9 bytes read from memory a second
	TeraOps float64 `json:"tera_ops"`  // 10^12 int8 multiplications and additions a second
}

// Rate is a speed: so many tokens computed behind depth others in the KV cache.
type Rate struct {
	Tokens          int    `json:"tokens"`
	Depth           int    `json:"depth"`
	TokensPerSecond Spread `json:"tokens_per_second"`
	// ShareOfLimit is the median's share of what the machine allows: of its
	// arithmetic for prefill, of its memory's speed for decode; 0 if unknown.
	ShareOfLimit float64   `json:"share_of_limit"`
	Together     *Together `json:"together,omitempty"` // of decode, where it was asked for
	Costs        []op.Cost `json:"costs,omitempty"`    // of one run more, by kind of op
}

// Together is the speed of several sequences that decode in the same steps,
// measured in turns with one alone.
type Together struct {
	Sequences       int     `json:"sequences"`
	TokensPerSecond Spread  `json:"tokens_per_second"` // of all of them
	ShareOfLimit    float64 `json:"share_of_limit"`    // of the memory's speed; 0 if unknown
	Ratio           float64 `json:"ratio"`             // of the medians, to one alone
}

// HandOver is what it costs to bring a prompt's keys and values from the device that
// prefills to the one that decodes.
type HandOver struct {
	Tokens       int    `json:"tokens"`
	Bytes        int    `json:"bytes"`     // in the form that the devices agree on
	ExportMillis Spread `json:"export_ms"` // out of the first one's memory
	ImportMillis Spread `json:"import_ms"` // into the second one's
}

// FirstToken is the time from a prompt to its first sampled token where the KV
// cache has all but the prompt's last tokens, and that of the decode step behind it.
type FirstToken struct {
	Prompt     int     `json:"prompt"`  // tokens
	New        int     `json:"new"`     // of those, not cached
	Millis     Spread  `json:"ms"`      // look-up, step and sampling
	StepMillis Spread  `json:"step_ms"` // step and sampling
	Ratio      float64 `json:"ratio"`   // of the medians
}

// Spread is what several runs of the same gave.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Percentiles of a latency in milliseconds.
type Percentiles struct {
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Samples int     `json:"samples"`
}

// SpreadOf sorts values, of which there must be one at least.
func SpreadOf(values []float64) Spread {
	slices.Sort(values)
	return Spread{Median: (values[(len(values)-1)/2] + values[len(values)/2]) / 2, Min: values[0], Max: values[len(values)-1]}
}

// percentiles takes the nearest rank, so that p99 of 100 values is the second largest.
func percentiles(millis []float64) *Percentiles {
	slices.Sort(millis)
	rank := func(percent int) float64 { return millis[(len(millis)*percent+99)/100-1] }
	return &Percentiles{P50: rank(50), P99: rank(99), Samples: len(millis)}
}

// work is what a Program asks of a machine.
type work struct {
	rowOps     float64 // int8 operations of the matmuls for each row
	logitOps   float64 // and for each row that wants logits
	stepBytes  float64 // weights read for each step
	tokenBytes float64 // keys and values read for each position before a row
}

func workOf(p *op.Program, pages op.Pages) work {
	w := work{tokenBytes: float64(pages.PageBytes()) / op.PageTokens}
	add := func(t *op.Tensor, out op.Value) {
		ops := 2 * float64(t.Rows) * float64(t.Cols)
		if p.Values[out].Selected {
			w.logitOps += ops
		} else {
			w.rowOps += ops
		}
		w.stepBytes += float64(t.Rows) * float64(t.RowBytes())
	}
	for _, o := range p.Ops {
		switch o := o.(type) {
		case *op.MatMul:
			add(o.Weight, o.Out)
		case *op.GatedMatMul:
			add(o.Gate, o.Out)
			add(o.Up, o.Out)
		}
	}
	return w
}

// prefillShare is the part of the machine's arithmetic that perSecond rows take.
func (w work) prefillShare(perSecond float64, rows int, l Limits) float64 {
	if l.TeraOps == 0 {
		return 0
	}
	return perSecond * (w.rowOps + w.logitOps/float64(rows)) / (l.TeraOps * 1e12)
}

// decodeShare is the part of the memory's speed that perSecond steps take, each
// behind depth tokens.
func (w work) decodeShare(perSecond, depth float64, l Limits) float64 {
	if l.ReadGBs == 0 {
		return 0
	}
	return perSecond * (w.stepBytes + depth*w.tokenBytes) / (l.ReadGBs * 1e9)
}
