package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func walkAll(t testing.TB, w *Workspace) Listing {
	t.Helper()
	list, err := w.Snapshot().Walk(t.Context(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// names are the files of a listing from dir on, in one line.
func names(t testing.TB, dir string, list Listing) string {
	t.Helper()
	var all []string
	for _, f := range list.Files {
		rel, err := filepath.Rel(dir, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, filepath.ToSlash(rel))
	}
	return strings.Join(all, " ")
}

func TestWalk(t *testing.T) {
	w, dir := newFolder(t, map[string]string{
		gitIgnore: "/node_modules/\n*.log\n", "a.go": "text", "b/c/d.go": "", "b/x.log": "", "node_modules/x/x.js": "", ".git/config": "",
		"b/.hg/x": "", ".svn/x": "", ".env": "", ".ssh/config": "", "b/key.pem": "", "huge.go": strings.Repeat("x", MaxFileBytes+1), "empty/": "",
	})
	list := walkAll(t, w)
	if got := names(t, dir, list); got != ".gitignore a.go b/c/d.go" || list.Cut || list.Skipped != 0 {
		t.Errorf("files %s, %+v", got, list)
	}
	if f := list.Files[1]; f.Size != 4 || f.ModTime.IsZero() {
		t.Errorf("file %+v", f)
	}
	for _, f := range list.Files {
		if _, err := w.Snapshot().Read(f.Path); err != nil {
			t.Errorf("listed and not to be read: %v", err)
		}
	}
}

func TestWalkLimits(t *testing.T) {
	files := map[string]string{"top.go": "", "z/z.go": ""}
	for i := range 30 {
		files[fmt.Sprintf("a/%02d.go", i)] = ""
	}
	files["z/"+strings.Repeat("d/", defaultLimits.Depth)+"deep.go"] = ""
	w, dir := newFolder(t, files)
	for _, test := range []struct {
		limits Limits
		want   string // "N files": any N
		cut    bool
	}{
		{Limits{Depth: 1}, "32 files", true},
		{Limits{Depth: defaultLimits.Depth}, "32 files", true},
		{Limits{Depth: 1000}, "32 files", true}, // no more than the default
		{Limits{Files: 3}, "a/00.go a/01.go top.go", true},
		{Limits{Entries: 3}, "top.go", true},
		{Limits{Entries: 13}, "11 files", true},
	} {
		list, err := w.Snapshot().Walk(t.Context(), test.limits)
		got := names(t, dir, list)
		if strings.HasSuffix(test.want, "files") {
			got = fmt.Sprintf("%d files", len(list.Files))
		}
		if err != nil || got != test.want || list.Cut != test.cut {
			t.Errorf("%+v: %s, cut %v, %v, want %s", test.limits, got, list.Cut, err, test.want)
		}
	}
}

func TestWalkCancelled(t *testing.T) {
	w, _ := newFolder(t, map[string]string{"a.go": ""})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Snapshot().Walk(ctx, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if list := walkAll(t, w); len(list.Files) != 1 {
		t.Errorf("what a cancelled walk found was kept: %+v", list)
	}
	// One that waits for another ends as well.
	w.Refresh()
	w.Snapshot().disk.walkSlot <- struct{}{}
	if _, err := w.Snapshot().Walk(ctx, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

// countdown is a context that is cancelled when it has been asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestWalkCancelledAnywhere cancels at each place that looks: the walk ends soon
// after, and never with a part of the files.
func TestWalkCancelledAnywhere(t *testing.T) {
	const dirs = 20
	files := map[string]string{}
	for i := range dirs {
		files[fmt.Sprintf("%02d/a.go", i)] = ""
	}
	w, _ := newFolder(t, files)
	for left := 0; ; left++ {
		w.Refresh()
		s := w.Snapshot()
		ctx := &countdown{t.Context(), left}
		list, err := s.Walk(ctx, Limits{})
		if err == nil {
			if len(list.Files) != dirs || left < dirs {
				t.Errorf("%d files, asked %d times", len(list.Files), left)
			}
			return
		}
		if ctx.left < -2 {
			t.Fatalf("went on %d times after it was cancelled", -ctx.left)
		}
	}
}

// TestWalkCache counts walks by what they find: a file that was made behind the
// workspace's back shows that the folder was read again.
func TestWalkCache(t *testing.T) {
	w, dir := newFolder(t, map[string]string{"a.go": "", gitIgnore: "*.log\n"})
	save := func(name string) func() { return func() { w.Save(filepath.Join(dir, name)) } }
	made := 0
	for _, test := range []struct {
		what  string
		do    func()
		again bool
	}{
		{"a known file saved", save("a.go"), false},
		{"an ignored file saved", save("x.log"), false},
		{"a secret saved", save(".env"), false},
		{"a file elsewhere saved", func() { w.Save(filepath.Join(filepath.Dir(dir), "x.go")) }, false},
		{"a new file saved", save("new.go"), true},
		{"rules saved", save(gitIgnore), true},
		{"our rules saved", save("sub/" + ownIgnore), true},
		{"git's own rules saved", save(gitExclude), true},
		{"refreshed", w.Refresh, true},
		{"other folders", func() { _ = w.SetFolders(dir) }, true},
		{"nothing", func() {}, false},
	} {
		before := walkAll(t, w)
		made++
		writeFiles(t, dir, map[string]string{fmt.Sprintf("made%d.go", made): ""})
		test.do()
		if again := len(walkAll(t, w).Files) > len(before.Files); again != test.again {
			t.Errorf("%s: walked again: %v", test.what, again)
		}
		w.Refresh()
	}
}

// TestRulesChange has the rules read again where the listing is.
func TestRulesChange(t *testing.T) {
	w, dir := newFolder(t, map[string]string{"a.go": "text"})
	path, rules := filepath.Join(dir, "a.go"), filepath.Join(dir, ownIgnore)
	checkRead(t, w, path, "text")
	if err := os.WriteFile(rules, []byte("*.go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Save(rules)
	checkRead(t, w, path, ErrExcluded)
}

func TestLevelsAreBounded(t *testing.T) {
	w, dir := newFolder(t, map[string]string{gitIgnore: "*.log\n"})
	f := w.Snapshot().disk.folders[0]
	for i := range maxLevels {
		f.levels[fmt.Sprint("gone/", i)] = &level{}
	}
	if reason := w.Snapshot().Excluded(filepath.Join(dir, "a", "b", "x.log")); reason == "" || len(f.levels) > maxLevels {
		t.Errorf("%d levels, x.log: %q", len(f.levels), reason)
	}
}

func TestListingIsSorted(t *testing.T) {
	w, _ := newFolder(t, map[string]string{"b/a.go": "", "b.go": "", "a/z.go": "", "b-/a.go": ""})
	var paths []string
	for _, f := range walkAll(t, w).Files {
		paths = append(paths, f.Path)
	}
	if !slices.IsSorted(paths) || len(paths) != 4 {
		t.Errorf("%v", paths)
	}
}
