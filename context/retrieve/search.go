package retrieve

import (
	"hash/maphash"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"tandem/context/workspace"
)

// search is one Query at work. The retrievers share it; what they change is
// guarded.
type search struct {
	Query
	index   *index
	places  *places
	modules []*facts
	family  string
	own     *facts // of this file, maybe of an earlier text; empty if there are none
	text    workspace.Text
	line    int    // of the cursor
	shown   [2]int // lines of the file that the prompt shows, the end not included
	limit   int    // bytes of one chunk

	interestsOnce sync.Once
	wanted        []interest

	textsMu sync.Mutex // guards the rest
	texts   map[string]*reading
	reads   int
}

// reading is a file's text as it was read for a search.
type reading struct {
	workspace.Text
	hash uint64
}

func newSearch(q Query, x *index) *search {
	s := &search{Query: q, index: x, texts: map[string]*reading{}}
	s.places, s.modules = x.surroundings()
	s.family, _ = familyOf(q.Language, q.Path)
	text, err := workspace.NewText(q.Text)
	if err != nil {
		s.Text = "" // too large to be looked at
	}
	s.text = text
	s.Offset = min(max(q.Offset, 0), len(s.Text))
	s.line = text.LineOf(s.Offset)
	s.shown = [2]int{text.LineOf(q.Shown[0]), text.LineOf(q.Shown[1]) + 1}
	if q.Shown[1] <= q.Shown[0] {
		s.shown = [2]int{}
	}
	// A quarter of the budget, at three and a half bytes to a token.
	s.limit = min(max(q.Budget*7/8, minChunkBytes), maxChunkBytes)
	s.own = x.file(q.Path)
	if s.own == nil {
		s.own = s.factsNow()
	}
	return s
}

// factsNow is for a file that the index has not seen yet: parsed here, if that
// leaves time for the rest.
func (s *search) factsNow() *facts {
	if len(s.Text) > parseNowBytes {
		return &facts{path: s.Path, family: s.family}
	}
	return newFacts(s.Path, s.Language, s.Text)
}

// read is the text of a file by the snapshot's rules; this file's is the Query's.
func (s *search) read(file string) (*reading, bool) {
	s.textsMu.Lock()
	r, known := s.texts[file]
	room := s.reads < maxReads
	if !known && room {
		s.reads++
	}
	s.textsMu.Unlock()
	if known || !room {
		return r, r != nil
	}
	text, err := s.text, error(nil)
	if file != s.Path {
		text, err = s.Snapshot.Read(file)
	}
	if err == nil {
		r = &reading{text, maphash.String(hashSeed, text.String())}
	}
	s.textsMu.Lock()
	defer s.textsMu.Unlock()
	s.texts[file] = r
	return r, r != nil
}

// locate is where a symbol of f is in the text now, whole only if its last line
// is where its first line has it end.
func (r *reading) locate(f *facts, sym *symbol) (line, end int, whole, ok bool) {
	line, end = int(sym.line), int(sym.end)
	if r.hash == f.hash {
		return line, end, true, true
	}
	for d := range maxMoved {
		for _, at := range [2]int{line + d, line - d} {
			if at < 0 || at >= r.Lines() || hashLine(r.Line(at)) != sym.first {
				continue
			}
			end = at + end - line
			return at, end, hashLine(r.Line(end-1)) == sym.last, true
		}
	}
	return 0, 0, false, false
}

// isShown reports whether the prompt shows some of a file's lines anyway.
func (s *search) isShown(file string, start, end int) bool {
	return file == s.Path && start < s.shown[1] && s.shown[0] < end
}

// lines are the lines from start up to end as a chunk's text, as many as fit.
func (r *reading) lines(start, end, most int) string {
	var b strings.Builder
	for n := max(start, 0); n < min(end, r.Lines()); n++ {
		line := r.Line(n)
		if b.Len()+len(line)+1 > most {
			break
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// resolver is for the imports of f.
func (s *search) resolver(f *facts) resolver {
	return resolver{s.places, s.modules, filepath.ToSlash(f.path), f.family}
}

// fileAt is the facts of a slashed path; nil if there are none.
func (s *search) fileAt(slashed string) *facts {
	if slashed == filepath.ToSlash(s.own.path) {
		return s.own
	}
	return s.index.file(s.places.native[slashed])
}

// display is a path as it is shown: relative to its folder.
func display(snapshot *workspace.Snapshot, file string) string {
	if _, rel, ok := snapshot.InFolder(file); ok {
		return rel
	}
	return path.Base(filepath.ToSlash(file))
}
