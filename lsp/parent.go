package lsp

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// watchParent ends the session when the editor's process does. The end of its
// pipe says so too, unless another of its children holds the other end.
func (s *server) watchParent(pid int) {
	process, err := os.FindProcess(pid)
	if err != nil { // Windows: there is none
		s.cancel(fmt.Errorf("process %d of the editor: %w", pid, err))
		return
	}
	defer process.Release()
	tick := time.NewTicker(parentPoll)
	defer tick.Stop()
	for {
		if !alive(process) {
			s.cancel(fmt.Errorf("process %d of the editor has ended", pid))
			return
		}
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alive reports whether a process runs. Windows cannot tell by a signal; there
// the end of the pipe has to do.
func alive(p *os.Process) bool {
	err := p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission) || runtime.GOOS == "windows"
}
