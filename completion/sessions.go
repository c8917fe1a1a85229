package completion

import (
	"slices"
	"sync"
)

// sessionsMax is how many documents are remembered at once: those that somebody
// types in, not those that are open.
const sessionsMax = 32

// Sessions are the documents of one editor. Its methods may be called from any
// goroutine; mu guards what follows it.
type Sessions struct {
	completer *Completer

	mu     sync.Mutex
	byPath map[string]*Session
	recent []string // paths, the one used last at the end
}

// NewSessions begins an editor's documents.
func (c *Completer) NewSessions() *Sessions {
	return &Sessions{completer: c, byPath: map[string]*Session{}}
}

// Of is the session of the document at path; the one that was used least
// recently makes room for it.
func (s *Sessions) Of(path string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.recent, path); i >= 0 {
		s.recent = append(slices.Delete(s.recent, i, i+1), path)
		return s.byPath[path]
	}
	if len(s.recent) == sessionsMax {
		s.forget(s.recent[0])
	}
	session := s.completer.NewSession()
	s.byPath[path], s.recent = session, append(s.recent, path)
	return session
}

// Close ends the session of the document at path, if there is one.
func (s *Sessions) Close(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(path)
}

// CloseAll ends all of them.
func (s *Sessions) CloseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.byPath {
		s.forget(path)
	}
}

func (s *Sessions) forget(path string) {
	if session, ok := s.byPath[path]; ok {
		session.Stop()
		delete(s.byPath, path)
		s.recent = slices.DeleteFunc(s.recent, func(p string) bool { return p == path })
	}
}
