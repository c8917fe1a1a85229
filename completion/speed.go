package completion

import (
	"sync"
	"time"
)

const (
	// speedTokens of a prompt tell how fast it was prefilled.
	speedTokens = 32
	// speedWeight is the share of the latest prompt in the moving average.
	speedWeight = 0.3
)

// speed is how fast the engine prefills what a request waits for: a moving average,
// for other programs come and go. Any goroutine may call its methods.
type speed struct {
	mu        sync.Mutex
	perSecond float64 // tokens; 0 is not yet known
}

// learn adds what a prompt took, from the request to the first logits.
func (s *speed) learn(tokens int, took time.Duration) {
	if tokens < speedTokens || took <= 0 {
		return
	}
	latest := float64(tokens) / took.Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perSecond == 0 {
		s.perSecond = latest
	}
	s.perSecond += speedWeight * (latest - s.perSecond)
}

// within is how many tokens are prefilled in d, at least least and at most most,
// which is the answer where nothing is known.
func (s *speed) within(d time.Duration, least, most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perSecond == 0 {
		return most
	}
	return int(max(float64(least), min(s.perSecond*d.Seconds(), float64(most))))
}
