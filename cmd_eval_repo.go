package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tandem/bench/repo"
	"tandem/context/retrieve"
)

type evalRepoCmd struct {
	File       string   `arg:"" placeholder:"FILE.jsonl" help:"Items, gzipped or not: id, package, version, path, prefix, suffix, target, cross_names."`
	Packages   string   `required:"" type:"path" placeholder:"DIR" help:"Folder of the unpacked packages, as 'bench/repo/fetch.sh DIR FILE.jsonl' makes it."`
	Budget     int      `default:"0" placeholder:"TOKENS" help:"Tokens of context at most; 0 takes the model's default."`
	Retrievers []string `default:"${retrievers}" enum:"${retrievers}" placeholder:"NAMES" help:"Where context may come from, separated by commas: ${retrievers} (default all)."`
	Ablate     bool     `help:"Try each retriever alone, and all but each, too."`
	Layout     string   `default:"" enum:"${layouts}," placeholder:"NAME" help:"Layout of the prompt: ${layouts}; the model's own if not given."`
	Every      int      `default:"1" placeholder:"K" help:"Take every K-th item only."`
	Out        string   `type:"path" placeholder:"FILE" help:"Keep every result in FILE, one a line, and go on where it ends."`
}

// Help is what --help adds.
func (*evalRepoCmd) Help() string {
	return `Completes each item's line greedily, with context from its package and without, as
an editor would have it completed, and compares the line with what was there. -n is
the longest suggestion in tokens (default 64). --json prints every result.`
}

// Run evaluates.
func (c *evalRepoCmd) Run(a *app) error {
	if c.Budget < 0 {
		return fmt.Errorf("--budget %d: tokens of context, at least 1; completing without any is measured anyway", c.Budget)
	}
	items, err := repo.ReadFile(c.File)
	if err != nil {
		return err
	}
	items = repo.Every(items, c.Every)
	m, err := openModel(a)
	if err != nil {
		return err
	}
	defer m.close()
	opt := repo.Options{Packages: repo.Packages(c.Packages), Arms: repo.Arms(c.Ablate, c.chosen()), Setting: repo.Setting{
		Model: m.engine.Info().Model, Layout: c.Layout, MaxTokens: a.Tokens, ContextTokens: c.Budget, Retrievers: c.chosen(),
	}}
	keep := func(repo.Result) error { return nil }
	if c.Out != "" {
		log, known, err := repo.OpenLog(c.Out, opt.Setting)
		if err != nil {
			return err
		}
		defer log.Close()
		opt.Known, keep = known, log.Add
	}
	bar := newProgress(a.err, "eval")
	defer bar.done()
	opt.Each = c.progress(bar, opt.Left(items), keep)
	results, err := repo.Run(a.ctx, m.engine, items, opt)
	if err != nil {
		return err
	}
	bar.done()
	report := repo.Summarise(opt, results)
	if a.JSON {
		return printJSON(a.out, report)
	}
	return printRepo(a.out, report)
}

// chosen are the retrievers to use, in one order however they were given.
func (c *evalRepoCmd) chosen() []string {
	return slices.DeleteFunc(retrieve.Sources(), func(name string) bool { return !slices.Contains(c.Retrievers, name) })
}

// progress keeps each result and shows how many are left, and for how long.
func (c *evalRepoCmd) progress(bar *progress, left int, keep func(repo.Result) error) func(repo.Result) error {
	start, done, exact := time.Now(), 0, map[string]int{}
	return func(r repo.Result) error {
		done++
		if r.Exact {
			exact[r.Arm]++
		}
		rest := time.Since(start) / time.Duration(done) * time.Duration(left-done)
		bar.show(float64(done)/float64(left), fmt.Sprintf("%d of %d, exact %d with and %d without context, %s left",
			done, left, exact[repo.With], exact[repo.Without], rest.Round(time.Second)))
		return keep(r)
	}
}

// printRepo prints a line for each arm and the comparison that counts.
func printRepo(out io.Writer, r repo.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "context\texact\t%\tdifference, 95 %\tsimilarity\trecall\tprompt tokens\tTTFT p50, ms\t\n")
	for _, arm := range r.Arms {
		change := ""
		if d := arm.Difference; d != nil {
			change = fmt.Sprintf("%+.1f (%+.1f to %+.1f)", 100*d.Value, 100*d.Low, 100*d.High)
		}
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%s\t%.3f\t%.2f\t%.0f\t%.0f\t\n", arm.Name, arm.Exact, 100*float64(arm.Exact)/float64(max(r.Items, 1)),
			change, arm.EditSimilarity, arm.Recall, arm.PromptTokens, arm.TTFT.P50)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	missed := 0
	for _, arm := range r.Arms {
		missed += arm.Missed
	}
	_, err := fmt.Fprintf(out, "%d items, layout %s: exact with context %s times as often as without (95 %%: %s to %s); chunks shown: %s; retrievers late %d times\n",
		r.Items, r.Layout, times(r.Ratio.Value), times(r.Ratio.Low), times(r.Ratio.High), chunksText(r), missed)
	return err
}

// times words a ratio.
func times(b repo.Bound) string {
	if math.IsInf(float64(b), 1) {
		return "infinitely many"
	}
	return fmt.Sprintf("%.2f", float64(b))
}

// chunksText tells how many chunks an item was shown, by retriever.
func chunksText(r repo.Report) string {
	var parts []string
	for _, arm := range r.Arms {
		for _, source := range retrieve.Sources() {
			if n := arm.Chunks[source]; arm.Name == repo.With && n > 0 {
				parts = append(parts, fmt.Sprintf("%.1f %s", n, source))
			}
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
