package completion_test

import (
	"testing"

	"tandem/engine"
)

func openModel(t *testing.T) engine.Engine {
	t.Helper()
	t.Skip("no engine yet")
	return nil
}
