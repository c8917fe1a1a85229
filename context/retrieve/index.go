package retrieve

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
)

// index is the facts of all files, by path, by what they define and by the words
// in them. It is safe for concurrent use; the worker writes, queries read. What
// it hands out never changes.
type index struct {
	mu      sync.RWMutex // guards the rest
	files   map[string]*facts
	byID    []*facts // nil where a file is gone
	free    []int32
	names   map[string][]*facts // that define it outside of functions, by path
	words   map[uint32][]int32  // ids
	modules map[string]*facts   // manifests, by path
	places  *places
	bytes   int64
	most    int64 // of bytes
}

func newIndex() *index {
	return &index{files: map[string]*facts{}, names: map[string][]*facts{}, words: map[uint32][]int32{},
		modules: map[string]*facts{}, places: newPlaces(nil), most: maxIndexBytes}
}

// put replaces the facts of a file, and reports whether there was room for them.
// Where there is none, the old ones are gone too: they are of another text.
func (x *index) put(f *facts) bool {
	size := f.size()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(f.path)
	if x.bytes+size > x.most {
		return false
	}
	x.bytes += size
	if n := len(x.free); n > 0 {
		f.id, x.free = x.free[n-1], x.free[:n-1]
		x.byID[f.id] = f
	} else {
		f.id = int32(len(x.byID))
		x.byID = append(x.byID, f)
	}
	x.files[f.path] = f
	for _, name := range f.defined() {
		list := x.names[name]
		i, _ := slices.BinarySearchFunc(list, f, byPath)
		x.names[name] = slices.Insert(list, i, f)
	}
	for _, w := range f.words {
		list := x.words[w]
		i, _ := slices.BinarySearch(list, f.id)
		x.words[w] = slices.Insert(list, i, f.id)
	}
	if f.module != "" {
		x.modules[f.path] = f
	}
	return true
}

// drop forgets a file.
func (x *index) drop(path string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(path)
}

// remove wants mu held.
func (x *index) remove(path string) {
	f := x.files[path]
	if f == nil {
		return
	}
	x.bytes -= f.size()
	delete(x.files, path)
	delete(x.modules, path)
	x.byID[f.id] = nil
	x.free = append(x.free, f.id)
	for _, name := range f.defined() {
		list := x.names[name]
		if i, found := slices.BinarySearchFunc(list, f, byPath); found {
			list = slices.Delete(list, i, i+1)
		}
		keep(x.names, name, list)
	}
	for _, w := range f.words {
		list := x.words[w]
		if i, found := slices.BinarySearch(list, f.id); found {
			list = slices.Delete(list, i, i+1)
		}
		keep(x.words, w, list)
	}
}

// keep stores a list, or forgets the key of an empty one.
func keep[K comparable, V any](m map[K][]V, key K, list []V) {
	if len(list) == 0 {
		delete(m, key)
		return
	}
	m[key] = list
}

func byPath(a, b *facts) int { return cmp.Compare(a.path, b.path) }

// defined are the names that other files may know of this one, each once.
func (f *facts) defined() []string {
	var names []string
	for i := range f.symbols {
		if s := &f.symbols[i]; !s.local {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// file is the facts of path; nil if there are none.
func (x *index) file(path string) *facts {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.files[path]
}

// defining are files that define name, the first most by path, and how many
// there are.
func (x *index) defining(name string, most int) ([]*facts, int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	list := x.names[name]
	return slices.Clone(list[:min(len(list), most)]), len(list)
}

// setPlaces replaces the paths that imports are looked up in.
func (x *index) setPlaces(p *places) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.places = p
}

// surroundings are what imports are looked up in: paths, and manifests by path.
func (x *index) surroundings() (*places, []*facts) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	modules := make([]*facts, 0, len(x.modules))
	for _, m := range x.modules {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, byPath)
	return x.places, modules
}

// weighed is a word by its hash, with what it says.
type weighed struct {
	word   uint32
	weight float64
}

// weigh gives each word, in order, its weight: the fewer files have it, the more
// it says. What stands in more than half of many files says nothing, nor does
// what stands in none.
func (x *index) weigh(words []uint32) []weighed {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := len(x.files)
	var list []weighed
	for _, w := range words {
		n := len(x.words[w])
		if n > 0 && n <= maxPostings && (n <= fewFiles || 2*n <= all) {
			list = append(list, weighed{w, math.Log1p(float64(all) / float64(n))})
		}
	}
	return list
}

// candidate is a file by the weight of the words that it shares with a query.
type candidate struct {
	*facts
	weight float64
}

func (c candidate) compare(d candidate) int {
	return cmp.Or(cmp.Compare(d.weight, c.weight), strings.Compare(c.path, d.path))
}

// sharing are the most files of a family that share the most with the words.
func (x *index) sharing(words []weighed, family string, most int) []candidate {
	x.mu.RLock()
	defer x.mu.RUnlock()
	sums := make([]float64, len(x.byID))
	for _, w := range words {
		for _, id := range x.words[w.word] {
			sums[id] += w.weight
		}
	}
	var best []candidate
	for id, sum := range sums {
		f := x.byID[id]
		if sum == 0 || f == nil || f.family != family {
			continue
		}
		c := candidate{f, sum}
		if len(best) == most && c.compare(best[most-1]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(best, c, candidate.compare)
		best = slices.Insert(best[:min(len(best), most-1)], min(i, most-1), c)
	}
	return best
}
