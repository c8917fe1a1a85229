package syntax

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"tandem/internal/machine"
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
			tree, err := Parse(lang, text, patient)
			if err != nil {
				t.Fatalf("%s: %v", lang.name, err)
			}
			for i := range 5 {
				text = text[:i*7] + "(" + text[i*7:]
				next, err := tree.Edit(text, patient)
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

// TestReturnFree: what trees took goes back to the system, also from before what is
// still in use.
func TestReturnFree(t *testing.T) {
	if _, told := machine.ReadProcess(os.Getpid()); !told || HeapBytes() < 0 {
		t.Skip("NOT CHECKED: this system does not tell how much memory a process has")
	}
	lang := Languages()[0]
	var trees []*Tree
	for range 100 {
		tree, err := Parse(lang, strings.Repeat("f(a, [1, 2], 'x')\n", 500), patient)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	last := trees[len(trees)-1]
	taken := HeapBytes()
	for _, tree := range trees[:len(trees)-1] {
		tree.Close()
	}
	free := taken - HeapBytes()
	before, _ := machine.ReadProcess(os.Getpid())
	ReturnFree()
	after, _ := machine.ReadProcess(os.Getpid())
	if back := before.Anonymous - after.Anonymous; back < free/2 {
		t.Errorf("%d bytes are free, %d went back", free, back)
	}
	last.Close()
}
