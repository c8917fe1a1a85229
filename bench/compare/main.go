// Command compare measures this engine and llama.cpp in turn, A B A B, on the
// same machine, file and number of threads, and prints medians, spread and
// ratios as a table in Markdown. From the repository's root, after make build:
//
//	go run ./bench/compare --peer DIR [--models NAMES] [--rounds N]
//
// DIR is a build of llama.cpp with bin/llama-bench in it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tandem/models"
)

func main() {
	peerDir := flag.String("peer", "", "folder in which llama.cpp was built")
	names := flag.String("models", "qwen2.5-coder-0.5b,smollm2-135m", "models, separated by commas")
	rounds := flag.Int("rounds", 5, "runs of each program")
	threads := flag.Int("threads", 2, "threads of each program")
	prompt := flag.Int("p", 512, "prompt tokens")
	tokens := flag.Int("n", 64, "tokens to decode")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("%d threads, pp%d and tg%d in tokens/s, median (least-most) of %d runs in turn\n\n", *threads, *prompt, *tokens, *rounds)
	fmt.Println("| model | prefill tandem | prefill llama.cpp | ratio | decode tandem | decode llama.cpp | ratio |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, name := range strings.Split(*names, ",") {
		path, _, err := models.Resolve("", name)
		if err != nil {
			log.Fatal("compare: ", err)
		}
		c := comparison{path, *threads, *prompt, *tokens, filepath.Join(*peerDir, "bin", "llama-bench")}
		row, err := c.run(ctx, *rounds)
		if err != nil {
			log.Fatal("compare: ", name, ": ", err)
		}
		fmt.Println("| " + name + row)
	}
}

type comparison struct {
	path                    string
	threads, prompt, tokens int
	peer                    string
}

// speeds of one program: prefill and decode, tokens per second, one per round.
type speeds struct{ prefill, decode []float64 }

func (c comparison) run(ctx context.Context, rounds int) (row string, err error) {
	var own, peer speeds
	for round := range rounds {
		load, _ := os.ReadFile("/proc/loadavg") // absent where there is no such file
		fmt.Fprintf(os.Stderr, "%s: round %d, load %s", filepath.Base(c.path), round+1, load)
		if err := c.tandem(ctx, &own); err != nil {
			return "", fmt.Errorf("bin/tandem bench: %w", err)
		}
		if err := c.llama(ctx, &peer); err != nil {
			return "", fmt.Errorf("llama-bench: %w", err)
		}
	}
	return fmt.Sprintf(" | %s | %s | %.2f | %s | %s | %.2f |",
		show(own.prefill), show(peer.prefill), median(own.prefill)/median(peer.prefill),
		show(own.decode), show(peer.decode), median(own.decode)/median(peer.decode)), nil
}

// output runs a program and parses its JSON.
func output(ctx context.Context, into any, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

func (c comparison) tandem(ctx context.Context, s *speeds) error {
	type rate struct {
		TokensPerSecond struct{ Median float64 } `json:"tokens_per_second"`
	}
	var report struct{ Prefill, Decode []rate }
	err := output(ctx, &report, "bin/tandem", "bench", "--json", "--cancels", "0", "-r", "1", "--model", c.path,
		"--threads", strconv.Itoa(c.threads), "-p", strconv.Itoa(c.prompt), "-n", strconv.Itoa(c.tokens))
	if err != nil || len(report.Prefill) == 0 || len(report.Decode) == 0 {
		return fmt.Errorf("no figures: %w", err)
	}
	s.prefill = append(s.prefill, report.Prefill[0].TokensPerSecond.Median)
	s.decode = append(s.decode, report.Decode[0].TokensPerSecond.Median)
	return nil
}

func (c comparison) llama(ctx context.Context, s *speeds) error {
	var tests []struct {
		Prompt int     `json:"n_prompt"`
		Speed  float64 `json:"avg_ts"`
	}
	err := output(ctx, &tests, c.peer, "-o", "json", "-r", "1", "-m", c.path,
		"-t", strconv.Itoa(c.threads), "-p", strconv.Itoa(c.prompt), "-n", strconv.Itoa(c.tokens))
	for _, t := range tests {
		if t.Prompt > 0 {
			s.prefill = append(s.prefill, t.Speed)
		} else {
			s.decode = append(s.decode, t.Speed)
		}
	}
	return err
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func show(x []float64) string {
	return fmt.Sprintf("%.1f (%.1f-%.1f)", median(x), slices.Min(x), slices.Max(x))
}
