package typing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/bench/fim"
	"tandem/internal/editor"
	"tandem/lsp"
)

// Options say how to replay moments.
type Options struct {
	Keys int // of each moment; each is a step of the trace
	// NoPauses types the next key as soon as the last is answered, not before the
	// trace's own time for it.
	NoPauses bool
	Peer     *fim.Infill // asked the same, in turns; nil: nobody
	// Done, if set, is told each moment as it is over.
	Done func(n int, m MomentResult)
}

// Kind says who answered a key, and when.
type Kind string

// The kinds.
const (
	Cold   Kind = "cold"   // the engine, the first thing it was asked
	Warm   Kind = "warm"   // the engine, later on
	Reused Kind = "reused" // a suggestion that an earlier answer paid for
	Unread Kind = "none"   // nothing, and the engine was not asked
)

// Key is a keystroke and its answer.
type Key struct {
	Typed  string  `json:"typed"` // "" where it took something away
	Kind   Kind    `json:"kind"`
	Millis float64 `json:"ms"` // from the didChange to the answer's last byte
	Text   string  `json:"text"`
	Next   string  `json:"next"`  // what the trace goes on to type here
	Right  int     `json:"right"` // code points of Text that are the beginning of Next
	// Stale answers belong to another state of the document.
	Stale bool     `json:"stale,omitempty"`
	Why   []string `json:"why"` // the stages of tandem/explain
	Peer  *PeerKey `json:"peer,omitempty"`
}

// PeerKey is the peer's answer to the same keystroke.
type PeerKey struct {
	fim.InfillAnswer
	Millis float64 `json:"ms"` // of the HTTP request
	Right  int     `json:"right"`
}

// MomentResult is a moment that was replayed.
type MomentResult struct {
	Txn   int       `json:"txn"`
	Keys  []Key     `json:"keys"`
	Stats lsp.Stats `json:"stats"` // of its process, at its end
}

// Replay replays moments, each in a server process that has seen nothing before:
// its document is opened as the trace has it there, then keys are typed as the
// trace goes on, and each waits for its answer. After the last moment the rest of
// the trace is typed without asking, and the document compared with its end.
func (t *Trace) Replay(ctx context.Context, start Start, doc Document, moments []Moment, opt Options) (Report, error) {
	steps := make([]int, len(moments))
	for i, m := range moments {
		steps[i] = m.Step
	}
	r := Report{Keys: opt.Keys, NoPauses: opt.NoPauses}
	for i, text := range t.before(steps) {
		m := &moment{trace: t, step: moments[i].Step, text: text, opt: opt, start: start, doc: doc, last: i == len(moments)-1}
		turns := []func(context.Context) error{m.ask, m.askPeer}
		if i%2 == 1 {
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, turn := range turns {
			if err := turn(ctx); err != nil {
				return r, fmt.Errorf("txn %d: %w", t.Steps[m.step].Txn, err)
			}
		}
		r.Moments = append(r.Moments, m.result())
		if opt.Done != nil {
			opt.Done(i+1, r.Moments[i])
		}
	}
	r.summarise()
	return r, nil
}

// moment is a moment being replayed.
type moment struct {
	trace *Trace
	step  int
	text  string // of the document before the step
	opt   Options
	start Start
	doc   Document
	last  bool // of all: the trace is typed to its end

	keys  []Key
	peer  []*PeerKey
	stats lsp.Stats
}

// result is both sides' answers, key by key.
func (m *moment) result() MomentResult {
	for i := range m.peer {
		m.keys[i].Peer = m.peer[i]
	}
	return MomentResult{Txn: m.trace.Steps[m.step].Txn, Keys: m.keys, Stats: m.stats}
}

// steps are those that are typed.
func (m *moment) steps() []Step {
	return m.trace.Steps[m.step:min(m.step+m.opt.Keys, len(m.trace.Steps))]
}

// next is what the trace goes on to type behind the k-th key.
func (m *moment) next(k int) string {
	return m.trace.typed(m.step+k+1, m.trace.Steps[m.step+k].Cursor())
}

// pace waits until the trace types its k-th key of the moment, counted from when
// the one before was typed.
func (m *moment) pace(ctx context.Context, k int, before time.Time) error {
	if k == 0 || m.opt.NoPauses {
		return ctx.Err()
	}
	return until(ctx, before.Add(m.steps()[k].At-m.steps()[k-1].At))
}

// ask asks the server.
func (m *moment) ask(ctx context.Context) error {
	s, err := dial(ctx, m.start, m.doc)
	if err != nil {
		return err
	}
	return errors.Join(m.play(ctx, s), s.end(ctx))
}

func (m *moment) play(ctx context.Context, s *session) error {
	if err := s.Open(s.uri, s.doc.Language, m.text); err != nil {
		return err
	}
	asked := int64(0) // requests that reached the engine
	var begun time.Time
	for k, step := range m.steps() {
		if err := m.pace(ctx, k, begun); err != nil {
			return err
		}
		begun = time.Now()
		key, err := s.key(ctx, step, begun)
		if err != nil {
			return err
		}
		if m.stats, err = s.stats(ctx); err != nil {
			return err
		}
		if key.Why, err = s.explain(ctx, step.Cursor()); err != nil {
			return err
		}
		now := m.stats.Requests - m.stats.ServedWithoutEngine
		switch {
		case now > asked && asked == 0:
			key.Kind = Cold
		case now > asked:
			key.Kind = Warm
		case key.Text != "":
			key.Kind = Reused
		default:
			key.Kind = Unread
		}
		asked = now
		key.Next = m.next(k)
		key.Right = right(key.Text, key.Next)
		m.keys = append(m.keys, key)
	}
	return m.finish(ctx, s)
}

// finish compares the document, and plays the trace to its end if it is the last
// moment.
func (m *moment) finish(ctx context.Context, s *session) error {
	want := s.Text(s.uri)
	if m.last {
		for _, step := range m.trace.Steps[min(m.step+m.opt.Keys, len(m.trace.Steps)):] {
			if err := s.Change(s.uri, step.Edits...); err != nil {
				return err
			}
		}
		want = m.trace.End
	}
	if err := s.checkDocument(ctx, want); err != nil {
		return err
	}
	if err := s.CloseDocument(s.uri); err != nil {
		return err
	}
	var err error
	m.stats, err = s.settled(ctx)
	return err
}

// settled is what the server counted, once it has stopped what nobody waits for.
func (s *session) settled(ctx context.Context) (lsp.Stats, error) {
	before := int64(-1)
	for late := time.Now().Add(restMax); ; {
		st, err := s.stats(ctx)
		if err != nil || st.EngineBusyMillis == before || time.Now().After(late) {
			return st, err
		}
		before = st.EngineBusyMillis
		if err := until(ctx, time.Now().Add(restPoll)); err != nil {
			return st, err
		}
	}
}

// key types a step and waits for its answer. begun is when.
func (s *session) key(ctx context.Context, step Step, begun time.Time) (Key, error) {
	key := Key{Typed: step.Edits[len(step.Edits)-1].Text}
	if err := s.Change(s.uri, step.Edits...); err != nil {
		return key, err
	}
	call, err := s.Suggest(s.uri, step.Cursor(), editor.Automatic)
	if err != nil {
		return key, err
	}
	item, err := call.Item(ctx)
	if err != nil {
		return key, err
	}
	key.Millis = millis(call.Arrived().Sub(begun))
	if item != nil {
		key.Text = item.InsertText
		key.Stale = item.Range.Start != s.Position(s.Text(s.uri), step.Cursor())
	}
	return key, nil
}

// explain is what tandem/explain tells of the request at offset, a text for each
// stage.
func (s *session) explain(ctx context.Context, offset int) ([]string, error) {
	var e lsp.Explanation
	if err := s.Call(ctx, lsp.MethodExplain, s.Place(s.uri, offset), &e); err != nil {
		return nil, err
	}
	why := []string{e.Outcome + ": " + e.Reason}
	for _, stage := range e.Stages {
		why = append(why, fmt.Sprintf("%s %.1f ms %s", stage.Name, stage.MS, stage.Note))
	}
	return why, nil
}

// askPeer asks the peer, if there is one, at the same pace.
func (m *moment) askPeer(ctx context.Context) error {
	if m.opt.Peer == nil {
		return nil
	}
	doc := player{text: []byte(m.text)}
	var begun time.Time
	for k, step := range m.steps() {
		if err := m.pace(ctx, k, begun); err != nil {
			return err
		}
		begun = time.Now()
		for _, e := range step.Edits {
			doc.splice(e)
		}
		answer, err := m.opt.Peer.Ask(ctx, string(doc.text), step.Cursor())
		if err != nil {
			return err
		}
		m.peer = append(m.peer, &PeerKey{
			InfillAnswer: answer, Millis: millis(answer.Took), Right: right(answer.Text, m.next(k)),
		})
	}
	return nil
}
