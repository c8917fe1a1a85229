package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tandem/completion"
	"tandem/context/retrieve"
	"tandem/context/syntax"
	"tandem/context/workspace"
)

// Packages is a folder of unpacked packages, each in its folder NAME-VERSION.
type Packages string

// Open gives the item's package as a workspace in which one document is open:
// the item's file without the target, the cursor in the hole. The document is
// there before the folder is, so that nothing can have read the file's own text,
// and links to it are refused: what they lead to would still have it.
func (p Packages) Open(item Item) (completion.Document, error) {
	root, err := filepath.Abs(filepath.Join(string(p), item.folder()))
	if err != nil {
		return completion.Document{}, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return completion.Document{}, fmt.Errorf("repo: %s: package %s %s is not there (%w): bench/repo/fetch.sh gets it", item.ID, item.Package, item.Version, err)
	}
	path := filepath.Join(root, filepath.FromSlash(item.Path))
	info, err := os.Lstat(path)
	if err != nil {
		return completion.Document{}, fmt.Errorf("repo: %s: the item is not of this package: %w", item.ID, err)
	}
	if real, err := filepath.EvalSymlinks(path); err != nil || real != path || !info.Mode().IsRegular() {
		return completion.Document{}, fmt.Errorf("repo: %s: %s is not a regular file, or behind a link", item.ID, path)
	}
	w := workspace.New(nil)
	open := workspace.Item{Path: path, Version: 1, Text: item.Prefix + item.Suffix}
	if lang, ok := syntax.ByPath(path); ok {
		open.Language = lang.Name()
	}
	if err := w.Open(open); err != nil {
		return completion.Document{}, err
	}
	if err := w.SetFolders(root); err != nil {
		return completion.Document{}, err
	}
	snapshot := w.Snapshot()
	if _, err := snapshot.Read(path); err != nil {
		return completion.Document{}, fmt.Errorf("repo: %s: nothing may be completed there: %w", item.ID, err)
	}
	return completion.Document{
		Path: path, Language: open.Language, Text: open.Text, Offset: len(item.Prefix), Snapshot: snapshot,
	}, nil
}

// leak finds a chunk of the item's own file that holds the line as it was before
// the target was taken out, unless the file has that line elsewhere, too.
func leak(item Item, chunks []retrieve.Chunk) (retrieve.Chunk, bool) {
	begin := item.Prefix[strings.LastIndexByte(item.Prefix, '\n')+1:]
	end, _, _ := strings.Cut(item.Suffix, "\n")
	whole := strings.TrimSpace(begin + item.Target + end)
	if strings.Contains(item.Prefix+item.Suffix, whole) {
		return retrieve.Chunk{}, false
	}
	for _, c := range chunks {
		if c.Path == item.Path && strings.Contains(c.Text, whole) {
			return c, true
		}
	}
	return retrieve.Chunk{}, false
}
