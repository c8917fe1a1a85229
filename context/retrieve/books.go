package retrieve

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tandem/context/syntax"
	"tandem/context/workspace"
)

// books keep count of which texts are in an index and which are to be. They
// belong to one goroutine.
type books struct {
	index    *index
	snapshot *workspace.Snapshot
	listing  workspace.Listing
	disk     map[string]stamp   // files of the listing that were looked at, by path
	open     map[string]*opened // documents, at most maxOpen
	changed  []string           // documents to be indexed, the one used last first
	todo     []workspace.File   // files to be indexed, the last one first
}

// stamp is what a file was when it was read.
type stamp struct {
	size    int64
	modTime time.Time
}

// opened is a document that was indexed, and not for the first time if it has a
// text.
type opened struct {
	text string    // as it was; shared with the workspace
	due  time.Time // before which it is not indexed again
}

func newBooks(x *index) *books {
	return &books{index: x, disk: map[string]stamp{}, open: map[string]*opened{}}
}

// take finds out what a snapshot changes. It walks the folders if the snapshot's
// list of files is not there yet.
func (b *books) take(ctx context.Context, s *workspace.Snapshot) {
	b.snapshot = s
	listing, err := s.Walk(ctx, workspace.Limits{})
	fresh := err == nil && !sameFiles(listing, b.listing)
	if fresh {
		b.listing = listing
		b.recheck()
	}
	outside := b.takeDocuments()
	if fresh {
		b.takeListing()
	}
	if fresh || outside {
		b.setPlaces()
	}
}

// sameFiles reports whether two listings are one: each Walk that reads the disk
// makes a list of its own.
func sameFiles(a, b workspace.Listing) bool {
	return len(a.Files) == len(b.Files) && (len(a.Files) == 0 || &a.Files[0] == &b.Files[0])
}

// takeDocuments finds the documents that are new, changed or closed, and reports
// whether some came or went that the listing does not have.
func (b *books) takeDocuments() (outside bool) {
	b.changed = b.changed[:0]
	now := map[string]bool{}
	for d := range b.snapshot.Documents() {
		if len(now) == maxOpen {
			break
		}
		now[d.Path] = true
		o := b.open[d.Path]
		if o == nil {
			o = &opened{}
			b.open[d.Path] = o
			outside = outside || !b.listed(d.Path)
		} else if o.text == d.Text.String() {
			continue
		}
		b.changed = append(b.changed, d.Path)
	}
	for path := range b.open {
		if now[path] {
			continue
		}
		delete(b.open, path)
		delete(b.disk, path)
		if i, ok := b.find(path); ok {
			b.todo = append(b.todo, b.listing.Files[i])
		} else {
			b.index.drop(path)
			outside = true
		}
	}
	return outside
}

func (b *books) find(path string) (int, bool) {
	return slices.BinarySearchFunc(b.listing.Files, path, func(f workspace.File, path string) int { return strings.Compare(f.Path, path) })
}

func (b *books) listed(path string) bool {
	_, ok := b.find(path)
	return ok
}

// recheck asks about the documents once more, since the rules may have changed:
// which may be read, and which of the others may be now.
func (b *books) recheck() {
	for path, o := range b.open {
		if b.snapshot.Excluded(path) != "" {
			b.index.drop(path)
		}
		if b.index.file(path) == nil {
			o.text = ""
		}
	}
}

// takeListing finds the files that are new, changed or gone, and puts those near
// to the document in use first.
func (b *books) takeListing() {
	b.todo = b.todo[:0]
	kept := make(map[string]stamp, len(b.listing.Files))
	for _, f := range b.listing.Files {
		now := stamp{f.Size, f.ModTime}
		if old, known := b.disk[f.Path]; known && old == now {
			kept[f.Path] = old
		} else if b.open[f.Path] == nil {
			b.todo = append(b.todo, f)
		}
	}
	for path := range b.disk {
		if !b.listed(path) && b.open[path] == nil {
			b.index.drop(path)
		}
	}
	b.disk = kept
	recent := ""
	for d := range b.snapshot.Documents() {
		recent = filepath.ToSlash(d.Path)
		break
	}
	slices.SortFunc(b.todo, func(f, g workspace.File) int { // the last one is the first
		return cmp.Or(cmp.Compare(urgency(f.Path), urgency(g.Path)),
			cmp.Compare(sharedFolders(recent, filepath.ToSlash(f.Path)), sharedFolders(recent, filepath.ToSlash(g.Path))),
			strings.Compare(g.Path, f.Path))
	})
}

// urgency puts what says where things are before source, and source before text
// without a grammar.
func urgency(path string) int {
	if isManifest(filepath.Base(path)) {
		return 2
	}
	if _, ok := syntax.ByPath(path); ok {
		return 1
	}
	return 0
}

// setPlaces tells the index of all paths there are.
func (b *books) setPlaces() {
	paths := make([]string, 0, len(b.listing.Files)+len(b.open))
	for _, f := range b.listing.Files {
		paths = append(paths, f.Path)
	}
	for path := range b.open {
		if !b.listed(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	b.index.setPlaces(newPlaces(paths))
}

// step indexes one text. It reports how long to rest, and whether there is more.
// With hurry, no document is too early.
func (b *books) step(hurry bool) (pause time.Duration, more bool) {
	now := time.Now()
	early := maxRest
	for i, path := range b.changed {
		o := b.open[path]
		if wait := o.due.Sub(now); wait > 0 && !hurry {
			early = min(early, wait)
			continue
		}
		b.changed = slices.Delete(b.changed, i, i+1)
		b.indexDocument(path, o)
		o.due = time.Now().Add(min(typedShare*time.Since(now), maxRest))
		return 0, true
	}
	if n := len(b.todo); n > 0 {
		f := b.todo[n-1]
		b.todo = b.todo[:n-1]
		if b.open[f.Path] == nil {
			b.disk[f.Path] = stamp{f.Size, f.ModTime}
			b.indexFile(f)
		}
		return 0, true
	}
	return early, len(b.changed) > 0
}

func (b *books) indexDocument(path string, o *opened) {
	d, ok := b.snapshot.Document(path)
	if !ok {
		return
	}
	o.text = d.Text.String()
	text, err := b.snapshot.Read(path)
	if err != nil {
		b.index.drop(path)
		return
	}
	b.index.put(newFacts(path, d.Language, text.String()))
}

func (b *books) indexFile(f workspace.File) {
	if urgency(f.Path) == 0 && f.Size > maxPlainBytes {
		return
	}
	text, err := b.snapshot.Read(f.Path)
	if err != nil {
		b.index.drop(f.Path)
		return
	}
	b.index.put(newFacts(f.Path, "", text.String()))
}
