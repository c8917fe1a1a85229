// Command draft measures what drafts are worth: each prompt of testdata/draft is
// continued without and with them, in turn, A B A B, by one process. The texts
// must be equal on the CPU; a GPU adds up rows of a larger batch in another order,
// and prompts for which that made another text are counted. With a draft model, a
// third way has that as well. It prints a table in Markdown. From the repository's
// root:
//
//	go run ./bench/draft [--model NAME] [--draft-model NAME] [--device vulkan] [--rounds N]
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
	"time"

	"tandem/bench/speed"
	"tandem/engine"
	"tandem/engine/sample"
	"tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/kernels/vulkan"
	"tandem/models"
)

// options are the flags.
type options struct {
	model, draftModel       string
	device                  string
	threads, rounds, tokens int
	only                    string
	temperature             float64
}

func main() {
	var o options
	flag.StringVar(&o.model, "model", "qwen2.5-coder-0.5b", "model to measure")
	flag.StringVar(&o.draftModel, "draft-model", "", "model that drafts where look-up finds nothing")
	flag.StringVar(&o.device, "device", "cpu", "processor to compute on: cpu or vulkan, the best GPU")
	flag.IntVar(&o.rounds, "rounds", 3, "runs of each prompt in each way")
	flag.IntVar(&o.threads, "threads", 0, "threads; 0 takes every core")
	flag.IntVar(&o.tokens, "n", 128, "tokens to decode")
	flag.StringVar(&o.only, "only", "", "measure only prompts whose name contains this")
	flag.Float64Var(&o.temperature, "temperature", 0, "sample at this temperature, for a text that nobody can predict")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("draft: ", err)
	}
}

// way is an engine that decodes in one of the ways that are compared.
type way struct {
	name   string
	engine *engine.Local
}

func run(ctx context.Context, o options) error {
	path, _, err := models.Resolve("", o.model)
	if err != nil {
		return err
	}
	device, err := openDevice(o)
	if err != nil {
		return err
	}
	defer device.Close()
	executor := engine.NewExecutor(device)
	defer executor.Close()
	var ways []way
	open := func(name string, opt engine.Options) error {
		opt.Path, opt.Prefill, opt.Decode, opt.KV, opt.MaxTokens = path, executor, executor, op.F16, 2048
		l, err := engine.Open(ctx, opt)
		if err == nil {
			ways = append(ways, way{name, l})
		}
		return err
	}
	defer func() {
		for _, w := range ways {
			w.engine.Close()
		}
	}()
	if err := open("plain", engine.Options{NoDraft: true}); err != nil {
		return err
	}
	if err := open("look-up", engine.Options{}); err != nil {
		return err
	}
	if o.draftModel != "" {
		draftPath, _, err := models.Resolve("", o.draftModel)
		if err != nil {
			return err
		}
		if err := open("with "+o.draftModel, engine.Options{DraftPath: draftPath}); err != nil {
			return err
		}
	}
	info := device.Info()
	fmt.Printf("%s on %s (%s, %d threads), %d tokens decoded at temperature %g, medians of %d runs in turn\n",
		o.model, info.Name, info.ISA, info.Threads, o.tokens, o.temperature, o.rounds)
	for _, kind := range []string{"repeat", "fresh"} {
		files, err := filepath.Glob(filepath.Join("testdata", "draft", kind, "*"+o.only+"*.txt"))
		if err != nil {
			return err
		}
		if err := measureAll(ctx, ways, kind, files, o); err != nil {
			return err
		}
	}
	return nil
}

func openDevice(o options) (op.Device, error) {
	switch o.device {
	case "cpu":
		return cpu.Open(cpu.Options{Threads: o.threads})
	case "vulkan":
		return vulkan.Open(vulkan.Options{Index: -1})
	}
	return nil, fmt.Errorf("no device %q: use cpu or vulkan", o.device)
}

// measureAll prints the table of one kind of prompts.
func measureAll(ctx context.Context, ways []way, kind string, files []string, o options) error {
	fmt.Printf("\n| %s | tokens |", kind)
	rule := "|---|---|"
	for i, w := range ways {
		if i > 0 {
			fmt.Print(" drafted | accepted |")
			rule += "---|---|"
		}
		fmt.Printf(" tok/s %s |", w.name)
		rule += "---|"
		if i > 0 {
			fmt.Print(" ratio |")
			rule += "---|"
		}
	}
	fmt.Printf("\n%s\n", rule)
	all := row{done: make([]done, len(ways))}
	ratios, parted := make([][]float64, len(ways)), 0
	for _, file := range files {
		prompt, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		r, err := measure(ctx, ways, string(prompt), o)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		r.print(strings.TrimSuffix(filepath.Base(file), ".txt"))
		all.tokens += r.tokens
		if r.parted {
			parted++
		}
		for i, d := range r.done {
			all.done[i].drafted += d.drafted
			all.done[i].accepted += d.accepted
			all.done[i].seconds += d.seconds
			ratios[i] = append(ratios[i], r.done[0].seconds/d.seconds)
		}
	}
	if len(files) < 2 {
		return nil
	}
	all.print("all")
	fmt.Println()
	for i, w := range ways[1:] {
		spread := speed.SpreadOf(ratios[1+i])
		fmt.Printf("%s: median of the ratios %.2f, least %.2f\n", w.name, spread.Median, spread.Min)
	}
	if parted > 0 {
		fmt.Printf("%d of %d texts differ between the ways\n", parted, len(files))
	}
	if last := ways[len(ways)-1].engine.Stats(); last.ModelDrafted > 0 {
		fmt.Printf("so far the draft model has drafted %d tokens, of which %d were accepted\n", last.ModelDrafted, last.ModelAccepted)
	}
	return nil
}

// row is one prompt's, or all prompts'.
type row struct {
	tokens int
	parted bool   // not all ways wrote the same text
	done   []done // by way
}

// done is what one way did: drafts, and the median of seconds spent in decode.
type done struct {
	drafted, accepted int
	seconds           float64
}

func (r row) print(name string) {
	fmt.Printf("| %s | %d | %.1f |", name, r.tokens, float64(r.tokens)/r.done[0].seconds)
	for _, d := range r.done[1:] {
		fmt.Printf(" %d | %d | %.1f | %.2f |", d.drafted, d.accepted, float64(r.tokens)/d.seconds, r.done[0].seconds/d.seconds)
	}
	fmt.Println()
}

// rest waits until the engine has nothing to do. A draft model computes a prompt
// when somebody pauses, which the rounds never do.
func (w way) rest(ctx context.Context) {
	const pause = 300 * time.Millisecond
	for before := int64(-1); ctx.Err() == nil; time.Sleep(pause) {
		rows := int64(0)
		for _, d := range w.engine.Stats().Devices {
			rows += d.Rows
		}
		if rows == before {
			return
		}
		before = rows
	}
}

// measure continues a prompt in all ways, again and again, after one round that
// does not count.
func measure(ctx context.Context, ways []way, prompt string, o options) (row, error) {
	req := engine.Request{
		Prompt: []engine.Piece{{Text: prompt}}, MaxTokens: o.tokens,
		Sampling: sample.Options{Temperature: o.temperature, Seed: 1},
	}
	r := row{done: make([]done, len(ways))}
	seconds := make([][]float64, len(ways))
	for round := range o.rounds + 1 {
		var plain string
		for i, w := range ways {
			res, err := w.engine.Generate(ctx, req, nil)
			if err != nil {
				return row{}, err
			}
			if i == 0 {
				plain = res.Text
			}
			if round == 0 {
				w.rest(ctx)
			}
			if res.Text != plain && o.device == "cpu" {
				return row{}, fmt.Errorf("the texts differ: %q plain, %q %s", plain, res.Text, w.name)
			}
			r.parted = r.parted || res.Text != plain
			if round > 0 {
				seconds[i] = append(seconds[i], (res.Total - res.Prefill).Seconds())
			}
			r.tokens = res.DecodedTokens - 1 // the first one is the prefill's
			r.done[i].drafted, r.done[i].accepted = res.Drafted, res.Accepted
		}
	}
	for i := range ways {
		r.done[i].seconds = speed.SpreadOf(seconds[i]).Median
	}
	return r, nil
}
