package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"tandem/engine/sample"
	"tandem/kernels/cpu"
	"tandem/kernels/op"
)

// openText is a model that reads and writes text.
func openText(t testing.TB, shape string) *Local {
	return open(t, Options{Decode: start(t, openCPU(t)), Path: tiny(t, shape)})
}

func openCPU(t testing.TB) op.Device {
	t.Helper()
	d, err := cpu.Open(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func textPiece(text string) []Piece { return []Piece{{Text: text}} }

// generate checks what holds for every result.
func generate(t *testing.T, l *Local, req Request) Result {
	t.Helper()
	var emitted strings.Builder
	res, err := l.Generate(t.Context(), req, func(text string) bool {
		if text == "" || !utf8.ValidString(text) {
			t.Errorf("emitted %q", text)
		}
		emitted.WriteString(text)
		return true
	})
	if err != nil {
		t.Fatalf("%+v: %v", req, err)
	}
	checkResult(t, req, res, emitted.String())
	return res
}

func checkResult(t *testing.T, req Request, res Result, emitted string) {
	t.Helper()
	if res.Text != emitted {
		t.Errorf("text %q, emitted %q", res.Text, emitted)
	}
	if res.CachedTokens+res.PrefillTokens != res.PromptTokens || res.PrefillTokens < 1 {
		t.Errorf("%d tokens cached, %d computed, of %d", res.CachedTokens, res.PrefillTokens, res.PromptTokens)
	}
	if res.DecodedTokens > req.MaxTokens || (res.Stop == StopLimit) != (res.DecodedTokens == req.MaxTokens) && res.Stop != StopToken && res.Stop != StopText && res.Stop != StopCaller {
		t.Errorf("%d tokens decoded of %d, stop %q", res.DecodedTokens, req.MaxTokens, res.Stop)
	}
	if res.Prefill <= 0 || res.Total < res.Prefill || res.TTFT > res.Total || (res.TTFT > 0) != (emitted != "") {
		t.Errorf("prefill %v, TTFT %v, total %v, text %q", res.Prefill, res.TTFT, res.Total, emitted)
	}
}

func TestGenerate(t *testing.T) {
	for _, shape := range []string{"tiny-qwen2", "tiny-llama"} {
		t.Run(shape, func(t *testing.T) {
			l := openText(t, shape)
			req := Request{Prompt: textPiece("the quick brown fox jumps"), MaxTokens: 30}
			first := generate(t, l, req)
			if first.CachedTokens != 0 || first.Stop != StopLimit || first.DecodedTokens != 30 || first.Text == "" {
				t.Errorf("%+v", first)
			}
			again := generate(t, l, req)
			if again.Text != first.Text || again.PrefillTokens != 1 {
				t.Errorf("warm: %+v, want the text %q", again, first.Text)
			}
			req.Prompt = []Piece{{Text: "the quick"}, {Text: " brown f"}, {Text: ""}, {Text: "ox jumps"}}
			if got := generate(t, l, req); got.Text != first.Text || got.PrefillTokens != 1 {
				t.Errorf("in pieces: %+v, want the text %q", got, first.Text)
			}
			req = Request{IDs: l.tokenizer.Encode(nil, "the quick brown fox jumps"), MaxTokens: 30}
			if bos, ok := l.tokenizer.BOS(); ok {
				req.IDs = slices.Insert(req.IDs, 0, bos)
			}
			if got := generate(t, l, req); got.Text != first.Text || got.PrefillTokens != 1 {
				t.Errorf("as ids: %+v, want the text %q", got, first.Text)
			}
		})
	}
}

// TestBOS: a prompt that begins with it gets no second one.
func TestBOS(t *testing.T) {
	l := openText(t, "tiny-llama")
	bos, ok := l.tokenizer.BOS()
	if !ok {
		t.Fatal("the model has no BOS")
	}
	plain := generate(t, l, Request{Prompt: textPiece("abc"), MaxTokens: 1})
	spelled := generate(t, l, Request{Prompt: []Piece{{Text: l.tokenizer.Piece(bos), Special: true}, {Text: "abc"}}, MaxTokens: 1})
	if plain.PromptTokens != spelled.PromptTokens || spelled.PrefillTokens != 1 {
		t.Errorf("with BOS spelled out: %+v, without: %+v", spelled, plain)
	}
}

// TestPrefillOnly fills the cache and says nothing.
func TestPrefillOnly(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("some words to warm up with"), Priority: WarmUp}
	res, err := l.Generate(t.Context(), req, nil)
	if err != nil || res.Stop != StopLimit || res.Text != "" || res.DecodedTokens != 0 || res.PrefillTokens != res.PromptTokens {
		t.Errorf("%+v, %v", res, err)
	}
	req.MaxTokens = 2
	if got := generate(t, l, req); got.PrefillTokens != 1 {
		t.Errorf("after a warm-up %d tokens were computed", got.PrefillTokens)
	}
}

// TestStops ends a known continuation in every way.
func TestStops(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	const n = 30 // an end token comes after that
	prompt := textPiece("all of this is noise")
	full := generate(t, l, Request{Prompt: prompt, MaxTokens: n})
	if strings.Count(full.Text, "")-1 < 20 {
		t.Fatalf("a continuation of %q is too short for this test", full.Text)
	}
	runes := []rune(full.Text)
	for at := 1; at < len(runes)-6; at += 5 {
		stop := string(runes[at : at+5])
		want := full.Text[:strings.Index(full.Text, stop)]
		// One that never comes, but begins like this one, holds text back.
		never := string(runes[at:at+3]) + "\x00never"
		got := generate(t, l, Request{Prompt: prompt, MaxTokens: n, Stop: []string{never, stop}})
		if got.Text != want || got.Stop != StopText {
			t.Errorf("stop %q: %q (%s), want %q", stop, got.Text, got.Stop, want)
		}
		got = generate(t, l, Request{Prompt: prompt, MaxTokens: n, Stop: []string{never}})
		if got.Text != full.Text || got.Stop != StopLimit {
			t.Errorf("stop %q: %q (%s), want %q", never, got.Text, got.Stop, full.Text)
		}
	}
	for n := 1; n < 30; n += 4 {
		got := generate(t, l, Request{Prompt: prompt, MaxTokens: n})
		if got.DecodedTokens != n || got.Stop != StopLimit || !strings.HasPrefix(full.Text, got.Text) {
			t.Errorf("limit %d: %+v", n, got)
		}
	}
}

// TestStopTokens ends at tokens by their text.
func TestStopTokens(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	ids := l.tokenizer.Encode(nil, "all of this is noise")
	tr := l.mustGreedy(t, Completion, ids, 30)
	for i, id := range tr.tokens {
		piece := l.tokenizer.Piece(id)
		if back, ok := l.tokenizer.ID(piece); !ok || back != id || slices.Index(tr.tokens, id) != i {
			continue
		}
		got := generate(t, l, Request{IDs: ids, MaxTokens: 40, StopTokens: []string{"<|not here|>", piece}})
		if got.Stop != StopToken || got.DecodedTokens != i+1 {
			t.Errorf("stop token %q, the %dth: %+v", piece, i+1, got)
		}
	}
	for _, end := range l.tokenizer.EndTokens() {
		if !slices.Contains(mustGeneration(t, l, Request{Prompt: textPiece("a"), MaxTokens: 1}).ends, end) {
			t.Errorf("%q does not end a text", l.tokenizer.Piece(end))
		}
	}
}

func mustGeneration(t *testing.T, l *Local, req Request) *generation {
	t.Helper()
	g, err := l.newGeneration(t.Context(), req, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.cancel)
	return g
}

// TestNext feeds logits to a generation by hand: each has one finite value.
func TestNext(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	id := func(text string) int32 {
		id, ok := l.tokenizer.ID(text)
		if !ok {
			t.Fatalf("no token %q", text)
		}
		return id
	}
	const heart = "\xe2\x99\xa5"
	for _, test := range []struct {
		name   string
		req    Request
		tokens []int32 // -1: no finite logit
		text   string
		stop   StopReason
	}{
		{"an end token", Request{MaxTokens: 9}, []int32{id("a"), id("<|endoftext|>")}, "a", StopToken},
		{"a control token without text", Request{MaxTokens: 2}, []int32{id("<|im_start|>"), id("a")}, "a", StopLimit},
		{"a character in three tokens", Request{MaxTokens: 4}, []int32{id(heart[:1]), id(heart[1:2]), id(heart[2:]), id("a")}, heart + "a", StopLimit},
		{"half a character at the end", Request{MaxTokens: 3}, []int32{id("a"), id(heart[:1]), id(heart[1:2])}, "a", StopLimit},
		{"half a character and more", Request{MaxTokens: 2}, []int32{id(heart[:1]), id("a")}, "\ufffda", StopLimit},
		{"half a character before a stop", Request{MaxTokens: 9, Stop: []string{"b"}}, []int32{id(heart[:1]), id("b")}, "\ufffd", StopText},
		{"the first of two stops", Request{MaxTokens: 9, Stop: []string{"bc", "ab"}}, []int32{id("a"), id("b")}, "", StopText},
		{"what was held back", Request{MaxTokens: 2, Stop: []string{"abc"}}, []int32{id("a"), id("b")}, "ab", StopLimit},
		{"what was held back at an end token", Request{MaxTokens: 9, Stop: []string{"abc"}}, []int32{id("a"), id("<|im_end|>")}, "a", StopToken},
	} {
		test.req.Prompt = textPiece("some words ")
		g := mustGeneration(t, l, test.req)
		more := true
		for i, token := range test.tokens {
			logits := make([]float32, l.program.Vocab)
			for j := range logits {
				logits[j] = float32(math.Inf(-1))
			}
			logits[token] = 1
			var got int32
			var err error
			if got, more, err = g.next(among(g, logits)); err != nil || more && got != token || more != (i < len(test.tokens)-1) {
				t.Errorf("%s: token %d: %d, more: %v, %v", test.name, i, got, more, err)
			}
		}
		g.texts <- g.held // as compute does
		close(g.texts)
		text := ""
		for piece := range g.texts {
			text += piece
		}
		if text != test.text || g.result.Stop != test.stop {
			t.Errorf("%s: %q (%s), want %q (%s)", test.name, text, g.result.Stop, test.text, test.stop)
		}
	}
}

// TestNoLogits: a file that computes nothing sensible is named; a word to heal
// that no token begins is not its fault.
func TestNoLogits(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	nan := make([]float32, l.program.Vocab)
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	g := mustGeneration(t, l, Request{Prompt: textPiece("a"), MaxTokens: 5})
	if _, more, err := g.next(among(g, nan)); more || err == nil || !strings.Contains(err.Error(), l.info.Path) {
		t.Errorf("logits of NaN: more: %v, %v", more, err)
	}
	g = mustGeneration(t, l, Request{Prompt: textPiece("some words"), Heal: true, MaxTokens: 5})
	if _, more, err := g.next(among(g, nan)); more || err != nil || g.result.Stop != StopDead {
		t.Errorf("nothing to heal with: more: %v, %v, %q", more, err, g.result.Stop)
	}
}

// TestPaddingIsNeverSampled although its logits are the highest.
func TestPaddingIsNeverSampled(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	if len(l.masked) == 0 {
		t.Fatal("the model has no padding")
	}
	logits := make([]float32, l.program.Vocab)
	for _, id := range l.masked {
		logits[id] = 9
	}
	g := mustGeneration(t, l, Request{Prompt: textPiece("a"), MaxTokens: 5})
	if id, _, err := g.next(among(g, logits)); err != nil || slices.Contains(l.masked, id) {
		t.Errorf("token %d, %v", id, err)
	}
}

// TestHeal continues inside words, of random texts cut anywhere.
func TestHeal(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	random := rand.New(rand.NewPCG(1, 1))
	alphabet := []string{"a", "b", "the", " ", "  ", "\n", "é", "字", "(", "x1", "\t", "'s", "🙂"}
	for range 60 {
		text := "begin "
		for range 1 + random.IntN(12) {
			text += alphabet[random.IntN(len(alphabet))]
		}
		req := Request{Prompt: []Piece{{Text: "<|fim_middle|>", Special: true}, {Text: text}}, Heal: true, MaxTokens: 12}
		cut := l.tokenizer.LastPreToken(text)
		g := mustGeneration(t, l, req)
		if want := 1 + len(l.tokenizer.Encode(nil, text[:cut])); len(g.prompt) != want {
			t.Errorf("%q: a prompt of %d tokens, want %d", text, len(g.prompt), want)
		}
		res := generate(t, l, req)
		// The same tokens by hand: the choice among those that fit.
		ids, healed := g.prompt, sample.NewPrefix([]byte(text[cut:]), l.tokenizer)
		var continuation []byte
		for range res.DecodedTokens {
			tr := l.mustGreedy(t, Completion, ids, 1)
			id := sample.New(sample.Options{}, l.masked).Sample(tr.logits[0], healed.Allowed())
			healed.Accept(id)
			ids = append(slices.Clip(ids), id)
			continuation = append(continuation, l.tokenizer.Bytes(id)...)
		}
		rest, ok := strings.CutPrefix(string(continuation), text[cut:])
		if !ok && len(continuation) >= len(text)-cut {
			t.Fatalf("%q: the continuation %q does not begin with %q", text, continuation, text[cut:])
		}
		if want := whole(rest); ok && res.Text != want {
			t.Errorf("%q: text %q, want %q", text, res.Text, want)
		}
	}
}

// whole is text as it is emitted: invalid bytes replaced, half a character at
// the end dropped.
func whole(text string) string {
	var out strings.Builder
	for len(text) > 0 && utf8.FullRuneInString(text) {
		r, n := utf8.DecodeRuneInString(text)
		out.WriteRune(r)
		text = text[n:]
	}
	return out.String()
}

// TestHealNothing: nothing to heal, or nothing to continue from.
func TestHealNothing(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	for _, test := range []struct {
		pieces []Piece
		tokens int
	}{
		{[]Piece{{Text: "<|fim_middle|>", Special: true}}, 1},
		{[]Piece{{Text: "some words"}, {Text: "<|fim_middle|>", Special: true}}, len(l.tokenizer.Encode(nil, "some words")) + 1},
		{[]Piece{{Text: "<|fim_middle|>", Special: true}, {Text: ""}}, 1},
		{[]Piece{{Text: "words"}}, len(l.tokenizer.Encode(nil, "words"))},
	} {
		req := Request{Prompt: test.pieces, MaxTokens: 5}
		plain := generate(t, l, req)
		req.Heal = true
		healed := generate(t, l, req)
		if healed.Text != plain.Text || healed.PromptTokens != test.tokens || plain.PromptTokens != test.tokens {
			t.Errorf("%v: healed %+v, plain %+v, want %d tokens", test.pieces, healed, plain, test.tokens)
		}
	}
}

// TestContext: prompts up to the context, and continuations that fill it.
func TestContext(t *testing.T) {
	e := start(t, openCPU(t))
	l := open(t, Options{Decode: e, Path: tiny(t, "tiny-qwen2"), MaxTokens: 64, PoolTokens: 64})
	for _, n := range []int{60, 63, 64} {
		res := generate(t, l, Request{IDs: idsFrom(1, n), MaxTokens: 100})
		if res.Stop != StopContext || res.DecodedTokens != 64-n {
			t.Errorf("a prompt of %d tokens: %+v", n, res)
		}
	}
	res := generate(t, l, Request{IDs: idsFrom(1, 63), MaxTokens: 1})
	if res.Stop != StopLimit {
		t.Errorf("limit and context at once: %+v", res)
	}
	_, err := l.Generate(t.Context(), Request{IDs: idsFrom(1, 65), MaxTokens: 1}, nil)
	if !errors.Is(err, ErrContextFull) {
		t.Errorf("a prompt of 65 tokens: %v", err)
	}
	if err := l.Logits(t.Context(), idsFrom(1, 65), nil); !errors.Is(err, ErrContextFull) {
		t.Errorf("logits of 65 tokens: %v", err)
	}
	_, err = Open(t.Context(), Options{Prefill: e, Decode: e, Path: tiny(t, "tiny-qwen2"), MaxTokens: 64, PoolTokens: 63})
	if err == nil || !strings.Contains(err.Error(), "63") {
		t.Errorf("a pool smaller than the context: %v", err)
	}
}

// TestBadRequests are refused by name.
func TestBadRequests(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	ok := textPiece("a")
	for _, test := range []struct {
		req  Request
		want string
	}{
		{Request{}, "empty"},
		{Request{Prompt: textPiece("")}, "empty"},
		{Request{IDs: []int32{}}, "empty"},
		{Request{IDs: []int32{1, -1}}, "token 1 of the prompt is -1"},
		{Request{IDs: []int32{1024}}, "1024"},
		{Request{IDs: []int32{1}, Heal: true}, "heal"},
		{Request{Prompt: ok, MaxTokens: -1}, "max_tokens"},
		{Request{Prompt: ok, Priority: 3}, "priority"},
		{Request{Prompt: ok, Priority: -1}, "priority"},
		{Request{Prompt: ok, Stop: []string{"x", ""}}, "empty"},
		{Request{Prompt: ok, Stop: slices.Repeat([]string{"x"}, stopsMax+1)}, "at most"},
		{Request{Prompt: ok, StopTokens: []string{"<|endoftext|>", "no such token"}}, "no such token"},
		{Request{Prompt: ok, StopTokens: []string{"<|endoftext"}}, "<|endoftext"},
		{Request{Prompt: []Piece{{Text: "<|no_such|>", Special: true}}}, "<|no_such|>"},
		{Request{Prompt: ok, Sampling: sample.Options{Temperature: -1}}, "temperature"},
	} {
		_, err := l.Generate(t.Context(), test.req, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want an error about %q", test.req, err, test.want)
		}
	}
}

// TestCaller ends a generation from emit, at every piece.
func TestCaller(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("all of this is noise"), MaxTokens: 40}
	full := generate(t, l, req)
	for n := 1; n < 12; n++ {
		var emitted strings.Builder
		calls := 0
		res, err := l.Generate(t.Context(), req, func(text string) bool {
			emitted.WriteString(text)
			calls++
			return calls < n
		})
		if err != nil || res.Stop != StopCaller || calls != n || !strings.HasPrefix(full.Text, res.Text) {
			t.Errorf("stopped at piece %d of %d: %+v, %v", n, calls, res, err)
		}
		checkResult(t, req, res, emitted.String())
	}
}

// TestCancelGenerate ends with ctx's error and what there is.
func TestCancelGenerate(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("all of this is noise"), MaxTokens: 400}
	ctx, cancel := context.WithCancel(t.Context())
	var emitted strings.Builder
	res, err := l.Generate(ctx, req, func(text string) bool {
		emitted.WriteString(text)
		cancel()
		return true
	})
	if err != context.Canceled || res.Stop != StopCancelled || res.DecodedTokens == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	checkResult(t, req, res, emitted.String())
	res, err = l.Generate(ctx, req, nil)
	if err != context.Canceled || res.Stop != StopCancelled || res.DecodedTokens != 0 || res.Text != "" {
		t.Errorf("cancelled before it began: %+v, %v", res, err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err = l.Generate(ctx, req, nil); err != context.DeadlineExceeded {
		t.Errorf("beyond its deadline: %v", err)
	}
}

// TestNothingAfterCancel: a step that others need as well ends although one of its
// requests has, for which it gives no token.
func TestNothingAfterCancel(t *testing.T) {
	g := newGated(openCPU(t))
	l := open(t, Options{Decode: start(t, g), Path: tiny(t, "tiny-qwen2")})
	ask := func(ctx context.Context, text string, n int, emit func(string) bool) chan Result {
		got := make(chan Result, 1)
		go func() {
			res, err := l.Generate(ctx, Request{Prompt: textPiece(text), MaxTokens: n}, emit)
			if err != ctx.Err() {
				t.Errorf("%s: %v", text, err)
			}
			got <- res
		}()
		return got
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := ask(ctx, "all of this is noise", 400, nil)
	g.next(t).run()
	s := g.next(t)
	second := ask(t.Context(), "the quick brown fox jumps", 1, nil)
	l.queued(t, 2)
	s.run()
	s = g.next(t)
	if len(s.seqs) != 2 {
		t.Fatalf("sequences: %v", s.seqs)
	}
	cancel()
	s.run()
	if res := <-first; res.DecodedTokens != 2 || res.Stop != StopCancelled {
		t.Errorf("cancelled in its third step: %+v", res)
	}
	if res := <-second; res.DecodedTokens != 1 || res.Stop != StopLimit {
		t.Errorf("beside it: %+v", res)
	}
}

// TestSlowReader: the executor does not wait for emit.
func TestSlowReader(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("all of this is noise"), MaxTokens: 40}
	want := generate(t, l, req)
	blocked, others := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		<-blocked
		for range 3 {
			generate(t, l, req)
		}
		close(others)
	}()
	res, err := l.Generate(t.Context(), req, func(string) bool {
		once.Do(func() { close(blocked) })
		<-others
		return true
	})
	if err != nil || res.Text != want.Text {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestEmitPanics: the panic is the caller's, and nothing is left running.
func TestEmitPanics(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("all of this is noise"), MaxTokens: 300}
	func() {
		defer func() {
			if r := recover(); r != "from emit" {
				t.Errorf("recovered %v", r)
			}
		}()
		l.Generate(t.Context(), req, func(string) bool { panic("from emit") })
	}()
	l.queued(t, 0)
	req.MaxTokens = 5
	generate(t, l, req)
}

// TestSampling: a seed gives the same text again, alone or beside others.
func TestSampling(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	req := Request{Prompt: textPiece("all of this is noise"), MaxTokens: 30, Sampling: sample.Options{Temperature: 1, TopK: 40, Seed: 7}}
	want := generate(t, l, req)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			req := req
			req.Sampling.Seed = uint64(7 + i%2)
			got := generate(t, l, req)
			if (got.Text == want.Text) != (i%2 == 0) {
				t.Errorf("seed %d: %q, seed 7: %q", req.Sampling.Seed, got.Text, want.Text)
			}
		})
	}
	all.Wait()
}

// TestManyRequests runs all kinds at once; race detection does the rest.
func TestManyRequests(t *testing.T) {
	l := openText(t, "tiny-qwen2")
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(9, uint64(i)))
			for range 4 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+random.IntN(400))*time.Millisecond)
				req := Request{
					IDs: idsFrom(uint64(random.IntN(4)), 1+random.IntN(200)), MaxTokens: random.IntN(20),
					Priority: Priority(random.IntN(3)), Sampling: sample.Options{Temperature: random.Float64(), Seed: 1},
				}
				left := random.IntN(30)
				res, err := l.Generate(ctx, req, func(string) bool { left--; return left > 0 })
				if err != nil && !errors.Is(err, ctx.Err()) {
					t.Error(err)
				}
				if err == nil && res.CachedTokens+res.PrefillTokens != res.PromptTokens {
					t.Errorf("%+v", res)
				}
				cancel()
			}
		})
	}
	all.Wait()
	s := l.Stats()
	if s.Requests != 96 || s.Devices[0].Steps == 0 || s.Devices[0].Cache.KeptPages+s.Devices[0].Cache.FreePages != s.Devices[0].Cache.Pages {
		t.Errorf("%+v", s)
	}
}

// TestClose waits for running requests, refuses new ones and leaves no goroutine.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	d := openCPU(t)
	e := NewExecutor(d)
	l, err := Open(t.Context(), Options{Prefill: e, Decode: e, Path: tiny(t, "tiny-qwen2"), MaxTokens: 512, ColdBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	began, closed := make(chan struct{}), make(chan error)
	var once sync.Once
	var ended bool
	go func() {
		<-began
		err := l.Close()
		if !ended {
			t.Error("closed before the request ended")
		}
		closed <- err
	}()
	res, err := l.Generate(t.Context(), Request{Prompt: textPiece("a b c"), MaxTokens: 60}, func(string) bool {
		once.Do(func() { close(began) })
		ended = true // but for the rest of this call, which Close awaits
		return true
	})
	if err != nil || res.DecodedTokens != 60 {
		t.Errorf("%+v, %v", res, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := l.Generate(t.Context(), Request{Prompt: textPiece("a")}, nil); err != ErrClosed {
		t.Errorf("a request after Close: %v", err)
	}
	if err := l.Logits(t.Context(), []int32{1}, nil); err != ErrClosed {
		t.Errorf("logits after Close: %v", err)
	}
	if err := l.Close(); err != ErrClosed {
		t.Errorf("closed twice: %v", err)
	}
	e.Close()
	for begin := time.Now(); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Since(begin) > patience {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
