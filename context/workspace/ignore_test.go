package workspace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newFolder is a workspace with one folder of files. A name with a slash at its
// end is a directory.
func newFolder(t testing.TB, files map[string]string) (*Workspace, string) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	w := New(nil)
	if err := w.SetFolders(dir); err != nil {
		t.Fatal(err)
	}
	return w, dir
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o700); err != nil {
			t.Fatal(err)
		}
		if parent == path {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		glob, text string
		inPath     bool
		want       bool
	}{
		{"*a*a*a*a*b", strings.Repeat("a", 4000), true, false},
		{strings.Repeat("**/", 100) + "b", strings.Repeat("a/", 1000) + "a", true, false},
		{strings.Repeat("*?", 200), strings.Repeat("a", 4000), true, true},
		{"**/a", "a", true, true}, {"**/a", "x/y/a", true, true}, {"a/**", "a/b/c", true, true}, {"a/**", "a", true, false},
		{"a/**/b", "a/b", true, true}, {"a/**/b", "a/x/y/b", true, true}, {"a/**/b", "ab", true, false},
		{"a**b", "axb", true, true}, {"a**b", "a/b", true, false}, {"*", "a/b", true, false}, {"**", "a/b", true, true},
		{"[]a]", "]", true, true}, {"[a-c]", "b", true, true}, {"[!a-c]", "b", true, false}, {"[^a]", "/", true, false},
		{"[a-]", "-", true, true}, {"[[:digit:][:upper:]]", "X", true, true}, {"[[:nope:]]", "n", true, false}, {"[[:d]", ":", true, true},
		{"[a", "a", true, false}, {"[a", "[a", true, false}, {`\`, `\`, true, false}, {`\*`, "*", true, true}, {`\*`, "a", true, false},
		{`[\]]`, "]", true, true}, {`[a-\c]`, "b", true, true}, {"[]", "]", true, false}, {"?", "\xff", true, true}, {"?", "é", true, false},
	} {
		p := compilePattern(test.glob, test.inPath)
		if got := p.match(test.text); got != test.want {
			t.Errorf("%.40q on %.40q: %v", test.glob, test.text, got)
		}
	}
}

// TestPatternEnds has a hostile pattern as long as one may be: with backtracking
// it would not come to an end.
func TestPatternEnds(t *testing.T) {
	p := compilePattern(strings.Repeat("*a", maxRuleBytes/2-1)+"b", true)
	if p.match(strings.Repeat("a", 4<<10)) {
		t.Error("matched")
	}
}

func git(t *testing.T, dir, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); err != nil && !(ok && exit.ExitCode() == 1) { // 1: nothing is ignored
		t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

// compareWithGit asks git about every file below dir and compares.
func compareWithGit(t *testing.T, dir string) (ignored int) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: install it to compare the ignore rules with it")
	}
	git(t, dir, "", "init", "-q")
	exclude := filepath.Join(dir, gitExclude)
	if text, err := os.ReadFile(filepath.Join(dir, "exclude")); err == nil {
		if err := os.WriteFile(exclude, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	links := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && !entry.IsDir() { // directories are asked for with the files in them
			rel := filepath.ToSlash(path[len(dir)+1:])
			names = append(names, rel)
			links[rel] = entry.Type()&os.ModeSymlink != 0
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for name := range strings.SplitSeq(git(t, dir, strings.Join(names, "\x00"), "check-ignore", "--no-index", "--stdin", "-z"), "\x00") {
		want[name] = true
	}
	w := New(nil)
	if err := w.SetFolders(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		reason := w.Snapshot().Excluded(filepath.Join(dir, name))
		if links[name] && !want[name] {
			continue // here the rules for what it leads to hold as well
		}
		if want[name] != (reason != "") {
			t.Errorf("%q: git ignores it: %v, here %q", name, want[name], reason)
		}
		if want[name] {
			ignored++
		}
	}
	return ignored
}

// TestIgnoreLikeGit has the cases that are known to be hard, one directory each.
func TestIgnoreLikeGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cases := []string{
		"*.log\n!keep.log\n", "/a\n", "a/\n", "sub/a\n", "/sub/*\n!/sub/a\n", "sub\n!sub/a\n", "**/a\n", "sub/**\n", "sub/**/a\n", "**\n!a\n",
		"a \n", "a\\ \n", "a b\n", "\\#x\n", "#x\n", "\\!x\n", "!x\n", "[ab]\n", "[!a]\n", "[[:alpha:]]\n", "\\a\n", "\\[a\\]\n", "[a\n", "a\\\n",
		"*\n!*/\n!a\n", "a**\n", "a**/b\n", "su**/a\n", "s*b/a\n", "s?b/a\n", "?\n", "/\n", "!\n", " \n", "\n", "//a\n", "a//\n", "./a\n", "sub/\n!sub/\n",
		"\xef\xbb\xbfa\n", "a\r\n", "a\r", "sub/deep/\n", "deep\n", "/deep\n", "*/a\n", "*/deep/a\n", "**/deep/**\n", "x.log/\n", "*.log/\n", "sub/deep/a\n!sub/deep/a\n",
		"A\n", "é\n", "[\xc3]*\n", "*b\n", "a*b\n", "/*/a\n", "/**/a\n", "sub/*/a\n", "**a\n", "a/**\n", "sub\\/a\n", "sub/**\\/a\n", "\t\n", "a\t\n", "[]a]\n", "[a-]\n", "link\n", "link/\n",
	}
	files := map[string]string{"exclude": "excluded.*\n!x.log\n"}
	for n, rules := range cases {
		for _, name := range []string{
			"a", "ab", "a b", "a ", "#x", "!x", "[a]", "-", "é", "x.log", "keep.log", "A", "excluded.txt",
			"sub/a", "sub/b", "sub/deep/a", "sub/deep/x.log", "deep/a",
		} {
			files[fmt.Sprintf("%02d/%s", n, name)] = ""
		}
		files[fmt.Sprintf("%02d/.gitignore", n)] = rules
		files[fmt.Sprintf("%02d/sub/deep/.gitignore", n)] = "!x.log\n"
	}
	writeFiles(t, dir, files)
	for n := range cases {
		if err := os.Symlink("sub", filepath.Join(dir, fmt.Sprintf("%02d/link", n))); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	if n := compareWithGit(t, dir); n < 200 {
		t.Errorf("only %d files are ignored: the cases test little", n)
	}
}

// TestRandomIgnoreLikeGit has random rules on two levels.
func TestRandomIgnoreLikeGit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	pieces := []string{"a", "b", "ab", "*", "**", "/", "/", "?", "[ab]", "[!a]", "\\a", "**/", "/**", "x", ".", "[", " "}
	rules := func() string {
		var text strings.Builder
		for range 1 + random.IntN(4) {
			if random.IntN(4) == 0 {
				text.WriteByte('!')
			}
			for range 1 + random.IntN(4) {
				text.WriteString(pieces[random.IntN(len(pieces))])
			}
			text.WriteByte('\n')
		}
		return text.String()
	}
	dir := t.TempDir()
	files := map[string]string{}
	for n := range 80 {
		for _, name := range []string{"a", "ab", "x.b", "a.d/a", "a.d/b", "b.d/x/a", "b.d/ab"} {
			files[fmt.Sprintf("%03d/%s", n, name)] = ""
		}
		files[fmt.Sprintf("%03d/.gitignore", n)] = rules()
		files[fmt.Sprintf("%03d/b.d/.gitignore", n)] = rules()
	}
	writeFiles(t, dir, files)
	if n := compareWithGit(t, dir); n < 50 {
		t.Errorf("only %d files are ignored: the cases test little", n)
	}
}

func TestOwnIgnore(t *testing.T) {
	w, dir := newFolder(t, map[string]string{
		gitIgnore: "gen/\n*.log\n", ownIgnore: "private/\n!gen/\n", "sub/" + ownIgnore: "!x.log\n", "sub/" + gitIgnore: "!private\n",
	})
	for name, want := range map[string]string{
		"private/a.go":     "ignored by .tandemignore:1: private/",
		"gen/a.go":         "", // ours has the last word
		"x.log":            "ignored by .gitignore:2: *.log",
		"sub/x.log":        "",
		"sub/private/a.go": "ignored by .tandemignore:1: private/",
		".git/config":      "it belongs to version control",
		"sub/.hg/x":        "it belongs to version control",
		"new.go":           "",
	} {
		if got := w.Snapshot().Excluded(filepath.Join(dir, filepath.FromSlash(name))); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := w.Snapshot().Excluded(filepath.Join(filepath.Dir(dir), "x.log")); got != "" {
		t.Errorf("outside the folder: %q", got)
	}
}

// TestRulesThatCannotBeRead hide what they could have hidden.
func TestRulesThatCannotBeRead(t *testing.T) {
	w, dir := newFolder(t, map[string]string{
		"big/" + gitIgnore: strings.Repeat("#", maxIgnoreBytes+1), "dir/" + ownIgnore + "/": "", "gitdir/" + gitIgnore + "/": "", "big/sub/": "",
		"a.go": "", "big/a.go": "", "big/sub/a.go": "", "dir/a.go": "", "gitdir/a.go": "",
	})
	for name, hidden := range map[string]bool{"a.go": false, "big/a.go": true, "big/sub/a.go": true, "dir/a.go": true, "gitdir/a.go": false} {
		got := w.Snapshot().Excluded(filepath.Join(dir, filepath.FromSlash(name)))
		if hidden != strings.Contains(got, "cannot be read") {
			t.Errorf("%s: %q", name, got)
		}
	}
	list, err := w.Snapshot().Walk(context.Background(), Limits{})
	if err != nil || len(list.Files) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}
