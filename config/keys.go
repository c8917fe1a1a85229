package config

import (
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"tandem/internal/nearest"
)

// nearestKey is the key of known that needs the fewest edits. A key in the wrong
// table is compared by its last part as well, the table counting for one edit:
// "hub" at the top means "pull.hub".
func nearestKey(key toml.Key, known []string) string {
	plain := strings.ReplaceAll(key.String(), "-", "_")
	last := plain[strings.LastIndexByte(plain, '.')+1:]
	edits := func(candidate string) int {
		name := candidate[strings.LastIndexByte(candidate, '.')+1:]
		return min(nearest.Edits(plain, candidate), nearest.Edits(last, name)+1)
	}
	return slices.MinFunc(known, func(a, b string) int { return edits(a) - edits(b) })
}

// lineOf finds the line, from one, that key stands on. The decoder does not
// tell, so the text is searched: first for the key in its own table, then for
// its last part anywhere. 1 if it is not found.
func lineOf(text string, key toml.Key) int {
	last := key[len(key)-1]
	table, anywhere := "", 1
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = plain(strings.Trim(strings.SplitN(line, "]", 2)[0], "["))
			if table == key.String() {
				return i + 1
			}
			table += "."
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		name = plain(name)
		if table+name == key.String() {
			return i + 1
		}
		if anywhere == 1 && strings.HasSuffix(name, last) {
			anywhere = i + 1
		}
	}
	return anywhere
}

// plain takes quotes and blanks out of a written key.
func plain(s string) string {
	return strings.NewReplacer(`"`, "", "'", "", " ", "", "\t", "").Replace(s)
}
