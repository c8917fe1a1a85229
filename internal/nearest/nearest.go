// Package nearest finds the word that a user meant: the one that takes the
// fewest edits to make from what was typed. It knows nothing of what the words
// stand for.
package nearest

import (
	"slices"
	"strings"
)

// maxBytes of a typed word are looked at: no word that is meant is longer.
const maxBytes = 64

// Of is the candidate nearest to typed, the first of several; candidates must
// not be empty. Capitals do not matter.
func Of(typed string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int { return Edits(typed, a) - Edits(typed, b) })
}

// Edits is the Levenshtein distance of two words in bytes: how many insertions,
// deletions and replacements make one of the other. Capitals do not matter.
func Edits(a, b string) int {
	a, b = strings.ToLower(a[:min(len(a), maxBytes)]), strings.ToLower(b[:min(len(b), maxBytes)])
	row := make([]int, len(b)+1) // row[j]: from the part of a so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
