package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"tandem/bench/typing"
)

type benchTypingCmd struct {
	Trace    string        `arg:"" placeholder:"TRACE" help:"Recorded typing, gzipped or not: startContent, endContent, txns with time and patches."`
	Document string        `default:"main.rs" placeholder:"NAME" help:"Name under which the trace's document is opened (default ${default})."`
	Language string        `default:"rust" placeholder:"NAME" help:"Its language, as the protocol names it (default ${default})."`
	For      time.Duration `placeholder:"DURATION" help:"Type the trace again and again for this long and tell what it leaves behind."`
	Every    time.Duration `placeholder:"DURATION" help:"With --for: time between two keys, whether they are answered or not; without it the next key comes when the last is answered."`
}

// Help is what --help adds.
func (*benchTypingCmd) Help() string {
	return `Starts 'tandem lsp' with these flags and types into it what the trace has.`
}

// Run measures and prints.
func (c *benchTypingCmd) Run(a *app) error {
	trace, err := typing.ReadFile(c.Trace)
	if err != nil {
		return err
	}
	start, err := c.server(a)
	if err != nil {
		return err
	}
	return c.soak(a, trace, start)
}

func (c *benchTypingCmd) document() typing.Document {
	return typing.Document{Name: c.Document, Language: c.Language}
}

// server starts this program as a language server with this command's flags.
func (c *benchTypingCmd) server(a *app) (typing.Start, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"lsp", "--model", a.Model, "--device", a.Device, "--kv", a.KV, "--log-level", a.LogLevel,
		"--threads", strconv.Itoa(a.Threads), "--tokens", strconv.Itoa(a.Tokens), "--context", strconv.Itoa(a.Context)}
	for flag, value := range map[string]string{"--prefill-device": a.PrefillDevice, "--decode-device": a.DecodeDevice, "--config": a.Config} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	return typing.Command(self, args...), nil
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
		return printJSON(a.out, result)
	}
	fmt.Fprintf(a.out, "before  %s\nafter   %s\n", sampleText(result.Before), sampleText(result.After))
	fmt.Fprintf(a.out, "%d passes, %d suggestions, %d errors, %d of %d requests superseded, %d tokens decoded after a cancel\n",
		result.Passes, result.Suggestions, result.Failed, result.Stats.Superseded, result.Stats.Requests, result.Stats.DecodedAfterCancel)
	fmt.Fprintf(a.out, "after %.0f minutes of warm-up resident memory grew by %.2f MB/h (without mapped files %.2f MB/h)\n",
		result.WarmUpMinutes, result.GrowthPerHour/1e6, result.AnonymousGrowth/1e6)
	if result.Document != "" {
		return fmt.Errorf("the document: %s", result.Document)
	}
	fmt.Fprintln(a.out, "the document is the trace's at the end of every pass")
	return nil
}

func sampleText(s typing.Sample) string {
	return fmt.Sprintf("%6.1f min  %7d keys, loop %d  resident %.1f MB (anonymous %.1f, Go heap %.1f)  %d goroutines  %d trees  %d of %d KV pages in use",
		s.Minutes, s.Keys, s.Loops, float64(s.ResidentBytes)/1e6, float64(s.AnonymousBytes)/1e6, float64(s.HeapBytes)/1e6,
		s.Goroutines, s.SyntaxTrees, s.KVPagesInUse, s.KVPages)
}
