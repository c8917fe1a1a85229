package models

import (
	"context"
	"fmt"
	"os"
	"time"
)

// lockPoll is how often a waiting pull looks whether the other one has ended.
const lockPoll = 200 * time.Millisecond

// lock takes the lock file at path, for this process only, and returns what
// gives it back. If another pull has it, waiting is called once and lock waits
// until it is free or ctx ends.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	for told := false; ; {
		unlock, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("models: %w", err)
		}
		if unlock != nil {
			return unlock, nil
		}
		if !told {
			waiting()
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("models: waiting for %s: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

// sameFile reports whether path still names the open file f.
func sameFile(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}
