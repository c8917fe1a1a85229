package models

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk pulls onto a small disk of its own: a tmpfs, which the kernel
// lets anybody mount in a namespace of their own.
func TestFullDisk(t *testing.T) {
	if os.Getenv("TANDEM_TEST_NAMESPACE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "TANDEM_TEST_NAMESPACE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || strings.Contains(string(out), "no mount:") {
			t.Skipf("left out: this system lets nobody mount a small disk: allow user namespaces (%v, %s)", err, out)
		}
		if err != nil || !strings.Contains(string(out), "PASS: TestFullDisk/no_room") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	m, content := fake(8 << 20)
	t.Run("fills up", func(t *testing.T) {
		dir := smallDisk(t, 40<<20)
		filler := filepath.Join(dir, "filler")
		s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
			if n > 0 {
				whole(w, r, content)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:4<<20])
			w.(http.Flusher).Flush()
			waitFor(t, "half of the file", func() bool {
				info, err := os.Stat(partOf(dir, m))
				return err == nil && info.Size() == 4<<20
			})
			if err := os.WriteFile(filler, make([]byte, 64<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("the disk is not full: %v", err)
			}
			w.Write(content[4<<20:])
		})
		// A second source must not be asked: it would find the disk as full.
		o := Options{Dir: dir, Mirror: s.URL, HubURL: "http://hub.invalid", limits: quick}
		_, err := Pull(t.Context(), m, o)
		wantFull(t, err, 4<<20, 0, 4<<20)
		if err != nil && strings.Contains(err.Error(), "hub.invalid") {
			t.Error(err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		check(t, m, o, content)
		if got := s.asked(); got != "GET, GET bytes=4194304-" {
			t.Errorf("requests %q", got)
		}
	})
	t.Run("no room", func(t *testing.T) {
		dir := smallDisk(t, 20<<20) // room for the model, not for what is to stay free
		s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { whole(w, r, content) })
		_, err := Pull(t.Context(), m, Options{Dir: dir, HubURL: s.URL, limits: quick})
		wantFull(t, err, 24<<20, 20<<20, 0)
		if got := s.asked(); got != "" {
			t.Errorf("requests %q: nothing should begin", got)
		}
		wantOnly(t, dir)
	})
}

func smallDisk(t *testing.T, size int) string {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatal("no mount:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	return dir
}

// wantFull fails unless err tells these numbers, free within a megabyte.
func wantFull(t *testing.T, err error, need, free, kept int64) {
	t.Helper()
	var full *DiskFullError
	if !errors.As(err, &full) {
		t.Fatalf("error %v", err)
	}
	if full.Need != need || full.Free > free || full.Free < free-1<<20 || full.Kept != kept {
		t.Errorf("%+v, want %d, %d, %d", full, need, free, kept)
	}
	if !strings.Contains(err.Error(), megabytes(need)+" needed") || !strings.Contains(err.Error(), "make room") {
		t.Error(err)
	}
}

// TestFileLimit pulls in a process that may not write large files.
func TestFileLimit(t *testing.T) {
	m, content := fake(2 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { whole(w, r, content) })
	child := childPull{Model: m, Dir: t.TempDir(), HubURL: s.URL, FileLimit: 1 << 20}
	out, err := child.command(t).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "ulimit -f") {
		t.Errorf("%v: %s", err, out)
	}
	got, err := os.ReadFile(partOf(child.Dir, m))
	if err != nil || !bytes.Equal(got, content[:1<<20]) {
		t.Errorf("part of %d bytes, %v", len(got), err)
	}
	check(t, m, Options{Dir: child.Dir, HubURL: s.URL, limits: quick}, content)
	if got := s.asked(); got != "GET, GET bytes=1048576-" {
		t.Errorf("requests %q", got)
	}
}

// TestBar draws on a terminal.
func TestBar(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("left out: no terminal can be made here: mount devpts (%v)", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100})
	m, content := fake(4 << 20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { whole(w, r, content) })
	dir := t.TempDir()
	if err := os.WriteFile(partOf(dir, m), content[:1<<20], 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, m, Options{Dir: dir, HubURL: s.URL, Progress: terminal, limits: quick}, content)
	fmt.Fprintln(terminal, "end")
	var drawn bytes.Buffer
	for b := make([]byte, 4096); !strings.Contains(drawn.String(), "end"); {
		n, err := master.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		drawn.Write(b[:n])
	}
	for _, want := range []string{"fake: 4 MB from 127.0.0.1", "of which 1 MB are here", "%", "/3.1 MB", "B/s"} {
		if !strings.Contains(drawn.String(), want) {
			t.Errorf("no %q in %q", want, drawn.String())
		}
	}
	lines := strings.Split(drawn.String(), "\n")
	if last := lines[len(lines)-2]; !strings.HasSuffix(strings.TrimSpace(last), "end") || strings.Contains(last[strings.LastIndex(last[:len(last)-2], "\r")+1:], "%") {
		t.Errorf("the bar stays: %q", last)
	}
}
