package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"tandem/engine/sample"
	"tandem/kernels/op"
)

const (
	// believedModel is the share of a draft model's tokens accepted before any
	// was verified.
	believedModel = 0.7
	// byModel stands where the kind of match does for what a draft model drafted.
	byModel = -1
)

// draftModel is a small model that drafts for a big one with the same vocabulary
// where look-up finds nothing. It says greedily what may come next, in steps of
// its own on the big one's decode device; only its KV cache is its own.
//
// How many of its tokens are accepted is learned over all requests: most are too
// short to learn it anew. What no comment says otherwise of belongs to the decode
// executor's goroutine.
type draftModel struct {
	local   *Local  // safe for concurrent use
	on      *placed // where it runs
	big     *placed // what it drafts for
	ratio   float64 // of the weights' bytes: what its steps cost before that is measured
	share   float64 // of its tokens accepted
	dropped bool    // it failed, and is not asked again

	drafted, accepted atomic.Int64

	followMu  sync.Mutex
	unfollow  context.CancelFunc // ends the latest following; nil before the first
	following sync.WaitGroup
}

// openDraftModel opens opt.DraftPath to draft for l, which is loaded.
func openDraftModel(ctx context.Context, l *Local, opt Options) (*draftModel, error) {
	small, err := Open(ctx, Options{
		Path: opt.DraftPath, Prefill: opt.Decode, Decode: opt.Decode, KV: opt.KV,
		MaxTokens: opt.MaxTokens, PoolTokens: opt.PoolTokens, NoDraft: true,
	})
	if err != nil {
		return nil, fmt.Errorf("draft model: %w", err)
	}
	if err := sameVocabulary(small, l); err != nil {
		small.Close()
		return nil, err
	}
	return &draftModel{
		local: small, on: small.decode, big: l.decode, share: believedModel,
		ratio: float64(small.info.WeightBytes) / float64(l.info.WeightBytes),
	}, nil
}

// sameVocabulary says what keeps small from drafting for big.
func sameVocabulary(small, big *Local) error {
	const remedy = "choose a draft model of the same family, or none"
	for _, l := range []*Local{small, big} {
		if l.tokenizer == nil {
			return fmt.Errorf("draft model: %s cannot draft for %s: %s: %w: %s", small.info.Path, big.info.Path, l.info.Path, l.noTokenizer, remedy)
		}
	}
	if id, differ := small.tokenizer.FirstDifference(big.tokenizer); differ {
		return fmt.Errorf("draft model: %s cannot draft for %s: token %d is %.40q in one and %.40q in the other: %s",
			small.info.Path, big.info.Path, id, small.tokenizer.Piece(id), big.tokenizer.Piece(id), remedy)
	}
	return nil
}

// ask gives the job that has the draft model continue j's tokens, at most n; nil
// where that is thought to cost more than it gains. said is how many tokens j's
// text has: it is thought to go on for as many. ready is told what was drafted.
func (m *draftModel) ask(j *job, n, said int, ready func(drafted []int32)) *job {
	on := m.on
	length, gain := m.length(min(n, m.local.info.MaxTokens-len(j.tokens)))
	if length == 0 {
		m.forget()
		return nil
	}
	if slices.ContainsFunc(j.tokens, func(id int32) bool { return int(id) >= on.program.Vocab }) {
		return nil // padding of the big vocabulary that the small one does not have
	}
	seq := on.cache.Acquire(j.tokens)
	if m.catchUp(len(j.tokens)-seq.Len()) > gain*float64(min(said, n)) {
		seq.Release()
		return nil
	}
	var drafted []int32
	greedy := sample.New(sample.Options{}, m.local.masked)
	take := func(next int32) (int32, bool) {
		if next < 0 {
			return 0, false
		}
		drafted = append(drafted, next)
		return next, len(drafted) < length && !slices.Contains(m.local.tokenizer.EndTokens(), next)
	}
	return &job{
		ctx: j.ctx, priority: j.priority, on: on, tokens: slices.Clone(j.tokens), from: len(j.tokens) - 1, seq: seq,
		logits: func(_ int, logits []float32) (int32, bool) { return take(greedy.Sample(logits, nil)) },
		best:   func(_ int, best []op.Scored) (int32, bool) { return take(greedy.SampleBest(best)) },
		enough: greedy.Enough,
		ended: func(err error) {
			if err == nil && len(drafted) == 0 {
				err = fmt.Errorf("no token has a finite logit: %s is damaged; fetch it again", m.local.info.Path)
			}
			if err == nil {
				m.drafted.Add(int64(len(drafted)))
				ready(drafted)
			} else if j.ctx.Err() == nil && !errors.Is(err, errUnneeded) && !errors.Is(err, ErrClosed) {
				m.dropped = true
				slog.Warn("engine: goes on without the draft model, which failed", "model", m.local.info.Path, "error", err)
			}
		},
	}
}

// length is how many of n tokens to draft, 0 for none or before it is known what
// a step of the big model takes, and how many of its steps that saves for each
// token of the text.
func (m *draftModel) length(n int) (length int, gain float64) {
	if m.dropped || m.big.cost.one == 0 {
		return 0, 0
	}
	length, rate := draftLen(m.share, min(n, draftMax), func(k int) float64 {
		return m.big.cost.verify(1+k) + float64(k)*m.step()
	})
	return length, 1 - 1/rate
}

// step is what drafting a token costs, in the big model's steps of one row.
func (m *draftModel) step() float64 {
	if one := m.on.cost.one; one > 0 {
		return one / m.big.cost.one
	}
	return m.ratio
}

// catchUp is what computing rows of the text costs, in the big model's steps of
// one row, before the first token can be drafted.
func (m *draftModel) catchUp(rows int) float64 {
	perRow := m.on.cost.perRow / m.big.cost.one
	if perRow == 0 {
		perRow = m.ratio * rowFirst
	}
	return float64(max(rows-fewRows, 0)) * perRow
}

// forget moves what was learned towards what was first believed, for each token
// that was not drafted: so it is tried again.
func (m *draftModel) forget() {
	m.share += forgetWeight * (believedModel - m.share)
	if one := &m.on.cost.one; *one > 0 {
		*one += forgetWeight * (m.ratio*m.big.cost.one - *one)
	}
}

// verified learns from a draft: that so many of its tokens were accepted.
func (m *draftModel) verified(drafted, accepted int) {
	m.accepted.Add(int64(accepted))
	m.share = learned(m.share, drafted, accepted)
}

// follow has the draft model compute a prompt that was answered, when the device
// has nothing else to do, so that it is ready for the next one, which begins
// alike. It ends what an earlier call left to do. Safe for concurrent use.
func (m *draftModel) follow(prompt []int32) {
	m.followMu.Lock()
	defer m.followMu.Unlock()
	if m.unfollow != nil {
		m.unfollow()
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.unfollow = cancel
	m.following.Go(func() {
		defer cancel()
		worth := false
		err := m.big.executor.do(m.big, func() {
			length, _ := m.length(draftMax)
			worth = length > 0
		})
		if err == nil && worth {
			_, err = m.local.Generate(ctx, Request{IDs: prompt, Priority: WarmUp}, nil)
		}
		if err != nil && ctx.Err() == nil {
			slog.Debug("engine: the draft model does not follow", "error", err)
		}
	})
}

// close frees the model. The big one has no request left.
func (m *draftModel) close() error {
	m.followMu.Lock()
	if m.unfollow != nil {
		m.unfollow()
	}
	m.followMu.Unlock()
	m.following.Wait()
	return m.local.Close()
}

// withoutDraftModel reports, with a line in the log, whether a model is to be
// used although its draft model cannot be.
func withoutDraftModel(opt Options, err error) bool {
	if !opt.DraftOptional && !errors.Is(err, op.ErrOutOfMemory) {
		return false
	}
	slog.Warn("engine: goes on without a draft model", "error", err)
	return true
}
