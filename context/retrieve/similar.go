package retrieve

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Of similar code.
const (
	linesAbove   = 12 // of the cursor that are compared
	linesBelow   = 4
	maxSimilar   = 48  // files that are looked into
	windowBlocks = 2   // of which a window consists
	maxWindows   = 3   // that are given
	perFile      = 2   // of those from one file
	leastSimilar = 0.1 // share of the weight of both that both have
	bonusOpen    = 1.2 // for what is open: it is about the same
	malusTest    = 0.7 // for tests, in code that is none
	bonusNear    = 1.1 // in the same folder
	leastWindow  = 400 // bytes, if a chunk may have so many; some ten lines
	excerptLines = 4   // of the grid within a window
	linesBehind  = 4   // a window: what follows the similar lines is what is about to come
)

// window is a part of a file by how similar it is.
type window struct {
	*facts
	block int
	score float64
}

// similar is the retriever of code like that around the cursor: it shares the
// words that are rare in this workspace.
func (s *search) similar(ctx context.Context) []Chunk {
	query := s.windowWords()
	weights := s.index.weigh(query)
	if len(weights) == 0 {
		return nil
	}
	open := map[string]bool{}
	for d := range s.Snapshot.Documents() {
		open[d.Path] = true
		if len(open) == maxOpen {
			break
		}
	}
	var found []window
	for _, c := range s.index.sharing(weights, s.family, maxSimilar) {
		if ctx.Err() != nil {
			return nil
		}
		bonus := 1.0
		if open[c.path] {
			bonus = bonusOpen
		} else if folderOf(c.path) == folderOf(s.Path) {
			bonus = bonusNear
		}
		if isTest(c.path) && !isTest(s.Path) {
			bonus *= malusTest
		}
		found = append(found, s.windows(c.facts, weights, bonus)...)
	}
	slices.SortStableFunc(found, func(a, b window) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.path, b.path), cmp.Compare(a.block, b.block))
	})
	var chunks []Chunk
	for _, w := range found {
		if ctx.Err() != nil || len(chunks) == maxWindows {
			break
		}
		source, ok := s.read(w.path)
		if !ok || source.hash != w.hash && w.path != s.Path {
			continue // its lines are others now
		}
		start, end := s.excerpt(source, w.block*blockLines, weights)
		if c, ok := s.verbatim(w.path, source, start, end); ok {
			chunks = append(chunks, c)
		}
	}
	return chunks
}

// excerpt is the part of the window that begins at line first that shares the
// most and fits into a chunk. Its parts lie on a grid: what is shown should not
// change with each word that is typed.
func (s *search) excerpt(source *reading, first int, weights []weighed) (start, end int) {
	last := min(first+windowBlocks*blockLines+linesBehind, source.Lines())
	best := -1.0
	for from := first; from < last; from += excerptLines {
		value, size := 0.0, 0
		for to := from; to < last; to += excerptLines {
			next := min(to+excerptLines, last)
			var words []uint32
			for n := to; n < next; n++ {
				size += len(source.Line(n)) + 1
				words = appendWords(words, source.Line(n))
			}
			slices.Sort(words)
			shared, _ := shares(weights, slices.Compact(words), nil)
			if value += shared; size > s.windowBytes() && to > from {
				break
			}
			if value > best {
				best, start, end = value, from, next
			}
		}
	}
	return start, end
}

// windowBytes is the most that a window may have: what is similar shows in a few
// lines, and definitions want the room.
func (s *search) windowBytes() int { return max(s.limit/2, min(s.limit, leastWindow)) }

func folderOf(file string) string { return file[:strings.LastIndexAny(file, `/\`)+1] }

// windowWords are the words around the cursor, and what was imported and waits to
// be used: where others use it is how it is used. They ascend.
func (s *search) windowWords() []uint32 {
	var words []uint32
	for _, in := range s.interests() {
		if in.weight == weightUnused {
			words = append(words, hashWord(in.name))
		}
	}
	around := s.Text[s.text.LineStart(s.line-linesAbove):s.text.LineStart(s.line+linesBelow)]
	words = appendWords(words, uncommented(s.family, around))
	slices.Sort(words)
	return slices.Compact(words)
}

// windows are the best of a file's windows, none that overlap.
func (s *search) windows(f *facts, weights []weighed, bonus float64) []window {
	total := 0.0
	for _, w := range weights {
		total += w.weight
	}
	var all []window
	for b := 0; b+1 < len(f.starts); b++ {
		start := b * blockLines
		if s.isShown(f.path, start, start+windowBlocks*blockLines+linesBehind) {
			continue
		}
		shared, others := shares(weights, f.block(b), f.block(b+1))
		// Words that the query does not have count little: they are what is
		// looked for.
		score := shared / (total + 0.2*float64(others)) * bonus
		if score >= leastSimilar {
			all = append(all, window{f, b, score})
		}
	}
	slices.SortStableFunc(all, func(a, b window) int { return cmp.Compare(b.score, a.score) })
	var best []window
	for _, w := range all {
		near := func(v window) bool { return max(v.block-w.block, w.block-v.block) <= windowBlocks }
		if len(best) < perFile && !slices.ContainsFunc(best, near) {
			best = append(best, w)
		}
	}
	return best
}

// shares sums the weights that are in one of two blocks, and counts the words
// there that have none.
func shares(weights []weighed, a, b []uint32) (shared float64, others int) {
	common := 0
	for _, w := range weights {
		_, in := slices.BinarySearch(a, w.word)
		if !in {
			_, in = slices.BinarySearch(b, w.word)
		}
		if in {
			shared += w.weight
			common++
		}
	}
	return shared, max(len(a)+len(b)-common, 0)
}
