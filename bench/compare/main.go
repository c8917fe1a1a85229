// Command compare measures this engine and llama.cpp in turn, A B A B, case by
// case, on the same machine, file, number of threads and type of keys and
// values, and prints medians, spread and ratios as a table in Markdown. From the
// repository's root, after make build:
//
//	go run ./bench/compare --peer DIR [--rounds N] [--svg docs/speed.svg] [--raw FILE]
//	go run ./bench/compare --from FILE [--svg docs/gpu.svg]
//
// DIR is a build of llama.cpp with bin/llama-bench in it; FILE has the runs that --raw
// wrote, or that were made on a machine where this cannot run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tandem/bench/speed"
	"tandem/models"
)

// cases are what is measured of each model.
var cases = []test{
	{Kind: "prefill", Tokens: 512}, {Kind: "prefill", Tokens: long},
	{Kind: "decode", Tokens: 64}, {Kind: "decode", Tokens: 64, Depth: long},
}

// long is the tokens from which a case is left out for the models of --short.
const long = 4096

// test is one case: tokens to compute behind depth others.
type test struct {
	Kind   string `json:"kind"` // prefill or decode
	Tokens int    `json:"tokens"`
	Depth  int    `json:"depth"`
}

func (t test) String() string {
	if t.Depth > 0 {
		return fmt.Sprintf("%s %d at depth %d", t.Kind, t.Tokens, t.Depth)
	}
	return fmt.Sprintf("%s %d", t.Kind, t.Tokens)
}

// sample is one run of one program, a line of --raw.
type sample struct {
	Model string `json:"model"`
	test
	Program         string    `json:"program"`
	Round           int       `json:"round"` // from 1
	TokensPerSecond float64   `json:"tokens_per_second"`
	Began           time.Time `json:"began"`
	Load            string    `json:"load"` // the system's averages before; "" where it has none
}

type options struct {
	names, short, raw, from, svg string
	rounds                       int
	programs                     programs
}

func main() {
	var o options
	peer := flag.String("peer", "", "folder in which llama.cpp was built")
	flag.StringVar(&o.names, "models", "qwen2.5-coder-0.5b,qwen2.5-coder-1.5b,smollm2-135m", "models, separated by commas")
	flag.StringVar(&o.short, "short", "smollm2-135m", "of those, the ones that nobody gives long prompts: without the cases of 4,096 tokens")
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each program")
	flag.IntVar(&o.programs.threads, "threads", 2, "threads of each program")
	flag.StringVar(&o.programs.attention, "fa", "auto", "llama.cpp's flash attention: on, off, or auto, its default")
	flag.StringVar(&o.raw, "raw", "", "file to append every run to, as lines of JSON")
	flag.StringVar(&o.from, "from", "", "measure nothing: the runs of this file, lines of JSON as --raw writes them")
	flag.StringVar(&o.svg, "svg", "", "file to plot to")
	flag.Parse()
	o.programs.peer = filepath.Join(*peer, "bin", "llama-bench")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("compare: ", err)
	}
}

func run(ctx context.Context, o options) error {
	var results []result
	var err error
	if o.from != "" {
		results, err = readRuns(o.from)
	} else if results, err = o.measureAll(ctx); err == nil {
		fmt.Printf("tokens/s, median (least-most) of %d runs in turn; %d threads, f16 keys and values, llama.cpp's flash attention: %s\n\n",
			o.rounds, o.programs.threads, o.programs.attention)
	}
	if err != nil {
		return err
	}
	writeTable(os.Stdout, results)
	if o.svg == "" {
		return nil
	}
	f, err := os.Create(o.svg)
	if err != nil {
		return err
	}
	return errors.Join(writeSVG(f, results), f.Close())
}

// readRuns reads samples, in the order in which cases first come. Each case needs runs of both programs.
func readRuns(path string) ([]result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	type key struct {
		model string
		test
	}
	var order []key
	runs := map[key]map[string][]float64{}
	for d := json.NewDecoder(f); ; {
		var s sample
		if err := d.Decode(&s); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		k := key{s.Model, s.test}
		if runs[k] == nil {
			order, runs[k] = append(order, k), map[string][]float64{}
		}
		runs[k][s.Program] = append(runs[k][s.Program], s.TokensPerSecond)
	}
	var results []result
	for _, k := range order {
		own, peer := runs[k]["tandem"], runs[k]["llama.cpp"]
		if len(own) == 0 || len(peer) == 0 {
			return nil, fmt.Errorf("%s: %s, %v: runs of one program alone", path, k.model, k.test)
		}
		results = append(results, result{k.model, k.test, speed.SpreadOf(own), speed.SpreadOf(peer)})
	}
	return results, nil
}

// measureAll measures every model.
func (o options) measureAll(ctx context.Context) (results []result, err error) {
	if o.rounds < 1 {
		return nil, fmt.Errorf("--rounds %d: use 1 or more", o.rounds)
	}
	var raw *os.File // nil without --raw
	if o.raw != "" {
		if raw, err = os.OpenFile(o.raw, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, raw.Close()) }()
	}
	for _, name := range strings.Split(o.names, ",") {
		path, _, err := models.Resolve("", name)
		if err != nil {
			return nil, err
		}
		some := cases
		if slices.Contains(strings.Split(o.short, ","), name) {
			some = slices.DeleteFunc(slices.Clone(cases), func(t test) bool { return t.Tokens+t.Depth >= long })
			fmt.Fprintf(os.Stderr, "%s: the cases of %d tokens are left out (--short)\n", name, long)
		}
		of, err := o.measure(ctx, name, path, some, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		results = append(results, of...)
	}
	return results, nil
}

// measure runs a model's cases, all of them once in each round.
func (o options) measure(ctx context.Context, name, path string, some []test, raw *os.File) ([]result, error) {
	own, peer := make([][]float64, len(some)), make([][]float64, len(some))
	for round := range o.rounds {
		for i, t := range some {
			for _, p := range []struct {
				name string
				run  func(context.Context, string, test) (float64, error)
				into *[]float64
			}{{"tandem", o.programs.tandem, &own[i]}, {"llama.cpp", o.programs.llama, &peer[i]}} {
				load, _ := os.ReadFile("/proc/loadavg") // absent where there is no such file
				s := sample{Model: name, test: t, Program: p.name, Round: round + 1, Began: time.Now(), Load: strings.TrimSpace(string(load))}
				var err error
				if s.TokensPerSecond, err = p.run(ctx, path, t); err != nil {
					return nil, fmt.Errorf("%v: %s: %w", t, p.name, err)
				}
				*p.into = append(*p.into, s.TokensPerSecond)
				fmt.Fprintf(os.Stderr, "%s, round %d, %v: %s %.1f tokens/s (load %s)\n", name, s.Round, t, p.name, s.TokensPerSecond, s.Load)
				if raw == nil {
					continue
				}
				if err := json.NewEncoder(raw).Encode(s); err != nil {
					return nil, err
				}
			}
		}
	}
	var results []result
	for i, t := range some {
		results = append(results, result{name, t, speed.SpreadOf(own[i]), speed.SpreadOf(peer[i])})
	}
	return results, nil
}
