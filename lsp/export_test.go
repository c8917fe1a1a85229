package lsp

import (
	"time"

	"tandem/engine"
)

// SettingNames are the keys that a client may send.
func SettingNames() []string { return settingNames() }

// Timeless is a maker of completers for which a machine may be as slow as it
// likes. budget is what a suggestion that nobody asked for may decode, 0 without end.
func Timeless(budget, patience time.Duration) func(engine.Engine) Completer {
	return func(e engine.Engine) Completer { return newSessions(e, limits{budget, patience}) }
}
