package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"tandem/bench/fim"
	"tandem/bench/typing"
)

type benchTypingCmd struct {
	Trace    string        `arg:"" placeholder:"TRACE" help:"Recorded typing, gzipped or not: startContent, endContent, txns with time and patches. NAME.points.jsonl beside NAME.json may tell the moments."`
	Moments  int           `default:"24" placeholder:"N" help:"Moments to replay, evenly over the trace (default ${default})."`
	Keys     int           `default:"8" placeholder:"K" help:"Keys to type at each (default ${default})."`
	NoPauses bool          `help:"Type the next key as soon as the last is answered, not before the trace's time."`
	Paced    bool          `help:"Do not wait for answers: type with the trace's times, and count what keys overtake."`
	Peer     string        `placeholder:"URL" help:"Ask a running llama-server the same, moment by moment in turns."`
	SVG      string        `name:"svg" placeholder:"FILE" help:"Plot the latencies."`
	For      time.Duration `placeholder:"DURATION" help:"Type the whole trace again and again for this long and tell what that leaves behind."`
	Every    time.Duration `placeholder:"DURATION" help:"With --for: time between two keys, whether they are answered or not; without it the next key comes when the last is answered."`
	Steps    int           `placeholder:"N" help:"With --for: steps of the trace to type before it begins again; 0 is all of them (default 0). A document that still grows takes more memory for good reasons."`
	Document string        `default:"main.rs" placeholder:"NAME" help:"Name under which the trace's document is opened (default ${default})."`
	Language string        `default:"rust" placeholder:"NAME" help:"Its language, as the protocol names it (default ${default})."`
	Folder   string        `type:"existingdir" placeholder:"DIR" help:"Folder in which it is opened, whose files the server may show the model (default none)."`
}

// Help is what --help adds.
func (*benchTypingCmd) Help() string {
	return `Starts 'tandem lsp' with these flags, a new process for each moment, and types into
it what the trace has. Latency runs from writing the keystroke to the answer's last
byte: cold is the first one that a process computes, warm the later ones; answers
from what was suggested before are apart. --json has every key and both answers.`
}

// Run measures and prints.
func (c *benchTypingCmd) Run(a *app) error {
	if c.Moments < 1 || c.Keys < 1 || c.For < 0 || c.Every < 0 || c.Steps < 0 {
		return errors.New("--moments, --keys, --for, --every and --steps: use 1 or more")
	}
	trace, err := typing.ReadFile(c.Trace)
	if err != nil {
		return err
	}
	start, err := c.server(a)
	if err != nil {
		return err
	}
	if c.For > 0 {
		return c.soak(a, trace.First(c.Steps), start)
	}
	moments, err := trace.Moments(c.Trace)
	if err != nil {
		return err
	}
	if len(moments) == 0 {
		return fmt.Errorf("%s: nothing is typed in it that a suggestion could be compared with", c.Trace)
	}
	moments = typing.Spread(moments, c.Moments)
	if c.Paced {
		return c.pace(a, trace, start, moments)
	}
	return c.replay(a, trace, start, moments)
}

func (c *benchTypingCmd) document() typing.Document {
	return typing.Document{Name: c.Document, Language: c.Language, Folder: c.Folder}
}

// server starts this program as a language server with this command's flags.
func (c *benchTypingCmd) server(a *app) (typing.Start, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"lsp", "--model", a.Model, "--draft-model", a.DraftModel, "--device", a.Device, "--kv", a.KV, "--log-level", a.LogLevel,
		"--threads", strconv.Itoa(a.Threads), "--tokens", strconv.Itoa(a.Tokens), "--context", strconv.Itoa(a.Context)}
	for flag, value := range map[string]string{"--prefill-device": a.PrefillDevice, "--decode-device": a.DecodeDevice, "--config": a.Config} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	return typing.Command(self, args...), nil
}

// replay types moments that wait for answers.
func (c *benchTypingCmd) replay(a *app, trace *typing.Trace, start typing.Start, moments []typing.Moment) error {
	bar := newProgress(a.err, "bench")
	opt := typing.Options{Keys: c.Keys, NoPauses: c.NoPauses, Done: func(n int, _ typing.MomentResult) {
		bar.show(float64(n)/float64(len(moments)), fmt.Sprintf("%d of %d moments", n, len(moments)))
	}}
	if c.Peer != "" {
		opt.Peer = fim.NewInfill(c.Peer)
	}
	r, err := trace.Replay(a.ctx, start, c.document(), moments, opt)
	bar.done()
	if err != nil {
		return err
	}
	if c.SVG != "" {
		if err := writeFile(c.SVG, r.WriteSVG); err != nil {
			return err
		}
	}
	if a.JSON {
		return printJSON(a.out, r)
	}
	return printTyping(a, r)
}

// writeFile writes a file.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// printTyping is the report for people.
func printTyping(a *app, r typing.Report) error {
	fmt.Fprintf(a.out, "%s, %d moments of %d keys\n", a.Model, len(r.Moments), r.Keys)
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tkeys\tp50 ms\tp95 ms\tmax ms\t")
	row := func(name string, l typing.Latency) {
		fmt.Fprintf(table, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", name, l.Samples, l.P50, l.P95, l.Max)
	}
	row("cold", r.Cold)
	row("warm", r.Warm)
	row("reused", r.Reused)
	if p := r.Peer; p != nil {
		row("peer, first key", p.First)
		row("peer, later keys", p.Later)
		row("peer, warm's keys", p.Same)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "without the engine and without text: %d keys; the engine had nothing for %d\n", r.Unread, r.Empty)
	fmt.Fprintf(a.out, "shown %d characters, right %d; for each shown one %.2f tokens of prefill, %.2f of decode\n",
		r.Shown, r.Right, r.PrefillPerCharacter, r.DecodedPerCharacter)
	fmt.Fprintf(a.out, "tokens decoded after a cancel: %d; stale answers: %d; the document is the trace's at its end\n", r.DecodedAfterCancel, r.Stale)
	if p := r.Peer; p != nil {
		fmt.Fprintf(a.out, "peer: shown %d characters, right %d; for each shown one %.2f tokens of prefill, %.2f of decode\n",
			p.Shown, p.Right, p.PromptPerCharacter, p.DecodedPerCharacter)
		fmt.Fprintf(a.out, "ratio to the peer's later keys: warm p50 %.3f, p95 %.3f (at the same keys %.3f, %.3f); cold p50 to its first keys %.3f; characters right %.3f\n",
			p.WarmP50Ratio, p.WarmP95Ratio, p.SameP50Ratio, p.SameP95Ratio, p.FirstP50Ratio, p.RightRatio)
	}
	return nil
}

// pace types moments that do not wait.
func (c *benchTypingCmd) pace(a *app, trace *typing.Trace, start typing.Start, moments []typing.Moment) error {
	p, err := trace.Pace(a.ctx, start, c.document(), moments, typing.Options{Keys: c.Keys})
	if err != nil {
		return err
	}
	if a.JSON {
		return printJSON(a.out, p)
	}
	fmt.Fprintf(a.out, "%d keys; answered before the next one %d (p50 %.1f ms, p95 %.1f ms); overtaken %d\n",
		p.Keys, p.Shown.Samples, p.Shown.P50, p.Shown.P95, p.Overrun)
	fmt.Fprintf(a.out, "overtaken: %d ended without a text, %d answers crossed the key on the wire, %d stale\n", p.Ended, p.Crossing, p.Stale)
	fmt.Fprintf(a.out, "tokens decoded after a cancel: %d of %d; superseded %d, cancelled %d\n",
		p.Stats.DecodedAfterCancel, p.Stats.DecodedTokens, p.Stats.Superseded, p.Stats.Cancelled)
	return nil
}

// soak types for a time and prints a line a minute, then the verdict.
func (c *benchTypingCmd) soak(a *app, trace *typing.Trace, start typing.Start) error {
	result, err := trace.Soak(a.ctx, start, c.document(), typing.SoakOptions{
		For: c.For, Every: c.Every,
		Sampled: func(s typing.Sample) { fmt.Fprintln(a.err, sampleText(s)) },
	})
	if err != nil {
		return err
	}
	if a.JSON {
		err = printJSON(a.out, result)
	} else {
		printSoak(a, result)
	}
	if err == nil && result.Document != "" {
		err = fmt.Errorf("the document: %s", result.Document)
	}
	return err
}

func printSoak(a *app, r typing.Soak) {
	fmt.Fprintf(a.out, "before  %s\nafter   %s\n", sampleText(r.Before), sampleText(r.After))
	fmt.Fprintf(a.out, "%d passes, %d suggestions, %d errors, %d of %d requests superseded, %d tokens decoded after a cancel\n",
		r.Passes, r.Suggestions, r.Failed, r.Stats.Superseded, r.Stats.Requests, r.Stats.DecodedAfterCancel)
	fmt.Fprintf(a.out, "after %.0f minutes of warm-up resident memory grew by %.2f MB/h (without mapped files %.2f MB/h)\n",
		r.WarmUpMinutes, r.GrowthPerHour/1e6, r.AnonymousGrowth/1e6)
	if r.Document == "" {
		fmt.Fprintln(a.out, "the document is the trace's at the end of every pass")
	}
}

func sampleText(s typing.Sample) string {
	return fmt.Sprintf("%6.1f min  %7d keys, loop %d  resident %.1f MB (anonymous %.1f, Go heap %.1f, C %.1f)  %d goroutines  %d trees  KV pages %d in use, %d free of %d",
		s.Minutes, s.Keys, s.Loops, float64(s.ResidentBytes)/1e6, float64(s.AnonymousBytes)/1e6, float64(s.HeapBytes)/1e6, float64(s.CHeapBytes)/1e6,
		s.Goroutines, s.SyntaxTrees, s.KVPagesInUse, s.KVPagesFree, s.KVPages)
}
