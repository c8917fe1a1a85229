package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// binaryBytes at the beginning of a file are searched for a zero, as Git does.
const binaryBytes = 8 << 10

// versionControl are folders that hold no source.
var versionControl = set(".git", ".hg", ".svn")

// disk is the folders of a workspace and what was read of them: ignore rules and
// the last listing. It is safe for concurrent use. What it has read it keeps; a
// change on the disk takes a new one. Folders are opened for each use and not
// kept open, so that one that is deleted and made again is found.
type disk struct {
	folders  []*folder
	walkSlot chan struct{} // one walks at a time
	listing  atomic.Pointer[cachedListing]
}

type folder struct {
	path string

	levelsMu sync.Mutex
	levels   map[string]*level // by directory
}

func newDisk(folders []string) *disk {
	d := &disk{walkSlot: make(chan struct{}, 1)}
	for _, f := range folders {
		d.folders = append(d.folders, &folder{path: f, levels: map[string]*level{}})
	}
	return d
}

// find is the innermost folder that path is in, and its slashed path from there.
func (d *disk) find(file string) (f *folder, rel string, ok bool) {
	for _, at := range d.folders {
		below, inside := strings.CutPrefix(file, at.path)
		if !inside || f != nil && len(at.path) < len(f.path) {
			continue
		}
		if below == "" || os.IsPathSeparator(below[0]) || os.IsPathSeparator(at.path[len(at.path)-1]) {
			f, rel, ok = at, strings.TrimPrefix(filepath.ToSlash(below), "/"), true
		}
	}
	return f, rel, ok
}

// excluded says why rel may not be read; "" if it may.
func (f *folder) excluded(rel string) string {
	if rel == "" {
		return ""
	}
	root, err := os.OpenRoot(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("its folder cannot be read: %v", err)
	}
	defer root.Close()
	real, link, err := resolve(root, rel)
	if link != "" {
		// Rules are about the link itself and about what it leads to.
		if reason := f.ignored(root, link); reason != "" {
			return reason
		}
		if IsSecret(real) {
			return secretReason + " (of the file that it is a link to)"
		}
	}
	if errors.Is(err, ErrOutside) {
		return ""
	}
	return f.ignored(root, real)
}

// ignored says which rule ignores the file rel, or a directory that it is in.
func (f *folder) ignored(root *os.Root, rel string) string {
	if rel == "" { // the folder, at the end of a link
		return ""
	}
	l := f.level(root, nil, "")
	for end := 0; ; {
		name, _, more := strings.Cut(rel[end:], "/")
		end += len(name)
		if versionControl[name] {
			return "it belongs to version control"
		}
		if reason := l.ignores(rel[:end], more); reason != "" || !more {
			return reason
		}
		l = f.level(root, l, rel[:end])
		end++
	}
}

// level is the rules that hold in dir.
func (f *folder) level(root *os.Root, parent *level, dir string) *level {
	f.levelsMu.Lock()
	l := f.levels[dir]
	f.levelsMu.Unlock()
	if l != nil {
		return l
	}
	l = newLevel(root, parent, dir)
	f.levelsMu.Lock()
	defer f.levelsMu.Unlock()
	if len(f.levels) >= maxLevels {
		clear(f.levels)
	}
	f.levels[dir] = l
	return l
}

// resolve follows the links of rel inside root. It gives the path without links,
// as far as it exists, and the first link, "" if there is none. A link that leads
// outside is ErrOutside, and real then what it says.
func resolve(root *os.Root, rel string) (real, link string, err error) {
	done, rest := "", rel
	for links := 0; rest != ""; {
		name, after, _ := strings.Cut(rest, "/")
		switch {
		case name == "" || name == ".":
			rest = after
			continue
		case name == ".." && done == "":
			return rest, link, ErrOutside
		case name == "..":
			done, rest = strings.TrimPrefix(path.Dir("/"+done), "/"), after
			continue
		}
		at := path.Join(done, name)
		info, err := root.Lstat(filepath.FromSlash(at))
		if err != nil {
			return path.Join(done, rest), link, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done, rest = at, after
			continue
		}
		if link == "" {
			link = at
		}
		target, err := root.Readlink(filepath.FromSlash(at))
		if err != nil {
			return at, link, err
		}
		if links++; links > maxLinks || filepath.IsAbs(target) {
			return target + "/" + after, link, ErrOutside
		}
		rest = filepath.ToSlash(target) + "/" + after
	}
	return done, link, nil
}

// read is the text of the file rel, which is not excluded.
func (f *folder) read(rel string) (Text, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return Text{}, err
	}
	defer root.Close()
	real, _, err := resolve(root, rel)
	if err != nil {
		return Text{}, err
	}
	s, err := readRegular(root, path.Join(".", real), MaxFileBytes)
	if err != nil {
		return Text{}, err
	}
	if strings.IndexByte(s[:min(len(s), binaryBytes)], 0) >= 0 {
		return Text{}, ErrBinary
	}
	return NewText(s)
}

// readRegular reads a regular file of at most limit bytes. It looks before it
// opens, since opening a device can do something, and opens without waiting,
// since a pipe may take the file's place in between.
func readRegular(root *os.Root, name string, limit int) (string, error) {
	name = filepath.FromSlash(name)
	info, err := root.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", ErrNotRegular
	}
	file, err := root.OpenFile(name, readFlags, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", ErrNotRegular
	case info.Size() > int64(limit):
		return "", ErrTooLarge
	}
	// The file may grow meanwhile.
	var text bytes.Buffer
	text.Grow(int(info.Size()) + bytes.MinRead)
	if n, err := text.ReadFrom(io.LimitReader(file, int64(limit)+1)); err != nil {
		return "", err
	} else if n > int64(limit) {
		return "", ErrTooLarge
	}
	return text.String(), nil
}
