package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// spareBytes stay free on the disk, for whoever else writes there.
const spareBytes = 16 << 20

// part is an unfinished file: the first size bytes of a model, all of them
// hashed. Its path carries the wanted hash, so that a part is never continued
// with another file's bytes. Holder of the model's lock owns it.
type part struct {
	target
	f    *os.File
	at   string
	sum  hash.Hash
	size int64
}

// partPath is where a part of t lies: beside the model, under its hash.
func (t target) partPath() string { return t.path + "." + t.SHA256[:16] + ".part" }

// openPart opens the part at path and hashes what is there, of which the first
// keep bytes are kept, or none if there are fewer. The caller closes it.
func openPart(ctx context.Context, t target, path string, keep int64) (*part, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	p := &part{target: t, f: f, at: path, sum: sha256.New()}
	if err := p.resume(ctx, keep); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *part) resume(ctx context.Context, keep int64) error {
	info, err := p.f.Stat()
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("models: %s: not a file: remove it", p.at)
	}
	if info.Size() < keep {
		keep = 0
	}
	if err := p.f.Truncate(keep); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	p.size, err = io.Copy(p.sum, readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return p.f.Read(b)
	}))
	if err == nil && p.size != keep {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("models: %s: %w", p.at, err)
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// missing is how many bytes are still to come.
func (p *part) missing() int64 { return p.Bytes - p.size }

// restart throws away what is there.
func (p *part) restart() error {
	p.sum.Reset()
	p.size = 0
	_, err := p.f.Seek(0, io.SeekStart)
	if err == nil {
		err = p.f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	p.report.restart()
	return nil
}

// Write appends to the part.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	p.sum.Write(b[:n])
	p.size += int64(n)
	p.report.set(p.size)
	switch {
	case err == nil:
		return n, nil
	case isDiskFull(err):
		return n, p.diskFull()
	case isFileTooLarge(err):
		return n, fmt.Errorf("models: %s: %w: the file system or a limit (ulimit -f) does not allow a file of %s", p.at, err, megabytes(p.Bytes))
	}
	return n, fmt.Errorf("models: %w", err)
}

// checkSpace refuses to begin what cannot end: beside what is missing, extra
// bytes must be free for a while.
func (p *part) checkSpace(extra int64) error {
	if free, known := freeBytes(filepath.Dir(p.path)); known && free < p.missing()+extra+spareBytes {
		full := p.diskFull()
		full.Need += extra + spareBytes
		return full
	}
	return nil
}

func (p *part) diskFull() *DiskFullError {
	full := &DiskFullError{Dir: filepath.Dir(p.path), Need: p.missing(), Free: -1, Kept: p.size}
	if free, known := freeBytes(full.Dir); known {
		full.Free = free
	}
	return full
}

// commit gives the part its name, if the bytes are right; if they are not, it
// removes them. Either way the part is gone.
func (p *part) commit() error {
	if got := hex.EncodeToString(p.sum.Sum(nil)); p.size != p.Bytes || got != p.SHA256 {
		p.f.Close()
		os.Remove(p.at)
		return fmt.Errorf("%w: %d bytes with SHA-256 %s, want %d with %s", ErrWrongHash, p.size, got, p.Bytes, p.SHA256)
	}
	err := errors.Join(p.f.Sync(), p.f.Close())
	if err == nil {
		err = os.Rename(p.at, p.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(p.path))
	}
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	// What other sources had got so far is of no use now.
	os.Remove(p.partPath())
	os.RemoveAll(p.packagesPath())
	return nil
}

// close keeps the part for the next pull, or removes it if there is nothing in
// it. After commit it does nothing.
func (p *part) close() {
	if err := p.f.Close(); err == nil && p.size == 0 {
		os.Remove(p.at)
	}
}
