package completion

import (
	"testing"
	"time"
)

func TestSpeed(t *testing.T) {
	var s speed
	within := func(want int) {
		t.Helper()
		if got := s.within(250*time.Millisecond, 48, 160); got != want {
			t.Errorf("%d tokens in 250 ms, want %d (%v tokens/s)", got, want, s.perSecond)
		}
	}
	within(160) // nothing is known
	s.learn(speedTokens-1, time.Millisecond)
	s.learn(1000, 0)
	within(160) // these tell nothing
	s.learn(400, time.Second)
	within(100)
	s.learn(40, time.Second) // another program has the processor
	within(73)
	for range 20 {
		s.learn(40, time.Second)
	}
	within(48)
	for range 20 {
		s.learn(4000, time.Second)
	}
	within(160)
}
