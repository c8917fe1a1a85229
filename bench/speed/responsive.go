package speed

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	cancelTokens = 2048 // of the prompt whose prefill is cancelled
	// cancelSpan bounds how far into a step a cancel comes, so that a slow
	// machine is measured in bounded time. Every step of a chunk polls alike.
	cancelSpan   = time.Second
	wakeups      = 1000 // sampled, in at most wakeupSpan
	wakeupSleep  = time.Millisecond
	wakeupSpan   = 3 * time.Second
	attemptsEach = 20 // a step may end before its cancel comes
)

// responsiveness measures, while 2,048 tokens are being prefilled, how soon the
// step returns when it is cancelled at a random moment, and how late a sleeping
// goroutine wakes up.
func (run *runner) responsiveness(ctx context.Context, cancels int) (cancel, wakeup *Percentiles, err error) {
	start := time.Now()
	if err := run.prompt(ctx, cancelTokens-chunkRows, chunkRows); err != nil {
		return nil, nil, err
	}
	span := min(time.Since(start), cancelSpan)

	var millis []float64
	for attempt := 0; len(millis) < cancels; attempt++ {
		if attempt == cancels*attemptsEach {
			return nil, nil, fmt.Errorf("bench: %d of %d cancels came too late: the device does not stop a step", cancels-len(millis), cancels)
		}
		latency, cancelled, err := run.cancelOnce(ctx, time.Duration(run.random.Int64N(int64(span))))
		if err != nil {
			return nil, nil, err
		}
		if cancelled {
			millis = append(millis, latency)
		}
	}
	late, err := run.wakeupLatency(ctx)
	if err != nil {
		return nil, nil, err
	}
	return percentiles(millis), percentiles(late), nil
}

// cancelOnce prefills a random chunk of the prompt and cancels it after delay.
func (run *runner) cancelOnce(ctx context.Context, delay time.Duration) (millis float64, cancelled bool, err error) {
	stepCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	sent := make(chan time.Time, 1)
	timer := time.AfterFunc(delay, func() {
		sent <- time.Now()
		cancel()
	})
	chunk := run.random.IntN(cancelTokens / chunkRows)
	err = run.step(stepCtx, chunk*chunkRows, chunkRows, false)
	returned := time.Now()
	if timer.Stop() { // the step was faster
		return 0, false, err
	}
	at := <-sent
	switch {
	case ctx.Err() != nil:
		return 0, false, ctx.Err()
	case errors.Is(err, context.Canceled):
		return returned.Sub(at).Seconds() * 1000, true, nil
	default:
		return 0, false, err
	}
}

// wakeupLatency sleeps again and again while another goroutine prefills, and
// returns how much longer each sleep took, in milliseconds.
func (run *runner) wakeupLatency(ctx context.Context) ([]float64, error) {
	busy, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			err = run.prompt(busy, 0, cancelTokens)
		}
		ended <- err
	}()
	late := make([]float64, 0, wakeups)
	for end := time.Now().Add(wakeupSpan); len(late) < wakeups && time.Now().Before(end) && ctx.Err() == nil; {
		start := time.Now()
		time.Sleep(wakeupSleep)
		late = append(late, (time.Since(start)-wakeupSleep).Seconds()*1000)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return nil, err
	}
	return late, nil
}
