package repo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/bench/fim"
	"tandem/completion"
	"tandem/context/retrieve"
	"tandem/engine"
	"tandem/internal/bug"
)

// Arm is one way to complete every item.
type Arm struct {
	Name string `json:"name"`
	// Against is the arm that this one is compared with, item by item; "" for
	// the first.
	Against string `json:"against,omitempty"`

	retrievers []string // nil for no context
}

// The arms of every run.
const (
	Without = "without"
	With    = "with"
)

// contextTime is so long that no retriever is late: what is measured is what they
// find, and is the same on a busy machine.
const contextTime = 10 * time.Second

// Arms are completing without context and with that of retrievers. ablate adds
// each of them alone, beside no context, and all but each, beside all.
func Arms(ablate bool, retrievers []string) []Arm {
	arms := []Arm{{Name: Without}, {Name: With, Against: Without, retrievers: retrievers}}
	if !ablate || len(retrievers) < 2 {
		return arms
	}
	for _, r := range retrievers {
		arms = append(arms, Arm{Name: "only " + r, Against: Without, retrievers: []string{r}})
	}
	for _, r := range retrievers {
		rest := slices.DeleteFunc(slices.Clone(retrievers), func(other string) bool { return other == r })
		arms = append(arms, Arm{Name: "all but " + r, Against: With, retrievers: rest})
	}
	return arms
}

// Setting is what results depend on beside items and packages: those of two
// settings are not to be mixed.
type Setting struct {
	Model         string   `json:"model"`
	Layout        string   `json:"layout"`         // as asked for; "" is the model's
	MaxTokens     int      `json:"max_tokens"`     // of a suggestion; 0 is the completion's default
	ContextTokens int      `json:"context_tokens"` // at most; 0 is the completion's default
	Retrievers    []string `json:"retrievers"`
}

// Options are how a Run completes.
type Options struct {
	Setting
	Packages Packages
	Arms     []Arm
	// Known are results of an earlier run; what is among them is not done again.
	Known []Result
	// Each sees every new result as it comes and ends the run by an error; may be nil.
	Each func(Result) error
}

// Result is what one arm made of one item.
type Result struct {
	fim.Result
	Arm           string  `json:"arm"`
	Recall        float64 `json:"recall"` // share of the item's cross_names in Chunks
	Chunks        []Chunk `json:"chunks"` // that the prompt showed, in its order
	Layout        string  `json:"layout"`
	PromptTokens  int     `json:"prompt_tokens"`
	PrefillTokens int     `json:"prefill_tokens"` // of them, computed: the KV cache had the rest
	Stop          string  `json:"stop"`
	// Missed are the retrievers that gave nothing because they were not done in
	// time, or failed: the result is not to be relied on.
	Missed []string `json:"missed,omitempty"`
}

// Chunk is a piece of context as it was shown.
type Chunk struct {
	Path   string `json:"path"`
	Source string `json:"source"`
	Text   string `json:"text"`
}

// cell is one arm's result of one item.
type cell struct{ id, arm string }

func (o Options) known() map[cell]Result {
	known := map[cell]Result{}
	for _, r := range o.Known {
		known[cell{r.TaskID, r.Arm}] = r
	}
	return known
}

// Left is how many results of items a Run has yet to make.
func (o Options) Left(items []Item) int {
	known, left := o.known(), 0
	for _, item := range items {
		for _, arm := range o.Arms {
			if _, done := known[cell{item.ID, arm.Name}]; !done {
				left++
			}
		}
	}
	return left
}

// Run completes items in all arms with e, greedily, and returns every arm's
// results in the order of the items.
func Run(ctx context.Context, e engine.Engine, items []Item, o Options) (map[string][]Result, error) {
	known := o.known()
	results := map[string][]Result{}
	for _, item := range items {
		var left []Arm
		for _, arm := range o.Arms {
			if _, done := known[cell{item.ID, arm.Name}]; !done {
				left = append(left, arm)
			}
		}
		err := complete(ctx, e, item, left, o, func(r Result) error {
			known[cell{r.TaskID, r.Arm}] = r
			if o.Each != nil {
				return o.Each(r)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, arm := range o.Arms {
			results[arm.Name] = append(results[arm.Name], known[cell{item.ID, arm.Name}])
		}
	}
	return results, nil
}

// complete runs arms on one item. They share its workspace and index, and the
// answer to a prompt that several of them come to.
func complete(ctx context.Context, e engine.Engine, item Item, arms []Arm, o Options, each func(Result) error) error {
	if len(arms) == 0 {
		return nil
	}
	doc, err := o.Packages.Open(item)
	if err != nil {
		return err
	}
	c := completion.New(remember(e))
	defer c.Close()
	if err := c.Wait(ctx, doc.Snapshot); err != nil {
		return fmt.Errorf("repo: %s: %w", item.ID, err)
	}
	for _, arm := range arms {
		opts := completion.Options{
			Layout: o.Layout, MaxTokens: o.MaxTokens, ContextTokens: o.ContextTokens, ContextTime: contextTime, Retrievers: arm.retrievers,
		}
		if arm.retrievers == nil {
			opts.ContextTokens = -1
		}
		s, err := c.Complete(ctx, doc, opts)
		if err != nil {
			return fmt.Errorf("repo: %s, arm %s: %w", item.ID, arm.Name, err)
		}
		if s.Context == nil {
			s.Context = &completion.Context{}
		}
		if c, found := leak(item, s.Context.Chunks); found {
			return bug.Errorf("repo: %s, arm %s: a chunk of %s from %s holds the line to be completed: the file on the disk was read",
				item.ID, arm.Name, c.Source, c.Path)
		}
		if err := each(resultOf(item, arm, s)); err != nil {
			return err
		}
	}
	return nil
}

// resultOf scores what was suggested; s.Context is there.
func resultOf(item Item, arm Arm, s completion.Suggestion) Result {
	r := Result{
		Result: fim.Score(item.hole(), s.Text), Arm: arm.Name, Layout: s.Layout,
		Recall: recall(item.CrossNames, s.Context.Chunks), Chunks: []Chunk{},
		PromptTokens: s.PromptTokens, PrefillTokens: s.PrefillTokens, Stop: s.Stop,
	}
	r.TTFTMillis = s.Context.Millis + s.TTFTMillis
	for _, c := range s.Context.Chunks {
		r.Chunks = append(r.Chunks, Chunk{c.Path, c.Source, c.Text})
	}
	for _, report := range s.Context.Reports {
		if report.Missed || report.Failed {
			r.Missed = append(r.Missed, report.Source)
		}
	}
	return r
}

// recall is the share of names that occur in chunks as whole words; 1 of no names.
func recall(names []string, chunks []retrieve.Chunk) float64 {
	words := map[string]bool{}
	for _, c := range chunks {
		for word := range strings.FieldsFuncSeq(c.Text, func(r rune) bool { return !fim.InWord("_", string(r)) }) {
			words[word] = true
		}
	}
	found := 0
	for _, name := range names {
		if words[name] {
			found++
		}
	}
	if len(names) == 0 {
		return 1
	}
	return float64(found) / float64(len(names))
}
