package main

import (
	"fmt"

	"tandem/bench/fim"
	"tandem/completion"
	"tandem/completion/prompt"
)

type evalCmd struct {
	FIM  evalFIMCmd  `cmd:"" name:"fim" help:"How much of what was cut out of programs is filled in exactly."`
	Repo evalRepoCmd `cmd:"" name:"repo" help:"How often the rest of a package makes a completion of a line in it exact."`
}

type evalFIMCmd struct {
	File   string `arg:"" placeholder:"FILE.jsonl" help:"Items, gzipped or not: task_id, kind, prefix, suffix, target; or HumanEval infilling's own format."`
	Layout string `default:"" enum:"${layouts}," placeholder:"NAME" help:"Layout of the prompt: ${layouts}; the model's own if not given."`
	Heal   bool   `default:"true" negatable:"" help:"Go on inside the word at the cursor (default)."`
	Every  int    `default:"1" placeholder:"K" help:"Take every K-th item only."`
	Peer   string `placeholder:"URL" help:"Ask a running llama-server in place of the own engine."`
}

// Help is what --help adds.
func (*evalFIMCmd) Help() string {
	return `Continues greedily, -n tokens at most for an item (default 96), and compares what
comes back with what was there. --json prints every result.`
}

// Run evaluates.
func (c *evalFIMCmd) Run(a *app) error {
	items, err := fim.ReadFile(c.File)
	if err != nil {
		return err
	}
	items = fim.Every(items, c.Every)
	src, closeSource, err := c.source(a)
	if err != nil {
		return err
	}
	defer closeSource()
	bar, done, exact := newProgress(a.err, "eval"), 0, 0
	report, err := fim.Run(a.ctx, src, items, a.Tokens, func(r fim.Result) error {
		done++
		if r.Exact {
			exact++
		}
		bar.show(float64(done)/float64(len(items)), fmt.Sprintf("%d of %d, %d exact", done, len(items), exact))
		return nil
	})
	bar.done()
	if err != nil {
		return err
	}
	if a.JSON {
		return printJSON(a.out, report)
	}
	_, err = fmt.Fprintf(a.out, "%d of %d exact (%.1f %%), edit similarity %.3f, layout %s, TTFT p50 %.0f ms, p95 %.0f ms\n",
		report.Exact, report.Items, 100*float64(report.Exact)/float64(max(report.Items, 1)), report.EditSimilarity,
		report.Layout, report.TTFT.P50, report.TTFT.P95)
	return err
}

// source is what fills the items in.
func (c *evalFIMCmd) source(a *app) (fim.Source, func(), error) {
	if c.Peer != "" {
		return fim.Peer(c.Peer), func() {}, nil
	}
	m, err := openModel(a)
	if err != nil {
		return nil, nil, err
	}
	layout := completion.DefaultLayout(m.engine.Info())
	if c.Layout != "" {
		if layout, err = prompt.ByName(c.Layout); err != nil {
			m.close()
			return nil, nil, err
		}
	}
	return fim.Local(m.engine, layout, c.Heal), m.close, nil
}
