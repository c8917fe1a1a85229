package syntax

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"

	sitter "github.com/smacker/go-tree-sitter"
)

// shape is the named nodes of a tree, and those made up, as a text with where
// they lie. The binding's own recurses in C, which deep trees do not survive.
func shape(t testing.TB, tree *Tree) string {
	v, ok := tree.view()
	if !ok {
		t.Fatal("the tree is closed")
	}
	defer v.close()
	var b strings.Builder
	cursor := sitter.NewTreeCursor(v.tree.RootNode())
	defer cursor.Close()
	for depth := 0; ; {
		if n := cursor.CurrentNode(); n.IsNamed() || n.IsMissing() {
			start, end := n.StartPoint(), n.EndPoint()
			fmt.Fprintf(&b, "%d %s:%s %d..%d %v..%v missing %v\n", depth, cursor.CurrentFieldName(), n.Type(),
				n.StartByte(), n.EndByte(), start, end, n.IsMissing())
		}
		if cursor.GoToFirstChild() {
			depth++
			continue
		}
		for !cursor.GoToNextSibling() {
			if !cursor.GoToParent() {
				return b.String()
			}
			depth--
		}
	}
}

// TestEditIsParse edits at random: the tree of an edited text is the one that
// parsing it from nothing gives. Where text does not parse, the parser's recovery
// may find another way out, now and then; that it does not parse, both must say.
func TestEditIsParse(t *testing.T) {
	var edits, other int
	for _, f := range fixtures(t) {
		for seed := range uint64(4) {
			h := fnv.New64()
			h.Write([]byte(f.name))
			rng := rand.New(rand.NewPCG(seed, h.Sum64()))
			text := f.text
			tree := mustParse(t, f.lang, text)
			for range 9 {
				text = randomEdit(rng, text, f.text)
				next, err := tree.Edit(text, patient)
				if err != nil {
					t.Fatal(err)
				}
				tree.Close()
				tree = next
				edits++
				if !sameAsFresh(t, tree) {
					other++
				}
			}
			tree.Close()
		}
	}
	if 100*other > edits {
		t.Errorf("%d of %d trees differ from those of a fresh parse, more than 1%%", other, edits)
	}
}

// sameAsFresh reports whether a tree is that of a fresh parse, which it must be
// if the text parses.
func sameAsFresh(t *testing.T, tree *Tree) bool {
	fresh := mustParse(t, tree.Language(), tree.Text())
	defer fresh.Close()
	got, want := shape(t, tree), shape(t, fresh)
	bad, badFresh := tree.ErrorsIn(0, len(tree.text)), fresh.ErrorsIn(0, len(tree.text))
	if (bad == 0) != (badFresh == 0) || badFresh == 0 && got != want {
		t.Fatalf("%s: %q\nedited (%d errors):\n%s\nparsed (%d errors):\n%s", tree.lang.name, tree.text, bad, got, badFresh, want)
	}
	return got == want
}

func randomEdit(rng *rand.Rand, text, source string) string {
	at := rng.IntN(len(text) + 1)
	switch rng.IntN(5) {
	case 0: // typing
		return text[:at] + string("abcdef(){}[]\"'. \n,;:x=0#/*"[rng.IntN(26)]) + text[at:]
	case 1: // a word
		words := strings.Fields(source)
		return text[:at] + words[rng.IntN(len(words))] + text[at:]
	case 2: // deleting
		return text[:at] + text[min(at+1+rng.IntN(20), len(text)):]
	case 3: // a line of the file elsewhere
		lines := strings.SplitAfter(source, "\n")
		line := lineAt(text, at)
		return text[:line.start] + lines[rng.IntN(len(lines))] + text[line.start:]
	default: // undo
		return source
	}
}
