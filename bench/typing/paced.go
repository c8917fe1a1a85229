package typing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/internal/editor"
	"tandem/lsp"
)

// cancelled and modified are the codes with which a server ends a request that
// nobody waits for any more.
const (
	cancelled = -32800
	modified  = -32801
)

// Paced is what came of keys that did not wait for answers.
type Paced struct {
	Keys     int       `json:"keys"`
	Shown    Latency   `json:"shown"`    // answers that came before the next key
	Overrun  int       `json:"overrun"`  // requests that the next key overtook
	Ended    int       `json:"ended"`    // of those, answered with an error or null
	Crossing int       `json:"crossing"` // of those, answered with a text that was sent when the key was on its way
	Stale    int       `json:"stale"`    // of those, answered with a text when the server had the key
	Stats    lsp.Stats `json:"stats"`
}

// Pace types moments with the times that the trace has, whether answers come or
// not, all into one server. Every second moment's requests are cancelled when
// they are overtaken, as some editors do; the others' are left to be superseded.
func (t *Trace) Pace(ctx context.Context, start Start, doc Document, moments []Moment, opt Options) (Paced, error) {
	steps := make([]int, len(moments))
	for i, m := range moments {
		steps[i] = m.Step
	}
	s, err := dial(ctx, start, doc)
	if err != nil {
		return Paced{}, err
	}
	p := &paced{session: s}
	opt.NoPauses = false
	err = func() error {
		for i, text := range t.before(steps) {
			m := &moment{trace: t, step: steps[i], text: text, opt: opt}
			if err := p.play(ctx, m, i%2 == 1); err != nil {
				return fmt.Errorf("txn %d: %w", t.Steps[m.step].Txn, err)
			}
		}
		var err error
		p.Stats, err = s.settled(ctx)
		return err
	}()
	if err := errors.Join(err, s.end(ctx)); err != nil {
		return p.Paced, err
	}
	p.Shown = latency(p.shown)
	return p.Paced, nil
}

// paced is a Paced being made.
type paced struct {
	Paced
	*session
	shown []float64
}

// overrun is a request that a key overtook.
type overrun struct {
	call *editor.Call
	// marker was asked behind the key: an answer that comes behind its answer was
	// sent by a server that had the key.
	marker *editor.Call
}

// play types a moment.
func (p *paced) play(ctx context.Context, m *moment, cancels bool) error {
	if err := p.Open(p.uri, p.doc.Language, m.text); err != nil {
		return err
	}
	var last *editor.Call
	var begun time.Time
	var late []overrun
	for k, step := range m.steps() {
		if err := m.pace(ctx, k, begun); err != nil {
			return err
		}
		overtaken := last != nil && last.Arrived().IsZero()
		if last != nil && !overtaken {
			if err := p.show(ctx, last, begun); err != nil {
				return err
			}
		}
		if overtaken && cancels {
			if err := last.Cancel(); err != nil {
				return err
			}
		}
		begun = time.Now()
		if err := p.Change(p.uri, step.Edits...); err != nil {
			return err
		}
		call, err := p.Suggest(p.uri, step.Cursor(), editor.Automatic)
		if err != nil {
			return err
		}
		if overtaken {
			marker, err := p.Begin(lsp.MethodStats, nil)
			if err != nil {
				return err
			}
			late = append(late, overrun{last, marker})
		}
		p.Keys++
		last = call
	}
	if err := p.show(ctx, last, begun); err != nil {
		return err
	}
	for _, o := range late {
		if err := p.judge(ctx, o); err != nil {
			return err
		}
	}
	if err := p.checkDocument(ctx, p.Text(p.uri)); err != nil {
		return err
	}
	return p.CloseDocument(p.uri)
}

// show counts an answer that came in time.
func (p *paced) show(ctx context.Context, call *editor.Call, begun time.Time) error {
	if err := call.Wait(ctx, nil); err != nil {
		return err
	}
	p.shown = append(p.shown, millis(call.Arrived().Sub(begun)))
	return nil
}

// judge counts a request that was overtaken.
func (p *paced) judge(ctx context.Context, o overrun) error {
	p.Overrun++
	item, err := o.call.Item(ctx)
	if err != nil && !isEnd(err) {
		return err
	}
	if err := o.marker.Wait(ctx, nil); err != nil {
		return err
	}
	switch {
	case item == nil:
		p.Ended++
	case o.call.Arrived().After(o.marker.Arrived()):
		p.Stale++
	default:
		p.Crossing++
	}
	return nil
}

// isEnd reports whether err is how a server ends what nobody waits for.
func isEnd(err error) bool {
	var refused *editor.Error
	return errors.As(err, &refused) && (refused.Code == cancelled || refused.Code == modified)
}
