package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// refuse is a network on which every request is a mistake.
type refuse struct{ t *testing.T }

func (r refuse) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("asked for %s", req.URL)
	return nil, errors.New("there is no network")
}

// TestOffline has the file there: nothing is asked, of anybody.
func TestOffline(t *testing.T) {
	o := Options{Dir: t.TempDir(), Mirror: "http://mirror.invalid", Python: "no-such-python", Client: &http.Client{Transport: refuse{t}}}
	m, content := fake(1000)
	m.Packages, m.Member = []string{"x"}, "*"
	if err := os.WriteFile(filepath.Join(o.Dir, m.File), content, 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, m, o, content)
	m.SHA256, m.Bytes, m.Packages = "", 5, nil // whose size only the hub knows
	check(t, m, o, content)
}

// TestWrongSize replaces a file that cannot be the model.
func TestWrongSize(t *testing.T) {
	m, content := fake(1000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) })
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	if err := os.WriteFile(filepath.Join(o.Dir, m.File), content[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, m, o, content)
}

// TestTwoPulls has one process half-way when another comes for the same model.
func TestTwoPulls(t *testing.T) {
	m, content := fake(2 << 20)
	release := make(chan bool)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:1<<20])
		w.(http.Flusher).Flush()
		<-release
		w.Write(content[1<<20:])
	})
	once := sync.OnceFunc(func() { close(release) })
	t.Cleanup(once)
	child := childPull{Model: m, Dir: t.TempDir(), HubURL: s.URL}
	var outputs [2]lockedBuffer
	first, second := child.command(t), child.command(t)
	first.Stderr, second.Stderr = &outputs[0], &outputs[1]
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first to ask", func() bool { return len(s.all()) == 1 })
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the second to wait", func() bool { return strings.Contains(outputs[1].String(), "waiting for it") })

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Pull(ctx, m, Options{Dir: child.Dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("a third that does not want to wait: %v", err)
	}
	once()
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Errorf("%v: %s, %s", err, outputs[0].String(), outputs[1].String())
	}
	check(t, m, Options{Dir: child.Dir}, content)
	if got := s.asked(); got != "GET" {
		t.Errorf("requests %q, want one", got)
	}
}

// TestKilled kills a process half-way: its lock is free and its part is good.
func TestKilled(t *testing.T) {
	m, content := fake(2 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 0 {
			whole(w, r, content)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:1<<20])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	child := childPull{Model: m, Dir: t.TempDir(), HubURL: s.URL}
	cmd := child.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "half of the file", func() bool {
		info, err := os.Stat(partOf(child.Dir, m))
		return err == nil && info.Size() == 1<<20
	})
	cmd.Process.Kill()
	cmd.Wait()
	check(t, m, Options{Dir: child.Dir, HubURL: s.URL, limits: quick}, content)
	if got := s.asked(); got != "GET, GET bytes=1048576-" {
		t.Errorf("requests %q", got)
	}
}

// TestManyPulls pulls from many goroutines at once.
func TestManyPulls(t *testing.T) {
	m, content := fake(100_000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) })
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := Pull(t.Context(), m, o); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	check(t, m, o, content)
	if got := s.asked(); got != "GET" {
		t.Errorf("requests %q, want one", got)
	}
}

// TestLock has many holders come and go, each of whom removes the lock's file.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for held := 0; held < 300; runtime.Gosched() {
				unlock, err := tryLock(path)
				if err != nil {
					t.Error(err)
					return
				}
				if unlock == nil {
					continue
				}
				if holders.Add(1) != 1 {
					t.Error("two have it")
				}
				runtime.Gosched()
				holders.Add(-1)
				unlock()
				held++
			}
		})
	}
	group.Wait()
}

// TestBadModels refuses names that would leave the folder, reach pip as an
// option, or make no sense.
func TestBadModels(t *testing.T) {
	good, _ := fake(1000)
	good.Packages, good.Member = []string{"a"}, "*"
	for name, change := range map[string]func(m *Model){
		"no name":            func(m *Model) { m.Name, m.File = "", ".gguf" },
		"path":               func(m *Model) { m.Name, m.File = "../x", "../x.gguf" },
		"other file":         func(m *Model) { m.File = "../fake.gguf" },
		"hash":               func(m *Model) { m.SHA256 = "../../../../x" },
		"capital hash":       func(m *Model) { m.SHA256 = strings.ToUpper(m.SHA256) },
		"no size":            func(m *Model) { m.Bytes = 0 },
		"negative size":      func(m *Model) { m.Bytes = -1 },
		"huge size":          func(m *Model) { m.Bytes = 1 << 60 },
		"option for pip":     func(m *Model) { m.Packages = []string{"-r"} },
		"address for pip":    func(m *Model) { m.Packages = []string{"x@https://x.invalid"} },
		"no member":          func(m *Model) { m.Member = "" },
		"packages, no hash":  func(m *Model) { m.SHA256 = "" },
		"hub path":           func(m *Model) { m.Hub.File = "../x" },
		"hub query":          func(m *Model) { m.Hub.File = "x?y" },
		"hub without a repo": func(m *Model) { m.Hub.Repo = "" },
	} {
		t.Run(name, func(t *testing.T) {
			m := good
			change(&m)
			dir := t.TempDir()
			if _, err := Pull(t.Context(), m, Options{Dir: dir, Client: &http.Client{Transport: refuse{t}}}); err == nil {
				t.Error("was pulled")
			}
			wantOnly(t, dir)
		})
	}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}
