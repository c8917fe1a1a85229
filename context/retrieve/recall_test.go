package retrieve

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/context/workspace"
)

// recallItem is a line of Python that needs another file, as the development set
// has it. What begins with Cross is for scoring alone.
type recallItem struct {
	ID         string   `json:"id"`
	Package    string   `json:"package"`
	Path       string   `json:"path"`
	Prefix     string   `json:"prefix"`
	Suffix     string   `json:"suffix"`
	CrossNames []string `json:"cross_names"`
}

// recallScore counts the names that chunks tell of.
type recallScore struct{ names, seen, defined int }

func (s *recallScore) add(names []string, chunks []Chunk) {
	var text strings.Builder
	for _, c := range chunks {
		text.WriteString(c.Text)
	}
	words := map[string]bool{}
	eachWord(text.String(), func(start, end int) { words[text.String()[start:end]] = true })
	for _, name := range names {
		s.names++
		if words[name] {
			s.seen++
		}
		for _, before := range []string{"def ", "class "} {
			if strings.Contains(text.String(), before+name+"(") || strings.Contains(text.String(), before+name+":") {
				s.defined++
				break
			}
		}
	}
}

func (s recallScore) String() string {
	return fmt.Sprintf("%3d of %d named, %3d defined", s.seen, s.names, s.defined)
}

// TestRecall measures how many of the names that a line needs from other files
// the chunks show. Its numbers are read, not asserted: only that retrieving finds
// most of them at all.
func TestRecall(t *testing.T) {
	packages, items := os.Getenv("TANDEM_RETRIEVE_PACKAGES"), os.Getenv("TANDEM_RETRIEVE_ITEMS")
	if packages == "" || items == "" {
		t.Skip("NOT MEASURED: TANDEM_RETRIEVE_PACKAGES names no folder of unpacked Python packages, a folder each, " +
			"or TANDEM_RETRIEVE_ITEMS no file of items (.jsonl.gz)")
	}
	budgets := []int{256, 512, 1024}
	scores := map[string]*recallScore{}
	var slowest, total time.Duration
	n := 0
	for _, item := range readItems(t, items) {
		w, r, file := openItem(t, filepath.Join(packages, item.Package), item)
		q := Query{Snapshot: w.Snapshot(), Path: file, Language: "python", Text: item.Prefix + item.Suffix, Offset: len(item.Prefix), Deadline: time.Minute,
			Count: func(s string) int { return len(s) * 2 / 7 }}
		q.Shown = [2]int{max(len(item.Prefix)-3500, 0), min(len(item.Prefix)+900, len(q.Text))}
		for _, q.Budget = range budgets {
			begin := time.Now()
			result := r.Chunks(t.Context(), q)
			took := time.Since(begin)
			slowest, total, n = max(slowest, took), total+took, n+1
			score(scores, fmt.Sprintf("%4d fused", q.Budget)).add(item.CrossNames, result.Chunks)
			if os.Getenv("TANDEM_RETRIEVE_SHOW") != "" && q.Budget == 512 {
				show(t, item, result)
			}
			for _, only := range r.sources {
				f := fusion{snapshot: q.Snapshot, query: q}
				f.add(only, only.find(newSearch(q, r.index), t.Context()))
				score(scores, fmt.Sprintf("%4d %s", q.Budget, only.name)).add(item.CrossNames, f.fit(t.Context()).Chunks)
			}
		}
		r.Close()
	}
	for _, budget := range budgets {
		for _, name := range append(Sources(), "fused") {
			key := fmt.Sprintf("%4d %s", budget, name)
			t.Logf("%-16s %v", key, score(scores, key))
		}
	}
	t.Logf("a query took %v, at most %v", total/time.Duration(n), slowest)
	if s := score(scores, "1024 fused"); 2*s.seen < s.names {
		t.Errorf("fused chunks of 1024 tokens show less than half of the names")
	}
}

func score(scores map[string]*recallScore, key string) *recallScore {
	if scores[key] == nil {
		scores[key] = &recallScore{}
	}
	return scores[key]
}

// openItem is a workspace of a package in which the item's document is open, with
// its line taken out before anything reads it, and all is indexed.
func openItem(t *testing.T, folder string, item recallItem) (*workspace.Workspace, *Retriever, string) {
	w := workspace.New(nil)
	if err := w.SetFolders(folder); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, filepath.FromSlash(item.Path))
	if err := w.Open(workspace.Item{Path: file, Language: "python", Version: 1, Text: item.Prefix + item.Suffix}); err != nil {
		t.Fatal(err)
	}
	r := New()
	r.Update(w.Snapshot())
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, r, file
}

func readItems(t *testing.T, path string) []recallItem {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var items []recallItem
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var item recallItem
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return items
}

func show(t *testing.T, item recallItem, result Result) {
	t.Logf("%s %s: wanted %v\n%s▮", item.ID, item.Path, item.CrossNames, item.Prefix[max(len(item.Prefix)-300, 0):])
	for _, c := range result.Chunks {
		t.Logf("%.4f %s %s %d-%d\n%s", c.Score, c.Source, c.Path, c.Start, c.End, c.Text)
	}
	t.Logf("%d tokens, %+v", result.Tokens, result.Reports)
}
