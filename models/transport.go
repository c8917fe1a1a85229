package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const maxRedirects = 8

// transport sends requests to one server and to where it redirects.
type transport struct {
	client *http.Client
	base   *url.URL
	token  string
	limits limits
}

var (
	errConnect = errors.New("no connection") // may be the network's fault as well as the server's
	errStalled = errors.New("no bytes came")
	errRange   = errors.New("wrong range") // the part was thrown away; from the start it may work
)

// interruptedError is a body that broke off.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string { return "the connection broke: " + e.err.Error() }
func (e *interruptedError) Unwrap() error { return e.err }

// statusError is an answer that is no file.
type statusError struct {
	code       int
	retryAfter time.Duration
}

func newStatusError(resp *http.Response) *statusError {
	e := &statusError{code: resp.StatusCode}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.retryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	return e
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("it answers %d %s", e.code, http.StatusText(e.code))
	if e.code == http.StatusUnauthorized || e.code == http.StatusForbidden {
		text += ": accept the model's licence there and give a token"
	}
	return text
}

// isUnreachable reports that no server was reached, so that asking again soon is
// in vain.
func isUnreachable(err error) bool { return errors.Is(err, errConnect) }

// isTransient reports whether another try may succeed.
func isTransient(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		switch status.code {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var interrupted *interruptedError
	return errors.As(err, &interrupted) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errStalled) ||
		errors.Is(err, errConnect) || errors.Is(err, errRange)
}

// client makes what all requests of a pull go through.
func (o Options) client() (*http.Client, error) {
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	} else {
		proxy := http.ProxyFromEnvironment
		if o.Proxy != "" {
			address, err := url.Parse(o.Proxy)
			if err != nil || address.Host == "" {
				return nil, errors.New("models: proxy: want an address such as http://HOST:PORT") // not repeated: it may hold a password
			}
			proxy = http.ProxyURL(address)
		}
		// No time limits here: send has one for the connection as a whole, whoever
		// made the client, and attempt has one for silence.
		client.Transport = &http.Transport{
			Proxy:              proxy,
			ForceAttemptHTTP2:  true,
			DisableCompression: true,
			IdleConnTimeout:    time.Minute,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client, nil
}

// parseAddress reads a server's address. Plain http is taken only because the
// user wrote it: what is built in says https.
func parseAddress(what, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("models: %s: want an address such as https://HOST", what)
	}
	return u, nil
}

// attempt sends one request for the bytes from offset on, and handles the answer
// after redirects, whose headers from the server's own host are in linked. It
// ends with errStalled when handle does not call alive for too long, and with
// errConnect when no connection stands in time.
func (t transport) attempt(ctx context.Context, method string, file *url.URL, offset int64,
	handle func(resp *http.Response, linked http.Header, alive func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(t.limits.stall, func() { cancel(fmt.Errorf("%w for %v", errStalled, t.limits.stall)) })
	defer stall.Stop()

	linked := http.Header{}
	resp, err := t.follow(ctx, cancel, method, file, offset, linked)
	if err == nil {
		defer resp.Body.Close()
		err = handle(resp, linked, func() { stall.Reset(t.limits.stall) })
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // and not what the cancelled request says of it
	}
	return err
}

// follow sends a request and goes where the server redirects it. Credentials go
// to the server's own host only, and https never turns into http. A HEAD stays
// with the server: what it is for stands in the redirect.
func (t transport) follow(ctx context.Context, cancel context.CancelCauseFunc, method string, file *url.URL, offset int64, linked http.Header) (*http.Response, error) {
	at := file
	for range maxRedirects {
		own := at.Host == t.base.Host && at.Scheme == t.base.Scheme
		resp, err := t.send(ctx, cancel, method, at, offset, own)
		if err != nil {
			return nil, err
		}
		if own {
			keepLinked(linked, resp)
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		next, err := at.Parse(resp.Header.Get("Location"))
		if err != nil || next.Host == "" || len(next.String()) > maxURLBytes {
			resp.Body.Close()
			return nil, errors.New("it redirects to no address")
		}
		if next.Scheme != "https" && (next.Scheme != "http" || at.Scheme == "https") {
			resp.Body.Close()
			return nil, fmt.Errorf("it redirects to %s by %s: only https is followed", next.Host, next.Scheme)
		}
		if next.Host != t.base.Host {
			next.User = nil
		}
		if method == http.MethodHead && next.Host != t.base.Host {
			return resp, nil
		}
		resp.Body.Close()
		at = next
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// send sends one request and waits for the header of its answer. A connection
// must stand within the limit: names, proxy and TLS included.
func (t transport) send(ctx context.Context, cancel context.CancelCauseFunc, method string, at *url.URL, offset int64, own bool) (*http.Response, error) {
	const waiting, connected, late = 0, 1, 2
	var state atomic.Int32
	limit := time.AfterFunc(t.limits.connect, func() {
		if state.CompareAndSwap(waiting, late) {
			cancel(fmt.Errorf("%w to %s within %v", errConnect, at.Host, t.limits.connect))
		}
	})
	defer limit.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { state.CompareAndSwap(waiting, connected) },
	})
	req, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	req.Header.Set("User-Agent", "tandem")
	req.Header.Set("Accept-Encoding", "identity")
	if own && t.token != "" {
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := t.client.Do(req)
	if err == nil {
		return resp, nil
	}
	var withURL *url.Error // which may be long, and a secret
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if state.Load() != connected {
		return nil, fmt.Errorf("%w to %s: %w", errConnect, at.Host, err)
	}
	return nil, &interruptedError{err}
}

// keepLinked keeps what a hub says of the file itself. Its redirect to a file
// store has it in headers of their own; the store's own ETag, though it may look
// alike, is another thing.
func keepLinked(linked http.Header, resp *http.Response) {
	for _, key := range []string{"X-Linked-Etag", "X-Linked-Size"} {
		if value := resp.Header.Get(key); value != "" {
			linked.Set(key, value)
		}
	}
	if linked.Get("X-Linked-Etag") == "" && isSuccess(resp.StatusCode) {
		linked.Set("Etag", resp.Header.Get("Etag"))
	}
}

// hashIn is the SHA-256 that the header of that name declares, or "".
func hashIn(linked http.Header, key string) string {
	sum := strings.Trim(strings.TrimPrefix(linked.Get(key), "W/"), `"`)
	if !sha256Pattern.MatchString(sum) {
		return ""
	}
	return sum
}

func isSuccess(code int) bool { return code >= 200 && code < 300 }

func isRedirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}
