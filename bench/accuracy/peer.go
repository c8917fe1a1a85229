package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildPeer compiles peer_logits against the llama.cpp tree in dir.
func buildPeer(ctx context.Context, dir, out string) error {
	headers, err := filepath.Glob(filepath.Join(dir, "llama_cpp_python-*", "vendor", "llama.cpp"))
	if err != nil || len(headers) == 0 {
		return fmt.Errorf("%s: no llama_cpp_python-*/vendor/llama.cpp in it: give the folder that llama.cpp was built in", dir)
	}
	args := []string{"-O2", "-std=c++17", "-o", out, "bench/accuracy/peer/peer_logits.cpp",
		"-I" + filepath.Join(headers[0], "include"), "-I" + filepath.Join(headers[0], "ggml", "include")}
	for _, lib := range []string{"src/libllama.a", "ggml/src/libggml.a", "ggml/src/libggml-cpu.a", "ggml/src/libggml-base.a"} {
		args = append(args, filepath.Join(dir, lib))
	}
	cmd := exec.CommandContext(ctx, "g++", append(args, "-lpthread", "-ldl", "-lgomp", "-lm")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile peer_logits with g++ against %s: %w", dir, err)
	}
	return nil
}

// peer is a running peer_logits.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startPeer(ctx context.Context, program, model string, args ...string) (*peer, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{model}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{cmd, in, bufio.NewReaderSize(out, 1<<20)}, cmd.Start()
}

func (p *peer) send(ids []int32) error {
	_, err := fmt.Fprintln(p.in, strings.Trim(fmt.Sprint(ids), "[]"))
	return err
}

// logits fills dst with the logits of ids, (len(ids), vocabulary).
func (p *peer) logits(ids []int32, dst []float32) error {
	if err := p.send(ids); err != nil {
		return err
	}
	return binary.Read(p.out, binary.LittleEndian, dst)
}

// chosen is a token that the peer chose greedily.
type chosen struct {
	id  int32
	gap float64 // nats between it and the second best
}

func (p *peer) greedy(ids []int32, n int) ([]chosen, error) {
	if err := p.send(ids); err != nil {
		return nil, err
	}
	tokens := make([]chosen, n)
	for i := range tokens {
		if _, err := fmt.Fscan(p.out, &tokens[i].id, &tokens[i].gap); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func (p *peer) close() error {
	p.in.Close()
	return p.cmd.Wait()
}
