package repo

import (
	"tandem/bench/fim"
)

// Report is the outcome of a run. Its JSON is what the eval repo command prints.
type Report struct {
	Setting Setting `json:"setting"`
	Layout  string  `json:"layout"` // used
	Items   int     `json:"items"`
	// Ratio is how many items are exact with context over how many without, the
	// worth of context in one number.
	Ratio   Estimate    `json:"ratio"`
	Arms    []ArmReport `json:"arms"`
	Results []Result    `json:"results"`
}

// ArmReport adds one arm's results up.
type ArmReport struct {
	Arm
	Exact          int      `json:"exact"`           // items
	EditSimilarity float64  `json:"edit_similarity"` // mean, 0 to 1
	Recall         float64  `json:"recall"`          // of cross_names, mean
	PromptTokens   float64  `json:"prompt_tokens"`   // mean
	TTFT           fim.TTFT `json:"ttft_ms"`
	// Difference of the shares of exact items to those of the arm Against.
	Difference *Estimate `json:"difference,omitempty"`
	// Chunks is how many an item's prompt showed from each retriever, mean.
	Chunks map[string]float64 `json:"chunks"`
	// Missed is how often a retriever was not done in time, or failed.
	Missed int `json:"missed"`
}

// Summarise adds a Run's results up.
func Summarise(o Options, results map[string][]Result) Report {
	r := Report{Setting: o.Setting, Items: len(results[Without]), Ratio: bootstrap(pairs(results[With], results[Without]), ratio)}
	for _, arm := range o.Arms {
		of := results[arm.Name]
		report := ArmReport{Arm: arm, Chunks: map[string]float64{}}
		var scores []fim.Result
		for _, one := range of {
			scores = append(scores, one.Result)
			report.Recall += one.Recall / float64(len(of))
			report.PromptTokens += float64(one.PromptTokens) / float64(len(of))
			report.Missed += len(one.Missed)
			for _, c := range one.Chunks {
				report.Chunks[c.Source] += 1 / float64(len(of))
			}
			r.Layout = one.Layout
		}
		sum := fim.Summarise(r.Layout, scores)
		report.Exact, report.EditSimilarity, report.TTFT = sum.Exact, sum.EditSimilarity, sum.TTFT
		if arm.Against != "" {
			d := bootstrap(pairs(of, results[arm.Against]), difference)
			report.Difference = &d
		}
		r.Arms, r.Results = append(r.Arms, report), append(r.Results, of...)
	}
	return r
}

// pairs brings two arms' results together, item by item.
func pairs(arm, against []Result) []pair {
	all := make([]pair, len(arm))
	for i := range arm {
		all[i] = pair{exact(arm[i]), exact(against[i])}
	}
	return all
}

func exact(r Result) float64 {
	if r.Exact {
		return 1
	}
	return 0
}
