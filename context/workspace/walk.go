package workspace

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits bound a Walk. Zero means the default, which is also the most.
type Limits struct {
	Files   int // in the listing; 20,000
	Depth   int // of folders below the folder of the workspace; 32
	Entries int // of directories looked at; 200,000: each 15,000 took 0.3 s, 1.6 s from a cold disk
}

var defaultLimits = Limits{Files: 20_000, Depth: 32, Entries: 200_000}

// entriesAtOnce are read of a directory before the limits are looked at again.
const entriesAtOnce = 512

// Listing is the files of a workspace. It is shared, read only.
type Listing struct {
	Files   []File // in order of their paths
	Cut     bool   // a limit was reached
	Skipped int    // directories that could not be read
}

// File is a regular file that may be read. Whether it is source is not known.
type File struct {
	Path    string
	Size    int64 // at most MaxFileBytes
	ModTime time.Time
}

type cachedListing struct {
	limits Limits
	Listing
}

// Walk lists the files of the folders that may be read, those near to a folder's
// top first where limits cut it. Links are not followed. The listing is kept
// until Save of a new file, Refresh or SetFolders, so that a second Walk with the
// same limits costs nothing. With a cancelled ctx it is ctx's error.
func (s *Snapshot) Walk(ctx context.Context, limits Limits) (Listing, error) {
	limits = limits.bounded()
	d := s.disk
	if c := d.listing.Load(); c != nil && c.limits == limits {
		return c.Listing, nil
	}
	select {
	case d.walkSlot <- struct{}{}:
		defer func() { <-d.walkSlot }()
	case <-ctx.Done():
		return Listing{}, ctx.Err()
	}
	if c := d.listing.Load(); c != nil && c.limits == limits {
		return c.Listing, nil
	}
	w := walk{disk: d, limits: limits}
	if err := w.run(ctx); err != nil {
		return Listing{}, err
	}
	slices.SortFunc(w.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	d.listing.Store(&cachedListing{limits, w.Listing})
	return w.Listing, nil
}

func (l Limits) bounded() Limits {
	bound := func(n, most int) int {
		if n <= 0 {
			return most
		}
		return min(n, most)
	}
	return Limits{bound(l.Files, defaultLimits.Files), bound(l.Depth, defaultLimits.Depth), bound(l.Entries, defaultLimits.Entries)}
}

// changes reports whether a file that was written makes the listing or the rules
// wrong.
func (d *disk) changes(file string) bool {
	switch base := filepath.Base(file); {
	case base == gitIgnore || base == ownIgnore || strings.HasSuffix(filepath.ToSlash(file), "/"+gitExclude):
		return true
	}
	c := d.listing.Load()
	if c == nil {
		return false
	}
	_, listed := slices.BinarySearchFunc(c.Files, file, func(f File, path string) int { return strings.Compare(f.Path, path) })
	f, rel, inside := d.find(file)
	return !listed && inside && f.excluded(rel) == "" && !IsSecret(file)
}

// walk is one Walk on its way, breadth first.
type walk struct {
	disk   *disk
	limits Limits
	Listing
	entries int
	queue   []place
}

// place is a directory to be read.
type place struct {
	folder *folder
	root   *os.Root
	dir    string // slashed
	depth  int
	rules  *level
}

func (w *walk) run(ctx context.Context) error {
	for _, f := range w.disk.folders {
		root, err := os.OpenRoot(f.path)
		if err != nil {
			w.Skipped++
			continue
		}
		defer root.Close()
		w.queue = append(w.queue, place{folder: f, root: root, rules: f.level(root, nil, "")})
	}
	for len(w.queue) > 0 && !w.full() {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := w.queue[0]
		w.queue = w.queue[1:]
		entries, err := w.list(ctx, at)
		if err != nil {
			w.Skipped++
		}
		for _, entry := range entries {
			w.visit(at, entry)
		}
	}
	return ctx.Err()
}

// full reports whether nothing more can be listed.
func (w *walk) full() bool {
	return w.Cut && (len(w.Files) == w.limits.Files || w.entries >= w.limits.Entries)
}

// list reads a directory as far as the limits allow, in order of names.
func (w *walk) list(ctx context.Context, at place) ([]os.DirEntry, error) {
	dir, err := at.root.OpenFile(filepath.FromSlash(path.Join(".", at.dir)), readFlags, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var all []os.DirEntry
	for err == nil && ctx.Err() == nil {
		room := min(w.limits.Entries-w.entries, entriesAtOnce)
		if room <= 0 {
			w.Cut = true
			break
		}
		var some []os.DirEntry
		some, err = dir.ReadDir(room)
		w.entries += len(some)
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

func (w *walk) visit(at place, entry os.DirEntry) {
	name := entry.Name()
	rel := path.Join(at.dir, name)
	full := filepath.Join(at.folder.path, filepath.FromSlash(rel))
	switch {
	case entry.IsDir():
		if versionControl[name] || secretFolders[strings.ToLower(name)] || at.rules.ignores(rel, true) != "" {
			return
		}
		if f, _, _ := w.disk.find(full); f != at.folder {
			return // a folder of its own
		}
		if at.depth == w.limits.Depth {
			w.Cut = true
			return
		}
		w.queue = append(w.queue, place{at.folder, at.root, rel, at.depth + 1, at.folder.level(at.root, at.rules, rel)})
	case entry.Type().IsRegular():
		if IsSecret(full) || at.rules.ignores(rel, false) != "" {
			return
		}
		if len(w.Files) == w.limits.Files {
			w.Cut = true
			return
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > MaxFileBytes {
			return // gone, replaced, or not to be read
		}
		w.Files = append(w.Files, File{full, info.Size(), info.ModTime()})
	}
}
