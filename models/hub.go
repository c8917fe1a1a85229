package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// publicHub is the one host of the outside that the project names.
const publicHub = "https://huggingface.co"

const (
	minProgress   = 1 << 20          // bytes that make a broken try worth another one
	maxRetryAfter = time.Minute      // that a server may make us wait
	copyBytes     = 256 << 10        // a read
	maxURLBytes   = 8 << 10          // of a redirect; those to a hub's file store are signed and long
	maxBackoff    = 16 * time.Second // between two tries
	firstTries    = 3                // of a server that has not sent a byte yet
)

// web is a server that has models: the hub, or a mirror.
type web struct {
	transport
	file *url.URL // of the model
}

// hub is the source for files at OWNER/NAME on the model hub.
func (o Options) hub(client *http.Client, m Model) (source, error) {
	address := o.HubURL
	if address == "" {
		address = publicHub
	}
	base, err := parseAddress("hub", address)
	if err != nil {
		return source{}, err
	}
	w := web{transport{client, base, o.Token, o.limits}, base.JoinPath(m.Hub.Repo, "resolve", "main", m.Hub.File)}
	return source{base.Host, w.fetch}, nil
}

// mirror is the source for NAME.gguf in a folder or below an address.
func (o Options) mirror(client *http.Client, m Model) (source, error) {
	if !strings.Contains(o.Mirror, "://") {
		return source{o.Mirror, func(ctx context.Context, t target) error {
			return copyFrom(ctx, filepath.Join(o.Mirror, m.File), t)
		}}, nil
	}
	base, err := parseAddress("mirror", o.Mirror)
	if err != nil {
		return source{}, err
	}
	w := web{transport{client, base, "", o.limits}, base.JoinPath(m.File)}
	return source{base.Host, w.fetch}, nil
}

// copyFrom copies a file of this machine.
func copyFrom(ctx context.Context, path string, t target) error {
	if t.SHA256 == "" {
		return errors.New("no hash is known to check a copy with: only the hub declares it")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := openPart(ctx, t, t.partPath(), 0)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.checkSpace(0); err != nil {
		return err
	}
	t.report.begin(path, 0, t.Bytes)
	_, err = io.CopyBuffer(struct{ io.Writer }{p}, io.LimitReader(readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return f.Read(b)
	}), t.Bytes+1), make([]byte, copyBytes))
	if err != nil {
		return err
	}
	return p.commit()
}

// fetch downloads t, from where the last pull stopped. If that makes the wrong
// file the part may be to blame, and the whole is asked for once.
func (w web) fetch(ctx context.Context, t target) error {
	if t.SHA256 == "" {
		var err error
		if t.SHA256, t.Bytes, err = w.declared(ctx); err != nil {
			return err
		}
	}
	path, here := t.partPath(), int64(0)
	if info, err := os.Stat(path); err == nil && info.Size() <= t.Bytes {
		here = info.Size()
	}
	err := w.fetchFrom(ctx, t, path, here)
	if here > 0 && errors.Is(err, ErrWrongHash) {
		t.report.say("%v: starting anew", err)
		err = w.fetchFrom(ctx, t, path, 0)
	}
	return err
}

func (w web) fetchFrom(ctx context.Context, t target, path string, here int64) error {
	p, err := openPart(ctx, t, path, here)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.checkSpace(0); err != nil {
		return err
	}
	t.report.begin(w.base.Host, p.size, p.Bytes)
	if err := w.download(ctx, p); err != nil {
		return err
	}
	return p.commit()
}

// declared asks for the SHA-256 and the size of a file whose hash is not built in.
func (w web) declared(ctx context.Context) (sum string, bytes int64, err error) {
	for try := 1; ; try++ {
		err = w.attempt(ctx, http.MethodHead, w.file, 0, func(resp *http.Response, linked http.Header, _ func()) error {
			if !isSuccess(resp.StatusCode) && !isRedirect(resp.StatusCode) {
				return newStatusError(resp)
			}
			if sum = hashIn(linked, "X-Linked-Etag"); sum == "" {
				sum = hashIn(linked, "Etag")
			}
			bytes, _ = strconv.ParseInt(linked.Get("X-Linked-Size"), 10, 64)
			if bytes == 0 && isSuccess(resp.StatusCode) {
				bytes = resp.ContentLength
			}
			return nil
		})
		if err == nil && (sum == "" || bytes <= 0 || bytes > maxModelBytes) {
			err = errors.New("it declares no SHA-256 and size to check the file with")
		}
		if err == nil || !isTransient(err) || isUnreachable(err) || try >= firstTries {
			return sum, bytes, err
		}
		if err := sleep(ctx, w.pause(try, err)); err != nil {
			return "", 0, err
		}
	}
}

// download appends to p until nothing is missing.
func (w web) download(ctx context.Context, p *part) error {
	begun := p.size
	for failures := 0; p.missing() > 0; {
		before := p.size
		err := w.attempt(ctx, http.MethodGet, w.file, p.size, func(resp *http.Response, linked http.Header, alive func()) error {
			return receive(resp, linked, p, alive)
		})
		switch {
		case p.missing() == 0:
			return nil
		case err == nil:
			err = io.ErrUnexpectedEOF
		case ctx.Err() != nil:
			return ctx.Err()
		case !isTransient(err) || isUnreachable(err) && p.size == begun:
			return err // the next source may be better
		}
		if p.size-before >= minProgress {
			failures = 0
		}
		tries := w.limits.tries
		if p.size == begun {
			tries = firstTries
		}
		if failures++; failures >= tries {
			return fmt.Errorf("%w, %d times in a row; %s of %s are kept", err, failures, megabytes(p.size), megabytes(p.Bytes))
		}
		pause := w.pause(failures, err)
		p.report.say("%v: trying again in %v", err, pause)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// receive appends a response's body to p. It calls alive whenever bytes came.
func receive(resp *http.Response, linked http.Header, p *part, alive func()) error {
	if got := hashIn(linked, "X-Linked-Etag"); got != "" && got != p.SHA256 {
		return fmt.Errorf("%w: it has another file now, SHA-256 %s in place of %s", ErrWrongHash, got, p.SHA256)
	}
	switch total := int64(-1); resp.StatusCode {
	case http.StatusPartialContent:
		start, all := parseContentRange(resp.Header.Get("Content-Range"))
		if start != p.size || all >= 0 && all != p.Bytes {
			return errors.Join(fmt.Errorf("%w: asked for the bytes from %d of %d, got %q", errRange, p.size, p.Bytes, resp.Header.Get("Content-Range")), p.restart())
		}
	case http.StatusOK:
		if total = resp.ContentLength; total >= 0 && total != p.Bytes {
			return fmt.Errorf("%w: it has %d bytes in place of %d", ErrWrongHash, total, p.Bytes)
		}
		if p.size > 0 { // it does not know ranges
			if err := p.restart(); err != nil {
				return err
			}
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if p.size == 0 {
			return newStatusError(resp)
		}
		return errors.Join(fmt.Errorf("%w: it has less than %d bytes", errRange, p.size), p.restart())
	default:
		return newStatusError(resp)
	}
	buffer := make([]byte, copyBytes)
	for p.missing() > 0 {
		n, err := resp.Body.Read(buffer[:min(int64(len(buffer)), p.missing())])
		if n > 0 {
			alive()
			if _, err := p.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return &interruptedError{err}
		}
	}
	return nil
}

// parseContentRange reads "bytes START-END/ALL". START is -1 if it is something
// else, ALL is -1 if the server does not know.
func parseContentRange(s string) (start, all int64) {
	spec, ok := strings.CutPrefix(s, "bytes ")
	first, rest, ok2 := strings.Cut(spec, "-")
	_, size, ok3 := strings.Cut(rest, "/")
	start, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil {
		return -1, -1
	}
	if all, err = strconv.ParseInt(size, 10, 64); err != nil {
		all = -1
	}
	return start, all
}

// pause is how long to wait before the try after the failures-th.
func (w web) pause(failures int, err error) time.Duration {
	var status *statusError
	if errors.As(err, &status) && status.retryAfter > 0 {
		return min(status.retryAfter, maxRetryAfter)
	}
	return min(w.limits.backoff<<min(failures-1, 10), maxBackoff)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
