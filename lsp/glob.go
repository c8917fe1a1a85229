package lsp

import (
	"path"
	"path/filepath"
	"strings"
)

// badGlob reports a glob that cannot be matched with.
func badGlob(glob string) bool {
	_, err := path.Match(glob, "")
	return err != nil || glob == "" || len(glob) > maxGlobBytes
}

// matchesGlob reports whether a glob covers the file at name, with slashes, or a
// folder above it. One without a slash is for names anywhere; others count from
// a folder of the workspace or from the root. "**" stands for any folders.
func matchesGlob(glob, name string, folders []string) bool {
	glob = strings.TrimSuffix(glob, "/")
	if !strings.Contains(glob, "/") {
		glob = "**/" + glob
	}
	pattern := strings.Split(strings.TrimPrefix(glob, "/"), "/")
	if matchesParts(pattern, strings.Split(strings.TrimPrefix(name, "/"), "/")) {
		return true
	}
	for _, folder := range folders {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(filepath.ToSlash(folder), "/")+"/"); ok && matchesParts(pattern, strings.Split(rest, "/")) {
			return true
		}
	}
	return false
}

// matchesParts reports whether pattern covers the beginning of parts: what lies
// in a folder that matches matches. Instead of trying every length of a "**"
// against every length of the next, it keeps the set of places in the pattern
// that the parts so far can have led to.
func matchesParts(pattern, parts []string) bool {
	at := map[int]bool{0: true}
	for _, part := range parts {
		next := map[int]bool{}
		for i := range at {
			for i < len(pattern) && pattern[i] == "**" {
				next[i] = true // it takes this part, and may take more
				i++
			}
			if i == len(pattern) {
				return true
			}
			if ok, _ := path.Match(pattern[i], part); ok {
				next[i+1] = true
			}
		}
		if next[len(pattern)] {
			return true
		}
		at = next
	}
	return false
}
