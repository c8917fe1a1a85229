package logfile

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTextIsNotWritten(t *testing.T) {
	const secret = "func secret()"
	for _, shown := range []bool{false, true} {
		var out bytes.Buffer
		log := New(&out, Options{Level: slog.LevelInfo, SourceText: shown})
		log.Info("completed", "text", Text(secret), slog.Group("g", "text", Text(secret)))
		log.Info(fmt.Sprintf("by printf: %v %s", Text(secret), Text(secret)))
		log.Debug("below the level")
		first, second, _ := strings.Cut(out.String(), "\n")
		if got := strings.Count(first, secret); got != map[bool]int{false: 0, true: 2}[shown] {
			t.Errorf("shown %v: text stands %d times in %q", shown, got, first)
		}
		if strings.Contains(second, secret) || strings.Contains(second, "below") {
			t.Errorf("shown %v: %q", shown, second)
		}
		if !shown && !strings.Contains(first, "(13 bytes of text)") {
			t.Errorf("no length in %q", first)
		}
	}
	// A handler that knows nothing of this package hides the text as well.
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "text", Text(secret))
	if strings.Contains(out.String(), secret) {
		t.Errorf("JSON handler wrote %q", out.String())
	}
}

// TestBounded has two writers, as two processes would, fill one small log.
func TestBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "tandem.log")
	const limit = 1000
	var group sync.WaitGroup
	for range 2 {
		w, err := openFile(path, limit)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			defer w.Close()
			for range 500 {
				if n, err := w.Write([]byte("0123456789\n")); n != 11 || err != nil {
					t.Errorf("wrote %d: %v", n, err)
					return
				}
			}
		})
	}
	group.Wait()
	for _, name := range []string{path, path + ".1"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Two writers, each of which knows only its own bytes since it opened.
		if len(text) > 2*limit {
			t.Errorf("%s holds %d bytes, limit %d", name, len(text), limit)
		}
		if strings.ReplaceAll(string(text), "0123456789\n", "") != "" {
			t.Errorf("%s: a record is broken", name)
		}
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "tandem.log")
	var also bytes.Buffer
	log, closer, err := Open(path, Options{Level: slog.LevelWarn, Also: &also})
	if err != nil {
		t.Fatal(err)
	}
	log.Warn("once")
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if !strings.Contains(string(text), "once") || also.String() != string(text) {
		t.Errorf("file %q, other %q", text, also.String())
	}
	if _, _, err := Open(filepath.Join(path, "below"), Options{}); err == nil {
		t.Error("a log below a file is accepted")
	}
}
