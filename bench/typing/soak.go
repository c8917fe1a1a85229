package typing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/internal/editor"
	"tandem/internal/machine"
	"tandem/lsp"
)

const (
	sampleEvery = time.Minute
	restPoll    = 50 * time.Millisecond
	restCalm    = 10               // looks at a server that find nothing new: it is at rest
	restMax     = 30 * time.Second // for it to come to rest
)

// SoakOptions say how to loop.
type SoakOptions struct {
	For   time.Duration // of wall time
	Every time.Duration // between two keys, whether they are answered or not; 0: when they are
	// Sampled, if set, is told each sample as it is taken.
	Sampled func(Sample)
}

// Sample is the state of the server at one time of a soak. Its memory is the least
// since the sample before: what stays, without what Go's collector has yet to come by.
type Sample struct {
	Minutes        float64 `json:"minutes"` // since the first key
	Keys           int     `json:"keys"`
	Loops          int     `json:"loops"` // begun
	ResidentBytes  int64   `json:"resident_bytes"`
	AnonymousBytes int64   `json:"anonymous_bytes"` // without mapped files; 0 where the system does not tell
	lsp.Debug
}

// Soak is what hours of typing left behind.
type Soak struct {
	Before  Sample   `json:"before"` // at rest, the model loaded
	Samples []Sample `json:"samples"`
	After   Sample   `json:"after"` // at rest again
	// GrowthPerHour are the resident bytes that a line through the samples after
	// WarmUp gains in an hour; Anonymous the same without mapped files.
	WarmUpMinutes   float64   `json:"warm_up_minutes"`
	GrowthPerHour   float64   `json:"growth_bytes_per_hour"`
	AnonymousGrowth float64   `json:"anonymous_growth_bytes_per_hour"`
	Suggestions     int       `json:"suggestions"` // answers with text
	Failed          int       `json:"failed"`      // answers with an error, but for ended requests
	Stats           lsp.Stats `json:"stats"`
	Passes          int       `json:"passes"`   // to the end of the trace
	Document        string    `json:"document"` // what is wrong with it at the end of a pass; "" if nothing
}

// Run types a trace again and again into one server, and asks after each key.
// When the time is over, the pass that runs is typed to its end without asking.
func (t *Trace) Soak(ctx context.Context, start Start, doc Document, opt SoakOptions) (Soak, error) {
	s, err := dial(ctx, start, doc)
	if err != nil {
		return Soak{}, err
	}
	k := &soak{session: s, trace: t, opt: opt, Soak: Soak{Samples: []Sample{}}}
	err = k.run(ctx)
	if endErr := s.end(ctx); err == nil {
		err = endErr
	}
	return k.Soak, err
}

// soak is a Soak being made.
type soak struct {
	Soak
	*session
	trace *Trace
	opt   SoakOptions
	begun time.Time
	next  time.Time        // sample
	least *machine.Process // since the last sample
	key   time.Time        // where keys come by the clock
	keys  int
	loops int
	last  *editor.Call // may still be without an answer
}

func (k *soak) run(ctx context.Context) (err error) {
	k.begun = time.Now()
	if k.Before, err = k.rest(ctx); err != nil {
		return err
	}
	k.begun = time.Now()
	k.next = k.begun.Add(sampleEvery)
	k.key = k.begun
	for time.Since(k.begun) < k.opt.For {
		if err := k.pass(ctx); err != nil {
			return err
		}
	}
	if k.Stats, err = k.stats(ctx); err != nil {
		return err
	}
	if k.After, err = k.rest(ctx); err != nil {
		return err
	}
	k.fit()
	return nil
}

// pass types the trace once.
func (k *soak) pass(ctx context.Context) error {
	k.loops++
	if err := k.Open(k.uri, k.doc.Language, k.trace.Start); err != nil {
		return err
	}
	for _, step := range k.trace.Steps {
		if err := k.Change(k.uri, step.Edits...); err != nil {
			return err
		}
		k.keys++
		if time.Since(k.begun) >= k.opt.For {
			continue
		}
		if err := k.ask(ctx, step.Cursor()); err != nil {
			return err
		}
		if err := k.look(ctx); err != nil {
			return err
		}
		if time.Now().After(k.next) {
			sample, err := k.sample(ctx)
			if err != nil {
				return err
			}
			k.Samples = append(k.Samples, sample)
			k.next = k.next.Add(sampleEvery)
			if k.opt.Sampled != nil {
				k.opt.Sampled(sample)
			}
		}
	}
	k.Passes++
	if err := k.checkDocument(ctx, k.trace.End); err != nil && k.Document == "" {
		k.Document = fmt.Sprintf("pass %d: %v", k.Passes, err)
	}
	return k.CloseDocument(k.uri)
}

// ask asks for a suggestion, and waits for it or for the next key's time.
func (k *soak) ask(ctx context.Context, cursor int) error {
	if k.last != nil && k.opt.Every > 0 && !k.last.Arrived().IsZero() {
		if err := k.count(ctx); err != nil {
			return err
		}
	}
	var err error
	if k.last, err = k.Suggest(k.uri, cursor, editor.Automatic); err != nil {
		return err
	}
	if k.opt.Every == 0 {
		return k.count(ctx)
	}
	k.key = k.key.Add(k.opt.Every)
	return until(ctx, k.key)
}

// count waits for the last answer and counts it.
func (k *soak) count(ctx context.Context) error {
	item, err := k.last.Item(ctx)
	k.last = nil
	var refused *editor.Error
	switch {
	case k.opt.Every > 0 && isEnd(err): // by the edit before the next request; the server counts it as superseded
		return nil
	case errors.As(err, &refused):
		k.Failed++
		return nil
	case err == nil && item != nil:
		k.Suggestions++
	}
	return err
}

// look notes what the server takes now, if that is less than before.
func (k *soak) look(ctx context.Context) error {
	m, err := k.memory(ctx)
	if err == nil && (k.least == nil || m.Resident < k.least.Resident) {
		k.least = &m
	}
	return err
}

// sample is the server's state now.
func (k *soak) sample(ctx context.Context) (sample Sample, err error) {
	if sample.Debug, err = k.debug(ctx); err != nil {
		return sample, err
	}
	if err := k.look(ctx); err != nil {
		return sample, err
	}
	sample.ResidentBytes, sample.AnonymousBytes = k.least.Resident, k.least.Anonymous
	k.least = nil
	sample.Minutes, sample.Keys, sample.Loops = time.Since(k.begun).Minutes(), k.keys, k.loops
	return sample, err
}

// rest waits until the server has done what it does unasked, and samples it.
func (k *soak) rest(ctx context.Context) (Sample, error) {
	late := time.Now().Add(restMax)
	least := Sample{}
	for calm := 0; ; {
		sample, err := k.sample(ctx)
		if err != nil {
			return sample, err
		}
		if sample.KVPagesInUse == 0 && sample.Goroutines == least.Goroutines && sample.SyntaxTrees == least.SyntaxTrees {
			calm++
		} else {
			calm = 0
		}
		least = sample
		if calm == restCalm || time.Now().After(late) {
			return sample, nil
		}
		if err := until(ctx, time.Now().Add(restPoll)); err != nil {
			return sample, err
		}
	}
}

// fit lays a line through the samples after the warm-up: a quarter of the time but
// no more than 20 minutes, and until every KV page has been used, if that comes in
// the first half of the time.
func (k *soak) fit() {
	k.WarmUpMinutes = min(k.opt.For/4, 20*time.Minute).Minutes()
	for _, s := range k.Samples {
		if s.KVPagesFree == 0 && s.Minutes < (k.opt.For/2).Minutes() {
			k.WarmUpMinutes = max(k.WarmUpMinutes, s.Minutes)
			break
		}
	}
	var hours, resident, anonymous []float64
	for _, s := range k.Samples {
		if s.Minutes >= k.WarmUpMinutes {
			hours = append(hours, s.Minutes/60)
			resident = append(resident, float64(s.ResidentBytes))
			anonymous = append(anonymous, float64(s.AnonymousBytes))
		}
	}
	k.GrowthPerHour, k.AnonymousGrowth = slope(hours, resident), slope(hours, anonymous)
}

// slope is that of the line with the least squares, 0 for fewer than two points.
func slope(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	var above, below float64
	for i := range x {
		above += (x[i] - mx) * (y[i] - my)
		below += (x[i] - mx) * (x[i] - mx)
	}
	if below == 0 {
		return 0
	}
	return above / below
}

// until waits for a time, or for the end of ctx.
func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
