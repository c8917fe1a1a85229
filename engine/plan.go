package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tandem/kernels/op"
)

// plan says what computes what. It changes only when a device is lost: what that
// one did the other one does, or if there is none the fallback, which loads the
// model then. A lost device is not tried again by this engine, for one that hung
// once is likely to hang again: it is opened anew with the next load of the model.
type plan struct {
	prefill *placed // == decode unless they are different devices
	decode  *placed
	lost    string // what was lost and what to do about it, "" while all is well
}

// leaving is the way of an engine from a lost device to the next one.
type leaving struct {
	begun bool          // guarded by Local.planMu
	ended chan struct{} // closed when the plan has changed, or err says why not
	err   error
}

// planNow is the plan in force.
func (l *Local) planNow() plan {
	l.planMu.Lock()
	defer l.planMu.Unlock()
	return l.plan
}

// run runs j where the plan decodes. If that device is lost, j goes on on the
// next one with the tokens that it has by then, whose keys and values are
// computed again.
func (l *Local) run(j *job) error {
	for { // each turn leaves a device, of which there are three at most
		j.on = l.planNow().decode
		err := j.on.executor.run(j)
		if !errors.Is(err, op.ErrDeviceLost) {
			return err
		}
		if err := l.leave(j.ctx, j.on, err); err != nil {
			return err
		}
		j.hasBegun, j.reached = false, 0
	}
}

// leave waits until the plan is without a lost device. The first who finds it lost
// sets out; the load that this may take does not end with that one's ctx.
func (l *Local) leave(ctx context.Context, lost *placed, cause error) error {
	w := &lost.leave
	l.planMu.Lock()
	if !w.begun {
		w.begun, w.ended = true, make(chan struct{})
		l.requests.Add(1) // beside the caller's own: Close waits for it
		go func() {
			defer l.requests.Done()
			w.err = l.replace(lost, cause)
			close(w.ended)
		}()
	}
	l.planMu.Unlock()
	select {
	case <-w.ended:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lostRemedy is what a user can do about a lost device.
const lostRemedy = "restart tandem to use it again; if it happens again, update its driver or use --device cpu"

// replace puts the next device in the place of a lost one, whose memory it frees
// first: its executor does not touch that any more.
func (l *Local) replace(lost *placed, cause error) error {
	l.replaceMu.Lock()
	defer l.replaceMu.Unlock()
	name := lost.executor.device.Name()
	if err := lost.close(); err != nil {
		slog.Warn("engine: freeing a lost device", "device", name, "error", err)
	}
	l.planMu.Lock()
	next := l.prefill
	if next == lost {
		next = l.decode
	}
	alone := next == lost || next.leave.begun
	l.planMu.Unlock()
	if alone {
		if l.opt.Fallback == nil || l.opt.Fallback == lost.executor {
			return fmt.Errorf("%w: no other device is planned: %s", cause, lostRemedy)
		}
		var err error
		if next, err = l.place(context.Background(), l.opt.Fallback, l.opt, nil); err != nil {
			return fmt.Errorf("%w; %w: %s", cause, err, lostRemedy)
		}
	}
	to := next.executor.device.Name()
	l.planMu.Lock()
	if l.prefill == lost {
		l.prefill = next
	}
	if l.decode == lost {
		l.decode = next
	}
	l.lost = fmt.Sprintf("%s was lost, %s does its work: %s", name, to, lostRemedy)
	l.planMu.Unlock()
	slog.Error("engine: a device was lost", "device", name, "goes_on_on", to, "error", cause, "remedy", lostRemedy)
	return nil
}

// close frees a model's place on a device.
func (p *placed) close() error {
	err := p.exec.Close()
	p.cold.Close()
	return err
}
