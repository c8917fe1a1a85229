package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/engine/sample"
	"tandem/engine/tokenizer"
	"tandem/kernels/op"
)

// generation is one request on its way: the prompt's tokens, then token by
// token the sampled ones, their text, and the rules that end it. The executor's
// goroutine calls next; the caller's goroutine reads texts.
type generation struct {
	l         *Local
	req       Request
	ctx       context.Context // ends with the caller's, or when emit says so
	cancel    context.CancelFunc
	begin     time.Time
	prompt    []int32
	elsewhere int // tokens of the prompt that the prefill device computed
	sampler   *sample.Sampler
	drafter   drafter
	heal      *sample.Prefix    // nil without healing
	ends      []int32           // tokens that end the text
	stream    *tokenizer.Stream // nil without a tokenizer
	held      string            // text that may be the beginning of a stop text

	texts chan string // room for all: the executor never waits for a reader
	// Once texts is closed. Before, result belongs to compute and what that
	// calls, but for Text, TTFT and Total, which are the caller's.
	result Result
	err    error
}

func (l *Local) newGeneration(ctx context.Context, req Request, begin time.Time) (*generation, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	g := &generation{l: l, req: req, begin: begin, sampler: sample.New(req.Sampling, l.masked)}
	if err := g.encode(); err != nil {
		return nil, err
	}
	if err := l.checkIDs(g.prompt); err != nil {
		return nil, err
	}
	if err := g.resolveEnds(); err != nil {
		return nil, err
	}
	if l.tokenizer != nil {
		g.stream = l.tokenizer.Stream()
	} else if req.MaxTokens > 0 {
		return nil, fmt.Errorf("no text from %s: %w", l.info.Path, l.noTokenizer)
	}
	g.result.PromptTokens = len(g.prompt)
	g.texts = make(chan string, min(req.MaxTokens, l.info.MaxTokens)+1)
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g, nil
}

// encode makes the prompt's tokens and, for healing, takes its last word off.
func (g *generation) encode() error {
	t := g.l.tokenizer
	switch {
	case g.req.IDs != nil:
		g.prompt = slices.Clone(g.req.IDs)
		return nil
	case t == nil:
		return fmt.Errorf("a prompt of text for %s: %w: give its ids", g.l.info.Path, g.l.noTokenizer)
	}
	pieces := joined(g.req.Prompt)
	if bos, ok := t.BOS(); ok && !(len(pieces) > 0 && pieces[0].Special && pieces[0].Text == t.Piece(bos)) {
		g.prompt = append(g.prompt, bos)
	}
	for i, piece := range pieces {
		if piece.Special {
			id, ok := t.ID(piece.Text)
			if !ok {
				return fmt.Errorf("the vocabulary of %s has no token %q: use another prompt layout or model", g.l.info.Model, piece.Text)
			}
			g.prompt = append(g.prompt, id)
			continue
		}
		text := piece.Text
		// Something must be left to continue from.
		if cut := t.LastPreToken(text); g.req.Heal && i == len(pieces)-1 && cut+len(g.prompt) > 0 {
			g.heal = sample.NewPrefix([]byte(text[cut:]), t)
			text = text[:cut]
		}
		g.prompt = t.Encode(g.prompt, text)
	}
	return nil
}

// joined makes one piece of ordinary ones that follow each other: they are one
// text, and its tokens do not depend on how it was put together.
func joined(pieces []Piece) []Piece {
	var out []Piece
	for _, p := range pieces {
		if n := len(out); n > 0 && !p.Special && !out[n-1].Special {
			out[n-1].Text += p.Text
		} else {
			out = append(out, p)
		}
	}
	return out
}

// resolveEnds finds the tokens that end the text. One in <|...|> that is not in
// this vocabulary is no mistake: lists of such tokens serve several models.
func (g *generation) resolveEnds() error {
	t := g.l.tokenizer
	if t == nil {
		return nil
	}
	g.ends = slices.Clone(t.EndTokens())
	for _, text := range g.req.StopTokens {
		id, ok := t.ID(text)
		switch {
		case ok:
			g.ends = append(g.ends, id)
		case !strings.HasPrefix(text, "<|") || !strings.HasSuffix(text, "|>"):
			return fmt.Errorf("stop token %q is not in the vocabulary of %s: use stop for texts", text, g.l.info.Model)
		}
	}
	return nil
}

// run computes the request and emits its text. It returns when nothing of the
// request is left in the executors, even if emit panics.
func (g *generation) run(ctx context.Context, emit func(string) bool) error {
	go func() {
		defer close(g.texts)
		g.err = g.compute()
	}()
	defer func() {
		g.cancel()
		for range g.texts {
		}
	}()
	var text strings.Builder
	var stopped, dropped bool // by emit; text was not emitted
	for piece := range g.texts {
		if stopped || ctx.Err() != nil {
			dropped = true
			continue
		}
		if text.Len() == 0 {
			g.result.TTFT = time.Since(g.begin)
		}
		text.WriteString(piece)
		if emit != nil && !emit(piece) {
			stopped = true
			g.cancel()
		}
	}
	g.result.Text, g.result.Total = text.String(), time.Since(g.begin)
	switch err := ctx.Err(); {
	case stopped:
		g.result.Stop = StopCaller
		return nil
	case err != nil && (dropped || errors.Is(g.err, err)):
		g.result.Stop = StopCancelled
		return err
	}
	return g.err
}

// compute runs the jobs of the request.
func (g *generation) compute() error {
	if p := g.l.planNow(); p.prefill != p.decode {
		if err := g.handOver(p); err != nil {
			return err
		}
	}
	j := &job{ctx: g.ctx, priority: g.req.Priority, tokens: slices.Clone(g.prompt), from: len(g.prompt)}
	if g.req.MaxTokens > 0 {
		j.from-- // the logits of the prompt's last token are the first to sample from
	}
	var failed error
	j.logits = func(_ int, logits []float32) (next int32, more bool) {
		next, more, failed = g.next(func(allowed []int32) int32 { return g.sampler.Sample(logits, allowed) })
		return next, more
	}
	j.best = func(_ int, best []op.Scored) (next int32, more bool) {
		next, more, failed = g.next(func([]int32) int32 { return g.sampler.SampleBest(best) })
		return next, more
	}
	j.enough = func(more int) int {
		if g.healing() {
			return 0 // what is allowed may be far from the best
		}
		return g.sampler.Enough(more)
	}
	if !g.l.opt.NoDraft {
		j.draft = func(n int, cost func(k int) float64) []int32 {
			return g.drafter.draft(j.tokens, min(n, g.draftable()), cost)
		}
		j.verified = func(drafted, accepted int) {
			g.result.Drafted += drafted
			g.result.Accepted += accepted
			g.drafter.verified(drafted, accepted)
		}
	}
	if g.l.drafts != nil {
		g.drafter.model = g.l.drafts
		j.ask = func(n int, cost func(k int) float64) *job {
			if j.on != g.l.drafts.big || g.healing() {
				return nil // it is on a lost device, or does not know the bytes that must come
			}
			return g.drafter.ask(j, min(n, g.draftable()), g.result.DecodedTokens, cost)
		}
	}
	j.began = func(cached int) {
		g.result.CachedTokens = max(min(cached, len(g.prompt)-1)-g.elsewhere, 0)
	}
	err := g.l.run(j)
	g.result.PrefillTokens = max(g.result.PrefillTokens, min(j.reached, len(g.prompt))-g.result.CachedTokens)
	if err == nil {
		err = failed
	}
	if err == nil && g.req.MaxTokens == 0 {
		g.result.Stop, g.result.Prefill = StopLimit, time.Since(g.begin)
	}
	if err == nil && g.held != "" {
		g.texts <- g.held // it was no stop text; half a character at the end is dropped
	}
	return err
}

// healing reports whether bytes of the prompt's last word are still to come.
func (g *generation) healing() bool { return g.heal != nil && !g.heal.Done() }

// next takes the token that choose gives, which is told what is allowed where not
// all are, and says whether to go on. It runs between two steps.
func (g *generation) next(choose func(allowed []int32) int32) (id int32, more bool, err error) {
	if g.result.Prefill == 0 {
		g.result.Prefill = time.Since(g.begin)
	}
	if g.full() {
		return 0, false, nil
	}
	var allowed []int32
	if g.heal != nil {
		allowed = g.heal.Allowed()
	}
	id = choose(allowed)
	if id < 0 && allowed == nil {
		return 0, false, fmt.Errorf("no token has a finite logit: %s is damaged; fetch it again", g.l.info.Path)
	}
	if id < 0 {
		g.result.Stop = StopDead
		return 0, false, nil
	}
	// The step may have been for others as well, and so not have stopped.
	if err := g.ctx.Err(); err != nil {
		return 0, false, err
	}
	g.sampler.Accept(id)
	g.result.DecodedTokens++
	switch {
	case allowed == nil && slices.Contains(g.ends, id):
		g.result.Stop = StopToken
	case g.push(g.textOf(id)):
		g.result.Stop = StopText
	case g.result.DecodedTokens >= g.req.MaxTokens:
		g.result.Stop = StopLimit
	default:
		return id, !g.full(), nil
	}
	return 0, false, nil
}

// full reports, and notes, that the context has no room for another token.
func (g *generation) full() bool {
	if len(g.prompt)+g.result.DecodedTokens < g.l.info.MaxTokens {
		return false
	}
	g.result.Stop = StopContext
	return true
}

// draftable is how many tokens could be sampled behind the next one: only those
// are worth a draft. The first token is not kept waiting for others.
func (g *generation) draftable() int {
	done := g.result.DecodedTokens
	if done == 0 {
		return 0
	}
	return max(min(g.req.MaxTokens, g.l.info.MaxTokens-len(g.prompt))-done-1, 0)
}

// textOf is the text that is certain once id has come: whole characters only.
func (g *generation) textOf(id int32) string {
	if !g.healing() {
		return g.stream.Push(id)
	}
	rest, _ := g.heal.Accept(id) // it was chosen among the allowed ones
	return g.stream.PushBytes(rest)
}

// push sends text on, up to a stop text; what may begin one is held back.
func (g *generation) push(text string) (stop bool) {
	g.held += text
	for _, s := range g.req.Stop {
		if at := strings.Index(g.held, s); at >= 0 {
			g.held, stop = g.held[:at], true
		}
	}
	keep := 0
	for _, s := range g.req.Stop {
		for n := min(len(s)-1, len(g.held)); n > keep && !stop; n-- {
			if strings.HasSuffix(g.held, s[:n]) {
				keep = n
			}
		}
	}
	if ready := g.held[:len(g.held)-keep]; ready != "" {
		g.texts <- ready
		g.held = g.held[len(ready):]
	}
	return stop
}
