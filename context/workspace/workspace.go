// Package workspace knows the documents that are open in an editor and the files
// of its folders, as snapshots that never change: texts with their lines, what
// was edited lately, which files may be read at all. It knows bytes and paths
// only. Positions in UTF-16, URIs and messages are the business of package lsp;
// what source code means, that of the other packages of context.
package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits. What goes beyond them is left out and said so, never an endless wait.
const (
	MaxTextBytes  = 8 << 20 // of a document; generated text from there on, and an edit would cost 10 ms
	MaxFileBytes  = 1 << 20 // of a file that nobody has opened: data rather than source beyond
	maxTotalBytes = 512 << 20
	maxDocuments  = 1 << 16 // a snapshot has one pointer for each
	maxPathBytes  = 8 << 10 // twice what Linux allows; rules look at each folder of a path

	maxFolders     = 64 // they are searched one by one
	maxIgnoreBytes = 1 << 20
	maxRuleBytes   = 1 << 10 // of one line of an ignore file; matching is a product of two lengths
	maxLevels      = 1 << 16 // folders whose ignore files are remembered; the walk visits fewer
	maxLinks       = 40      // followed for one path, as in Linux

	maxHunks     = 64      // far more than a prompt has room for
	maxHunkLines = 64      // on each side
	maxHunkBytes = 8 << 10 // on each side
	maxStates    = 256     // earlier texts of a document that undo is told by, 8 bytes each
	hunkPause    = 5 * time.Minute
)

// Errors that callers compare with errors.Is; ErrTooLarge is one more.
var (
	ErrNotOpen    = errors.New("not open")
	ErrNoRoom     = errors.New("the open documents together are too large: close some")
	ErrExcluded   = errors.New("excluded")
	ErrOutside    = errors.New("outside the folders of the workspace")
	ErrBinary     = errors.New("not a text")
	ErrNotRegular = errors.New("not a regular file")
)

// Document is an open document. It is a value of its owner; its Text is shared
// and never changes.
type Document struct {
	Path     string // as the editor named it, cleaned; need not be a file's
	Language string
	Version  int32
	Text     Text
	// Missing says why Text is empty although the document may not be:
	// ErrTooLarge, ErrNoRoom or, for secrets, ErrExcluded. Nil if Text is there.
	Missing error
	Last    Kind // what the last change did

	used uint64 // tick of the last switch to it
}

// Item is a document as an editor opens it.
type Item struct {
	Path     string
	Language string
	Version  int32
	Text     string
}

// Outcome is what a change made.
type Outcome struct {
	Document Document
	// Backwards says that the version is not above the one before. The change was
	// made all the same, since the text is what counts, but one of the two sides
	// counts wrongly.
	Backwards bool
}

// Workspace is the state of one editor. It is safe for concurrent use. Changes
// wait for each other; Snapshot waits for nothing, so that a request never
// stands behind an edit of a large document.
//
// A Workspace owns the current Snapshot and replaces it; whoever asks for one
// may keep it, together with the texts in it. Changes of one document must come
// in the order in which the editor made them, which is the caller's to keep.
type Workspace struct {
	now     func() time.Time
	current atomic.Pointer[Snapshot]

	writeMu   sync.Mutex // held by whoever replaces current; guards the rest
	textBytes int64      // held by the current documents
	states    map[string]*states
	tick      uint64
}

// New makes a workspace without documents and folders. now is its clock; nil
// means time.Now.
func New(now func() time.Time) *Workspace {
	if now == nil {
		now = time.Now
	}
	w := &Workspace{now: now, states: map[string]*states{}}
	w.current.Store(&Snapshot{disk: newDisk(nil)})
	return w
}

// Snapshot is the state as of now, at no cost.
func (w *Workspace) Snapshot() *Snapshot { return w.current.Load() }

// Open adds a document. One that is open already is replaced. A text that is too
// large, or a secret's, is no error: see Document.Missing.
func (w *Workspace) Open(item Item) error {
	path := filepath.Clean(item.Path)
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	next := *w.Snapshot()
	i, open := next.search(path)
	if !open && len(next.docs) == maxDocuments {
		return fmt.Errorf("workspace: %s: %d documents are open: close some", path, maxDocuments)
	}
	if len(path) > maxPathBytes {
		return fmt.Errorf("workspace: %.99s…: a path of %d bytes, at most %d", path, len(path), maxPathBytes)
	}
	d := &Document{Path: path, Language: item.Language, Version: item.Version}
	if IsSecret(path) {
		d.Missing = ErrExcluded // nothing can leak that is not there
	} else {
		d.Text, d.Missing = NewText(item.Text)
	}
	if open {
		w.leave(&next, path)
		w.hold(d, next.docs[i].Text.size())
		next.docs = slices.Clone(next.docs)
		next.docs[i] = d
	} else {
		w.hold(d, 0)
		next.docs = slices.Insert(slices.Clip(next.docs), i, d)
	}
	w.use(&next, d)
	w.current.Store(&next)
	return nil
}

// Change makes edits, one after the other, and all of them or none. Each is
// asked for with the text that the edits before it made, since LSP counts its
// positions there. On a text that is not held, edits change nothing but the
// version, until one brings the whole text (End is ToEnd) and it has room.
func (w *Workspace) Change(path string, version int32, edits ...func(Text) Edit) (Outcome, error) {
	path = filepath.Clean(path)
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	next := *w.Snapshot()
	i, open := next.search(path)
	if !open {
		return Outcome{}, fmt.Errorf("workspace: %s: %w: open it first", path, ErrNotOpen)
	}
	old := next.docs[i]
	f := folding{Document: *old, now: w.now(), edits: slices.Clone(next.edits)}
	for _, edit := range edits {
		if err := f.step(edit); err != nil {
			return Outcome{}, fmt.Errorf("%w (%s)", err, path)
		}
	}
	f.Version = version
	w.hold(&f.Document, old.Text.size())
	f.Last = w.lastOf(old, &f)
	if f.Missing != nil {
		f.edits = closeHunks(f.edits, path)
	}
	d := new(Document) // of its own: the rest of f is not to be kept
	*d = f.Document
	next.edits = f.edits
	next.docs = slices.Clone(next.docs)
	next.docs[i] = d
	w.use(&next, d)
	w.current.Store(&next)
	return Outcome{*d, version <= old.Version}, nil
}

// hold counts d's text, which replaces one of before bytes, or drops it where
// all texts together would be too large.
func (w *Workspace) hold(d *Document, before int64) {
	w.textBytes -= before
	if w.textBytes+d.Text.size() > maxTotalBytes {
		d.Text, d.Missing = Text{}, ErrNoRoom
	}
	w.textBytes += d.Text.size()
}

// lastOf is the kind of the change from old to f, which is remembered as one of
// the document's states.
func (w *Workspace) lastOf(old *Document, f *folding) Kind {
	if f.Missing != nil || old.Missing != nil {
		delete(w.states, old.Path)
		if f.Missing == nil {
			return Replaced
		}
		return Unchanged
	}
	if f.Text.s == old.Text.s {
		return Unchanged
	}
	s := w.states[old.Path]
	if s == nil {
		s = &states{}
		s.add(hash(old.Text.s))
		w.states[old.Path] = s
	}
	if s.add(hash(f.Text.s)) && !f.keystroke {
		return Undone
	}
	return f.kind
}

// Touch tells that the user went to a document. One that is not open is no error.
func (w *Workspace) Touch(path string) {
	path = filepath.Clean(path)
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	next := *w.Snapshot()
	if i, open := next.search(path); open {
		d := *next.docs[i]
		next.docs = slices.Clone(next.docs)
		next.docs[i] = &d
		w.use(&next, &d)
		w.current.Store(&next)
	}
}

// Save tells that a file was written: a new one, or changed rules, make the next
// Walk read the folders again.
func (w *Workspace) Save(path string) {
	path = filepath.Clean(path)
	w.Touch(path)
	if w.Snapshot().disk.changes(path) {
		w.Refresh()
	}
}

// Close forgets a document; the hunks of its edits stay.
func (w *Workspace) Close(path string) error {
	path = filepath.Clean(path)
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	next := *w.Snapshot()
	i, open := next.search(path)
	if !open {
		return fmt.Errorf("workspace: %s: %w: nothing to close", path, ErrNotOpen)
	}
	w.textBytes -= next.docs[i].Text.size()
	w.leave(&next, path)
	next.docs = slices.Delete(slices.Clone(next.docs), i, i+1)
	w.current.Store(&next)
	return nil
}

// leave ends what is remembered for the text that path's document has now.
func (w *Workspace) leave(next *Snapshot, path string) {
	delete(w.states, path)
	next.edits = closeHunks(slices.Clone(next.edits), path)
}

// use makes d, which is in next and nobody else's yet, the document used last.
func (w *Workspace) use(next *Snapshot, d *Document) {
	if r := next.recent; r != nil && r.path == d.Path && r.tick == d.used {
		return // typing goes on
	}
	w.tick++
	d.used = w.tick
	next.recent, next.uses = &use{d.Path, d.used, next.recent}, next.uses+1
	if next.uses <= 2*len(next.docs)+64 {
		return
	}
	order := slices.SortedFunc(slices.Values(next.docs), func(a, b *Document) int { return cmp.Compare(a.used, b.used) })
	next.recent, next.uses = nil, len(order)
	for _, d := range order {
		next.recent = &use{d.Path, d.used, next.recent}
	}
}

// SetFolders replaces the folders, absolute paths. They need not exist yet; one
// inside another is a folder of its own.
func (w *Workspace) SetFolders(folders ...string) error {
	clean := make([]string, 0, len(folders))
	for _, f := range folders {
		if !filepath.IsAbs(f) {
			return fmt.Errorf("workspace: folder %q: name it by its full path", f)
		}
		clean = append(clean, filepath.Clean(f))
	}
	slices.Sort(clean)
	clean = slices.Compact(clean)
	if len(clean) > maxFolders {
		return fmt.Errorf("workspace: %d folders, at most %d: open them in several windows", len(clean), maxFolders)
	}
	w.setDisk(clean)
	return nil
}

// Refresh forgets what was read of the folders: their files and ignore rules.
// It is for changes that did not come through Save.
func (w *Workspace) Refresh() { w.setDisk(nil) }

// setDisk starts anew with folders, nil for those that are there.
func (w *Workspace) setDisk(folders []string) {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	next := *w.Snapshot()
	if folders == nil {
		folders = next.Folders()
	}
	next.disk = newDisk(folders)
	w.current.Store(&next)
}
