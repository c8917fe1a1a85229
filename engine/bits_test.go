package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tandem/kernels/op"
)

// The tests of this file are invariant 6 of docs/architecture.md at the level of
// the engine: what a request gets depends, bit for bit, on its tokens alone.

// TestChunks computes a prompt in chunks of several sizes.
func TestChunks(t *testing.T) {
	for _, arch := range []string{"qwen2", "llama"} {
		t.Run(arch, func(t *testing.T) {
			eachDevice(t, func(t *testing.T, device func(int) op.Device) {
				l := open(t, Options{Path: golden(arch), Decode: start(t, device(2))})
				prompt := idsFrom(1, 150)
				want := l.mustGreedy(t, Completion, prompt, 4)
				for _, rows := range []int{16, 31, 32, 77, 149} {
					l.forget(t)
					l.chunk(t, rows)
					equalTraces(t, fmt.Sprintf("chunks of %d", rows), l.mustGreedy(t, Chat, prompt, 4), want)
				}
			})
		})
	}
}

// chunk makes the next chunk of less urgent jobs so many rows.
func (l *Local) chunk(t *testing.T, rows int) {
	t.Helper()
	err := l.decode.executor.do(l.decode, func() {
		l.decode.cost = cost{perRow: background.Seconds() / (float64(rows) + 0.5)}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThreads computes on one worker and on several.
func TestThreads(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		prompt := idsFrom(2, 70)
		want := openOn(t, device(1)).mustGreedy(t, Completion, prompt, 3)
		for _, threads := range []int{2, 3, 5} {
			got := openOn(t, device(threads)).mustGreedy(t, Completion, prompt, 3)
			equalTraces(t, fmt.Sprintf("%d threads", threads), got, want)
		}
	})
}

// TestMates runs requests alone and then all at once.
func TestMates(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		l := openOn(t, device(2))
		const requests = 9
		prompt := func(i int) []int32 {
			head := idsFrom(3, 40) // some share their beginning
			return append(head[:20*(i%3)], idsFrom(uint64(10+i), 3+17*i)...)
		}
		var alone [requests]trace
		for i := range alone {
			l.forget(t)
			alone[i] = l.mustGreedy(t, Completion, prompt(i), 5)
		}
		l.forget(t)
		var all sync.WaitGroup
		for i := range alone {
			all.Go(func() {
				got, err := l.greedy(t.Context(), Priority(i%3), prompt(i), 5)
				if err != nil {
					t.Error(err)
					return
				}
				equalTraces(t, fmt.Sprintf("request %d of many", i), got, alone[i])
			})
		}
		all.Wait()
	})
}

// TestWarm edits a prompt at random places, again and again, and compares what
// comes of the cached rest with what comes of nothing. A small pool and a cold
// tier make pages come and go.
func TestWarm(t *testing.T) {
	for _, shape := range []struct {
		name string
		pool int
		cold int64
	}{{"roomy", 2048, 0}, {"small", 256, 0}, {"cold", 256, 64 << 20}} {
		t.Run(shape.name, func(t *testing.T) {
			eachDevice(t, func(t *testing.T, device func(int) op.Device) {
				d := device(2)
				rounds := 40
				if d.Name() == "ref" { // which is slow
					rounds = 16
				}
				e := start(t, d)
				warm := open(t, Options{Decode: e, MaxTokens: 256, PoolTokens: shape.pool, ColdBytes: shape.cold})
				cold := open(t, Options{Decode: e, MaxTokens: 256})
				random := rand.New(rand.NewPCG(4, 4))
				prompt, other := idsFrom(5, 120), idsFrom(6, 200)
				cached := 0
				for i := range rounds {
					cold.forget(t)
					got := warm.mustGreedy(t, Completion, prompt, 2)
					equalTraces(t, fmt.Sprintf("edit %d, %d tokens of %d cached", i, got.cached, len(prompt)),
						got, cold.mustGreedy(t, Completion, prompt, 2))
					cached += got.cached
					prompt = edit(random, prompt, 200)
					if i%4 == 3 { // another file, in which the next edits are
						prompt, other = other, prompt
					}
				}
				if cached == 0 {
					t.Error("nothing was ever cached")
				}
				s := warm.Stats().Devices[0].Cache
				t.Logf("%d tokens cached; %+v", cached, s)
				// Whether a page comes back depends on the cold tier's timing; that it
				// can is tested in kvcache.
				if shape.cold > 0 && s.ColdPages == 0 || shape.pool == 256 && s.EvictPages == 0 {
					t.Errorf("pages did not come and go: %+v", s)
				}
			})
		})
	}
}

// edit inserts, deletes or replaces some tokens, mostly at the end.
func edit(random *rand.Rand, ids []int32, most int) []int32 {
	at := len(ids)
	if random.IntN(3) == 0 {
		at = random.IntN(len(ids))
	}
	gone := min(random.IntN(12), len(ids)-at)
	fresh := idsFrom(random.Uint64(), 1+random.IntN(20))
	if random.IntN(4) == 0 { // go back to the beginning
		at, gone = min(at, 90), 0
	}
	ids = slices.Replace(slices.Clone(ids), at, at+gone, fresh...)
	return ids[:min(len(ids), most)]
}

// TestCancelAndRetry stops a prompt in the middle of a chunk, with some chunks
// finished, and asks again.
func TestCancelAndRetry(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		g := newGated(device(2))
		l := openOn(t, g)
		prompt := idsFrom(6, 200)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := l.greedy(ctx, Chat, prompt, 2)
			ended <- err
		}()
		g.next(t).run() // a chunk of rowsFirst
		s := g.next(t)
		s.decide(nil) // the device is computing, or nearly
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Fatalf("the request ended with %v", err)
		}
		g.free(t)
		got := l.mustGreedy(t, Chat, prompt, 2)
		if got.cached < rowsFirst {
			t.Errorf("%d tokens cached, the first chunk had %d", got.cached, rowsFirst)
		}
		l.forget(t)
		equalTraces(t, "after a cancel", got, l.mustGreedy(t, Chat, prompt, 2))
	})
}

// TestCancelSoon stops requests at random moments while others go on.
func TestCancelSoon(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		l := openOn(t, device(2))
		want := l.mustGreedy(t, Completion, idsFrom(1, 60), 8)
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
				defer cancel()
				const most = 200 // which a fast machine may do in time
				tr, err := l.greedy(ctx, Priority(i%3), idsFrom(uint64(20+i), 300), most)
				if err != context.DeadlineExceeded && (err != nil || len(tr.tokens) < most) {
					t.Errorf("a request beyond its deadline ended with %d tokens and %v", len(tr.tokens), err)
				}
			})
		}
		equalTraces(t, "beside cancelled requests", l.mustGreedy(t, Chat, idsFrom(1, 60), 8), want)
		all.Wait()
	})
}

// TestCrowded has more requests than the pool has room for.
func TestCrowded(t *testing.T) {
	eachDevice(t, func(t *testing.T, device func(int) op.Device) {
		d := start(t, device(2))
		l := open(t, Options{Decode: d, MaxTokens: 128, PoolTokens: 128})
		roomy := open(t, Options{Decode: d, MaxTokens: 128, PoolTokens: 4096})
		var all sync.WaitGroup
		for i := range 7 {
			all.Go(func() {
				prompt := idsFrom(uint64(40+i), 30+8*i)
				got, err := l.greedy(t.Context(), Priority(i%3), prompt, 40)
				if err != nil {
					t.Error(err)
					return
				}
				want, err := roomy.greedy(t.Context(), Completion, prompt, 40)
				if err != nil {
					t.Error(err)
					return
				}
				equalTraces(t, fmt.Sprintf("request %d in a crowd", i), got, want)
			})
		}
		all.Wait()
	})
}
