package kerneltest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"tandem/kernels/op"
)

// benchShape is two layers of Qwen 2.5 1.5B: in no format do their weights fit
// a last-level cache of 32 MB, out of which a whole model never runs.
var benchShape = blockShape{layers: 2, width: 1536, headDim: 128, qHeads: 12, heads: 2, ffn: 8960, maxTokens: 1024}

const benchTokens = 512 // of the prompt

// Bench profiles a transformer of a real model's shapes in each format on the
// device that open opens with every core: for each kind of op and shape the
// time, bytes, operations and share of the machine's limits, as 'tandem bench
// --profile' does for whole models. A step decodes a row behind 512 tokens, or
// is the prefill of these.
func Bench(b *testing.B, open Open, formats ...op.DType) {
	d := open(b, 0)
	defer d.Close()
	limiter, ok := d.(interface {
		Limits(ctx context.Context) (readGBs, teraOps float64, err error)
	})
	if !ok {
		b.Skipf("%s does not measure its limits", d.Name())
	}
	readGBs, teraOps, err := limiter.Limits(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("limits: %.1f GB/s read from memory, %.2f int8 TOPS\n", readGBs, teraOps)
	for _, format := range formats {
		b.Run(format.String(), func(b *testing.B) {
			s := newSource(1)
			p := benchShape.program(b, s, format, s.alike)
			m := compile(b, d, p, op.CompileOptions{RowsMax: benchTokens, LogitsMax: 1, KV: op.F16, Pages: benchTokens/op.PageTokens + 1})
			profiler, ok := m.exec.(op.Profiler)
			if !ok {
				b.Skipf("%s tells no costs", d.Name())
			}
			prompt := sequence(0, 0, s.tokens(benchTokens+1, vocab))
			for i := range benchTokens - 1 {
				prompt[i].Logits = false
			}
			for _, step := range []struct {
				name string
				rows []op.Row
			}{{"prefill", prompt[:benchTokens]}, {"decode", prompt[benchTokens:]}} {
				var costs []op.Cost
				b.Run(step.name, func(b *testing.B) {
					table := pageTable(0, benchTokens/op.PageTokens+1)
					m.run(step.rows, table) // brings the weights into memory
					profiler.StartProfile()
					for b.Loop() {
						m.run(step.rows, table)
					}
					costs = profiler.StopProfile()
				})
				// Not to b.Log, of which only ten lines are kept.
				if err := op.WriteCosts(os.Stdout, costs, readGBs, teraOps); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// alike is even with the same row again and again: made at once, and as fast.
func (s source) alike(format op.DType, rows, cols int) *op.Tensor {
	t := s.even(format, 1, cols)
	t.Rows, t.Data = rows, bytes.Repeat(t.Data, rows)
	return t
}
