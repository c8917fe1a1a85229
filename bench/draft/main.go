// Command draft measures what drafts are worth: each prompt of testdata/draft is
// continued without and with them, in turn, A B A B, by one process, and the
// texts must be equal. It prints a table in Markdown. From the repository's root:
//
//	go run ./bench/draft [--model NAME] [--rounds N]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"tandem/bench/speed"
	"tandem/engine"
	"tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/models"
)

func main() {
	name := flag.String("model", "qwen2.5-coder-0.5b", "model to measure")
	rounds := flag.Int("rounds", 3, "runs of each prompt without and with drafts")
	threads := flag.Int("threads", 0, "threads; 0 takes every core")
	tokens := flag.Int("n", 128, "tokens to decode")
	only := flag.String("only", "", "measure only prompts whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *name, *threads, *rounds, *tokens, *only); err != nil {
		log.Fatal("draft: ", err)
	}
}

func run(ctx context.Context, name string, threads, rounds, tokens int, only string) error {
	path, _, err := models.Resolve("", name)
	if err != nil {
		return err
	}
	device, err := cpu.Open(cpu.Options{Threads: threads})
	if err != nil {
		return err
	}
	defer device.Close()
	executor := engine.NewExecutor(device)
	defer executor.Close()
	var engines [2]*engine.Local // without drafts and with
	for i := range engines {
		engines[i], err = engine.Open(ctx, engine.Options{
			Path: path, Prefill: executor, Decode: executor, KV: op.F16, MaxTokens: 2048, NoDraft: i == 0,
		})
		if err != nil {
			return err
		}
		defer engines[i].Close()
	}
	fmt.Printf("%s, %d threads, %d tokens decoded, medians of %d runs in turn\n", name, device.Info().Threads, tokens, rounds)
	for _, kind := range []string{"repeat", "fresh"} {
		files, err := filepath.Glob(filepath.Join("testdata", "draft", kind, "*"+only+"*.txt"))
		if err != nil {
			return err
		}
		if err := measureAll(ctx, engines, kind, files, rounds, tokens); err != nil {
			return err
		}
	}
	return nil
}

// measureAll prints the table of one kind of prompts.
func measureAll(ctx context.Context, engines [2]*engine.Local, kind string, files []string, rounds, tokens int) error {
	fmt.Printf("\n| %s | tokens | drafted | accepted | tok/s plain | tok/s draft | ratio |\n|---|---|---|---|---|---|---|\n", kind)
	var ratios []float64
	var all row
	for _, file := range files {
		prompt, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		r, err := measure(ctx, engines, string(prompt), rounds, tokens)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		r.print(strings.TrimSuffix(filepath.Base(file), ".txt"))
		ratios = append(ratios, r.plain/r.draft)
		all.plain += r.plain
		all.draft += r.draft
		all.tokens += r.tokens
		all.drafted += r.drafted
		all.accepted += r.accepted
	}
	if len(files) > 1 {
		all.print("all")
		spread := speed.SpreadOf(ratios)
		fmt.Printf("\nmedian of the ratios %.2f, least %.2f\n", spread.Median, spread.Min)
	}
	return nil
}

// row is one prompt's, or all prompts': medians of seconds spent in decode.
type row struct {
	tokens, drafted, accepted int
	plain, draft              float64
}

func (r row) print(name string) {
	fmt.Printf("| %s | %d | %d | %d | %.1f | %.1f | %.2f |\n", name, r.tokens, r.drafted, r.accepted,
		float64(r.tokens)/r.plain, float64(r.tokens)/r.draft, r.plain/r.draft)
}

// measure continues a prompt in both ways, again and again, after one round
// that does not count.
func measure(ctx context.Context, engines [2]*engine.Local, prompt string, rounds, tokens int) (row, error) {
	req := engine.Request{Prompt: []engine.Piece{{Text: prompt}}, MaxTokens: tokens}
	var r row
	var seconds [2][]float64
	for round := range rounds + 1 {
		var texts [2]string
		for i, l := range engines {
			res, err := l.Generate(ctx, req, nil)
			if err != nil {
				return row{}, err
			}
			texts[i] = res.Text
			if round > 0 {
				seconds[i] = append(seconds[i], (res.Total - res.Prefill).Seconds())
			}
			r.tokens, r.drafted, r.accepted = res.DecodedTokens-1, res.Drafted, res.Accepted // the first one is the prefill's
		}
		if texts[0] != texts[1] {
			return row{}, fmt.Errorf("the texts differ: %q without drafts, %q with", texts[0], texts[1])
		}
	}
	r.plain, r.draft = speed.SpreadOf(seconds[0]).Median, speed.SpreadOf(seconds[1]).Median
	return r, nil
}
