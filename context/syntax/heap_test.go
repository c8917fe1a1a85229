package syntax

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestHeapStays: parsing, asking and editing leave nothing behind in C's memory
// once the trees are closed, in any language.
func TestHeapStays(t *testing.T) {
	if HeapBytes() < 0 {
		t.Skip("NOT CHECKED: this system's C library does not tell how much it gave out")
	}
	runtime.LockOSThread() // each thread keeps freed memory for itself, which counts as given out
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the binding's finalizers would close what we forget
	work := func() {
		for _, lang := range Languages() {
			text := strings.Repeat("f(a, [1, 2], 'x')\n", 20)
			tree, err := Parse(lang, text, Options{})
			if err != nil {
				t.Fatalf("%s: %v", lang.name, err)
			}
			for i := range 5 {
				text = text[:i*7] + "(" + text[i*7:]
				next, err := tree.Edit(text, Options{})
				if err != nil {
					t.Fatalf("%s: %v", lang.name, err)
				}
				askAll(t, next, i*7)
				tree.Close()
				tree = next
			}
			tree.Close()
		}
	}
	work() // loads grammars and queries
	before := HeapBytes()
	for range 6 {
		work()
	}
	// What glibc lets a thread keep: 7 pieces of each of 64 sizes up to 1 KiB. A tree
	// of each language and round forgotten is ten times as much.
	if grown := HeapBytes() - before; grown > 240<<10 {
		t.Errorf("%d bytes more after 6 rounds", grown)
	}
}
