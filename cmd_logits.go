package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"tandem/engine/tokenizer"
)

type logitsCmd struct {
	Prompt  string `arg:"" optional:"" help:"Text to compute."`
	IDs     string `name:"ids" placeholder:"1,2,3" help:"Token ids in place of a text."`
	Special bool   `help:"Spellings of special tokens in the prompt, such as <|im_start|>, become the token."`
	Top     int    `default:"20" placeholder:"K" help:"Likeliest tokens to print (default ${default})."`
	All     bool   `help:"After every token, not only the last one."`
	Raw     string `placeholder:"FILE" help:"Write the logits of the printed positions: little-endian float32, positions by vocabulary."`
}

// Help is what --help adds.
func (*logitsCmd) Help() string {
	return `Log-probabilities are natural and over the whole vocabulary. --json prints them as
{"ids": [...], "positions": [{"index", "top": [{"id", "piece", "logprob"}]}]}.`
}

// logitsOutput is `tandem logits --json`.
type logitsOutput struct {
	IDs       []int32          `json:"ids"`
	Positions []logitsPosition `json:"positions"`
}

// logitsPosition is what may follow the token ids[Index].
type logitsPosition struct {
	Index int           `json:"index"`
	Top   []likelyToken `json:"top"` // likeliest first
}

type likelyToken struct {
	ID      int32   `json:"id"`
	Piece   string  `json:"piece"`
	LogProb float64 `json:"logprob"`
}

// Run computes and prints.
func (c *logitsCmd) Run(a *app) (err error) {
	if (c.Prompt == "") == (c.IDs == "") {
		return fmt.Errorf("logits: give a prompt or --ids")
	}
	if c.Top < 0 {
		return fmt.Errorf("logits: --top %d: at least 0", c.Top)
	}
	m, err := openModel(a)
	if err != nil {
		return err
	}
	defer m.close()
	t := m.engine.Tokenizer()
	ids, err := c.ids(t)
	if err != nil {
		return err
	}
	raw, err := openRaw(c.Raw)
	if err != nil {
		return err
	}
	out := logitsOutput{IDs: ids, Positions: []logitsPosition{}}
	err = m.engine.Logits(a.ctx, ids, func(pos int, logits []float32) error {
		if !c.All && pos != len(ids)-1 {
			return nil
		}
		out.Positions = append(out.Positions, logitsPosition{Index: pos, Top: top(logits, c.Top, t)})
		return raw.write(logits)
	})
	if closeErr := raw.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if a.JSON {
		return printJSON(a.out, out)
	}
	return out.print(a, t)
}

// ids are the tokens of the prompt.
func (c *logitsCmd) ids(t *tokenizer.Tokenizer) ([]int32, error) {
	if c.IDs != "" {
		return parseIDs(c.IDs, math.MaxInt32)
	}
	return promptIDs(t, c.Prompt, c.Special)
}

// top are the n likeliest tokens, the lowest id first where several are equal.
func top(logits []float32, n int, t *tokenizer.Tokenizer) []likelyToken {
	if n == 0 {
		return []likelyToken{}
	}
	var best []int32
	for id, x := range logits {
		if len(best) == n && x <= logits[best[n-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, x, func(b int32, x float32) int {
			if logits[b] >= x {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, int32(id))
		best = best[:min(len(best), n)]
	}
	largest, sum := float64(logits[best[0]]), 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - largest)
	}
	tokens := make([]likelyToken, len(best))
	for i, id := range best {
		tokens[i] = likelyToken{ID: id, LogProb: float64(logits[id]) - largest - math.Log(sum)}
		if t != nil {
			tokens[i].Piece = t.Piece(id)
		}
	}
	return tokens
}

// print is the output for people.
func (o logitsOutput) print(a *app, t *tokenizer.Tokenizer) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, p := range o.Positions {
		piece := ""
		if t != nil {
			piece = fmt.Sprintf(" %q", t.Piece(o.IDs[p.Index]))
		}
		fmt.Fprintf(table, "after token %d, %d%s:\n", p.Index, o.IDs[p.Index], piece)
		for _, token := range p.Top {
			fmt.Fprintf(table, "\t%d\t%q\t%.4f\n", token.ID, token.Piece, token.LogProb)
		}
	}
	return table.Flush()
}

// rawFile receives rows of logits. A nil one takes them and keeps nothing.
type rawFile struct {
	f       *os.File
	w       *bufio.Writer
	scratch []byte
}

func openRaw(path string) (*rawFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("logits: --raw: %w", err)
	}
	return &rawFile{f: f, w: bufio.NewWriterSize(f, 1<<20)}, nil
}

func (r *rawFile) write(row []float32) error {
	if r == nil {
		return nil
	}
	var err error
	if r.scratch, err = binary.Append(r.scratch[:0], binary.LittleEndian, row); err != nil {
		return err
	}
	_, err = r.w.Write(r.scratch)
	return err
}

func (r *rawFile) close() error {
	if r == nil {
		return nil
	}
	err := r.w.Flush()
	if closeErr := r.f.Close(); err == nil {
		err = closeErr
	}
	return err
}
