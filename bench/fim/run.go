package fim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tandem/completion/prompt"
	"tandem/engine"
)

// Source fills the hole of an item.
type Source interface {
	// Layout is the layout's name, for the report.
	Layout() string
	// Fill continues item greedily for at most n tokens and returns the text
	// and the time to its first piece. more is given the text so far and ends
	// the continuation by returning false.
	Fill(ctx context.Context, item Item, n int, more func(text string) bool) (string, time.Duration, error)
}

// Window is how much of an item's program a source shows its model. It is
// smaller than a completion's, so that an evaluation takes minutes on two cores.
var Window = prompt.Window{PrefixTokens: 512, SuffixTokens: 192}

// Result is the outcome of one item.
type Result struct {
	TaskID     string  `json:"task_id"`
	Kind       string  `json:"kind"`
	Text       string  `json:"text"` // cut to what was compared
	Exact      bool    `json:"exact"`
	Similarity float64 `json:"edit_similarity"`
	TTFTMillis float64 `json:"ttft_ms"`
}

// Report is the outcome of a run.
type Report struct {
	Items          int      `json:"items"`
	Exact          int      `json:"exact"`           // items filled exactly
	EditSimilarity float64  `json:"edit_similarity"` // mean, 0 to 1
	Layout         string   `json:"layout"`
	TTFT           TTFT     `json:"ttft_ms"`
	Results        []Result `json:"results"`
}

// TTFT is the time to the first text in milliseconds.
type TTFT struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// DefaultMaxTokens bounds one item's continuation where Run's caller does not:
// three times the tokens of the longest target's lines, seldom reached.
const DefaultMaxTokens = 96

// Every returns the items of every k-th program, for a quicker look; all of them
// for k < 2. Items of one program stay together, for they share cached tokens.
func Every(items []Item, k int) []Item {
	var some []Item
	program, n := "", -1
	for _, item := range items {
		if p := item.Prefix + item.Target + item.Suffix; n < 0 || p != program {
			program = p
			n++
		}
		if k < 2 || n%k == 0 {
			some = append(some, item)
		}
	}
	return some
}

// Run fills items from src in their order, n tokens each at most. each, if not
// nil, sees every result as it comes and ends the run by an error.
func Run(ctx context.Context, src Source, items []Item, n int, each func(Result) error) (Report, error) {
	if n <= 0 {
		n = DefaultMaxTokens
	}
	var results []Result
	for _, item := range items {
		text, ttft, err := src.Fill(ctx, item, n, func(text string) bool { return !item.Enough(text) })
		if err != nil {
			return Report{}, fmt.Errorf("fim: %s: %w", item.TaskID, err)
		}
		result := Score(item, text)
		result.TTFTMillis = float64(ttft.Microseconds()) / 1000
		if each != nil {
			if err := each(result); err != nil {
				return Report{}, err
			}
		}
		results = append(results, result)
	}
	return Summarise(src.Layout(), results), nil
}

// Score compares what a source said for item with its target.
func Score(item Item, text string) Result {
	answer := item.Answer(text)
	return Result{
		TaskID: item.TaskID, Kind: item.Kind, Text: answer,
		Exact:      answer == item.Want(),
		Similarity: Similarity(answer, item.Want()),
	}
}

// Summarise adds results up.
func Summarise(layout string, results []Result) Report {
	r := Report{Items: len(results), Layout: layout, Results: results}
	var ttft []float64
	for _, one := range results {
		if one.Exact {
			r.Exact++
		}
		r.EditSimilarity += one.Similarity / float64(len(results))
		ttft = append(ttft, one.TTFTMillis)
	}
	r.TTFT = TTFT{P50: percentile(ttft, 50), P95: percentile(ttft, 95)}
	return r
}

// local asks an engine in this process.
type local struct {
	engine engine.Engine
	layout prompt.Layout
	heal   bool
}

// Local is the Source that lays items out by layout and asks e, healing the
// word at the cursor or not.
func Local(e engine.Engine, layout prompt.Layout, heal bool) Source {
	return local{engine: e, layout: layout, heal: heal}
}

func (l local) Layout() string { return l.layout.Name() }

func (l local) Fill(ctx context.Context, item Item, n int, more func(string) bool) (string, time.Duration, error) {
	p := l.layout.Build(around(item, l.engine.CountTokens), l.heal)
	var text strings.Builder
	res, err := l.engine.Generate(ctx, engine.Request{
		Prompt: p.Pieces, Heal: p.Heal, MaxTokens: n,
		StopTokens: prompt.StopTokens(), Priority: engine.Completion,
	}, func(piece string) bool {
		text.WriteString(piece)
		return more(text.String())
	})
	return text.String(), res.TTFT, err
}

// around is the window of item's program at its hole.
func around(item Item, count func(string) int) prompt.FIM {
	return Window.Around(item.Prefix+item.Suffix, len(item.Prefix), count)
}
