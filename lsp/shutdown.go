package lsp

import "errors"

var errExit = errors.New("exit")

// shutdown ends everything but the connection.
func (s *server) shutdown() (job, error) {
	s.phase.Store(phaseStopped)
	s.live.endAll(errCancelled)
	s.model.close()
	return constant(nil), nil
}

// exit ends the session, after shutdown or without.
func (s *server) exit() { s.cancel(errExit) }
