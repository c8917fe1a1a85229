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
)

// generation is one request on its way: the prompt's tokens, then token by
// token the sampled ones, their text, and the rules that end it. The executor's
// goroutine calls next; the caller's goroutine reads texts.
type generation struct {
	l       *Local
	req     Request
	ctx     context.Context
	cancel  context.CancelCauseFunc
	begin   time.Time
	prompt  []int32
	sampler *sample.Sampler
	heal    *sample.Prefix
	ends    []int32 // tokens that end the text
	stream  *tokenizer.Stream
	texts   chan string // room for all: the executor never waits for a reader
	held    string      // text that may be the beginning of a stop text
	result  Result      // the executor's until texts is closed, but for Text and TTFT
}

// errStopped is the cause of a cancel by the caller's emit.
var errStopped = errors.New("stopped by the caller")

func (l *Local) newGeneration(ctx context.Context, req Request, begin time.Time) (*generation, error) {
	if err := checkSampling(req); err != nil {
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
		return nil, fmt.Errorf("%s: its vocabulary is not a byte-level BPE: it can be given ids and asked for logits, not for text", l.info.Path)
	}
	g.result.PromptTokens = len(g.prompt)
	g.texts = make(chan string, min(req.MaxTokens, l.info.MaxTokens)+2)
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g, nil
}

// encode makes the prompt's tokens and, for healing, takes its last word off.
func (g *generation) encode() error {
	if g.req.IDs != nil {
		g.prompt = slices.Clone(g.req.IDs)
		return nil
	}
	t := g.l.tokenizer
	if t == nil {
		return fmt.Errorf("%s: its vocabulary is not a byte-level BPE: give the prompt as ids", g.l.info.Path)
	}
	if bos, ok := t.BOS(); ok {
		g.prompt = append(g.prompt, bos)
	}
	for i, piece := range g.req.Prompt {
		if piece.Special {
			id, ok := t.ID(piece.Text)
			if !ok {
				return fmt.Errorf("the vocabulary of %s has no token %q: use another prompt layout or model", g.l.info.Model, piece.Text)
			}
			g.prompt = append(g.prompt, id)
			continue
		}
		text := piece.Text
		if cut := t.LastPreToken(text); g.req.Heal && i == len(g.req.Prompt)-1 && (cut > 0 || len(g.prompt) > 0) {
			g.heal = sample.NewPrefix([]byte(text[cut:]), t)
			text = text[:cut]
		}
		g.prompt = t.Encode(g.prompt, text)
	}
	return nil
}

// resolveEnds finds the tokens that end the text. One that looks like a special
// token but is not in this vocabulary is no mistake: lists of FIM tokens serve
// several models.
func (g *generation) resolveEnds() error {
	if g.l.tokenizer == nil {
		return nil
	}
	g.ends = slices.Clone(g.l.tokenizer.EndTokens())
	for _, text := range g.req.StopTokens {
		id, ok := g.l.tokenizer.ID(text)
		switch {
		case ok:
			g.ends = append(g.ends, id)
		case !strings.HasPrefix(text, "<"):
			return fmt.Errorf("stop token %q is not in the vocabulary of %s: use Stop for texts", text, g.l.info.Model)
		}
	}
	return nil
}

// run computes the request and emits its text.
func (g *generation) run(emit func(string) bool) error {
	failed := make(chan error, 1)
	go func() {
		failed <- g.compute()
		close(g.texts)
	}()
	var text strings.Builder
	stopped := false
	for piece := range g.texts {
		if stopped {
			continue
		}
		if text.Len() == 0 {
			g.result.TTFT = time.Since(g.begin)
		}
		text.WriteString(piece)
		if !emit(piece) {
			stopped = true
			g.cancel(errStopped)
		}
	}
	err := <-failed
	g.result.Text, g.result.Total = text.String(), time.Since(g.begin)
	switch {
	case stopped:
		g.result.Stop = StopCaller
		return nil
	case err != nil && g.ctx.Err() != nil:
		g.result.Stop = StopCancelled
	}
	return err
}

// compute runs the jobs of the request; its end closes the stream.
func (g *generation) compute() error {
	if g.l.prefill != g.l.decode {
		if err := g.handOver(); err != nil {
			return err
		}
	}
	prefilled := g.result.PrefillTokens // by the other device
	err := g.l.decode.executor.run(&job{
		ctx: g.ctx, priority: g.req.Priority, on: g.l.decode, tokens: slices.Clone(g.prompt),
		silent: g.req.MaxTokens == 0,
		began: func(cached int) {
			g.result.CachedTokens = cached - min(cached, prefilled)
			g.result.PrefillTokens = len(g.prompt) - g.result.CachedTokens
		},
		logits: func(pos int, logits []float32) (int32, bool) { return g.next(logits) },
	})
	if g.req.MaxTokens == 0 && err == nil {
		g.result.Stop, g.result.Prefill = StopLimit, time.Since(g.begin)
	}
	if g.stream != nil && err == nil {
		g.push(g.stream.Flush())
		g.flushHeld()
	}
	return err
}

// next samples a token and says whether to go on. It runs between two steps.
func (g *generation) next(logits []float32) (id int32, more bool) {
	if g.result.Prefill == 0 {
		g.result.Prefill = time.Since(g.begin)
	}
	if g.ctx.Err() != nil {
		return 0, false
	}
	var allowed []int32
	if g.heal != nil {
		allowed = g.heal.Allowed()
	}
	id = g.sampler.Sample(logits, allowed)
	if id < 0 {
		g.result.Stop = StopDead
		return 0, false
	}
	g.sampler.Accept(id)
	g.result.DecodedTokens++
	if g.heal == nil || g.heal.Done() {
		if slices.Contains(g.ends, id) {
			g.result.Stop = StopToken
			return 0, false
		}
	}
	if stop := g.accept(id); stop {
		g.result.Stop = StopText
		return 0, false
	}
	if g.result.DecodedTokens >= g.req.MaxTokens {
		g.result.Stop = StopLimit
		return 0, false
	}
	if len(g.prompt)+g.result.DecodedTokens >= g.l.info.MaxTokens {
		g.result.Stop = StopContext
		return 0, false
	}
	return id, true
}

// accept turns a token into text; true if a stop text came.
func (g *generation) accept(id int32) (stop bool) {
	if g.heal != nil && !g.heal.Done() {
		rest, _ := g.heal.Accept(id) // Sample chose among the allowed ones
		return g.push(g.stream.PushBytes(rest))
	}
	return g.push(g.stream.Push(id))
}

// push sends text on, up to a stop text; what may begin one is held back.
func (g *generation) push(text string) (stop bool) {
	g.held += text
	for _, s := range g.req.Stop {
		if at := strings.Index(g.held, s); at >= 0 && s != "" {
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

// flushHeld sends what was held back when no more text can come.
func (g *generation) flushHeld() {
	if g.held != "" && g.result.Stop != StopText {
		g.texts <- g.held
	}
}
