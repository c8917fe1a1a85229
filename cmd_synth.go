package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tandem/bench/synth"
)

// synthSeed makes every file of a shape the same.
const synthSeed = 1

type synthCmd struct {
	Shape string `arg:"" help:"Shape: ${shapes}. «SHAPE:TYPE», as in qwen2.5-coder-0.5b:Q8_0, stores all matrices in one type."`
	Out   string `arg:"" placeholder:"OUT.gguf" help:"File to write."`
}

// Help is what --help adds.
func (*synthCmd) Help() string {
	return `The file has the true shape, the mix of quantised types of the real file and a
vocabulary that loads, here and in llama.cpp. What such a model says is noise.`
}

// Run writes the file.
func (c *synthCmd) Run(a *app) error { return writeSynthetic(a, c.Shape, c.Out) }

// writeSynthetic writes a shape's file to path, which gets its name when it is whole.
func writeSynthetic(a *app, shape, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	defer os.Remove(f.Name())
	bar := newProgress(a.err, "writing "+shape)
	err = synth.Write(cancellable{a.ctx, f}, shape, synthSeed, func(done, total int64) {
		bar.show(float64(done)/float64(total), bar.rate(done))
	})
	bar.done()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if a.ctx.Err() != nil {
		return a.ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil { // as other programs' files
		return fmt.Errorf("synth: %w", err)
	}
	return os.Rename(f.Name(), path)
}

// cancellable is a writer that fails when ctx ends.
type cancellable struct {
	ctx context.Context
	w   io.Writer
}

// Write passes b on.
func (c cancellable) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(b)
}
