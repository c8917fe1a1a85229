package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"tandem/bench/speed"
)

// programs are the two that are compared; each run is a process of its own.
type programs struct {
	peer      string // llama-bench
	threads   int
	attention string // llama-bench's -fa
}

// tandem gives bin/tandem's tokens per second.
func (p programs) tandem(ctx context.Context, path string, t test) (float64, error) {
	args := []string{"bench", "--json", "--cancels", "0", "--sequences", "1", "--cached", "0", "-r", "1", "--kv", "f16", "--model", path,
		"--threads", strconv.Itoa(p.threads), "--depth", strconv.Itoa(t.Depth)}
	if t.Kind == "prefill" {
		args = append(args, "-p", strconv.Itoa(t.Tokens), "-n", "1") // a decode step costs little
	} else {
		args = append(args, "-p", "0", "-n", strconv.Itoa(t.Tokens))
	}
	out, err := output(ctx, "bin/tandem", args...)
	if err != nil {
		return 0, err
	}
	return tandemSpeed(out, t)
}

func tandemSpeed(out []byte, t test) (float64, error) {
	var report speed.Report
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, err
	}
	rates := report.Decode
	if t.Kind == "prefill" {
		rates = report.Prefill
	}
	if len(rates) != 1 || rates[0].Tokens != t.Tokens || rates[0].Depth != t.Depth {
		return 0, fmt.Errorf("%d rates in its report, want that of %v alone", len(rates), t)
	}
	return rates[0].TokensPerSecond.Median, nil
}

// llama gives llama-bench's tokens per second.
func (p programs) llama(ctx context.Context, path string, t test) (float64, error) {
	prompt, decode := t.Tokens, 0
	if t.Kind == "decode" {
		prompt, decode = 0, t.Tokens
	}
	out, err := output(ctx, p.peer, "-o", "json", "-r", "1", "-ctk", "f16", "-ctv", "f16", "-fa", p.attention, "-m", path,
		"-t", strconv.Itoa(p.threads), "-p", strconv.Itoa(prompt), "-n", strconv.Itoa(decode), "-d", strconv.Itoa(t.Depth))
	if err != nil {
		return 0, err
	}
	return llamaSpeed(out, t)
}

func llamaSpeed(out []byte, t test) (float64, error) {
	var tests []struct {
		Prompt int     `json:"n_prompt"`
		Decode int     `json:"n_gen"`
		Depth  int     `json:"n_depth"`
		Speed  float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(out, &tests); err != nil {
		return 0, err
	}
	if len(tests) != 1 || tests[0].Prompt+tests[0].Decode != t.Tokens || tests[0].Depth != t.Depth || (tests[0].Prompt > 0) != (t.Kind == "prefill") {
		return 0, fmt.Errorf("%d tests in its report, want %v alone", len(tests), t)
	}
	return tests[0].Speed, nil
}

// output runs a program; what it has to say otherwise is the user's to read.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return out, nil
}
