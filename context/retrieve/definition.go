package retrieve

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tandem/context/syntax"
)

// Of definitions.
const (
	maxSites      = 96 // that are weighed
	maxNamesakes  = 3  // definitions of a name that nobody imports: of more, none is likely meant
	namesakesRead = 64 // of files
	factorGuessed = 0.6
	receiverBytes = 32 << 10 // above the cursor, in which a receiver is declared
	maxChain      = 8        // names between dots
	maxLineage    = 8        // types that one is based on
	hopsFrom      = 6        // sites whose signatures are looked into
	moduleFiles   = 3        // of a module before the dot
)

// definitions is the retriever of what the names around the cursor mean.
func (s *search) definitions(ctx context.Context) []Chunk {
	d := &defining{meanings: newMeanings(s), weights: map[key]float64{}}
	before := code(s.family, s.Text[max(s.Offset-receiverBytes, 0):s.Offset])
	_, start := wordBefore(before, len(before))
	if t, ok := d.receiver(before[:start]); ok {
		d.add(t, weightMember)
	}
	begin := time.Now()
	for _, in := range s.interests() {
		if ctx.Err() != nil || time.Since(begin) > s.Deadline/4 {
			break // what is found wants to be rendered
		}
		d.look(in)
	}
	d.hop()
	return append(d.outlines(d.module(before[:start])), d.chunks(ctx)...)
}

// outlines says what files define. Of a package of many it takes those that define
// most of what is named near the cursor.
func (d *defining) outlines(files []string) []Chunk {
	if len(files) == 0 {
		return nil
	}
	near := map[string]float64{}
	for _, in := range d.interests() {
		near[in.name] = max(near[in.name], in.weight)
	}
	weights := map[*facts]float64{}
	var found []*facts
	for _, file := range files {
		f := d.fileAt(file)
		if f == nil || f.path == d.Path {
			continue
		}
		for i := range f.symbols {
			if f.symbols[i].holder < 0 {
				weights[f] += near[f.symbols[i].name]
			}
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b *facts) int { return cmp.Compare(weights[b], weights[a]) })
	var chunks []Chunk
	for _, f := range found[:min(len(found), moduleFiles)] {
		if text := f.outline(d.limit); text != "" {
			chunks = append(chunks, Chunk{file: f.path, Text: text, End: f.lines})
		}
	}
	return chunks
}

// key is a site as a map wants it.
type key struct {
	file string
	at   int
}

// defining is one run of definitions.
type defining struct {
	meanings
	weights map[key]float64
	sites   []site
}

func (d *defining) add(t site, weight float64) {
	k := key{t.path, t.at}
	old, known := d.weights[k]
	if !known {
		if len(d.sites) == maxSites {
			return
		}
		d.sites = append(d.sites, t)
	}
	d.weights[k] = max(old, weight)
}

// look finds what an interest means, a member of the type that the cursor is in
// or of another in this file, and if nothing else a rare name's definition anywhere.
func (d *defining) look(in interest) {
	if t, ok := d.meaning(d.own, in.name, in.qualifier); ok {
		d.add(t, in.weight)
		return
	}
	if in.qualifier == "self" || in.qualifier == "this" {
		if around, ok := d.around(); ok {
			for _, t := range d.lineage(around) {
				if found, ok := d.ownMember(t, in.name); ok {
					d.add(found, in.weight)
					return
				}
			}
		}
	}
	found := false
	for i := range d.own.symbols {
		s := &d.own.symbols[i]
		if in.qualifier != "" && s.name == in.name && !s.local && (s.holder >= 0 || s.parent != "") {
			d.add(site{d.own, i}, in.weight)
			found = true
		}
	}
	if !found {
		d.guess(in)
	}
}

// guess takes a name for the one that few files of the same languages define:
// types and functions, and behind a dot members.
func (d *defining) guess(in interest) {
	if len(in.name) < minWordBytes || in.qualifier == "" && !d.unqualified(in.name) {
		return
	}
	files, all := d.index.defining(in.name, namesakesRead)
	if all > namesakesRead {
		return
	}
	var found []site
	for _, f := range files {
		if f.family != d.family || f.path == d.Path || isTest(f.path) && !isTest(d.Path) {
			continue
		}
		for i := range f.symbols {
			s := &f.symbols[i]
			member := s.holder >= 0 || s.parent != ""
			if s.name == in.name && !s.local && s.kind != syntax.Impl && s.kind != syntax.Variable && member == (in.qualifier != "") {
				found = append(found, site{f, i})
			}
		}
	}
	if len(found) > maxNamesakes {
		return
	}
	from := filepath.ToSlash(d.Path)
	slices.SortStableFunc(found, func(a, b site) int {
		return cmp.Compare(sharedFolders(from, filepath.ToSlash(b.path)), sharedFolders(from, filepath.ToSlash(a.path)))
	})
	for i, t := range found {
		d.add(t, in.weight*factorGuessed/float64(i+1))
	}
}

// unqualified reports whether a name that stands alone and is not imported may be
// another file's: where files share one scope, or it is to be imported yet.
func (d *defining) unqualified(name string) bool {
	switch d.family {
	case "c", "lua", "shellscript":
		return true
	case "go":
		return false
	}
	return 'A' <= name[0] && name[0] <= 'Z'
}

// isTest reports whether a path is that of tests, by the usual names.
func isTest(file string) bool {
	base := strings.ToLower(file[strings.LastIndexAny(file, `/\`)+1:])
	return strings.HasPrefix(base, "test_") || strings.Contains(base, "_test.") || strings.Contains(base, ".test.") ||
		strings.Contains(base, ".spec.") || strings.HasSuffix(base, "test.java")
}

// hop takes the types in the best signatures: what a call gives is what is
// worked with next.
func (d *defining) hop() {
	d.sort()
	for _, t := range slices.Clone(d.sites[:min(len(d.sites), hopsFrom)]) {
		s := t.symbol()
		if !s.runs() {
			continue
		}
		weight := d.weights[key{t.path, t.at}] * weightHop
		signature := code(t.family, s.signature)
		eachWord(signature, func(start, end int) {
			if found, ok := d.meaning(t.facts, signature[start:end], qualifierOf(signature, start)); ok && found.symbol().isType() {
				d.add(found, weight)
			}
		})
	}
}

func (d *defining) sort() {
	slices.SortStableFunc(d.sites, func(a, b site) int {
		return cmp.Or(cmp.Compare(d.weights[key{b.path, b.at}], d.weights[key{a.path, a.at}]),
			cmp.Compare(a.path, b.path), cmp.Compare(a.at, b.at))
	})
}

// chunks renders the sites, members of one type together.
func (d *defining) chunks(ctx context.Context) []Chunk {
	d.sort()
	var order []site
	members := map[key]map[int]bool{} // of a type: those that are wanted
	for _, t := range d.sites {
		holder := t
		if h := t.symbol().holder; h >= 0 && t.symbols[h].isType() && t.symbols[h].kind != syntax.Module {
			holder = site{t.facts, int(h)}
		}
		k := key{holder.path, holder.at}
		if members[k] == nil {
			members[k] = map[int]bool{}
			order = append(order, holder)
		}
		members[k][t.at] = true
	}
	var chunks []Chunk
	for _, t := range order {
		if ctx.Err() != nil || len(chunks) == maxPerSource {
			break
		}
		if c, ok := d.render(t, members[key{t.path, t.at}]); ok {
			chunks = append(chunks, c)
		}
	}
	return chunks
}
