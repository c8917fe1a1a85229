package completion

import (
	"path/filepath"
	"strings"

	"tandem/completion/prompt"
	"tandem/engine"
)

// defaultLayouts says which layout a model gets, the first row that matches its
// name. The numbers behind each row are in docs/bench.md, "Infilling".
var defaultLayouts = []struct {
	name   string // part of the model's name, in lower case without signs
	layout prompt.Layout
}{
	{"qwen25coder05b", prompt.SPMTail},
	{"qwen25coder", prompt.PSMLine}, // measured with the 1.5B; larger ones are taken to be like it
	{"smollm", prompt.Plain},        // has no FIM tokens
}

// DefaultLayout returns the layout that info's model does best with. A model
// that is not in the table gets psm, the order that most FIM models were
// trained on; one without FIM tokens then fails with the engine's error and
// needs the layout plain.
func DefaultLayout(info engine.Info) prompt.Layout {
	for _, name := range []string{info.Model, filepath.Base(info.Path)} {
		name = plainName(name)
		for _, row := range defaultLayouts {
			if strings.Contains(name, row.name) {
				return row.layout
			}
		}
	}
	return prompt.PSM
}

// layoutFor is the layout called name, or the model's where name is empty.
func layoutFor(info engine.Info, name string) (prompt.Layout, error) {
	if name == "" {
		return DefaultLayout(info), nil
	}
	return prompt.ByName(name)
}

// plainName keeps name's letters and digits: files spell one model
// "Qwen2.5 Coder 0.5B Instruct" and "qwen2.5-coder-0.5b".
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}
