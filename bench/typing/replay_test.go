package typing

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/bench/fim"
	"tandem/engine"
	"tandem/lsp"
)

// author is an engine that knows one line, and says how it goes on where it has
// begun; elsewhere it says nothing.
type author struct {
	line string
	// holds: except where the line is whole but for its end, it says what nobody
	// types and then waits for the end of the request.
	holds bool
}

func (a author) Generate(ctx context.Context, req engine.Request, emit func(string) bool) (engine.Result, error) {
	res := engine.Result{PromptTokens: 10, PrefillTokens: 10, Stop: engine.StopToken}
	if req.MaxTokens == 0 { // a prefill ahead of time
		return res, ctx.Err()
	}
	rest, ok := a.goesOn(req.Prompt)
	if !ok {
		return res, nil
	}
	if a.holds && len(rest) > 1 {
		emit("\x01")
		<-ctx.Done()
		res.Stop = engine.StopCancelled
		return res, ctx.Err()
	}
	for _, word := range strings.SplitAfter(rest+"\n", " ") {
		res.DecodedTokens++
		if !emit(word) {
			break
		}
	}
	return res, nil
}

// goesOn is what the line has behind what the prompt has of it: at the end of a
// piece, or of one and the last, where the layout puts the unfinished word.
func (a author) goesOn(prompt []engine.Piece) (rest string, ok bool) {
	rest = a.line
	last := prompt[len(prompt)-1].Text
	for _, p := range prompt {
		for _, text := range []string{p.Text, p.Text + last} {
			begun := text[strings.LastIndexByte(text, '\n')+1:]
			if r, fits := strings.CutPrefix(a.line, begun); fits && len(r) < len(rest) {
				rest, ok = r, true
			}
		}
	}
	return rest, ok
}

func (author) CountTokens(text string) int { return len(strings.Fields(text)) + 1 }
func (author) Close() error                { return nil }
func (author) Info() engine.Info           { return engine.Info{Model: "author", MaxTokens: 2048} }

// serve starts servers in this process whose engine is e.
func serve(e engine.Engine) Start {
	return func(ctx context.Context) (Server, error) {
		here, there := net.Pipe()
		served := make(chan error, 1)
		go func() {
			served <- lsp.Serve(ctx, there, lsp.Options{
				Load:     func(context.Context, string, func(float64)) (engine.Engine, error) { return e, nil },
				Settings: lsp.Settings{Model: "author"},
			})
		}()
		return Server{Conn: here, Wait: func() error { return <-served }}, nil
	}
}

var rust = Document{Name: "main.rs", Language: "rust"}

// TestReplay: the first key is cold, what is typed of its suggestion is reused,
// and where it parts the engine is asked anew. The peer gets the same documents.
func TestReplay(t *testing.T) {
	trace := typed(t, "fn a() {}\n", "let value = 1 + x;\nlet more = 2;\n", 0.001)
	moments := trace.FindMoments()
	if len(moments) < 3 || moments[0].Typed != "value = 1 + x;" {
		t.Fatalf("moments %+v", moments)
	}
	var asked []string
	var askedMu sync.Mutex
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Prompt string `json:"prompt"`
		}
		err := json.NewDecoder(r.Body).Decode(&req)
		askedMu.Lock()
		defer askedMu.Unlock()
		asked = append(asked, req.Prompt)
		if err != nil || r.URL.Path != "/infill" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"content":"value = 1 - y","timings/prompt_n":7,"timings/predicted_n":3}`)
	}))
	defer peer.Close()
	told := 0
	r, err := trace.Replay(t.Context(), serve(author{line: "let value = 1 + 22"}), rust, moments[:2], Options{
		Keys: 12, Peer: fim.NewInfill(peer.URL), Done: func(n int, _ MomentResult) { told = n },
	})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, k := range r.Moments[0].Keys {
		kinds = append(kinds, k.Typed+":"+string(k.Kind)+":"+k.Text)
	}
	want := []string{"v:cold:alue = 1 + 22", "a:reused:lue = 1 + 22", "l:reused:ue = 1 + 22", "u:reused:e = 1 + 22", "e:reused: = 1 + 22",
		" :reused:= 1 + 22", "=:reused: 1 + 22", " :reused:1 + 22", "1:reused: + 22", " :reused:+ 22", "+:reused: 22", " :reused:22"}
	if !slices.Equal(kinds, want) {
		t.Errorf("keys\n%q, want\n%q", kinds, want)
	}
	first := r.Moments[0].Keys[0]
	if first.Right != len("alue = 1 + ") || first.Next != "alue = 1 + x;\nlet more = 2;\n" || len(first.Why) < 2 || first.Peer.Right != 0 {
		t.Errorf("first key %+v", first)
	}
	if asked[0] != "let v" || len(asked) != 24 || told != 2 {
		t.Errorf("the peer was asked %q, %d moments told", asked, told)
	}
	other := r.Moments[1].Keys // "= 1 + x;" and on: the last keys part from the engine's line
	if other[0].Kind != Cold || other[7].Kind != Warm || other[7].Typed != ";" || other[7].Text != "" {
		t.Errorf("second moment %+v", other)
	}
	if r.Cold.Samples != 2 || r.Reused.Samples+r.Warm.Samples+r.Unread != 22 || r.Stale != 0 || r.DecodedAfterCancel != 0 || r.Right == 0 || r.PrefillPerCharacter == 0 {
		t.Errorf("report %+v", r)
	}
	if p := r.Peer; p == nil || p.First.Samples != 2 || p.Later.Samples != 22 || p.Same.Samples != r.Warm.Samples || p.PromptPerCharacter != 7.0/13 || p.WarmP50Ratio == 0 {
		t.Errorf("peer %+v", r.Peer)
	}
	checkSVG(t, &r)
}

// checkSVG draws a report.
func checkSVG(t *testing.T, r *Report) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	curves := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot is no XML: %v\n%s", err, b.String())
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
			curves++
		}
	}
	if curves != 10 { // five, and their legend
		t.Errorf("%d curves:\n%s", curves, b.String())
	}
}

// TestReplayDocument: a server with another document is found out.
func TestReplayDocument(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	trace.End += "?"
	_, err := trace.Replay(t.Context(), serve(author{}), rust, trace.FindMoments()[:1], Options{Keys: 2})
	if err == nil || !strings.Contains(err.Error(), "another document") {
		t.Errorf("error %v", err)
	}
}

// TestPace: keys that do not wait overtake requests, which end without a text,
// and only the last of each moment is answered.
func TestPace(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	p, err := trace.Pace(t.Context(), serve(author{line: "let value = 1;", holds: true}), rust, trace.FindMoments()[:2], Options{Keys: 20})
	if err != nil {
		t.Fatal(err)
	}
	// The second to last key is answered, too, if it is not overtaken.
	if p.Keys != 14 || p.Overrun+p.Shown.Samples != p.Keys || p.Overrun < 10 || p.Stale != 0 || p.Ended+p.Crossing != p.Overrun || p.Crossing > 2 {
		t.Errorf("%+v", p)
	}
	if s := p.Stats; s.Superseded == 0 || s.Cancelled == 0 || s.Superseded+s.Cancelled != int64(p.Ended) {
		t.Errorf("stats %+v", s)
	}
}

// TestSoak types a trace for a while, with and without waiting.
func TestSoak(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	for _, every := range []time.Duration{0, time.Millisecond} {
		k, err := trace.Soak(t.Context(), serve(author{line: "let value = 1 + 22"}), rust, SoakOptions{For: 100 * time.Millisecond, Every: every})
		if err != nil {
			t.Fatal(err)
		}
		if k.Passes == 0 || k.Document != "" || k.Suggestions == 0 || k.After.Keys != k.Passes*len(trace.Steps) || k.Failed != 0 {
			t.Errorf("every %v: %+v", every, k)
		}
		if k.After.ResidentBytes < 0 || k.After.Goroutines == 0 {
			t.Errorf("after: %+v", k.After)
		}
	}
}

// TestFirst: a trace's beginning ends with the document as its last step leaves it.
func TestFirst(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	if first := trace.First(5); len(first.Steps) != 5 || first.Start != trace.Start || first.End != "\nlet v" {
		t.Errorf("%d steps, end %q", len(first.Steps), first.End)
	}
	for _, n := range []int{0, len(trace.Steps), len(trace.Steps) + 1} {
		if trace.First(n) != trace {
			t.Errorf("the first %d of %d steps are another trace", n, len(trace.Steps))
		}
	}
}

// TestSoakDocument: a pass that ends with another document is told.
func TestSoakDocument(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	trace.End = "else"
	k, err := trace.Soak(t.Context(), serve(author{}), rust, SoakOptions{For: time.Millisecond})
	if err != nil || !strings.HasPrefix(k.Document, "pass 1: ") {
		t.Errorf("document %q, %v", k.Document, err)
	}
}

// TestNoServer: what does not start, or is no server, is an error.
func TestNoServer(t *testing.T) {
	trace := typed(t, "\n", "let value = 1;", 0.001)
	for _, start := range []Start{
		Command("./no-such-program"),
		Command("cat", "trace.go"), // says something else
		func(context.Context) (Server, error) {
			here, there := net.Pipe()
			there.Close()
			return Server{Conn: here, Wait: func() error { return nil }}, nil
		},
	} {
		if _, err := trace.Soak(t.Context(), start, rust, SoakOptions{For: time.Second}); err == nil {
			t.Error("no error")
		}
	}
}

func TestSlope(t *testing.T) {
	for _, test := range []struct {
		x, y []float64
		want float64
	}{{nil, nil, 0}, {[]float64{1}, []float64{5}, 0}, {[]float64{1, 2, 3}, []float64{2, 4, 6}, 2}, {[]float64{0, 1, 2}, []float64{1, 0, 1}, 0}} {
		if got := slope(test.x, test.y); got != test.want {
			t.Errorf("%v %v: %v, want %v", test.x, test.y, got, test.want)
		}
	}
}

// TestFit leaves out the warm-up, which lasts until every KV page has been used.
func TestFit(t *testing.T) {
	k := &soak{opt: SoakOptions{For: time.Hour}}
	for minute := range 60 {
		s := Sample{Minutes: float64(minute), ResidentBytes: 1e9, AnonymousBytes: 1e8}
		if minute < 25 { // the pool fills
			s.ResidentBytes -= int64(25-minute) * 1e7
			s.KVPagesFree = 25 - minute
		}
		k.Samples = append(k.Samples, s)
	}
	if k.fit(); k.WarmUpMinutes != 25 || k.GrowthPerHour > 1 || k.GrowthPerHour < -1 {
		t.Errorf("warm-up %v minutes, growth %v", k.WarmUpMinutes, k.GrowthPerHour)
	}
	for i := range k.Samples {
		k.Samples[i].KVPagesFree = 1
	}
	if k.fit(); k.WarmUpMinutes != 15 || k.GrowthPerHour < 1e7 {
		t.Errorf("warm-up %v minutes, growth %v", k.WarmUpMinutes, k.GrowthPerHour)
	}
}

func TestLatency(t *testing.T) {
	var millis []float64
	for i := range 40 {
		millis = append(millis, float64(40-i))
	}
	if l := latency(millis); l.Samples != 40 || l.P50 != 20 || l.P95 != 38 || l.Max != 40 || l.Millis[0] != 1 {
		t.Errorf("%+v", l)
	}
	if l := latency(nil); l.P50 != 0 || l.Millis == nil {
		t.Errorf("of none %+v", l)
	}
}
