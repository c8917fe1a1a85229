package retrieve

import (
	"context"
	"slices"
	"strings"

	"tandem/context/workspace"
)

// Of the retrievers of what the user did.
const (
	maxEdits    = 6 // hunks that are shown
	editMargin  = 2 // lines around a hunk
	maxOpenDocs = 4
	openMargin  = 8 // lines around the last edit of an open document
)

// edits is the retriever of what was edited lately, as it is now: the next edit
// is often one of the same kind.
func (s *search) edits(ctx context.Context) []Chunk {
	var chunks []Chunk
	for _, h := range slices.Backward(s.Snapshot.Edits()) {
		if ctx.Err() != nil || len(chunks) == maxEdits {
			break
		}
		if c, ok := s.around(h, editMargin); ok && len(h.After) > 0 {
			chunks = append(chunks, c)
		}
	}
	return chunks
}

// around is the text at a hunk with lines around it, if it is still there.
func (s *search) around(h workspace.Hunk, margin int) (Chunk, bool) {
	source, ok := s.read(h.Path)
	if !ok || !slices.ContainsFunc(h.After, isFilled) && len(h.After) > 0 {
		return Chunk{}, false
	}
	for i, line := range h.After {
		if source.Line(h.Line+i) != line {
			return Chunk{}, false
		}
	}
	start, end := max(h.Line-margin, 0), min(h.Line+len(h.After)+margin, source.Lines())
	if s.isShown(h.Path, start, end) {
		return Chunk{}, false
	}
	return s.verbatim(h.Path, source, start, end)
}

func isFilled(line string) bool { return strings.TrimSpace(line) != "" }

// verbatim is a chunk of lines, without the blank ones at both ends.
func (s *search) verbatim(file string, source *reading, start, end int) (Chunk, bool) {
	for start < end && !isFilled(source.Line(start)) {
		start++
	}
	for start < end && !isFilled(source.Line(end-1)) {
		end--
	}
	text := source.lines(start, end, s.limit)
	if text == "" {
		return Chunk{}, false
	}
	return Chunk{file: file, Text: text, Start: start, End: start + strings.Count(text, "\n"), verbatim: true}, true
}

// open is the retriever of the documents that were used last: what surrounds the
// last edit of one, or its outline.
func (s *search) open(ctx context.Context) []Chunk {
	last := map[string]workspace.Hunk{}
	for _, h := range s.Snapshot.Edits() {
		last[h.Path] = h
	}
	var chunks []Chunk
	for d := range s.Snapshot.Documents() {
		if ctx.Err() != nil || len(chunks) == maxOpenDocs {
			break
		}
		if d.Path == s.Path || d.Missing != nil {
			continue
		}
		if h, edited := last[d.Path]; edited {
			if c, ok := s.around(h, openMargin); ok {
				chunks = append(chunks, c)
				continue
			}
		}
		if f := s.index.file(d.Path); f != nil {
			if text := f.outline(s.limit); text != "" {
				chunks = append(chunks, Chunk{file: d.Path, Text: text, End: f.lines})
				continue
			}
		}
		if source, ok := s.read(d.Path); ok {
			if c, ok := s.verbatim(d.Path, source, 0, openMargin*2); ok {
				chunks = append(chunks, c)
			}
		}
	}
	return chunks
}
