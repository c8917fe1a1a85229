//go:build unix

package workspace

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestNoPipesNorDevices would wait for ever if a pipe were opened as usual.
func TestNoPipesNorDevices(t *testing.T) {
	w, dir := newFolder(t, map[string]string{"sub/": "", "a.go": "text"})
	for _, name := range []string{"pipe", "sub/" + gitIgnore} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skipf("no pipes here: %v", err)
		}
	}
	if socket, err := net.Listen("unix", filepath.Join(dir, "socket")); err == nil {
		defer socket.Close()
		checkRead(t, w, filepath.Join(dir, "socket"), ErrNotRegular)
	}
	checkRead(t, w, filepath.Join(dir, "pipe"), ErrNotRegular)
	checkRead(t, w, filepath.Join(dir, "sub", "a.go"), os.ErrNotExist)
	if files := walkAll(t, w).Files; len(files) != 1 {
		t.Errorf("a walk finds %v", files)
	}

	// A pipe of our own rules hides what is beside it.
	if err := syscall.Mkfifo(filepath.Join(dir, ownIgnore), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Refresh()
	checkRead(t, w, filepath.Join(dir, "a.go"), ErrExcluded)

	devices := New(nil)
	if err := devices.SetFolders("/dev"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/dev/null", "/dev/zero", "/dev/tty"} {
		if _, err := os.Lstat(name); err == nil {
			checkRead(t, devices, name, ErrNotRegular)
		}
	}
}

// TestOpenDoesNotWait opens a pipe that came between the look and the opening.
func TestOpenDoesNotWait(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	file, err := root.OpenFile("pipe", readFlags, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser reads everything: run as another user")
	}
	w, dir := newFolder(t, map[string]string{"a.go": "a", "shut/b.go": "b", "sub/" + gitIgnore: "", "sub/c.go": "c"})
	for _, name := range []string{"shut", "sub/" + gitIgnore} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	if list := walkAll(t, w); len(list.Files) != 1 || list.Skipped != 1 {
		t.Errorf("a walk finds %+v", list)
	}
	checkRead(t, w, filepath.Join(dir, "sub", "c.go"), ErrExcluded)
}
