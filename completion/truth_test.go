package completion

import (
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/context/syntax"
	"tandem/engine"
)

// What TestTruth asks for, in a thousand places.
const (
	truthWhole  = 985 // the right text, and what a model would go on to say, gives the file back
	truthKept   = 998 // the parser leaves the right text as it is
	brokenSeen  = 985 // what is shown of a broken text adds no error
	truthPlaces = 10  // tried in a file
	truthAhead  = 150 // bytes that the model goes on to say
)

// hole is a place in a file from which text was taken.
type hole struct{ from, to int }

// TestTruth takes text out of this project's files and suggests it again: alone,
// with what follows it, and broken off or with a bracket too many.
func TestTruth(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var places, whole, kept, broken, seen int
	for _, path := range sourceFiles(t) {
		text, lang := readSource(t, path)
		if lang == nil || errorsOf(t, lang, text) > 0 {
			continue
		}
		for _, h := range holes(text, rng) {
			places++
			doc := Document{Path: path, Text: text[:h.from] + text[h.to:], Offset: h.from}
			truth, after := text[h.from:h.to], text[h.to:]
			var c checker
			k, r := c.begin(doc, time.Minute), ruleAt(doc)
			if k.cut(Suggestion{Text: truth}, r, time.Minute).Text == truth {
				kept++
			}
			s := k.cut(r.finish(truth+after[:min(truthAhead, len(after))], engine.Result{Stop: engine.StopLimit}), r, time.Minute)
			if sameLines(doc.Text[:h.from]+s.Text+after[s.Replace:], text) {
				whole++
			} else if testing.Verbose() {
				t.Logf("%s: %q, then %q: %q (%s)", path, truth, firstOf(after), s.Text, s.Stop)
			}
			bad := truth[:rng.Intn(len(truth))]
			if rng.Intn(3) == 0 {
				bad = truth + string(")]}"[rng.Intn(3)])
			}
			if errorsOf(t, lang, text[:h.from]+bad+after) > k.errors {
				broken++
				s = k.cut(r.finish(bad, engine.Result{Stop: engine.StopToken}), r, time.Minute)
				if errorsOf(t, lang, text[:h.from]+s.Text+after[s.Replace:]) <= k.errors {
					seen++
				}
			}
			c.close()
		}
	}
	t.Logf("%d places: %d give the file back, %d are left by the parser; %d of %d broken texts are seen", places, whole, kept, seen, broken)
	if places < 800 || broken < 200 {
		t.Fatalf("%d places, %d broken texts: these are too few", places, broken)
	}
	if whole*1000 < truthWhole*places || kept*1000 < truthKept*places || seen*1000 < brokenSeen*broken {
		t.Errorf("want %d, %d and %d in a thousand", truthWhole, truthKept, brokenSeen)
	}
}

// sourceFiles are some of the project's files in languages that have a grammar.
func sourceFiles(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !d.IsDir():
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	n := 0
	return slices.DeleteFunc(paths, func(path string) bool {
		n++
		return n%2 == 0 && filepath.Ext(path) == ".go" // there are so many
	})
}

func readSource(t *testing.T, path string) (text string, lang *syntax.Language) {
	t.Helper()
	lang, ok := syntax.ByPath(path)
	if !ok {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 || len(b) > aroundBytesMax {
		return "", nil
	}
	return string(b), lang
}

func errorsOf(t *testing.T, lang *syntax.Language, text string) int {
	t.Helper()
	tree, err := syntax.Parse(lang, text, syntax.Options{Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	return tree.ErrorsIn(0, len(text))
}

// holes are lines, ends of lines, what brackets and quotes hold, and whole
// statements of several lines.
func holes(text string, rng *rand.Rand) []hole {
	var found []hole
	lines := strings.SplitAfter(text, "\n")
	starts := []int{0}
	for _, line := range lines {
		starts = append(starts, starts[len(starts)-1]+len(line))
	}
	for range truthPlaces {
		i := rng.Intn(len(lines))
		line := strings.TrimRight(lines[i], "\r\n")
		if blank(line) || strings.HasPrefix(strings.TrimSpace(line), "---") { // Lua's grammar reads these comments
			continue
		}
		start, end := starts[i]+len(blanks(line)), starts[i]+len(line)
		switch rng.Intn(4) {
		case 0:
			found = append(found, hole{start, end})
		case 1:
			found = append(found, hole{start + rng.Intn(end-start), end})
		case 2:
			if at := strings.IndexAny(text[start:end], "([{\""); at >= 0 {
				open := start + at
				closer := closerOf(text[open])
				if text[open] == '"' {
					closer = `"`
				}
				if n := strings.Index(text[open+1:end], closer); n > 0 && strings.Count(text[open+1:open+1+n], text[open:open+1]) == 0 {
					found = append(found, hole{open + 1, open + 1 + n})
				}
			}
		case 3:
			j := i + 1
			for j < len(lines) && !blank(lines[j]) && (indent(lines[j]) > indent(line) || indent(lines[j]) == indent(line) && closes(lines[j])) {
				j++
			}
			if j > i+1 && j < i+maxLines {
				found = append(found, hole{start, starts[j] - 1})
			}
		}
	}
	return slices.DeleteFunc(found, func(h hole) bool { return blank(text[h.from:h.to]) })
}

// sameLines compares texts up to blanks at the ends of lines.
func sameLines(a, b string) bool {
	lines := func(text string) []string {
		var all []string
		for line := range strings.Lines(text) {
			all = append(all, trimEnd(line))
		}
		return all
	}
	return slices.Equal(lines(a), lines(b))
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
