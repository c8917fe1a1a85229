package kvcache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tandem/kernels/op"
)

// TestProperties plays random timelines of several requests at once against a
// naive model: the list of everything that was ever computed. After every
// operation the invariants hold, and every position of every sequence holds
// what its tokens say.
func TestProperties(t *testing.T) {
	ops := 1500
	if testing.Short() {
		ops = 300
	}
	for seed := range uint64(6) {
		for _, shape := range []struct {
			pages int
			cold  int64
		}{{roomyPages, 0}, {24, 0}, {24, 1 << 20}, {10, 24 * 256}} {
			t.Run(fmt.Sprintf("seed=%d/pages=%d/cold=%d", seed, shape.pages, shape.cold), func(t *testing.T) {
				p := &player{
					rig:    newRig(t, shape.pages, newCold(t, shape.cold)),
					random: rand.New(rand.NewPCG(seed, uint64(shape.pages))),
					roomy:  shape.pages == roomyPages,
				}
				for range ops {
					p.play()
				}
				p.end()
			})
		}
	}
}

// player is the timeline of one seed.
type player struct {
	*rig
	random *rand.Rand
	// roomy timelines evict nothing and truncate nothing, so that the model
	// knows exactly what is there.
	roomy bool
	// whole are the texts of full pages and ended those of released sequences.
	whole, ended [][]int32
	full         int // refused for want of pages
}

const (
	textMax    = 6 * op.PageTokens
	roomyPages = 400
)

func (p *player) play() {
	if p.roomy && len(p.c.free) < 50 {
		p.end()
		p.rig = newRig(p.t, p.c.pool.Len(), p.c.cold)
		p.whole, p.ended = nil, nil
	}
	switch n := p.random.IntN(10); {
	case len(p.live) == 0 || n == 0 && len(p.live) < 5:
		p.begin()
	case n == 1:
		s := p.any()
		p.ended = append(p.ended, slices.Clone(s.tokens))
		p.release(s)
	case n == 2 && !p.roomy:
		s := p.any()
		s.Truncate(p.random.IntN(s.Len() + 2))
		p.check()
		p.verify(s)
	case n == 3: // a step that was cancelled
		if err := p.any().Reserve(p.random.IntN(40)); err != nil {
			p.full++
		}
		p.check()
	default:
		p.grow(p.any())
	}
}

func (p *player) any() *Sequence { return p.live[p.random.IntN(len(p.live))] }

// prompt is an earlier text, cut somewhere and continued.
func (p *player) prompt() []int32 {
	var tokens []int32
	if n := len(p.ended); n > 0 && p.random.IntN(8) > 0 {
		old := p.ended[p.random.IntN(n)]
		tokens = slices.Clone(old[:p.random.IntN(len(old)+1)])
	}
	return append(tokens, p.tokens(1+p.random.IntN(60))...)
}

// tokens come from a small alphabet, so that texts meet by chance.
func (p *player) tokens(n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(p.random.IntN(2))
	}
	return tokens
}

func (p *player) begin() {
	prompt := p.prompt()
	// Whole pages of running sequences are shared, and while no other sequence
	// runs, a tail is in the tree as well.
	alone := len(p.live) == 0
	atLeast, atMost := best(p.whole, prompt), max(best(p.whole, prompt), best(p.ended, prompt))
	s := p.acquire(prompt)
	for _, l := range p.live {
		atMost = max(atMost, min(commonLen(l.tokens, prompt), len(prompt)-1))
	}
	if alone {
		atLeast = atMost
	}
	if p.roomy && (s.Len() < atLeast || s.Len() > atMost) {
		p.t.Fatalf("%d tokens of %d found, want %d to %d", s.Len(), len(prompt), atLeast, atMost)
	}
}

// best is the longest common beginning with any of texts, less the last token.
func best(texts [][]int32, prompt []int32) int {
	n := 0
	for _, t := range texts {
		n = max(n, commonLen(t, prompt))
	}
	return min(n, len(prompt)-1)
}

func (p *player) grow(s *Sequence) {
	if s.Len() > textMax {
		p.ended = append(p.ended, slices.Clone(s.tokens))
		p.release(s)
		return
	}
	err := p.compute(s, p.tokens(1+p.random.IntN(50)))
	if errors.Is(err, ErrFull) {
		p.full++
		if len(p.live) == 1 && s.Len()+50 <= p.c.pool.Len()*op.PageTokens {
			p.t.Fatal("a sequence alone found no page")
		}
		p.release(p.any())
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.whole = append(p.whole, slices.Clone(s.tokens[:s.Len()/op.PageTokens*op.PageTokens]))
}

// end releases everything: no page may be in use then.
func (p *player) end() {
	for len(p.live) > 0 {
		p.release(p.live[0])
	}
	if s := p.c.Stats(); s.FreePages+s.KeptPages != s.Pages {
		p.t.Fatalf("%d pages free, %d kept, of %d", s.FreePages, s.KeptPages, s.Pages)
	}
	// All that is kept can be had.
	all := p.acquire(nil)
	p.must(all, p.tokens(p.c.pool.Len()*op.PageTokens))
	p.release(all)
}
