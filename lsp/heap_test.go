package lsp_test

import (
	"runtime"
	"strings"
	"testing"
)

// TestClosedTextIsForgotten: of a document that was edited and closed, the history of
// edits stays, and not the message that opened it.
func TestClosedTextIsForgotten(t *testing.T) {
	const rounds, allowed = 16, 4 << 20 // bytes
	e := start(t, newScript().options())
	text := strings.Repeat("a line of text\n", 1<<16)
	round := func() int64 {
		e.open("notes.txt", "plaintext", text)
		e.change("notes.txt", 0, 0, "typed")
		e.client.CloseDocument(uri("notes.txt"))
		e.ask("tandem/stats", nil).message(e) // answered when all that is done
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, after := round(), int64(0)
	for range rounds {
		after = round()
	}
	if grown := after - before; grown > allowed {
		t.Errorf("%d documents of %d bytes, edited and closed, leave %d bytes, at most %d", rounds, len(text), grown, allowed)
	}
	e.quit()
}
