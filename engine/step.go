package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/kernels/op"
)

const (
	rowsMax   = 512 // rows of a step
	logitsMax = 32  // rows of a step that want logits
	// background is how long a step may take that a more urgent request could
	// have to wait for.
	background = 100 * time.Millisecond
)

// step is one call of a device: rows of several jobs of one model. Prefill and
// decode are the same, with more rows or with one.
type step struct {
	on      *placed
	jobs    []*job // each with its rows, in the batch's order
	best    Priority
	prefill int // rows that may still be given to jobs with more than one
	cancel  context.CancelFunc
}

// yieldsTo reports whether s should make way for j at once. What a warm-up has
// computed in earlier steps stays cached.
func (s *step) yieldsTo(j *job) bool { return s.best == WarmUp && j.priority < WarmUp }

// pointless reports whether nobody is left who needs s: all its jobs are
// cancelled, or all those with more than one row, for one row is soon repeated.
func (s *step) pointless() bool {
	many, ones := 0, 0 // jobs that still want their rows
	prefills := false
	for _, j := range s.jobs {
		prefills = prefills || j.rows > 1
		switch {
		case j.ctx.Err() != nil:
		case j.rows > 1:
			many++
		default:
			ones++
		}
	}
	return many == 0 && (prefills || ones == 0)
}

// step forms a batch, runs it, and hands the results out. It reports whether
// there was anything that could run.
func (e *Executor) step() bool {
	s := e.form()
	if len(s.jobs) == 0 {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.cancel = cancel
	e.queueMu.Lock()
	e.running = s
	if s.pointless() || slices.ContainsFunc(e.queue, s.yieldsTo) {
		cancel()
	}
	e.queueMu.Unlock()

	begin := time.Now()
	err := s.on.exec.Run(ctx, &s.on.batch)
	took := time.Since(begin)

	e.setRunning(nil)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return true // what was computed is not committed; whoever is still wanted tries again
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", e.device.Name(), err)
		if errors.Is(err, op.ErrDeviceLost) {
			e.lost = err
		}
		for _, j := range s.jobs {
			e.finish(j, err)
		}
		return true
	}
	s.on.cost.add(len(s.on.batch.Rows), s.on.batch.LogitRows(), took)
	s.on.stats.Steps++
	s.on.stats.Rows += int64(len(s.on.batch.Rows))
	s.on.stats.Busy += took
	e.deliver(s)
	s.on.publish()
	return true
}

// form chooses the jobs of the next step and writes their rows. The most urgent
// job decides the model. The rest of a prompt is computed in chunks, and only
// beside rows of the same urgency: it would hold up more urgent ones. A job
// that decodes joins in any case, for one row more costs little.
func (e *Executor) form() *step {
	slices.SortStableFunc(e.active, func(a, b *job) int { return int(a.priority - b.priority) })
	on := e.nextModel()
	if e.ask(on) {
		on = e.nextModel()
	}
	s := &step{on: on, best: e.active[0].priority}
	on.batch = op.Batch{Rows: on.batch.Rows[:0], Tables: on.batch.Tables[:0]}
	s.prefill = rowsMax
	if s.best != Completion {
		s.prefill = on.cost.rowsIn(background)
	}
	mates := 0 // jobs that may want logits
	for _, j := range e.active {
		if j.on != on || j.asked != nil {
			continue
		}
		mates++
		if j.decodes() {
			s.prefill = min(s.prefill, rowsMax-logitsMax-len(e.active)) // leaves them room
		}
	}
	wanted := 0 // rows with logits
	for _, j := range slices.Clone(e.active) {
		if j.on != on || j.asked != nil || j.priority != s.best && !j.decodes() {
			continue
		}
		n, logits := e.rowsOf(j, s, logitsMax-wanted)
		if n > 0 && e.reserve(j, n) {
			s.draft(j, mates)
			s.add(j, n)
			wanted += logits + len(j.drafted)
		}
	}
	if n := s.enough(); n > 0 {
		on.batch.Best, on.batch.BestN = on.best[:wanted*n], n
	} else {
		on.batch.Logits = on.logits[:wanted*on.program.Vocab]
	}
	return s
}

// enough is how many of a row's best logits do for all jobs that want any, 0 if one
// of them needs all.
func (s *step) enough() int {
	n := 0
	for _, j := range s.jobs {
		if s.answers(j) == 0 {
			continue
		}
		own := 0
		if j.enough != nil {
			own = j.enough(s.answers(j) - 1)
		}
		if own == 0 || own > s.on.bestMax {
			return 0
		}
		n = max(n, own)
	}
	return n
}

// answers is how many rows of j want logits.
func (s *step) answers(j *job) int {
	end := j.seq.Len() + j.rows
	return end - min(max(j.from, j.seq.Len()), end) + len(j.drafted)
}

// nextModel is the one of the most urgent jobs' models that has waited longest.
func (e *Executor) nextModel() *placed {
	var on *placed
	for _, j := range e.active {
		if j.asked == nil && j.priority == e.active[0].priority && (on == nil || j.on.turn < on.turn) {
			on = j.on
		}
	}
	e.turn++
	on.turn, e.current = e.turn, on
	return on
}

// ask lets the only job of on, if it decodes, ask for another to be done before
// its step, and reports whether it has. Where several share the steps nobody
// asks: they would wait for each other, and the rows of one are what drafts are
// for another, arithmetic that costs little.
func (e *Executor) ask(on *placed) bool {
	i := slices.IndexFunc(e.active, func(j *job) bool { return j.on == on })
	j := e.active[i]
	if j.ask == nil || j.asked != nil || !j.decodes() ||
		slices.ContainsFunc(e.active[i+1:], func(other *job) bool { return other.on == on }) {
		return false
	}
	asked := j.ask(logitsMax-1, func(k int) float64 { return on.cost.verify(1 + k) })
	if asked == nil {
		return false
	}
	j.asked = asked
	ended := asked.ended
	asked.ended = func(err error) { j.asked = nil; ended(err) }
	asked.done = make(chan struct{})
	asked.unhook = context.AfterFunc(asked.ctx, func() { e.cancelled(asked) })
	e.active = slices.Insert(e.active, i+1, asked)
	return true
}

// decodes reports whether j has a single token left to compute.
func (j *job) decodes() bool { return j.seq != nil && len(j.tokens)-j.seq.Len() == 1 }

// rowsOf is how many rows of j fit into s and how many of them want logits, of
// which there may be logitsLeft more. It looks the job's tokens up in the cache
// if that is still to be done.
func (e *Executor) rowsOf(j *job, s *step, logitsLeft int) (rows, logits int) {
	if j.seq == nil {
		// The logits of cached tokens are gone: those that are wanted must be
		// computed, and at least one token.
		j.seq = j.on.cache.Acquire(j.tokens[:min(j.from+1, len(j.tokens))])
		j.reached = max(j.reached, j.seq.Len())
		if !j.hasBegun && j.began != nil {
			j.began(j.seq.Len())
		}
		j.hasBegun = true
	}
	at := j.seq.Len()
	rows = min(len(j.tokens)-at, rowsMax-len(s.on.batch.Rows))
	if !j.decodes() {
		rows = min(rows, s.prefill)
	}
	rows = min(rows, max(j.from-at, 0)+logitsLeft)
	return rows, max(at+rows-max(j.from, at), 0)
}

// reserve finds pages for n more tokens of j. Where all are in use, less urgent
// and later jobs lose theirs, and start over where the cache still has their
// beginning; if there are none, j waits for the others to end.
func (e *Executor) reserve(j *job, n int) bool {
	for j.seq.Reserve(n) != nil {
		i := len(e.active) - 1
		for e.active[i] != j && (e.active[i].on != j.on || e.active[i].seq == nil) {
			i--
		}
		e.active[i].suspend()
		if e.active[i] == j {
			return false
		}
	}
	return true
}

// draft asks j for tokens to verify, in a step with so many mates: each gets the
// same part of the rows with logits, so that nobody waits for another's draft.
// Nor does anybody lose pages for it.
func (s *step) draft(j *job, mates int) {
	j.drafted = nil
	n := min(logitsMax/mates-1, rowsMax-len(s.on.batch.Rows)-1)
	if j.draft == nil || !j.decodes() || n <= 0 {
		return
	}
	drafted := j.draft(n, func(k int) float64 { return s.on.cost.verify(mates * (1 + k)) })
	if len(drafted) > 0 && j.seq.Reserve(1+len(drafted)) == nil {
		j.drafted = drafted
	}
}

// add appends the next n tokens of j to the batch, and what it has drafted.
func (s *step) add(j *job, n int) {
	b := &s.on.batch
	at := j.seq.Len()
	for i := at; i < at+n; i++ {
		b.Rows = append(b.Rows, op.Row{Token: j.tokens[i], Pos: int32(i), Seq: int32(len(b.Tables)), Logits: i >= j.from})
	}
	for i, token := range j.drafted {
		b.Rows = append(b.Rows, op.Row{Token: token, Pos: int32(at + n + i), Seq: int32(len(b.Tables)), Logits: true})
	}
	b.Tables = append(b.Tables, j.seq.Table())
	s.jobs = append(s.jobs, j)
	if j.rows = n; n > 1 {
		s.prefill -= n
	}
}

// deliver hands out the logits and lets each job go on or end.
func (e *Executor) deliver(s *step) {
	row := 0 // of those that want logits
	for _, j := range s.jobs {
		n := s.answers(j)
		j.take(row)
		row += n
		if j.seq.Len() == len(j.tokens) {
			e.finish(j, nil)
		}
	}
}

// take commits what was computed, and of what was drafted as many tokens as the
// logits are answered with: those before a token make its logits, so that they
// are what they would be one by one. The others' rows are written over. row is the
// first of those with logits.
func (j *job) take(row int) {
	at := j.seq.Len()
	end := at + j.rows
	j.seq.Commit(j.tokens[at:end])
	for pos := max(at, j.from); pos < j.seq.Len(); pos++ {
		next, goOn := j.answer(pos, row)
		row++
		j.from = pos + 1
		if pos < len(j.tokens)-1 {
			continue
		}
		if !goOn {
			break
		}
		j.tokens = append(j.tokens, next)
		if i := pos + 1 - end; i < len(j.drafted) && j.drafted[i] == next {
			j.seq.Commit(j.tokens[pos+1:])
		}
	}
	j.reached = max(j.reached, j.seq.Len())
	if len(j.drafted) > 0 {
		j.verified(len(j.drafted), j.seq.Len()-end)
	}
}

// answer asks j about a row of the step with logits.
func (j *job) answer(pos, row int) (next int32, more bool) {
	b, vocab := &j.on.batch, j.on.program.Vocab
	if b.BestN > 0 {
		return j.best(pos, b.Best[row*b.BestN:(row+1)*b.BestN])
	}
	return j.logits(pos, b.Logits[row*vocab:(row+1)*vocab])
}
