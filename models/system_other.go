//go:build !(linux || darwin || freebsd)

package models

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// tryLock makes the lock file at path, or returns nil if it is there. A process
// that is killed leaves it behind: the user removes it.
func tryLock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return func() {
		f.Close()
		os.Remove(path)
	}, nil
}

// freeBytes is not known here: a full disk shows when it is full.
func freeBytes(string) (n int64, known bool) { return 0, false }

// windowsDiskFull is Windows' ERROR_DISK_FULL.
const windowsDiskFull = syscall.Errno(112)

func isDiskFull(err error) bool { return errors.Is(err, windowsDiskFull) }

func isFileTooLarge(error) bool { return false }

// syncDir does nothing: folders cannot be synced here.
func syncDir(string) error { return nil }

// killWithChildren does nothing: cancelling ends the process itself.
func killWithChildren(*exec.Cmd) {}
