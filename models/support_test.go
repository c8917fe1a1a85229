package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// childVariable makes the test binary pull one model and end: two pulls at once
// and a killed pull are about processes.
const childVariable = "TANDEM_TEST_PULL"

// childPull is what the child is to do.
type childPull struct {
	Model       Model
	Dir, HubURL string
	FileLimit   uint64 // most bytes of a file, 0 for no limit
}

func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Unsetenv(name) // these tests talk to this machine only
	}
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(runChild(text))
	}
	os.Exit(m.Run())
}

func runChild(text string) int {
	var c childPull
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = limitFileSize(c.FileLimit)
	}
	if err == nil {
		_, err = Pull(context.Background(), c.Model, Options{Dir: c.Dir, HubURL: c.HubURL, Progress: os.Stderr})
	}
	var full *DiskFullError
	switch {
	case errors.As(err, &full):
		fmt.Fprintln(os.Stderr, "DISK FULL", err)
		return 3
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// command is the child that does c. Its standard error is the caller's to set.
func (c childPull) command(t *testing.T) *exec.Cmd {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	return cmd
}

// fake is a model of n random bytes that only the hub has.
func fake(n int) (Model, []byte) {
	content := make([]byte, n)
	random := rand.NewChaCha8([32]byte{byte(n)})
	random.Read(content)
	sum := sha256.Sum256(content)
	return Model{
		Name: "fake", File: "fake.gguf", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(n),
		Hub: HubSource{"Owner/Fake-GGUF", "fake-q8_0.gguf"},
	}, content
}

// quick are limits for tests: short pauses, and waits that only a test of them
// shortens.
var quick = limits{connect: 20 * time.Second, stall: 20 * time.Second, backoff: time.Millisecond, tries: 4}

// server is a hub on this machine that remembers what it was asked.
type server struct {
	*httptest.Server
	requestsMu sync.Mutex
	requests   []*http.Request
}

// serve starts a hub that answers the n-th request, from 0, with handle.
func serve(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, n int)) *server {
	s := &server{}
	s.Server = httptest.NewServer(s.handler(handle))
	t.Cleanup(s.Close)
	return s
}

func (s *server) handler(handle func(w http.ResponseWriter, r *http.Request, n int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requestsMu.Lock()
		n := len(s.requests)
		s.requests = append(s.requests, r.Clone(context.Background()))
		s.requestsMu.Unlock()
		handle(w, r, n)
	})
}

// all are the requests so far.
func (s *server) all() []*http.Request {
	s.requestsMu.Lock()
	defer s.requestsMu.Unlock()
	return slices.Clone(s.requests)
}

// asked is what the requests so far were, as "METHOD RANGE".
func (s *server) asked() string {
	var list []string
	for _, r := range s.all() {
		list = append(list, strings.TrimSpace(r.Method+" "+r.Header.Get("Range")))
	}
	return strings.Join(list, ", ")
}

// whole answers with content as real servers do, ranges and all.
func whole(w http.ResponseWriter, r *http.Request, content []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// broken answers the bytes from the asked one on, n of them, and breaks off.
func broken(w http.ResponseWriter, r *http.Request, content []byte, n int) {
	start := 0
	status := http.StatusOK
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(content)-start))
	w.WriteHeader(status)
	w.Write(content[start:min(start+n, len(content))])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// check pulls and compares the file with content.
func check(t *testing.T, m Model, o Options, content []byte) {
	t.Helper()
	path, err := Pull(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Fatalf("%s: %d bytes, not the %d of the model", path, len(got), len(content))
	}
	wantOnly(t, filepath.Dir(path), m.File)
}

// wantOnly fails unless dir holds the named files and nothing else.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

// partOf is where m's part lies in dir.
func partOf(dir string, m Model) string {
	return target{Model: m, path: filepath.Join(dir, m.File)}.partPath()
}

// waitFor waits until ready. The limit is for what never comes.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for start := time.Now(); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 5*time.Minute { // a busy machine starts Python in one
			t.Errorf("waited five minutes for %s", what)
			return
		}
	}
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	textMu sync.Mutex
	text   bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.textMu.Lock()
	defer b.textMu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.textMu.Lock()
	defer b.textMu.Unlock()
	return b.text.String()
}
