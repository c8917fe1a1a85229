// Package repo measures what context from a repository is worth: completions of
// lines that need another file of their package, each with and without it. It
// knows published packages, unpacked, and reads a package only through a
// workspace in which the item's own file is the text with the hole. The model is
// asked by package completion alone, as an editor would have it asked.
package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tandem/bench/fim"
)

// Item is a cursor in a file of a package, with the rest of its line taken out.
type Item struct {
	ID      string `json:"id"`
	Package string `json:"package"`
	Version string `json:"version"`
	Path    string `json:"path"`   // of the file in the package, with slashes
	Prefix  string `json:"prefix"` // of the file, up to the cursor
	Suffix  string `json:"suffix"` // from where Target ended, to the file's end
	Target  string `json:"target"`
	// CrossNames are the names in Target that another file defines. They are for
	// scoring; nothing that makes a completion sees them.
	CrossNames []string `json:"cross_names"`
}

// ReadFile reads the items of a JSON-lines file, gzipped or not.
func ReadFile(path string) ([]Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	items, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("repo: %s: %w", path, err)
	}
	return items, nil
}

// Read is ReadFile of an open file.
func Read(r io.Reader) ([]Item, error) {
	var items []Item
	seen := map[string]bool{}
	err := fim.Lines(r, func(line []byte) error {
		var item Item
		if err := json.Unmarshal(line, &item); err != nil {
			return err
		}
		if err := item.check(); err != nil {
			return err
		}
		if seen[item.ID] {
			return fmt.Errorf("a second item %q", item.ID)
		}
		seen[item.ID] = true
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// check reports what cannot be evaluated. Names become parts of paths: they must
// not lead anywhere else.
func (it Item) check() error {
	if it.ID == "" || it.Package == "" || it.Version == "" || it.Path == "" || it.Target == "" {
		return errors.New("not an item with an id, a package, its version, a path and a target")
	}
	if it.CrossNames == nil {
		return fmt.Errorf("item %q has no cross_names", it.ID)
	}
	if dir := it.folder(); filepath.Base(dir) != dir || !filepath.IsLocal(dir) {
		return fmt.Errorf("item %q: %q is no name of a package with a version", it.ID, dir)
	}
	if !filepath.IsLocal(filepath.FromSlash(it.Path)) {
		return fmt.Errorf("item %q: the path %q leads out of the package", it.ID, it.Path)
	}
	return nil
}

// folder is where the item's package lies, below all packages.
func (it Item) folder() string { return it.Package + "-" + it.Version }

// hole is the item as package fim scores it.
func (it Item) hole() fim.Item {
	kind := fim.Repository
	if fim.InWord(it.Prefix, it.Target) {
		kind = fim.MidWord
	}
	return fim.Item{TaskID: it.ID, Kind: kind, Prefix: it.Prefix, Suffix: it.Suffix, Target: it.Target}
}

// Every returns every k-th item; all of them for k < 2.
func Every(items []Item, k int) []Item {
	var some []Item
	for i, item := range items {
		if k < 2 || i%k == 0 {
			some = append(some, item)
		}
	}
	return some
}
