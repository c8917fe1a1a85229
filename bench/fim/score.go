package fim

import (
	"slices"
	"strings"
)

// Answer cuts what a model said for item to what is compared: as many lines as
// the target has, without blanks at both ends. Inside a word the blanks in
// front stay, for they would split it. The rule is the same for every kind and
// for every source.
func (it Item) Answer(text string) string {
	text = it.strip(text)
	lines := strings.SplitAfterN(text, "\n", it.lines()+1)
	return it.strip(strings.Join(lines[:min(len(lines), it.lines())], ""))
}

// Want is what Answer is compared with.
func (it Item) Want() string { return it.strip(it.Target) }

// Enough reports whether more text would not change the answer.
func (it Item) Enough(text string) bool {
	return strings.Count(it.strip(text+"."), "\n") >= it.lines()
}

func (it Item) strip(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	if it.Kind != MidWord {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	return text
}

// lines is the number of lines of the target.
func (it Item) lines() int { return strings.Count(it.Want(), "\n") + 1 }

// similarityRunesMax bounds the quadratic comparison.
const similarityRunesMax = 2000

// Similarity is one minus the Levenshtein distance of a and b over the longer
// one's length, in characters: 1 for equal texts, 0 for wholly different ones.
// Only the first 2,000 characters count.
func Similarity(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), similarityRunesMax)], y[:min(len(y), similarityRunesMax)]
	longer := max(len(x), len(y))
	if longer == 0 {
		return 1
	}
	return 1 - float64(distance(x, y))/float64(longer)
}

// distance is the Levenshtein distance, a row of the table at a time.
func distance(x, y []rune) int {
	row := make([]int, len(y)+1) // row[j]: from x[:i] to y[:j]
	for j := range row {
		row[j] = j
	}
	for i, cx := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j, cy := range y {
			cost := diagonal
			if cx != cy {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(y)]
}

// percentile returns the p-th percentile (0 to 100) of values, the nearest
// rank; 0 of none.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(0, rank-1)]
}
