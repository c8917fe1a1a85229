package lsp

import (
	"os"
	"strconv"
	"strings"
)

// tellStats answers tandem/stats.
func (s *server) tellStats() (job, error) {
	c := &s.stats
	return constant(&Stats{
		Requests:            c.requests.Load(),
		ServedWithoutEngine: c.withoutEngine.Load(),
		Superseded:          c.superseded.Load(),
		Cancelled:           c.cancelled.Load(),
		PromptTokens:        c.prompt.Load(),
		CachedTokens:        c.cached.Load(),
		PrefillTokens:       c.prefill.Load(),
		DecodedTokens:       c.decoded.Load(),
		DecodedAfterCancel:  c.afterCancel.Load(),
		EngineBusyMillis:    c.busyMillis(),
		ResidentBytes:       s.residentBytes(),
	}), nil
}

// residentBytes is the memory of this process as Linux tells it; elsewhere what
// the model says that it takes.
func (s *server) residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	return s.model.bytes()
}
