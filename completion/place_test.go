package completion

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/context/retrieve"
	"tandem/context/workspace"
	"tandem/engine"
)

// folder is a workspace in which main.go, which may be typed in, needs geo.go.
type folder struct {
	t *testing.T
	*workspace.Workspace
	main string // path
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example\n",
		"geo.go": "package example\n\n// Circle is round.\ntype Circle struct{ Radius float64 }\n\nfunc (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }\n",
		"ink.go": "package example\n\n// Brush paints.\ntype Brush struct{ Width int }\n\nfunc NewBrush(width int) *Brush { return &Brush{width} }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := &folder{t, workspace.New(nil), filepath.Join(dir, "main.go")}
	if err := f.SetFolders(dir); err != nil {
		t.Fatal(err)
	}
	return f
}

// at is main.go with its cursor at the mark.
func (f *folder) at(text string) Document {
	doc := at(text)
	doc.Path, doc.Language = f.main, "go"
	if err := f.Open(workspace.Item{Path: f.main, Language: "go", Text: doc.Text}); err != nil {
		f.t.Fatal(err)
	}
	doc.Snapshot = f.Snapshot()
	return doc
}

// told is the prompt of the last request, up to what belongs to the file itself.
func told(e *scripted) string {
	requests := e.generations()
	var b strings.Builder
	for _, piece := range requests[len(requests)-1].Prompt {
		if piece.Text == "<|fim_prefix|>" {
			break
		}
		b.WriteString(piece.Text)
	}
	return b.String()
}

func TestPromptShowsOtherFiles(t *testing.T) {
	patient := Options{ContextTime: time.Hour} // machines differ
	e := &scripted{says: "x", stop: engine.StopToken, info: engine.Info{Model: "Qwen2.5 Coder 0.5B", MaxTokens: 8192}}
	c := New(e)
	defer c.Close()
	f := newFolder(t)
	const head = "package example\n\nfunc area(c Circle) float64 {\n\treturn c."
	doc := f.at(head + "¦\n}\n")
	if err := c.Wait(context.Background(), doc.Snapshot); err != nil {
		t.Fatal(err)
	}
	s := c.NewSession()
	defer s.Stop()
	clock := time.Unix(0, 0)
	c.now = func() time.Time { return clock }
	ask := func(doc Document, opts Options) (Suggestion, string) {
		t.Helper()
		got, err := s.Complete(context.Background(), doc, opts)
		if err != nil {
			t.Fatal(err)
		}
		return got, told(e)
	}
	got, first := ask(doc, patient)
	dir := filepath.Base(filepath.Dir(f.main))
	if !strings.HasPrefix(first, "<|repo_name|>"+dir+"\n<|file_sep|>geo.go\n") || !strings.Contains(first, "Radius float64") ||
		!strings.HasSuffix(first, "<|file_sep|>main.go\n") {
		t.Errorf("the prompt begins with %q", first)
	}
	if got.Context == nil || len(got.Context.Chunks) == 0 {
		t.Errorf("context %v", got.Context)
	}

	typed := f.at(head + "NewBrush(¦\n}\n") // names a file that the prompt does not show yet
	if _, next := ask(typed, patient); next != first {
		t.Errorf("while somebody types the prompt's beginning became %q", next)
	}
	s.refresh(typed, patient, s.turn)
	if _, next := ask(f.at(head+"NewBrush(1¦\n}\n"), patient); next != first {
		t.Errorf("a pause after a short time made the prompt's beginning %q", next)
	}
	clock = clock.Add(chunksAge)
	s.refresh(typed, patient, s.turn)
	_, later := ask(f.at(head+"NewBrush(2¦\n}\n"), patient)
	if !strings.Contains(later, "func NewBrush") {
		t.Errorf("a pause after a long time left the prompt's beginning %q", later)
	}
	const elsewhere = "package example\n\nvar b = NewBrush(¦)\n\nfunc area(c Circle) float64 {\n\treturn c.\n}\n"
	if _, at := ask(f.at(elsewhere), patient); at != "" {
		t.Errorf("at once another place shows %q", at)
	}
	settled(t, s)
	if _, other := ask(f.at(strings.Replace(elsewhere, "¦", "2¦", 1)), patient); !strings.Contains(other, "func NewBrush") {
		t.Errorf("at another place the prompt begins with %q", other)
	}
	if got, none := ask(f.at("¦"+head), Options{ContextTokens: -1}); none != "" || got.Context != nil {
		t.Errorf("without context the prompt begins with %q", none)
	}
}

// settled waits until s's place shows the whole.
func settled(t *testing.T, s *Session) {
	t.Helper()
	until(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.place.brief
	})
}

// Where the cursor has come from another place a few lines answer, until the whole
// prompt is prefilled.
func TestBriefPlace(t *testing.T) {
	e := &scripted{says: "x", stop: engine.StopToken, info: engine.Info{Model: "Qwen2.5 Coder 0.5B"}}
	s := New(e).NewSession()
	defer s.Stop()
	line := func(i int) string { return fmt.Sprintf("line %d of some length\n", i) }
	var above, below strings.Builder
	for i := range 50 {
		above.WriteString(line(i))
		below.WriteString(line(50 + i))
	}
	shown := func(doc string) string {
		t.Helper()
		if _, err := s.Complete(context.Background(), at(doc), Options{}); err != nil {
			t.Fatal(err)
		}
		requests := e.generations()
		var b strings.Builder
		for _, piece := range requests[len(requests)-1].Prompt {
			b.WriteString(piece.Text)
		}
		return b.String()
	}
	if p := shown("first¦\n" + above.String() + below.String()); !strings.Contains(p, line(0)) || !strings.Contains(p, line(30)) {
		t.Errorf("the first place shows %q", p)
	}
	second := above.String() + "f¦\n" + below.String()
	if p := shown(second); !strings.HasSuffix(p, line(48)+line(49)+"f") || strings.Contains(p, line(10)) ||
		!strings.Contains(p, line(50)) || strings.Contains(p, line(70)) {
		t.Errorf("at once the second place shows %q", p)
	}
	settled(t, s)
	if p := shown(strings.Replace(second, "f¦", "fg¦", 1)); !strings.Contains(p, line(0)) || !strings.Contains(p, line(75)) {
		t.Errorf("settled the second place shows %q", p)
	}
}

func TestChunksKeepTheirPlaces(t *testing.T) {
	chunk := func(name string) retrieve.Chunk {
		source, text, _ := strings.Cut(name, ":")
		return retrieve.Chunk{Source: source, Text: text}
	}
	chunks := func(names string) (list []retrieve.Chunk) {
		for _, name := range strings.Fields(names) {
			list = append(list, chunk(name))
		}
		return list
	}
	for _, test := range []struct{ name, best, earlier, want string }{
		{"what changes seldom stands first", "edit:e definition:d import:i similar:s open:o", "", "import:i open:o definition:d similar:s edit:e"},
		{"the best of a kind first", "definition:a definition:b", "", "definition:a definition:b"},
		{"what stood there stays", "import:i definition:d definition:c", "definition:c definition:d", "definition:c definition:d import:i"},
		{"up to the first that is not wanted", "import:i definition:c definition:d", "definition:c edit:e definition:d", "definition:c import:i definition:d"},
		{"another source, the same text", "import:t", "definition:t", "definition:t"},
		{"nothing is wanted", "", "definition:a", ""},
	} {
		got := inOrder(chunks(test.best), chunks(test.earlier))
		if !slices.EqualFunc(got, chunks(test.want), func(a, b retrieve.Chunk) bool { return a.Text == b.Text && a.Source == b.Source }) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
