package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tandem/engine/sample"
	"tandem/kernels/op"
)

// The tests of this file are invariant 6 for drafts: with them a request gets,
// bit for bit, what it gets without.

// verify is greedy with drafts: of the tokens that are to come, some right and
// some not, as draft makes them of those and of a length.
func (l *Local) verify(ctx context.Context, p Priority, prompt []int32, n int, draft func(sofar []int32, n int) []int32) (tr trace, accepted int, err error) {
	var j *job
	j = &job{
		ctx: ctx, priority: p, on: l.decode, tokens: slices.Clone(prompt), from: len(prompt) - 1,
		began: func(cached int) { tr.cached = cached },
		logits: func(pos int, logits []float32) (int32, bool) {
			if pos != len(j.tokens)-1 {
				return 0, false
			}
			tr.logits = append(tr.logits, slices.Clone(logits))
			next := argmax(logits)
			tr.tokens = append(tr.tokens, next)
			return next, len(tr.logits) < n
		},
		draft: func(n int, _ func(int) float64) []int32 {
			return draft(j.tokens, min(n, l.info.MaxTokens-len(j.tokens)))
		},
		verified: func(drafted, right int) {
			if right > drafted {
				panic(fmt.Sprintf("%d tokens accepted of %d", right, drafted))
			}
			accepted += right
		},
	}
	err = l.decode.executor.run(j)
	return tr, accepted, err
}

// partly drafts what is to come, up to a random token that is wrong.
func partly(seed uint64, prompt []int32, to trace) func(sofar []int32, n int) []int32 {
	random := rand.New(rand.NewPCG(seed, 3))
	all := slices.Concat(prompt, to.tokens)
	return func(sofar []int32, n int) []int32 {
		rest := all[min(len(sofar), len(all)):]
		drafted := slices.Clone(rest[:min(n, len(rest), random.IntN(draftMax+1))])
		if len(drafted) > 0 && random.IntN(2) == 0 {
			drafted[random.IntN(len(drafted))] = random.Int32N(320)
		}
		return drafted
	}
}

// TestVerify drafts right and wrong tokens, for one request and for many that
// share steps and too few pages.
func TestVerify(t *testing.T) {
	for _, arch := range []string{"qwen2", "llama"} {
		t.Run(arch, func(t *testing.T) {
			eachDevice(t, func(t *testing.T, device func(int) op.Device) {
				e := start(t, device(2))
				plain := open(t, Options{Path: golden(arch), Decode: e, MaxTokens: 256, PoolTokens: 4096})
				l := open(t, Options{Path: golden(arch), Decode: e, MaxTokens: 256, PoolTokens: 256})
				var all sync.WaitGroup
				for i := range 7 {
					prompt := idsFrom(uint64(70+i), 5+29*i)
					want := plain.mustGreedy(t, Completion, prompt, 40)
					check := func(what string) {
						got, accepted, err := l.verify(t.Context(), Priority(i%3), prompt, 40, partly(uint64(i), prompt, want))
						if err != nil {
							t.Error(err)
							return
						}
						if accepted == 0 {
							t.Errorf("request %d %s: nothing was accepted", i, what)
						}
						equalTraces(t, fmt.Sprintf("request %d %s", i, what), got, want)
					}
					check("alone")
					all.Go(func() { check("of many") })
				}
				all.Wait()
				kept := l.Stats().Devices[0].Cache
				if kept.KeptPages+kept.FreePages != kept.Pages || kept.EvictPages == 0 {
					t.Errorf("pages did not come and go, or were lost: %+v", kept)
				}
			})
		})
	}
}

// TestVerifyCommits: what was not accepted is in no later prompt's cache.
func TestVerifyCommits(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		l := openOn(t, device(2))
		prompt := idsFrom(8, 60)
		want := l.mustGreedy(t, Completion, prompt, 30)
		wrong := func(_ []int32, n int) []int32 { return idsFrom(9, min(n, draftMax)) }
		l.forget(t)
		if _, _, err := l.verify(t.Context(), Completion, prompt, 10, wrong); err != nil {
			t.Fatal(err)
		}
		// The last of ten was sampled, and not computed.
		if got := l.mustGreedy(t, Completion, slices.Concat(prompt, want.tokens), 1); got.cached != len(prompt)+9 {
			t.Errorf("%d tokens cached, want %d", got.cached, len(prompt)+9)
		}
		head := slices.Concat(prompt, want.tokens[:9], idsFrom(9, draftMax))
		got := l.mustGreedy(t, Completion, head, 5)
		l.forget(t)
		equalTraces(t, "behind what was drafted", got, l.mustGreedy(t, Completion, head, 5))
	})
}

// TestVerifyShares: requests that decode together draft within the rows that
// have logits, all alike.
func TestVerifyShares(t *testing.T) {
	l, g := openGated(t)
	for mates := 1; mates <= 4; mates++ {
		var all sync.WaitGroup
		prompt := func(i int) []int32 { return same(int32(1+i), 40) }
		for i := range mates {
			all.Go(func() {
				_, _, err := l.verify(t.Context(), Completion, prompt(i), 3, func(sofar []int32, n int) []int32 {
					if len(sofar) == 40 {
						return nil
					}
					return same(int32(100+i), min(n, draftMax))
				})
				if err != nil {
					t.Error(err)
				}
			})
			l.queued(t, i+1)
		}
		shared := false
		go func() { all.Wait(); close(g.steps) }()
		for s := range g.steps {
			s.t = t
			wanted, drafts := 0, 0
			for _, rows := range s.seqs {
				for _, r := range rows {
					if r.Logits {
						wanted++
					}
				}
				if len(rows) == 1+min(logitsMax/mates-1, draftMax) {
					drafts++
				}
			}
			if wanted > logitsMax {
				t.Errorf("%d mates: %d rows with logits", mates, wanted)
			}
			shared = shared || drafts == mates
			s.run()
		}
		g.steps = make(chan *gatedStep)
		if !shared {
			t.Errorf("%d mates never drafted together", mates)
		}
		l.queued(t, 0)
	}
}

// TestVerifyCancel: a step in which somebody drafts is no prompt, and what its
// device could not finish is drafted again.
func TestVerifyCancel(t *testing.T) {
	l, g := openGated(t)
	prompt := same(1, 40)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() {
		tr, _, err := l.verify(ctx, WarmUp, prompt, 9, func(sofar []int32, n int) []int32 {
			return same(int32(len(sofar)), min(n, 5))
		})
		ended <- outcome{tr, err}
	}()
	g.next(t).run() // the first chunk
	s := g.next(t)
	s.run() // the rest of the prompt
	for range 2 {
		s = g.next(t)
		if len(s.seqs[0]) != 6 {
			t.Fatalf("rows: %v", s.seqs)
		}
		completion := l.ask(t.Context(), Completion, 2, 10, 1)
		s.cancelled() // makes way
		for s = g.next(t); s.rowsOf(2) == 0; s = g.next(t) {
			s.run()
		}
		s.run()
		if o := wait(t, completion); o.err != nil {
			t.Fatal(o.err)
		}
	}
	s = g.next(t)
	cancel()
	s.cancelled()
	if o := wait(t, ended); o.err != context.Canceled {
		t.Errorf("the cancelled request ended with %v", o.err)
	}
	g.free(t)
	got := l.mustGreedy(t, Completion, prompt, 5)
	l.forget(t)
	equalTraces(t, "after a cancel", got, l.mustGreedy(t, Completion, prompt, 5))
}

// pair opens a model twice on one device: with drafts, which are made to look
// cheap, and without.
func pair(t *testing.T, e *Executor, opt Options) (drafting, plain *Local) {
	t.Helper()
	opt.Decode = e
	drafting = open(t, opt)
	opt.NoDraft = true
	return drafting, open(t, opt)
}

// cheap makes drafts look as if they cost next to nothing.
func (l *Local) cheap(t *testing.T) {
	t.Helper()
	err := l.decode.executor.do(l.decode, func() {
		for rows := range l.decode.cost.verifies {
			l.decode.cost.verifies[rows] = 1 + float64(rows)/1000
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDraftedText: requests of all kinds say the same with drafts as without.
func TestDraftedText(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		for _, shape := range []string{"tiny-qwen2", "tiny-llama"} {
			drafting, plain := pair(t, start(t, device(2)), Options{Path: tiny(t, shape)})
			random := rand.New(rand.NewPCG(11, 11))
			accepted, kinds := 0, map[StopReason]int{}
			rounds := 60
			if drafting.info.DecodeDevice == "ref" {
				rounds = 12
			}
			for range rounds {
				drafting.cheap(t)
				req := anyRequest(random, plain)
				want, got := generate(t, plain, req), generate(t, drafting, req)
				if got.Text != want.Text || got.Stop != want.Stop || got.DecodedTokens != want.DecodedTokens {
					t.Errorf("%+v:\n%+v, without drafts\n%+v", req, got, want)
				}
				if want.Drafted != 0 || got.Accepted > got.Drafted || got.Accepted >= max(got.DecodedTokens, 1) {
					t.Errorf("%+v, without drafts %+v", got, want)
				}
				accepted += got.Accepted
				kinds[got.Stop]++
			}
			if accepted == 0 || len(kinds) < 2 {
				t.Errorf("%d tokens accepted, ends: %v", accepted, kinds)
			}
			t.Logf("%s: %d tokens accepted, ends: %v, %+v", shape, accepted, kinds, drafting.Stats().Devices[0])
		}
	})
}

// anyRequest is a request for a text that repeats or for noise, with stops from
// its own continuation.
func anyRequest(random *rand.Rand, l *Local) Request {
	word := idsFrom(random.Uint64(), 2+random.IntN(20))
	req := Request{IDs: slices.Repeat(word, 1+random.IntN(5)), MaxTokens: 1 + random.IntN(80)}
	if random.IntN(3) == 0 {
		req.Prompt, req.IDs, req.Heal = textPiece("some words, some words, some wo"), nil, true
	}
	if random.IntN(2) == 0 {
		req.Sampling = sample.Options{Temperature: 0.05, RepeatPenalty: 1.05, Seed: random.Uint64()}
	}
	if random.IntN(2) == 0 {
		long := req
		long.MaxTokens = 60
		res, err := l.Generate(context.Background(), long, nil)
		if runes := []rune(res.Text); err == nil && len(runes) > 8 {
			at := len(runes)/2 + random.IntN(len(runes)/2-3)
			req.Stop = []string{string(runes[at : at+3])}
		}
	}
	return req
}

// TestDraftContext: drafts end where the context does.
func TestDraftContext(t *testing.T) {
	drafting, plain := pair(t, start(t, openCPU(t)), Options{Path: tiny(t, "tiny-qwen2"), MaxTokens: 64, PoolTokens: 64})
	for n := 20; n <= 64; n++ {
		drafting.cheap(t)
		req := Request{IDs: slices.Repeat(idsFrom(3, 4), 16)[:n], MaxTokens: 100}
		want, got := generate(t, plain, req), generate(t, drafting, req)
		if got.Text != want.Text || got.Stop != want.Stop || got.DecodedTokens != want.DecodedTokens {
			t.Errorf("%d tokens of 64: %+v, without drafts %+v", n, got, want)
		}
	}
}

// TestDraftCaller: a caller who has enough gets no more, and one who cancels
// gets what there was.
func TestDraftCaller(t *testing.T) {
	drafting, plain := pair(t, start(t, openCPU(t)), Options{Path: tiny(t, "tiny-qwen2")})
	drafting.cheap(t)
	req := Request{IDs: slices.Repeat(idsFrom(3, 7), 6), MaxTokens: 60}
	full := generate(t, plain, req)
	for n := 1; n < 20; n += 3 {
		var text string
		calls := 0
		ctx, cancel := context.WithCancel(t.Context())
		res, err := drafting.Generate(ctx, req, func(piece string) bool {
			text += piece
			if calls++; calls == n && n%2 == 0 {
				cancel()
			}
			return calls < n || n%2 == 0
		})
		cancel()
		if calls != n || res.Text != text || text != full.Text[:len(text)] || (err != nil) != (n%2 == 0) {
			t.Errorf("ended at piece %d of %d: %+v, %v", n, calls, res, err)
		}
	}
}

// TestDrafter: what repeats costs far less than plain decode, what does not
// hardly more.
func TestDrafter(t *testing.T) {
	cheap := func(k int) float64 { return 1 + 0.05*float64(k) }
	steep := func(k int) float64 { return 1 + 0.4*float64(k) }
	repeats, noise := slices.Repeat(idsFrom(1, 50), 10), idsFrom(2, 4000)
	for _, test := range []struct {
		name string
		text []int32 // said token by token, behind its first 100
		cost func(k int) float64
		most float64 // cost of all steps, in steps of one row for each token
	}{
		{"repeats", repeats, cheap, 0.2},
		{"repeats, steep", repeats, steep, 0.7},
		{"repeats, too dear", repeats, func(k int) float64 { return 1 + float64(k) }, 1},
		{"noise", noise, cheap, 1.01},
		{"noise, steep", noise, steep, 1.01},
		{"pairs that are followed by others", alternating(2000), cheap, 0.75},
		{"pairs that are followed by others, steep", alternating(2000), steep, 1.03},
	} {
		var d drafter
		drafted, accepted, cost := 0, 0, 0.0
		for at := 100; at < len(test.text); {
			tokens := d.draft(test.text[:at], draftMax, test.cost)
			right := 0
			for right < len(tokens) && at+right < len(test.text) && tokens[right] == test.text[at+right] {
				right++
			}
			if len(tokens) > 0 {
				d.verified(len(tokens), right)
			}
			drafted, accepted, at = drafted+len(tokens), accepted+right, at+right+1
			cost += test.cost(len(tokens))
		}
		said := len(test.text) - 100
		t.Logf("%s: of %d tokens %d drafted, %d accepted; cost %.2f", test.name, said, drafted, accepted, cost/float64(said))
		if cost > test.most*float64(said) {
			t.Errorf("%s: %d tokens cost %.1f steps, want at most %.2f of plain decode", test.name, said, cost, test.most)
		}
	}
}

// alternating is a text in which pairs come again and are followed by others.
func alternating(n int) []int32 {
	random := rand.New(rand.NewPCG(5, 5))
	var ids []int32
	for len(ids) < n {
		ids = append(ids, 7, 8, random.Int32N(1<<20))
	}
	return ids[:n]
}

// TestLookup finds what a search of everything finds.
func TestLookup(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for range 50 {
		ids := make([]int32, 400)
		for i := range ids {
			ids[i] = random.Int32N(int32(2 + random.IntN(40)))
		}
		var l lookup
		for at := range ids {
			l.extend(ids[:at])
			from, match := l.find()
			want, tries := 0, 0
			for p := at - 1; p >= matchMin && tries < matchTries; p-- {
				if m := l.agree(p); m >= matchMin {
					tries++
					want = max(want, m)
				}
			}
			if match != want || match > 0 && l.agree(from) != match {
				t.Fatalf("behind %v: a match of %d at %d, want one of %d", ids[:at], match, from, want)
			}
		}
	}
}

// TestResume goes on behind a name that was changed, and behind no other.
func TestResume(t *testing.T) {
	text := []int32{1, 2, 3, 4, 5, 6, 7, 8, 50}
	var l lookup
	l.extend(append(text, 60, 61, 4))
	if _, match := l.find(); match != 0 {
		t.Errorf("a match of %d without a draft", match)
	}
	l.at = 2 // 3 was rejected
	if from, match := l.find(); from != 4 || match != 1 {
		t.Errorf("a match of %d at %d, want 1 at 4", match, from)
	}
	l.at = 5
	if _, match := l.find(); match != 0 {
		t.Errorf("a match of %d behind it", match)
	}
}

// TestVerifyCost: numbers of rows that were not measured look cheap, those that
// were cost what they cost, and one slow step does not settle it.
func TestVerifyCost(t *testing.T) {
	var c cost
	c.add(4, 4, time.Second)
	if got := c.verify(4); got != 1+3*rowFirst {
		t.Errorf("4 rows cost %.2f steps before one of one row was measured", got)
	}
	c.add(1, 1, 10*time.Millisecond)
	c.add(4, 4, time.Second)
	if got := c.verify(4); got > 2*(1+3*rowFirst) {
		t.Errorf("4 rows cost %.2f steps after one slow step", got)
	}
	for range 50 {
		c.add(4, 4, 22*time.Millisecond)
	}
	for _, test := range []struct {
		rows int
		want float64
	}{{1, 1}, {2, 1 + rowFirst}, {4, 2.2}, {8, 2.2 + 4*rowFirst}} {
		if got := c.verify(test.rows); got < test.want-0.01 || got > test.want+0.01 {
			t.Errorf("%d rows cost %.3f steps, want %.3f", test.rows, got, test.want)
		}
	}
	if c.start != 0.01 {
		t.Errorf("a prompt's step starts at %v s", c.start)
	}
}
