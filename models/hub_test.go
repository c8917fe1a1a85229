package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHub(t *testing.T) {
	m, content := fake(3 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path != "/Owner/Fake-GGUF/resolve/main/fake-q8_0.gguf" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		whole(w, r, content)
	})
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	check(t, m, o, content)
	check(t, m, o, content) // it is there: nobody is asked
	if got := s.asked(); got != "GET" {
		t.Errorf("requests %q, want one", got)
	}
}

// TestResume begins with a part of several sizes and states.
func TestResume(t *testing.T) {
	const size = 100_000
	m, content := fake(size)
	wrong := bytes.Repeat([]byte("x"), size/2)
	serveWhole := func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) }
	for _, test := range []struct {
		name   string
		part   []byte
		handle func(w http.ResponseWriter, r *http.Request, n int)
		asked  string
		said   string
	}{
		{"half", content[:size/2], serveWhole, "GET bytes=50000-", "of which 50 kB are here"},
		{"empty", nil, serveWhole, "GET", ""},
		{"whole", content, serveWhole, "", "100 kB are here"},
		{"too long", append(bytes.Clone(content), 'x'), serveWhole, "GET", ""},
		{"another file's", wrong, serveWhole, "GET bytes=50000-, GET", "wrong hash"},
		{"another file's, whole", append(bytes.Clone(wrong), wrong...), serveWhole, "GET", "wrong hash"},
		{"no ranges", content[:size/2], func(w http.ResponseWriter, r *http.Request, _ int) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Write(content)
		}, "GET bytes=50000-", ""},
		{"no ranges and no length", content[:size/2], func(w http.ResponseWriter, r *http.Request, _ int) {
			w.(http.Flusher).Flush()
			w.Write(content)
			w.Write([]byte("and more that nobody asked for"))
		}, "GET bytes=50000-", ""},
		{"416", content[:size/2], func(w http.ResponseWriter, r *http.Request, n int) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			whole(w, r, content)
		}, "GET bytes=50000-, GET", "wrong range"},
		{"another range", content[:size/2], func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				r.Header.Set("Range", "bytes=40000-")
			}
			whole(w, r, content)
		}, "GET bytes=50000-, GET", "wrong range"},
		{"range of another file", content[:size/2], func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				w.Header().Set("Content-Range", "bytes 50000-59999/60000")
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			whole(w, r, content)
		}, "GET bytes=50000-, GET", "wrong range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.handle)
			dir := t.TempDir()
			if err := os.WriteFile(partOf(dir, m), test.part, 0o600); err != nil {
				t.Fatal(err)
			}
			var said lockedBuffer
			check(t, m, Options{Dir: dir, HubURL: s.URL, Progress: &said, limits: quick}, content)
			if got := s.asked(); got != test.asked {
				t.Errorf("requests %q, want %q", got, test.asked)
			}
			if !strings.Contains(said.String(), test.said) {
				t.Errorf("said %q, want %q", said.String(), test.said)
			}
		})
	}
}

// TestBreaks has a connection break off again and again: as long as bytes come,
// the pull goes on from where it was.
func TestBreaks(t *testing.T) {
	const size = 12 << 20
	m, content := fake(size)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { broken(w, r, content, 3<<19) })
	check(t, m, Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}, content)
	if n := len(s.all()); n < quick.tries+2 {
		t.Errorf("%d requests: they do not show that progress starts the count anew", n)
	}
	for i, r := range s.all() {
		if i > 0 && r.Header.Get("Range") == "" {
			t.Errorf("request %d starts anew", i)
		}
	}
}

// TestGivesUp has a server that sends a little and then nothing but broken
// connections: an end, and a part to go on from.
func TestGivesUp(t *testing.T) {
	m, content := fake(4 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 0 {
			broken(w, r, content, 2<<20)
		}
		broken(w, r, content, 0)
	})
	dir := t.TempDir()
	_, err := Pull(t.Context(), m, Options{Dir: dir, HubURL: s.URL, limits: quick})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "2 MB of 4 MB are kept") {
		t.Errorf("error %v", err)
	}
	if n := len(s.all()); n != quick.tries {
		t.Errorf("%d requests, want %d", n, quick.tries)
	}
	got, err := os.ReadFile(partOf(dir, m))
	if err != nil || !bytes.Equal(got, content[:2<<20]) {
		t.Errorf("part of %d bytes, %v", len(got), err)
	}
}

func TestStatus(t *testing.T) {
	m, content := fake(1000)
	for _, test := range []struct {
		status, times int
		ok            bool
		requests      int
	}{
		{http.StatusServiceUnavailable, 1, true, 2},
		{http.StatusTooManyRequests, 2, true, 3},
		{http.StatusInternalServerError, 99, false, firstTries},
		{http.StatusNotFound, 1, false, 1},
		{http.StatusForbidden, 1, false, 1},
		{http.StatusRequestedRangeNotSatisfiable, 1, false, 1},
		{http.StatusNoContent, 1, false, 1},
		{http.StatusNotModified, 1, false, 1},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
				if n < test.times {
					w.WriteHeader(test.status)
					return
				}
				whole(w, r, content)
			})
			dir := t.TempDir()
			_, err := Pull(t.Context(), m, Options{Dir: dir, HubURL: s.URL, limits: quick})
			if (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprint(test.status)) {
				t.Errorf("error %v does not tell the status", err)
			}
			if len(s.all()) != test.requests {
				t.Errorf("%d requests, want %d", len(s.all()), test.requests)
			}
			if !test.ok {
				wantOnly(t, dir)
			}
		})
	}
}

// TestStall has a server that goes silent, before and within a body.
func TestStall(t *testing.T) {
	t.Parallel()
	m, content := fake(1 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch n {
		case 0: // not even a header
			<-r.Context().Done()
		case 1:
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:1<<19])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			whole(w, r, content)
		}
	})
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	o.limits.stall = time.Second
	check(t, m, o, content)
	if got := s.asked(); got != "GET, GET, GET bytes=524288-" {
		t.Errorf("requests %q", got)
	}
}

// TestSlow has a server that takes its time, and is not silent.
func TestSlow(t *testing.T) {
	t.Parallel()
	m, content := fake(1000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		for chunk := range slices.Chunk(content, 100) {
			w.Write(chunk)
			w.(http.Flusher).Flush()
			time.Sleep(250 * time.Millisecond)
		}
	})
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	o.limits.stall = 2 * time.Second
	check(t, m, o, content)
	if got := s.asked(); got != "GET" {
		t.Errorf("requests %q", got)
	}
}

// TestConnectLimit has hubs to which no connection comes about: the next source
// is asked, and the hub no second time.
func TestConnectLimit(t *testing.T) {
	t.Parallel()
	m, content := fake(1000)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system connects, and nobody shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, address := range map[string]string{
		"no TLS":         "https://" + silent.Addr().String(),
		"refused":        closed.URL,
		"not this TLS":   strings.Replace(serve(t, nil).URL, "http", "https", 1),
		"no answer":      "http://" + deafAddress(t),
		"no such server": "http://tandem.invalid",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) })
			var said lockedBuffer
			// The mirror is asked first; here it cannot be reached and the hub can.
			o := Options{Dir: t.TempDir(), Mirror: address, HubURL: s.URL, Progress: &said, limits: quick}
			o.limits.connect = time.Second
			check(t, m, o, content)
			if !strings.Contains(said.String(), "no connection to ") || strings.Contains(said.String(), "trying again") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

// TestRedirect goes the hub's way: a redirect within the hub, and then one to a
// store elsewhere, which must not see the token.
func TestRedirect(t *testing.T) {
	m, content := fake(100_000)
	store := &server{}
	store.Server = httptest.NewTLSServer(store.handler(func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("Etag", `"`+strings.Repeat("0", 64)+`"`) // looks like a hash and is none
		whole(w, r, content)
	}))
	defer store.Close()
	hub := &server{}
	hub.Server = httptest.NewTLSServer(hub.handler(func(w http.ResponseWriter, r *http.Request, _ int) {
		if !strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("X-Linked-Etag", `"`+m.SHA256+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(m.Bytes))
		http.Redirect(w, r, store.URL+"/blob?signature=secret", http.StatusFound)
	}))
	defer hub.Close()
	o := Options{Dir: t.TempDir(), HubURL: hub.URL, Token: "the token", Client: hub.Client(), limits: quick}
	if err := os.WriteFile(partOf(o.Dir, m), content[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, m, o, content)

	undeclared := m // a model whose hash only the hub knows
	undeclared.SHA256, undeclared.Bytes = "", 1
	o.Dir = t.TempDir()
	check(t, undeclared, o, content)

	if got := hub.asked(); got != "GET bytes=10-, GET bytes=10-, HEAD, HEAD, GET, GET" {
		t.Errorf("hub was asked %q", got)
	}
	if got := store.asked(); got != "GET bytes=10-, GET" {
		t.Errorf("store was asked %q", got)
	}
	for _, r := range hub.all() {
		if r.Header.Get("Authorization") != "Bearer the token" {
			t.Errorf("hub got %q", r.Header.Get("Authorization"))
		}
	}
	for _, r := range store.all() {
		if len(r.Header["Authorization"]) > 0 || r.Header.Get("Referer") != "" {
			t.Errorf("store got %v", r.Header)
		}
	}
}

func TestBadRedirect(t *testing.T) {
	m, content := fake(1000)
	plain := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) })
	for name, test := range map[string]struct {
		location, want string
	}{
		"to http":    {plain.URL, "only https"},
		"to a file":  {"file:///etc/hostname", "no address"},
		"in circles": {"/again", "more than 8 redirects"},
		"nowhere":    {"http://%zz", "Location"},
	} {
		t.Run(name, func(t *testing.T) {
			hub := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", test.location)
				w.WriteHeader(http.StatusFound)
			}))
			defer hub.Close()
			_, err := Pull(t.Context(), m, Options{Dir: t.TempDir(), HubURL: hub.URL, Client: hub.Client(), limits: quick})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if len(plain.all()) > 0 {
		t.Error("https was left for http")
	}
}

// TestWrongFile has the first source deliver something else than the model.
func TestWrongFile(t *testing.T) {
	m, content := fake(1000)
	wrong := bytes.Repeat([]byte("x"), len(content))
	for name, handle := range map[string]func(w http.ResponseWriter, r *http.Request, n int){
		"bytes":  func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, wrong) },
		"length": func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, wrong[:500]) },
		"a page": func(w http.ResponseWriter, r *http.Request, _ int) { fmt.Fprint(w, "<html>Log in first</html>") },
		"declared": func(w http.ResponseWriter, r *http.Request, _ int) {
			w.Header().Set("X-Linked-Etag", strings.Repeat("0", 64))
			whole(w, r, content)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := serve(t, handle)
			good := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set("Etag", `"`+strings.Repeat("0", 64)+`"`) // a mirror's ETag may be anything
				whole(w, r, content)
			})
			check(t, m, Options{Dir: t.TempDir(), Mirror: bad.URL, HubURL: good.URL, limits: quick}, content)

			dir := t.TempDir()
			_, err := Pull(t.Context(), m, Options{Dir: dir, HubURL: bad.URL, limits: quick})
			if !errors.Is(err, ErrWrongHash) {
				t.Errorf("error %v", err)
			}
			wantOnly(t, dir)
		})
	}
}

// TestDeclared pulls a model whose hash is not built in.
func TestDeclared(t *testing.T) {
	m, content := fake(1000)
	sum := m.SHA256
	m.SHA256, m.Bytes = "", 77
	for name, test := range map[string]struct {
		headers map[string]string
		want    string // in the error, "" for none
	}{
		"linked":          {map[string]string{"X-Linked-Etag": `"` + sum + `"`, "X-Linked-Size": "1000", "Etag": strings.Repeat("1", 64)}, ""},
		"ETag":            {map[string]string{"Etag": `"` + sum + `"`}, ""},
		"weak":            {map[string]string{"Etag": `W/"` + sum + `"`}, ""},
		"git's":           {map[string]string{"Etag": `"` + sum[:40] + `"`}, "declares no SHA-256"},
		"none":            {nil, "declares no SHA-256"},
		"another file's":  {map[string]string{"X-Linked-Etag": strings.Repeat("1", 64)}, "wrong hash"},
		"negative length": {map[string]string{"X-Linked-Etag": sum, "X-Linked-Size": "-5"}, "declares no SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				for key, value := range test.headers {
					w.Header().Set(key, value)
				}
				whole(w, r, content)
			})
			o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
			if test.want == "" {
				check(t, m, o, content)
				return
			}
			if _, err := Pull(t.Context(), m, o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantOnly(t, o.Dir)
		})
	}
	t.Run("later", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("X-Linked-Etag", sum)
			whole(w, r, content)
		})
		check(t, m, Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}, content)
	})
}

// TestCancel ends a pull half-way; the next one goes on.
func TestCancel(t *testing.T) {
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
	o := Options{Dir: t.TempDir(), HubURL: s.URL, limits: quick}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := Pull(ctx, m, o)
		ended <- err
	}()
	waitFor(t, "half of the file", func() bool {
		info, err := os.Stat(partOf(o.Dir, m))
		return err == nil && info.Size() == 1<<20
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	wantOnly(t, o.Dir, filepath.Base(partOf(o.Dir, m)))
	check(t, m, o, content)
	if got := s.asked(); got != "GET, GET bytes=1048576-" {
		t.Errorf("requests %q", got)
	}
}

func TestProxy(t *testing.T) {
	m, content := fake(1000)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Host != "hub.invalid" {
			t.Errorf("proxy was asked for %s", r.URL)
		}
		whole(w, r, content)
	})
	address, _ := url.Parse(proxy.URL)
	check(t, m, Options{Dir: t.TempDir(), HubURL: "http://hub.invalid", Proxy: address.String(), limits: quick}, content)
	if got := proxy.asked(); got != "GET" {
		t.Errorf("proxy was asked %q", got)
	}
}

func TestMirrorFolder(t *testing.T) {
	m, content := fake(1000)
	folder := t.TempDir()
	hub := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r, content) })
	o := Options{Dir: t.TempDir(), Mirror: folder, HubURL: hub.URL, limits: quick}
	check(t, m, o, content) // not in the folder: from the hub
	if err := os.WriteFile(filepath.Join(folder, m.File), content, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	check(t, m, o, content)
	if err := os.WriteFile(filepath.Join(folder, m.File), append(bytes.Clone(content), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	check(t, m, o, content) // too long in the folder
	if got := hub.asked(); got != "GET, GET" {
		t.Errorf("hub was asked %q", got)
	}
}

func TestBadAddresses(t *testing.T) {
	m, _ := fake(1000)
	for _, o := range []Options{
		{HubURL: "ftp://hub.invalid"}, {HubURL: "hub.invalid"}, {HubURL: "http://user:secret@"}, {Mirror: "file:///x"},
		{Mirror: "https://"}, {Proxy: "secret"}, {Proxy: "http://%zz:secret"},
	} {
		o.Dir = t.TempDir()
		_, err := Pull(t.Context(), m, o)
		if err == nil || !strings.Contains(err.Error(), "want an address") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

func TestContentRange(t *testing.T) {
	for text, want := range map[string][2]int64{
		"bytes 5-9/10": {5, 10}, "bytes 5-9/*": {5, -1}, "bytes */10": {-1, -1}, "bytes 5/10": {-1, -1},
		"": {-1, -1}, "items 5-9/10": {-1, -1}, "bytes -9/10": {-1, -1}, "bytes 99999999999999999999-9/10": {-1, -1},
	} {
		if start, all := parseContentRange(text); start != want[0] || all != want[1] {
			t.Errorf("%q: %d, %d, want %v", text, start, all, want)
		}
	}
}

func TestPause(t *testing.T) {
	w := web{transport: transport{limits: usualLimits}}
	answer := func(retryAfter string) error {
		return newStatusError(&http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {retryAfter}}})
	}
	for _, test := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{1, io.ErrUnexpectedEOF, time.Second}, {3, io.ErrUnexpectedEOF, 4 * time.Second}, {99, io.ErrUnexpectedEOF, maxBackoff},
		{1, answer("7"), 7 * time.Second}, {1, answer("999999999"), maxRetryAfter}, {2, answer("-7"), 2 * time.Second},
		{2, answer("soon"), 2 * time.Second},
	} {
		if got := w.pause(test.failures, test.err); got != test.want {
			t.Errorf("%d, %v: %v, want %v", test.failures, test.err, got, test.want)
		}
	}
}
