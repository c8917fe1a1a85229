package lsp

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"tandem/internal/nearest"
)

// section is the key of the settings among those of other servers.
const section = "tandem"

// The values of Settings.Trigger. The zero value is Auto.
const (
	Auto   = "auto"
	Manual = "manual" // automatic requests are answered with nothing
)

// Settings are what the user decides. A value is not changed once it is in use.
type Settings struct {
	Disabled   bool
	Languages  map[string]bool // by the protocol's names; "*" stands for those not named, and is on if missing
	Exclude    []string        // globs of paths in which nothing is completed
	Trigger    string
	Model      string
	MaxTokens  int           // of a suggestion; 0 is the completer's own
	IdleUnload time.Duration // 0 is half an hour, less is never
}

// setting reads one key of the client's settings.
type setting struct {
	key  string
	wish string // what the value should be
	read func(s *Settings, value json.RawMessage) bool
}

// settingKeys are the keys that a client may send.
var settingKeys = []setting{
	{"enabled", "true or false", func(s *Settings, v json.RawMessage) bool {
		on := true
		ok := json.Unmarshal(v, &on) == nil
		s.Disabled = !on
		return ok
	}},
	{"languages", `an object such as {"*": true, "markdown": false}`, func(s *Settings, v json.RawMessage) bool {
		var languages map[string]bool
		if json.Unmarshal(v, &languages) != nil {
			return false
		}
		s.Languages = maps.Clone(s.Languages)
		if s.Languages == nil {
			s.Languages = map[string]bool{}
		}
		maps.Copy(s.Languages, languages)
		return true
	}},
	{"exclude", fmt.Sprintf("a list of at most %d globs of at most %d bytes", maxGlobs, maxGlobBytes), func(s *Settings, v json.RawMessage) bool {
		var globs []string
		if json.Unmarshal(v, &globs) != nil || len(globs) > maxGlobs || slices.ContainsFunc(globs, badGlob) {
			return false
		}
		s.Exclude = globs
		return true
	}},
	{"trigger", `"auto" or "manual"`, func(s *Settings, v json.RawMessage) bool {
		var trigger string
		if json.Unmarshal(v, &trigger) != nil || trigger != Auto && trigger != Manual {
			return false
		}
		s.Trigger = trigger
		return true
	}},
	{"model", "a model that `tandem models` lists, or a path", func(s *Settings, v json.RawMessage) bool {
		var model string
		if json.Unmarshal(v, &model) != nil || model == "" {
			return false
		}
		s.Model = model
		return true
	}},
	{"maxTokens", fmt.Sprintf("a number from 1 to %d", maxTokens), func(s *Settings, v json.RawMessage) bool {
		var n int
		if json.Unmarshal(v, &n) != nil || n < 1 || n > maxTokens {
			return false
		}
		s.MaxTokens = n
		return true
	}},
	{"idleUnloadMinutes", "a number, 0 for never", func(s *Settings, v json.RawMessage) bool {
		var minutes float64
		if json.Unmarshal(v, &minutes) != nil || minutes < 0 || minutes > 1e6 {
			return false
		}
		if s.IdleUnload = time.Duration(minutes * float64(time.Minute)); minutes == 0 {
			s.IdleUnload = -1
		}
		return true
	}},
}

// clientKeys are settings of the editors' own that lie beside the server's.
var clientKeys = []string{"path", "args", "trace"}

// With is s overridden by what a client sent, and what is wrong with that. The
// object may lie under the section's name. Null and nothing change nothing.
func (s Settings) With(raw json.RawMessage) (Settings, []string) {
	var values map[string]json.RawMessage
	if len(raw) == 0 {
		return s, nil
	}
	if json.Unmarshal(raw, &values) != nil {
		return s, []string{"the settings are no object: send {\"" + section + "\": {…}}"}
	}
	if inner, ok := values[section]; ok {
		return s.With(inner)
	}
	var wrong []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		i := slices.IndexFunc(settingKeys, func(k setting) bool { return k.key == key })
		switch {
		case i < 0 && !slices.Contains(clientKeys, key):
			wrong = append(wrong, fmt.Sprintf("unknown setting %q; the nearest is %q", key, nearest.Of(key, settingNames())))
		case i >= 0 && string(values[key]) != "null" && !settingKeys[i].read(&s, values[key]):
			wrong = append(wrong, fmt.Sprintf("setting %q: want %s", key, settingKeys[i].wish))
		}
	}
	return s, wrong
}

func settingNames() []string {
	names := make([]string, len(settingKeys))
	for i, k := range settingKeys {
		names[i] = k.key
	}
	return names
}

// allows is why nothing is completed at path by these settings, "" if it is.
func (s *Settings) allows(path, language string, folders []string) string {
	if s.Disabled {
		return "the setting enabled is false"
	}
	on, named := s.Languages[language]
	if !named {
		on, named = s.Languages["*"]
	}
	if named && !on {
		return fmt.Sprintf("the setting languages turns %q off", language)
	}
	for _, glob := range s.Exclude {
		if matchesGlob(glob, filepath.ToSlash(path), folders) {
			return fmt.Sprintf("the setting exclude has %q", glob)
		}
	}
	return ""
}
