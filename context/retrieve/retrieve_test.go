package retrieve

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"tandem/context/workspace"
	"tandem/internal/bug"
)

func TestMain(m *testing.M) {
	bug.Panic = true
	os.Exit(m.Run())
}

// cursor marks the place of the query in a fixture.
const cursor = "▮"

// fixture is a workspace in a folder of its own, all of it indexed.
type fixture struct {
	t   testing.TB
	dir string
	w   *workspace.Workspace
	r   *Retriever
	q   Query
}

// newFixture writes the files of a txtar archive. The one with the cursor is
// open, and all of it is shown.
func newFixture(t testing.TB, archive string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), w: workspace.New(nil), r: New()}
	t.Cleanup(f.r.Close)
	if err := f.w.SetFolders(f.dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range txtar.Parse([]byte(archive)).Files {
		before, after, found := strings.Cut(string(file.Data), cursor)
		f.write(file.Name, before+after)
		if found {
			f.q = Query{Path: f.path(file.Name), Text: before + after, Offset: len(before), Shown: [2]int{0, len(before + after)}}
			f.open(file.Name, before+after)
		}
	}
	f.q.Budget, f.q.Count, f.q.Deadline = 1024, bytesToTokens, time.Hour // machines differ
	f.index()
	return f
}

func bytesToTokens(text string) int { return (len(text) + 3) / 4 }

func (f *fixture) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *fixture) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open(name, text string) {
	f.t.Helper()
	if err := f.w.Open(workspace.Item{Path: f.path(name), Version: 1, Text: text}); err != nil {
		f.t.Fatal(err)
	}
}

// replace edits the first old in a document.
func (f *fixture) replace(name, old, text string) {
	f.t.Helper()
	d, _ := f.w.Snapshot().Document(f.path(name))
	at := strings.Index(d.Text.String(), old)
	if at < 0 {
		f.t.Fatalf("no %q in %s", old, name)
	}
	_, err := f.w.Change(d.Path, d.Version+1, func(workspace.Text) workspace.Edit {
		return workspace.Edit{Start: at, End: at + len(old), Text: text}
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// index has everything indexed as it is now.
func (f *fixture) index() {
	f.t.Helper()
	f.r.Update(f.w.Snapshot())
	if err := f.r.Wait(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.q.Snapshot = f.w.Snapshot()
}

// chunks are what one retriever gives.
func (f *fixture) chunks(name string) []Chunk {
	f.t.Helper()
	f.q.Snapshot = f.w.Snapshot()
	for _, s := range f.r.sources {
		if s.name == name {
			all := fusion{snapshot: f.q.Snapshot, query: f.q}
			all.add(s, s.find(newSearch(f.q, f.r.index), f.t.Context()))
			return all.fit(f.t.Context()).Chunks
		}
	}
	f.t.Fatalf("no retriever %s", name)
	return nil
}

// shown is chunks as a test compares them.
func shown(chunks []Chunk) string {
	var b strings.Builder
	for _, c := range chunks {
		fmt.Fprintf(&b, "-- %s --\n%s", c.Path, c.Text)
	}
	return b.String()
}

const shop = `
-- shop/money.py --
class Price:
    currency = "EUR"

    def __init__(self, amount):
        self.amount = amount

    def add(self, other):
        return Price(self.amount + other.amount)

def round_up(price, step=5):
    return price
-- shop/cart.py --
from .money import Price, round_up

def total(prices):
    result = Price(0)
    for p in prices:
        result = result.add(p)
    return ▮
-- shop/basket.py --
from .money import Price

def total_of_basket(prices):
    result = Price(0)
    for p in prices:
        result = result.add(p)
    return result
`

func TestChunks(t *testing.T) {
	f := newFixture(t, shop)
	got := f.r.Chunks(t.Context(), f.q)
	if len(got.Reports) != len(Sources()) {
		t.Fatalf("reports %+v", got.Reports)
	}
	for i, r := range got.Reports {
		if r.Source != Sources()[i] || r.Missed || r.Failed {
			t.Errorf("report %+v", r)
		}
	}
	if text := shown(got.Chunks); !strings.Contains(text, "class Price:") || !strings.Contains(text, "def round_up(price, step=5):") ||
		!strings.Contains(text, "total_of_basket") {
		t.Errorf("chunks\n%s", text)
	}
	tokens := 0
	for i, c := range got.Chunks {
		tokens += bytesToTokens(c.Text)
		if !strings.HasPrefix(c.Path, "shop/") || !strings.HasSuffix(c.Text, "\n") || i > 0 && c.Score > got.Chunks[i-1].Score {
			t.Errorf("chunk %+v", c)
		}
	}
	if tokens != got.Tokens {
		t.Errorf("%d tokens, said to be %d", tokens, got.Tokens)
	}
}

// TestBudgetIsKept also counts so that a part of a text costs more than its share.
func TestBudgetIsKept(t *testing.T) {
	f := newFixture(t, shop)
	for budget := range 300 {
		for _, extra := range []int{0, 20} {
			f.q.Budget = budget
			f.q.Count = func(text string) int { return bytesToTokens(text) + extra }
			got, tokens := f.r.Chunks(t.Context(), f.q), 0
			for _, c := range got.Chunks {
				tokens += f.q.Count(c.Text)
			}
			if tokens > budget || tokens != got.Tokens {
				t.Errorf("%d tokens, said to be %d, of %d", tokens, got.Tokens, budget)
			}
		}
	}
}

func TestSameIndexSameChunks(t *testing.T) {
	a, b := newFixture(t, shop), newFixture(t, shop)
	for range 10 { // in another order each time
		b.r.index.drop(b.path("shop/money.py"))
		b.write("shop/money.py", "")
		b.w.Refresh()
		b.index()
		b.write("shop/money.py", string(txtar.Parse([]byte(shop)).Files[0].Data))
		b.w.Refresh()
		b.index()
		got, want := b.r.Chunks(t.Context(), b.q).Chunks, a.r.Chunks(t.Context(), a.q).Chunks
		for i := range got {
			got[i].file = strings.Replace(got[i].file, b.dir, a.dir, 1)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("chunks\n%s, want\n%s", shown(got), shown(want))
		}
	}
}

// TestSlowCount ends the query's time in the first call of Count: there is no
// second one, and what it counted is kept.
func TestSlowCount(t *testing.T) {
	f := newFixture(t, shop)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	f.q.Count = func(string) int {
		calls++
		cancel()
		return 1
	}
	if got := f.r.Chunks(ctx, f.q); calls != 1 || len(got.Chunks) != 1 {
		t.Errorf("%d calls of Count, %d chunks", calls, len(got.Chunks))
	}
}

func TestRetrieverThatIsLate(t *testing.T) {
	f := newFixture(t, shop)
	release := make(chan struct{})
	late := source{"late", 1, func(*search, context.Context) []Chunk { <-release; return []Chunk{{Text: "late\n"}} }}
	f.r.sources = append(f.r.sources, late)
	ctx, cancel := context.WithCancel(t.Context())
	f.r.sources = append(f.r.sources, source{"cancels", 1, func(*search, context.Context) []Chunk { cancel(); return nil }})
	if got := f.r.Chunks(ctx, f.q); !got.Reports[len(Sources())].Missed {
		t.Errorf("a retriever that hangs: %+v", got.Reports)
	}
	f.q.Deadline = DefaultDeadline
	f.r.sources = []source{late}
	for range maxInFlight + 1 { // they pile up to a limit
		if got := f.r.Chunks(t.Context(), f.q); len(got.Chunks) != 0 || !got.Reports[0].Missed {
			t.Errorf("a retriever that hangs: %+v", got)
		}
	}
	if n := len(f.r.slots); n != maxInFlight {
		t.Errorf("%d retrievers hang, at most %d", n, maxInFlight)
	}
	close(release)
	f.r.Close()
	if n := len(f.r.slots); n != 0 {
		t.Errorf("%d retrievers run after Close", n)
	}
}

func TestPanicDropsOneRetriever(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	f := newFixture(t, shop)
	f.r.sources[0].find = func(*search, context.Context) []Chunk { panic("a bug") }
	got := f.r.Chunks(t.Context(), f.q)
	if text := log.String(); !strings.Contains(text, "a bug") || !strings.Contains(text, "retrieve_test.go") {
		t.Errorf("the log does not tell what and where: %s", text)
	}
	if r := got.Reports[0]; !r.Failed || r.Found != 0 {
		t.Errorf("report of the panic %+v", r)
	}
	for _, r := range got.Reports[1:] {
		if r.Failed || r.Missed {
			t.Errorf("another retriever's report %+v", r)
		}
	}
	if !strings.Contains(shown(got.Chunks), "total_of_basket") {
		t.Errorf("chunks of the others\n%s", shown(got.Chunks))
	}
}

// TestWhatMayNotBeRead has names in files that are excluded from the beginning,
// and in one that becomes so after it was indexed.
func TestWhatMayNotBeRead(t *testing.T) {
	f := newFixture(t, `
-- .gitignore --
build/
-- build/hidden.py --
class Wanted:
    hidden_ignored = 1
-- .env --
Wanted=hidden_secret
-- .ssh/key.py --
class Wanted:
    hidden_key = 1
-- later.py --
class Wanted:
    visible = 1
-- main.py --
from later import Wanted
from build.hidden import Wanted as Other
w = Wanted▮
`)
	f.open(".env", "Wanted=hidden_open")
	f.index()
	text := shown(f.r.Chunks(t.Context(), f.q).Chunks)
	if strings.Contains(text, "hidden_") || !strings.Contains(text, "visible") {
		t.Errorf("chunks\n%s", text)
	}
	f.write(".gitignore", "build/\nlater.py\n")
	f.w.Refresh() // and no Update
	f.q.Snapshot = f.w.Snapshot()
	if text := shown(f.r.Chunks(t.Context(), f.q).Chunks); strings.Contains(text, "visible") {
		t.Errorf("a file that is ignored now\n%s", text)
	}
	f.index()
	if f.r.index.file(f.path("later.py")) != nil {
		t.Error("it is still indexed")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	f := newFixture(t, shop)
	f.r.Chunks(t.Context(), f.q)
	f.r.Close()
	f.r.Close()
	if err := f.r.Wait(t.Context()); err == nil {
		t.Error("Wait of a closed Retriever ends well")
	}
	f.r.Update(f.w.Snapshot())
	if got := f.r.Chunks(t.Context(), f.q); len(got.Chunks) != 0 {
		t.Errorf("a closed Retriever has %d chunks", len(got.Chunks))
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "retrieve.(*worker)") || strings.Contains(stack, "retrieve.(*Retriever).start") {
			t.Errorf("a goroutine is left:\n%s", stack)
		}
	}
}

func TestNothingToAsk(t *testing.T) {
	r := New()
	defer r.Close()
	for _, q := range []Query{{}, {Snapshot: workspace.New(nil).Snapshot()}, {Count: bytesToTokens, Budget: 9},
		{Snapshot: workspace.New(nil).Snapshot(), Count: bytesToTokens, Budget: 99}} {
		if got := r.Chunks(t.Context(), q); len(got.Chunks) != 0 {
			t.Errorf("%+v has chunks", q)
		}
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
