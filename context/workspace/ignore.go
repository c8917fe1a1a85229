package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// The files of rules. Ours has the same syntax and the last word: what it says
// nothing about, Git's decides. Unlike Git, rules hold for tracked files too
// (Git's index is not read), case always matters, and rules above the folder or
// in the user's own settings are not seen: they lie outside.
const (
	gitIgnore  = ".gitignore"
	ownIgnore  = ".tandemignore"
	gitExclude = ".git/info/exclude"
)

// rule is a line of an ignore file, as dir.c of Git reads it.
type rule struct {
	again    bool // "!": not ignored after all
	dirOnly  bool // "x/"
	nameOnly bool // without a slash: for names at every depth below the file
	prefix   string
	wild     bool    // there is more than prefix
	rest     pattern // behind prefix
	source   string  // "FILE:LINE: TEXT"
}

// level is what the ignore files of one folder say, and of those above it. It
// never changes.
type level struct {
	parent   *level
	dir      string // slashed, from the folder of the workspace; "" is that
	git, own []rule
	broken   string // why nothing below dir may be read
}

// newLevel reads the rules in dir. A level without any is its parent.
func newLevel(root *os.Root, parent *level, dir string) *level {
	l := &level{parent: parent, dir: dir}
	var broken [3]string
	if dir == "" {
		l.git, broken[0] = readRules(root, gitExclude)
	}
	var more []rule
	more, broken[1] = readRules(root, path.Join(dir, gitIgnore))
	l.git = append(l.git, more...)
	l.own, broken[2] = readRules(root, path.Join(dir, ownIgnore))
	for _, why := range broken {
		if why != "" {
			l.broken = why
		}
	}
	if parent != nil && len(l.git)+len(l.own) == 0 && l.broken == "" {
		return parent
	}
	return l
}

// readRules reads an ignore file. What is there and cannot be read hides
// everything it could have hidden; broken says why. As in Git, a .gitignore that
// is a link counts for nothing.
func readRules(root *os.Root, name string) (rules []rule, broken string) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err != nil && name == gitExclude {
		return nil, ""
	}
	if err == nil && !info.Mode().IsRegular() && path.Base(name) != ownIgnore {
		return nil, ""
	}
	var text string
	if err == nil {
		text, err = readRegular(root, name, maxIgnoreBytes)
	}
	if err != nil {
		return nil, fmt.Sprintf("%s cannot be read: %v", name, err)
	}
	return parseRules(text, name), ""
}

func parseRules(text, name string) []rule {
	var rules []rule
	text = strings.TrimPrefix(text, "\uFEFF")
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' || len(line) > maxRuleBytes {
			continue
		}
		if r, ok := parseRule(line); ok {
			r.source = fmt.Sprintf("%s:%d: %s", name, n, line)
			rules = append(rules, r)
		}
	}
	return rules
}

func parseRule(line string) (rule, bool) {
	var r rule
	glob := trimSpaces(line)
	glob, r.again = strings.CutPrefix(glob, "!")
	glob, r.dirOnly = strings.CutSuffix(glob, "/")
	if glob == "" {
		return r, false
	}
	r.nameOnly = !strings.Contains(glob, "/")
	glob = strings.TrimPrefix(glob, "/")
	// What is behind the literal beginning is matched on its own, so "a**/b" is
	// "a" and then "**/b". That is Git's way, if hardly its intention.
	if n := strings.IndexAny(glob, `*?[\`); n < 0 {
		r.prefix = glob
	} else {
		r.prefix, r.wild, r.rest = glob[:n], true, compilePattern(glob[n:], !r.nameOnly)
	}
	return r, true
}

// trimSpaces takes off the spaces at the end but for escaped ones.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			if i++; i == len(line) {
				return line
			}
			end = i + 1
		} else if line[i] != ' ' {
			end = i + 1
		}
	}
	return line[:end]
}

// matches takes a slashed path from the folder of the rule's file.
func (r *rule) matches(rel string, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	if r.nameOnly {
		rel = path.Base(rel)
	}
	rest, ok := strings.CutPrefix(rel, r.prefix)
	if !ok || !r.wild {
		return ok && rest == ""
	}
	return r.rest.match(rest)
}

// ignores says which rule ignores rel, whose parent folders are not ignored; ""
// if none does.
func (l *level) ignores(rel string, isDir bool) string {
	for at := l; at != nil; at = at.parent {
		if at.broken != "" {
			return at.broken
		}
	}
	r := l.last(rel, isDir, func(l *level) []rule { return l.own })
	if r == nil {
		r = l.last(rel, isDir, func(l *level) []rule { return l.git })
	}
	if r == nil || r.again {
		return ""
	}
	return "ignored by " + r.source
}

// last is the last rule that matches rel, those of deeper folders being later.
func (l *level) last(rel string, isDir bool, rules func(*level) []rule) *rule {
	for at := l; at != nil; at = at.parent {
		below := rel
		if at.dir != "" {
			below = rel[len(at.dir)+1:]
		}
		list := rules(at)
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].matches(below, isDir) {
				return &list[i]
			}
		}
	}
	return nil
}
