package lsp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.lsp.dev/protocol"

	"tandem/engine"
)

// model is the model of a session: loaded in the background when it is first
// wanted, unloaded when nobody asks for long. Safe for concurrent use. It owns the
// engine; requests borrow it between use and release, and Close waits for them.
type model struct {
	s    *server
	work sync.WaitGroup // loads and unloads
	end  sync.Once
	done chan struct{} // closed when everything is freed

	mu      sync.Mutex // guards the rest
	name    string     // of what is loaded, being loaded or was last
	state   State      // while nothing is loaded: Unloaded, Downloading, Loading or Failed
	message string
	share   float64 // of a download or load, less than 0 if unknown
	current *loaded
	cancel  context.CancelFunc // of a load that runs, else nil
	freed   chan struct{}      // closed when the last engine that was unloaded is
	closed  bool
	told    string // what the client knows
}

// loaded is an engine in use.
type loaded struct {
	engine    engine.Engine
	completer Completer
	users     int
	idle      *time.Timer
}

func newModel(s *server) *model {
	freed := make(chan struct{})
	close(freed)
	return &model{s: s, done: make(chan struct{}), state: Unloaded, message: "nothing was asked yet", share: -1, freed: freed}
}

// want starts loading a model unless it is there or on its way. One that failed
// is tried again only where the user insists.
func (m *model) want(name string, insist bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wantLocked(name, insist)
}

func (m *model) wantLocked(name string, insist bool) {
	here := m.current != nil && m.name == name
	if m.closed || m.cancel != nil || here || m.state == Failed && m.name == name && !insist {
		return
	}
	m.unloadLocked("another model is wanted")
	ctx, cancel := context.WithCancel(m.s.ctx)
	m.name, m.cancel = name, cancel
	m.set(Loading, "loading "+name, -1)
	m.work.Go(func() { m.load(ctx, name) })
}

// use lends the completer of a model until release is called. Where it is not
// there it is nil, and why says so.
func (m *model) use(name string, insist bool) (c Completer, release func(), why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.current
	if l == nil || m.name != name {
		m.wantLocked(name, insist)
		return nil, nil, m.summaryLocked()
	}
	l.users++
	l.idle.Stop()
	m.tellLocked()
	return l.completer, func() { m.release(l) }, ""
}

// peek is the completer of the model that is loaded, nil if none is. It may be
// unloaded meanwhile: what is asked of it then fails.
func (m *model) peek() Completer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return nil
	}
	return m.current.completer
}

func (m *model) release(l *loaded) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.users--; l.users == 0 && m.current == l {
		m.rest(l)
		m.tellLocked()
	}
}

// rest starts the time after which l is unloaded if nobody uses it.
func (m *model) rest(l *loaded) {
	after := m.s.settings.Load().IdleUnload
	if l.idle != nil {
		l.idle.Stop()
	}
	switch {
	case after == 0:
		after = idleUnload
	case after < 0:
		after = math.MaxInt64 // centuries
	}
	var timer *time.Timer
	// A timer that fired just before it was stopped finds another in its place.
	begun := make(chan struct{})
	timer = time.AfterFunc(after, func() {
		<-begun
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.current == l && l.users == 0 && l.idle == timer {
			m.unloadLocked(fmt.Sprintf("unloaded after %v without a request; the next one loads it", after))
		}
	})
	l.idle = timer
	close(begun)
}

// configure follows the settings: another model or none.
func (m *model) configure(settings *Settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if settings.Disabled || m.name != "" && m.name != settings.Model {
		if m.cancel != nil {
			m.cancel()
		}
		m.unloadLocked("the settings changed")
		m.set(Unloaded, "the settings changed", -1)
	}
	if m.current != nil && m.current.users == 0 {
		m.rest(m.current)
	}
	m.tellLocked()
}

// unloadLocked frees the model that is loaded, in the background: requests that
// borrow it come to their end first.
func (m *model) unloadLocked(why string) {
	l := m.current
	if l == nil {
		return
	}
	l.idle.Stop()
	m.current = nil
	m.set(Unloaded, why, -1)
	freed := make(chan struct{})
	m.freed = freed
	m.work.Go(func() {
		defer close(freed)
		l.completer.Close()
		if err := l.engine.Close(); err != nil {
			m.s.log.Error("closing the engine", "error", err)
		}
		m.s.log.Info("unloaded", "why", why)
	})
}

// close frees everything and keeps it so. The channel is closed when that is done.
func (m *model) close() <-chan struct{} {
	m.end.Do(func() {
		m.mu.Lock()
		m.closed = true
		if m.cancel != nil {
			m.cancel()
		}
		m.unloadLocked("the session ends")
		m.mu.Unlock()
		go func() {
			m.work.Wait()
			close(m.done)
		}()
	})
	return m.done
}

// load gets a model, from the network if need be, and puts it in place.
func (m *model) load(ctx context.Context, name string) {
	m.mu.Lock()
	freed := m.freed
	m.mu.Unlock()
	<-freed // two models at once may be more than the machine holds
	e, err := m.obtain(ctx, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	gaveUp := ctx.Err() != nil
	m.cancel()
	m.cancel = nil
	settings := m.s.settings.Load()
	switch {
	case err == nil && !gaveUp && !m.closed && !settings.Disabled && settings.Model == name:
		e = counted{e, &m.s.stats}
		m.current = &loaded{engine: e, completer: m.s.opt.Completer(e)}
		m.current.completer.Look(m.s.workspace.Snapshot())
		m.rest(m.current)
	case err == nil:
		m.work.Go(func() { e.Close() })
		m.set(Unloaded, "not wanted any more", -1)
	case gaveUp:
		m.set(Unloaded, "loading was given up", -1)
	default:
		text := strings.ReplaceAll(err.Error(), "\n", "; ")
		m.s.log.Error("loading failed", "model", name, "error", text)
		m.set(Failed, text, -1)
		if !errors.Is(err, errDeclined) {
			m.s.showOnce(protocol.MessageTypeError, text)
		}
	}
	m.tellLocked()
}

// obtain downloads what is missing, if the user agrees, and loads.
func (m *model) obtain(ctx context.Context, name string) (e engine.Engine, err error) {
	defer func() {
		if p := recover(); p != nil {
			m.s.log.Error("panic", "in", "loading", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("a bug in tandem: its log has the stack of %v", p)
		}
	}()
	if err := m.download(ctx, name); err != nil {
		return nil, err
	}
	report, done := m.progress(Loading, "Loading "+name)
	defer done()
	return m.s.opt.Load(ctx, name, report)
}

// bytes is what the engine says that it takes.
func (m *model) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return 0
	}
	info := m.current.engine.Info()
	return info.WeightBytes + info.CacheBytes
}
