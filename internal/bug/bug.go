// Package bug reports what should be impossible: an error and a stack in the
// log for users, a panic in tests.
package bug

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Panic makes every report panic. Tests set it.
var Panic = false

// Errorf reports a broken assumption and returns it as an error.
func Errorf(format string, args ...any) error {
	err := fmt.Errorf("bug: "+format, args...)
	if Panic {
		panic(err)
	}
	slog.Error(err.Error(), "stack", string(debug.Stack()))
	return err
}
