package retrieve

import (
	"cmp"
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tandem/context/syntax"
)

// Of definitions.
const (
	maxSites      = 96 // that are weighed
	maxNamesakes  = 3  // definitions of a name that nobody imports: of more, none is likely meant
	namesakesRead = 64 // of files
	factorGuessed = 0.6
	factorSibling = 0.9
	hopsFrom      = 6 // sites whose signatures are looked into
)

// definitions is the retriever of what the names around the cursor mean.
func (s *search) definitions(ctx context.Context) []Chunk {
	d := &defining{search: s, weights: map[key]float64{}, imports: s.importedNames()}
	for _, in := range s.interests() {
		if ctx.Err() != nil {
			break
		}
		d.look(in)
	}
	d.hop()
	return d.chunks(ctx)
}

// key is a site as a map wants it.
type key struct {
	file string
	at   int
}

// defining is one run of definitions.
type defining struct {
	*search
	imports map[string]imported
	weights map[key]float64
	sites   []site
}

// imported is where a name that a file imports comes from.
type imported struct {
	target
	module bool // the name is the module's, not one out of it
}

// importedNames are the names that this file's imports define.
func (s *search) importedNames() map[string]imported {
	names := map[string]imported{}
	r := s.resolver(s.own)
	for _, m := range s.own.imports {
		for _, name := range m.Names {
			if t, ok := r.target(m.Path, name.Name); ok && name.Name != "*" {
				names[local(name)] = imported{t, t.item == ""}
			}
		}
		if len(m.Names) > 0 && m.As == "" {
			continue
		}
		as := m.As
		if as == "" {
			as = m.Path[strings.LastIndexAny(m.Path, "./:")+1:]
		}
		if t, ok := r.target(m.Path, ""); ok {
			names[as] = imported{t, t.item == ""}
		}
	}
	return names
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

// look finds what an interest means: what is imported, what is defined in this
// file or beside it, and if nothing else a rare name's definition anywhere.
func (d *defining) look(in interest) {
	if in.qualifier != "" {
		if module, ok := d.imports[in.qualifier]; ok {
			item := module.target
			if module.module {
				item.item = in.name
			}
			if t, ok := d.define(item); ok {
				d.add(t, in.weight)
				return
			}
		}
	}
	if from, ok := d.imports[in.name]; ok && in.qualifier == "" && !from.module {
		if t, ok := d.define(from.target); ok {
			d.add(t, in.weight)
			return
		}
	}
	if d.here(d.own, in) {
		return
	}
	for _, file := range d.resolver(d.own).siblings() {
		if f := d.fileAt(file); f != nil && in.qualifier == "" {
			if at, ok := f.topLevel(in.name); ok {
				d.add(site{f, at}, in.weight*factorSibling)
				return
			}
		}
	}
	d.guess(in)
}

// here looks in the file itself.
func (d *defining) here(f *facts, in interest) bool {
	found := false
	for i := range f.symbols {
		if s := &f.symbols[i]; s.name == in.name && !s.local && s.kind != syntax.Impl && (in.qualifier != "" || s.holder < 0) {
			d.add(site{f, i}, in.weight)
			found = true
		}
	}
	return found
}

// guess takes a name for the one that few files of the same languages define:
// types and functions, and behind a dot members.
func (d *defining) guess(in interest) {
	files, all := d.index.defining(in.name, namesakesRead)
	if all > namesakesRead || len(in.name) < minWordBytes {
		return
	}
	var found []site
	for _, f := range files {
		if f.family != d.family || f.path == d.Path {
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
			d.lookFrom(t.facts, signature[start:end], weight)
		})
	}
}

// lookFrom finds a type that another file names.
func (d *defining) lookFrom(f *facts, name string, weight float64) {
	if at, ok := f.topLevel(name); ok {
		if f.symbols[at].isType() {
			d.add(site{f, at}, weight)
		}
		return
	}
	r := d.resolver(f)
	for _, m := range f.imports {
		for _, n := range m.Names {
			if local(n) != name {
				continue
			}
			if t, ok := r.target(m.Path, n.Name); ok && t.item != "" {
				if found, ok := d.define(t); ok && found.symbol().isType() {
					d.add(found, weight)
				}
			}
			return
		}
	}
	for _, file := range r.siblings() {
		if g := d.fileAt(file); g != nil {
			if at, ok := g.topLevel(name); ok && g.symbols[at].isType() {
				d.add(site{g, at}, weight)
				return
			}
		}
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

// package files of a type: where its methods may stand.
func (d *defining) packageOf(f *facts) []*facts {
	files := []*facts{f}
	if f.family != "go" {
		return files
	}
	for _, file := range d.resolver(f).siblings() {
		if g := d.fileAt(file); g != nil && path.Ext(file) == path.Ext(f.path) {
			files = append(files, g)
		}
	}
	return files
}
