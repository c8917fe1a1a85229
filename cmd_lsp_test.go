package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// session is an editor's view of a running `tandem lsp`.
type session struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *textproto.Reader
}

func (h house) session(args ...string) *session {
	h.t.Helper()
	cmd := h.command(append([]string{"lsp"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return &session{h.t, cmd, in, textproto.NewReader(bufio.NewReader(out))}
}

func (s *session) send(body string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		s.t.Fatal(err)
	}
}

// until gives the first message that holds part.
func (s *session) until(part string) string {
	s.t.Helper()
	for {
		header, err := s.out.ReadMIMEHeader()
		if err != nil {
			s.t.Fatalf("no message with %q: %v", part, err)
		}
		n, _ := strconv.Atoi(header.Get("Content-Length"))
		body := make([]byte, n)
		if _, err := io.ReadFull(s.out.R, body); err != nil {
			s.t.Fatal(err)
		}
		if strings.Contains(string(body), part) {
			return string(body)
		}
	}
}

// initialize begins the session as a child of the process pid.
func (s *session) initialize(pid int) {
	s.t.Helper()
	s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":%d,"rootUri":null,"capabilities":{"textDocument":{"inlineCompletion":{}}}}}`, pid))
	s.until(`"id":1`)
	s.send(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
}

// code waits for the end of the process. What it still says is read, since it
// would wait for that.
func (s *session) code() int {
	io.Copy(io.Discard, s.out.R)
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// TestServer completes through the real command, with a real if senseless model.
func TestServer(t *testing.T) {
	h := newHouse(t)
	s := h.session("--stdio", "--model", h.model, "--device", "ref", "-n", "4")
	s.initialize(os.Getpid())
	s.send(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.py","languageId":"python","version":1,"text":"def f(x):\n    return "}}}`)
	s.until(`"ready"`)
	s.send(`{"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.py"},"position":{"line":1,"character":11},"context":{"triggerKind":1}}}`)
	if answer := s.until(`"id":2`); strings.Contains(answer, `"error"`) {
		t.Error(answer)
	}
	s.send(`{"jsonrpc":"2.0","id":3,"method":"tandem/stats"}`)
	var stats struct {
		Result struct {
			Requests int `json:"requests"`
			Decoded  int `json:"decoded_tokens"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(s.until(`"id":3`)), &stats); err != nil || stats.Result.Requests != 1 || stats.Result.Decoded == 0 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	s.send(`{"jsonrpc":"2.0","id":4,"method":"shutdown"}`)
	s.until(`"id":4`)
	s.send(`{"jsonrpc":"2.0","method":"exit"}`)
	if code := s.code(); code != 0 {
		t.Errorf("after shutdown and exit: code %d", code)
	}
}

// TestServerEnds: the process ends by itself, whatever the editor forgets.
func TestServerEnds(t *testing.T) {
	h := newHouse(t)
	for name, end := range map[string]func(s *session){
		"exit without shutdown":  func(s *session) { s.send(`{"jsonrpc":"2.0","method":"exit"}`) },
		"the input ends":         func(s *session) { s.in.Close() },
		"the input ends in text": func(s *session) { io.WriteString(s.in, "Content-Length: 99\r\n\r\n{"); s.in.Close() },
	} {
		s := h.session("--model", h.model)
		s.initialize(os.Getpid())
		end(s)
		if code := s.code(); code != 1 {
			t.Errorf("%s: code %d, want 1", name, code)
		}
	}
}

// TestServerParent: the process ends with its editor's, also where somebody else
// keeps the pipe open.
func TestServerParent(t *testing.T) {
	parent := exec.Command("sleep", "1000")
	if err := parent.Start(); err != nil {
		t.Skipf("left out: no process to stand for an editor: %v", err)
	}
	h := newHouse(t)
	s := h.session("--model", h.model)
	s.initialize(parent.Process.Pid)
	parent.Process.Kill()
	parent.Wait()
	if code := s.code(); code != 1 {
		t.Errorf("code %d, want 1", code)
	}
}

// TestReturnMemory: what was once in use goes back to the system.
func TestReturnMemory(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const wanted = 64 << 20
	busy := make([][]byte, 64)
	for i := range busy {
		busy[i] = make([]byte, wanted/len(busy))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	clear(busy)
	go returnMemory(ctx, time.Millisecond)
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.ReadMemStats(&after)
		if after.HeapReleased >= before.HeapReleased+wanted/2 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("of %d bytes that were in use %d went back", wanted, after.HeapReleased-before.HeapReleased)
		}
	}
}
