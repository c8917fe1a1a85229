package speed

import (
	"fmt"
	"time"

	"tandem/kernels/op"
)

// handOver moves the pages of each prompt's length from one device to the other, as
// the engine does.
func (r *Report) handOver(from, to op.Pages, opt Options) error {
	if from.PageBytes() != to.PageBytes() || from.Type() != to.Type() {
		return fmt.Errorf("bench: pages of %d bytes of %v cannot become pages of %d bytes of %v", from.PageBytes(), from.Type(), to.PageBytes(), to.Type())
	}
	for _, tokens := range opt.Prefill {
		n := pagesOf(tokens)
		forms := make([][]byte, n)
		for i := range forms {
			forms[i] = make([]byte, from.PageBytes())
		}
		var export, imports []float64
		for turn := range opt.Repeats + 1 {
			start := time.Now()
			for i, form := range forms {
				if err := from.Export(form, int32(i), op.PageTokens); err != nil {
					return fmt.Errorf("bench: %w", err)
				}
			}
			between := time.Now()
			for i, form := range forms {
				to.Import(int32(i), form, op.PageTokens)
			}
			end := time.Now()
			if turn > 0 { // the first brings the memory in
				export = append(export, between.Sub(start).Seconds()*1e3)
				imports = append(imports, end.Sub(between).Seconds()*1e3)
			}
		}
		r.HandOver = append(r.HandOver, HandOver{Tokens: tokens, Bytes: n * from.PageBytes(), ExportMillis: SpreadOf(export), ImportMillis: SpreadOf(imports)})
	}
	return nil
}
