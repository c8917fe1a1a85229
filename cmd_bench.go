package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"tandem/bench/speed"
	"tandem/engine/gguf"
	"tandem/engine/model"
	"tandem/kernels/op"
	"tandem/models"
)

// benchTokens is what -n means to bench where it is not given.
const benchTokens = 64

type benchCmd struct {
	Speed  benchSpeedCmd  `cmd:"" default:"withargs" help:"Prefill and decode beside the machine's limits; what 'tandem bench' alone does."`
	Typing benchTypingCmd `cmd:"" help:"Replay recorded typing at the language server."`
}

type benchSpeedCmd struct {
	Prompt    []int  `short:"p" default:"512" placeholder:"TOKENS" help:"Lengths of the prompts to prefill, separated by commas, 0 for none (default ${default}); -n is the number of tokens to decode (default 64)."`
	Repeats   int    `short:"r" default:"5" placeholder:"N" help:"Runs of each, after one that does not count (default ${default})."`
	Depth     []int  `default:"0" placeholder:"TOKENS" help:"Tokens in the KV cache before each run, separated by commas (default ${default})."`
	Sequences int    `default:"4" placeholder:"N" help:"Sequences to decode together, in turns with one alone; 1 leaves that out (default ${default})."`
	Cached    int    `default:"512" placeholder:"TOKENS" help:"Length of a prompt that is cached but for its last 3 tokens, to time its first token; 0 leaves that out (default ${default})."`
	Synthetic string `placeholder:"SHAPE" help:"Measure random weights of a model's shape in place of --model: ${shapes}."`
	Profile   bool   `help:"Say what each kind of op cost, in one run more: time, bytes, operations, share of the limit."`
	Cancels   int    `default:"120" placeholder:"N" help:"Prefills to cancel at a random moment; 0 leaves responsiveness out (default ${default})."`
}

// Help is what --help adds.
func (*benchSpeedCmd) Help() string {
	return `The machine's limits are measured in the same run: how fast memory is read, which
bounds decode, and int8 arithmetic, which bounds prefill. Then prefill; decode of one
sequence and of several together, in turns; the time to the first token of a prompt
that is cached but for its end, as while typing, beside a decode step; and while
2,048 tokens are being prefilled how soon a cancel returns and how late a sleeping
goroutine wakes up. A decode step gives back what greedy choice needs: on a GPU the
best token of each sequence, on the CPU all logits, which nobody has to copy.
Where one device prefills and another decodes, also what it costs to hand the keys
and values of each prompt over.`
}

// Run measures and prints.
func (c *benchSpeedCmd) Run(a *app) error {
	path, name, remove, err := c.file(a)
	if err != nil {
		return err
	}
	defer remove()
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := model.Build(f)
	if err != nil {
		return err
	}
	devices, err := openDevices(a.flags)
	if err != nil {
		return err
	}
	defer devices.close()
	kv, err := kvType(a.KV)
	if err != nil {
		return err
	}
	tokens := a.Tokens
	if tokens == 0 {
		tokens = benchTokens
	}
	bar := newProgress(a.err, "bench")
	report, err := speed.Measure(a.ctx, p, devices.prefill, devices.decode, speed.Options{
		Model: name, Prefill: slices.DeleteFunc(c.Prompt, func(n int) bool { return n == 0 }), Decode: []int{tokens},
		Depths: c.Depth, Repeats: c.Repeats, KV: kv, Sequences: c.Sequences, Cached: c.Cached,
		Cancels: c.Cancels, Profile: c.Profile, Progress: bar.show,
	})
	bar.done()
	if err != nil {
		return err
	}
	if a.JSON {
		return printJSON(a.out, report)
	}
	return printSpeed(a, report)
}

// file is the weights to measure, what the report calls them, and how to take
// away what was only written for this run.
func (c *benchSpeedCmd) file(a *app) (path, name string, remove func(), err error) {
	if c.Synthetic == "" {
		path, known, err := models.Resolve("", a.Model)
		if err != nil {
			return "", "", nil, err
		}
		name := filepath.Base(path)
		if known != nil {
			name = known.Name
		}
		return path, name, func() {}, nil
	}
	cache, err := models.Dir() // has room for models
	if err != nil {
		return "", "", nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", "", nil, err
	}
	dir, err := os.MkdirTemp(cache, ".synth-")
	if err != nil {
		return "", "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "synthetic.gguf")
	if err := writeSynthetic(a, c.Synthetic, path); err != nil {
		remove()
		return "", "", nil, err
	}
	return path, c.Synthetic + " (random weights)", remove, nil
}

// printSpeed is the report for people.
func printSpeed(a *app, r speed.Report) error {
	fmt.Fprintf(a.out, "%s on %s (%s, %d threads)\n", r.Model, r.Device, r.ISA, r.Threads)
	if r.Limits != (speed.Limits{}) {
		fmt.Fprintf(a.out, "limits: %.1f GB/s read from memory, %.2f int8 TOPS\n", r.Limits.ReadGBs, r.Limits.TeraOps)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\ttokens\tdepth\ttokens/s\tmin\tmax\tof the limit\t")
	row := func(kind string, rate speed.Rate, s speed.Spread, ofLimit float64, ratio string) {
		share := "-"
		if ofLimit > 0 {
			share = fmt.Sprintf("%.0f %%", 100*ofLimit)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%s\t%s\n", kind, rate.Tokens, rate.Depth, s.Median, s.Min, s.Max, share, ratio)
	}
	for _, rate := range r.Prefill {
		row("prefill", rate, rate.TokensPerSecond, rate.ShareOfLimit, "")
	}
	for _, rate := range r.Decode {
		row("decode", rate, rate.TokensPerSecond, rate.ShareOfLimit, "")
		if t := rate.Together; t != nil {
			row(fmt.Sprintf("%d sequences together", t.Sequences), rate, t.TokensPerSecond, t.ShareOfLimit, fmt.Sprintf("  %.2f times one alone", t.Ratio))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if f := r.FirstToken; f != nil {
		fmt.Fprintf(a.out, "first token of a prompt of %d, all but %d cached: %.1f ms (%.1f-%.1f), %.2f times a decode step of %.1f ms (%.1f-%.1f)\n",
			f.Prompt, f.New, f.Millis.Median, f.Millis.Min, f.Millis.Max, f.Ratio, f.StepMillis.Median, f.StepMillis.Min, f.StepMillis.Max)
	}
	for _, h := range r.HandOver {
		fmt.Fprintf(a.out, "hand-over of %d tokens: %s, out in %.2f ms (%.2f-%.2f), in in %.2f ms (%.2f-%.2f)\n", h.Tokens, bytesText(int64(h.Bytes)),
			h.ExportMillis.Median, h.ExportMillis.Min, h.ExportMillis.Max, h.ImportMillis.Median, h.ImportMillis.Min, h.ImportMillis.Max)
	}
	if r.CancelMillis != nil {
		fmt.Fprintf(a.out, "during a prefill: cancel p50 %.2f ms, p99 %.2f ms (%d); wake-up p50 %.2f ms, p99 %.2f ms (%d)\n",
			r.CancelMillis.P50, r.CancelMillis.P99, r.CancelMillis.Samples,
			r.WakeupMillis.P50, r.WakeupMillis.P99, r.WakeupMillis.Samples)
	}
	for _, rates := range []struct {
		kind string
		of   []speed.Rate
	}{{"prefill", r.Prefill}, {"decode", r.Decode}} {
		for _, rate := range rates.of {
			if len(rate.Costs) == 0 {
				continue
			}
			fmt.Fprintf(a.out, "\n%s of %d tokens at depth %d, op by op as one thread sees it:\n", rates.kind, rate.Tokens, rate.Depth)
			if err := op.WriteCosts(a.out, rate.Costs, r.Limits.ReadGBs, r.Limits.TeraOps); err != nil {
				return err
			}
		}
	}
	return nil
}
