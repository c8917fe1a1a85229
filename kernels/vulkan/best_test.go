package vulkan

import (
	"fmt"
	"testing"

	"tandem/kernels/op"
)

// BenchmarkBest takes all logits of Qwen's vocabulary, the best one, and the best 64.
func BenchmarkBest(b *testing.B) {
	const vocab, width = 151_936, 32 // narrow: the product is the smaller part
	d := open(b)
	defer d.Close()
	table := &op.Tensor{Name: "zeros", Type: op.Q8_0, Rows: vocab, Cols: width, Data: make([]byte, op.Q8_0.RowBytes(vocab*width))}
	build := op.NewBuilder("logits", vocab, 64)
	p, err := build.Program(build.MatMul(build.Select(build.Embed(table)), table, nil))
	if err != nil {
		b.Fatal(err)
	}
	exec, err := d.Compile(b.Context(), p, op.CompileOptions{RowsMax: fewRows, LogitsMax: fewRows, KV: op.F16, Pages: 1}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer exec.Close()
	for _, rows := range []int{1, fewRows} {
		for _, n := range []int{0, 1, bestMax} {
			batch := &op.Batch{Tables: [][]int32{{0}}, BestN: n, Best: make([]op.Scored, n*rows)}
			for i := range rows {
				batch.Rows = append(batch.Rows, op.Row{Pos: int32(i), Logits: true})
			}
			if n == 0 {
				batch.Logits = make([]float32, rows*vocab)
			}
			b.Run(fmt.Sprintf("%d rows/best %d", rows, n), func(b *testing.B) {
				for b.Loop() {
					if err := exec.Run(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
