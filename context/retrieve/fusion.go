package retrieve

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tandem/context/workspace"
)

// Of fusing.
const (
	rankOffset = 8   // of reciprocal rank fusion: how much the first ranks differ
	leastRoom  = 12  // tokens that are worth a chunk
	leastKept  = 0.3 // of an outline's lines that must be new
	leastNew   = 0.6 // of a verbatim chunk's, since single lines are not taken out of it
)

// fusion joins what retrievers found: a chunk's score is the sum over them of
// weight / (rankOffset + its rank there).
type fusion struct {
	query    Query
	snapshot *workspace.Snapshot
	chunks   []Chunk
	at       map[span]int // in chunks
	allowed  map[string]bool
}

// span is a chunk's place.
type span struct {
	file       string
	start, end int
	text       string // "" where that is the lines themselves
}

func (f *fusion) add(s source, chunks []Chunk) {
	if f.at == nil {
		f.at, f.allowed = map[span]int{}, map[string]bool{}
	}
	for rank, c := range chunks {
		score := s.weight / float64(rankOffset+rank)
		k := span{c.file, c.Start, c.End, ""}
		if !c.verbatim {
			k.text = c.Text
		}
		if i, known := f.at[k]; known {
			f.chunks[i].Score += score
			continue
		}
		c.Source, c.Score = s.name, score
		f.at[k] = len(f.chunks)
		f.chunks = append(f.chunks, c)
	}
}

// fit takes chunks as they come by score while there is room, each without what
// the ones before it show. One that is too long is cut at a line.
func (f *fusion) fit(ctx context.Context) Result {
	slices.SortStableFunc(f.chunks, func(a, b Chunk) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.file, b.file), cmp.Compare(a.Start, b.Start))
	})
	var result Result
	counts := 0
	for _, c := range f.chunks {
		room := f.query.Budget - result.Tokens
		if ctx.Err() != nil || room < leastRoom || counts >= maxCounts {
			break
		}
		if !f.allows(c.file) || !trim(&c, result.Chunks) {
			continue
		}
		tokens := f.query.Count(c.Text)
		counts++
		if tokens > room {
			// In proportion, and a little less.
			if !c.cut(len(c.Text) * room / tokens * 15 / 16) {
				continue
			}
			tokens = f.query.Count(c.Text)
			counts++
			if tokens > room {
				continue
			}
		}
		c.Path = display(f.snapshot, c.file)
		result.Chunks = append(result.Chunks, c)
		result.Tokens += tokens
	}
	return result
}

// allows asks once more whether a file may be read: rules may have changed since
// it was indexed.
func (f *fusion) allows(file string) bool {
	allowed, known := f.allowed[file]
	if !known {
		allowed = f.snapshot.Excluded(file) == ""
		f.allowed[file] = allowed
	}
	return allowed
}

// cut shortens a chunk to most bytes in whole lines, if enough is left.
func (c *Chunk) cut(most int) bool {
	at := strings.LastIndexByte(c.Text[:max(most, 0)], '\n') + 1
	if at < len(c.Text)/4 || at < minChunkBytes/4 {
		return false
	}
	c.Text = c.Text[:at]
	if c.verbatim {
		c.End = c.Start + strings.Count(c.Text, "\n")
	}
	return true
}

// trim takes off what the chunks before show of the same file, and reports
// whether enough is left.
func trim(c *Chunk, before []Chunk) bool {
	shown := map[string]bool{}
	for i := range before {
		b := &before[i]
		if b.file != c.file {
			continue
		}
		if c.verbatim && b.verbatim {
			if !trimLines(c, b) {
				return false
			}
			continue
		}
		for line := range strings.Lines(b.Text) {
			shown[squeezed(line)] = true
		}
	}
	lines := slices.Collect(strings.Lines(c.Text))
	if len(shown) == 0 {
		return true
	}
	if c.verbatim {
		known := 0
		for _, line := range lines {
			if shown[squeezed(withoutRemark(line))] {
				known++
			}
		}
		return float64(len(lines)-known) > leastNew*float64(len(lines))
	}
	var kept []string
	below := 0 // indentation of the next line that is kept: what it is in stays too
	for _, line := range slices.Backward(lines) {
		indent := indentOf(line)
		if shown[squeezed(line)] && indent >= below {
			continue
		}
		below = indent
		kept = append(kept, line)
	}
	if float64(len(kept)) < leastKept*float64(len(lines)) {
		return false
	}
	slices.Reverse(kept)
	c.Text = strings.Join(kept, "")
	return true
}

// squeezed is a line without the white space that an outline does not keep.
func squeezed(line string) string { return strings.Join(strings.Fields(line), " ") }

// withoutRemark is a line without the comment at its end.
func withoutRemark(line string) string {
	for _, comment := range [...]string{" // ", " # "} {
		line, _, _ = strings.Cut(line, comment)
	}
	return line
}

// trimLines takes off the lines that b has.
func trimLines(c, b *Chunk) bool {
	lines := slices.Collect(strings.Lines(c.Text))
	from, to := max(b.Start-c.Start, 0), min(b.End-c.Start, len(lines))
	if from >= to {
		return true
	}
	if from > len(lines)-to { // the longer part stays
		lines, c.End = lines[:from], c.Start+from
	} else {
		lines, c.Start = lines[to:], c.Start+to
	}
	c.Text = strings.Join(lines, "")
	return len(lines) > 2
}
