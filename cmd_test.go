package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tandem/models"
)

// Commands are tried through the binary, on a model of random weights: what it
// says is noise, how it is said is not.

// TestErrors: one line that names the thing and the remedy, and the right code.
func TestErrors(t *testing.T) {
	h := newHouse(t)
	source := h.write("a.py", "x = 1\n")
	broken := h.write("broken.gguf", "GGUF and then nothing of use for a model at all")
	bad := h.write("bad.toml", "\nmodle = 'x'\n")
	worse := h.write("worse.toml", "device = 'gpu'\n")
	lines := h.write("lines.jsonl", `{"id":"p-1","package":"p","version":"1","path":"a.py","prefix":"","suffix":"","target":"x","cross_names":[]}`)
	editor := h.write("editor.toml", "[lsp]\ntrigger = 'never'\n")
	for _, test := range []struct {
		code int
		want string // parts of the line, separated by |
		args []string
	}{
		{1, "qwen2.5-coder-0.5b|tandem pull qwen2.5-coder-0.5b", []string{"complete", source + ":1:1"}},
		{1, "qwen2.5-coder-0.5b|tandem pull qwen2.5-coder-0.5b", []string{"generate", "x"}},
		{1, "qwen2.5-coder-9b|nearest", []string{"generate", "x", "--model", "qwen2.5-coder-9b"}},
		{1, "broken.gguf", []string{"generate", "x", "--model", broken}},
		{1, "no.gguf", []string{"generate", "x", "--model", "./no.gguf"}},
		{1, "a.py|line 9|2 lines", []string{"complete", source + ":9:1"}},
		{1, "b.py", []string{"complete", filepath.Join(h.dir, "b.py") + ":1:1"}},
		{1, "holds no mark", []string{"complete", source}},
		{1, "FILE:LINE:COL", []string{"complete", "nowhere"}},
		{1, "7000|1024", []string{"logits", "--ids", "1,7000", "--model", h.model}},
		{1, "temperature", []string{"generate", "x", "--temperature=-1", "--model", h.model}},
		{1, "--context|4096", []string{"generate", "x", "--context", "5000", "--model", h.model}},
		{1, "unknown shape|tiny-qwen2", []string{"synth", "tiny", filepath.Join(h.dir, "x.gguf")}},
		{1, "nope", []string{"pull", "nope"}},
		{1, "p-1|p 1|bench/repo/fetch.sh", []string{"eval", "repo", lines, "--packages", h.dir, "--model", h.model}},
		{1, "a.py|line 1", []string{"eval", "repo", source, "--packages", h.dir, "--model", h.model}},
		{1, "--budget -1", []string{"eval", "repo", lines, "--packages", h.dir, "--budget=-1"}},
		{2, "--packages", []string{"eval", "repo", lines}},
		{2, "--retrievers|definition", []string{"eval", "repo", lines, "--packages", h.dir, "--retrievers", "import,all"}},
		{1, "editor.toml|trigger|manual", []string{"lsp", "--config", editor}},
		{2, "--device|\"cpu\",\"ref\"", []string{"generate", "x", "--device", "gpu"}},
		{2, "--layout", []string{"complete", source + ":1:1", "--layout", "other"}},
		{2, "unknown flag --modle", []string{"doctor", "--modle", "x"}},
		{2, "expected one of", []string{}},
		{2, "bad.toml:2|\"modle\"|\"model\"", []string{"doctor", "--config", bad}},
		{2, "--device|worse.toml", []string{"doctor", "--config", worse}},
		{2, "none.toml", []string{"doctor", "--config", filepath.Join(h.dir, "none.toml")}},
	} {
		line, code := h.fail(test.args...)
		for part := range strings.SplitSeq(test.want, "|") {
			if !strings.Contains(line, part) || code != test.code {
				t.Errorf("tandem %s: code %d, %q; want code %d, %q", strings.Join(test.args, " "), code, line, test.code, part)
			}
		}
	}
}

// TestSettings: a flag beats the file, the file beats the default.
func TestSettings(t *testing.T) {
	h := newHouse(t)
	log := filepath.Join(h.dir, "else.log")
	h.write("tandem/config.toml", "model = '"+h.model+"'\nthreads = 1\ndecode_device = 'ref'\n[log]\nlevel = 'debug'\nfile = '"+log+"'\n")
	out := h.run("", "doctor", "--json")
	for _, part := range []string{h.model, `"decode_device": "ref"`, `"prefill_device": "cpu"`, `"threads": 1`, log, "config.toml"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in %s", part, out)
		}
	}
	if out := h.run("", "doctor", "--json", "--decode-device", "cpu"); strings.Contains(out, `"decode_device": "ref"`) {
		t.Errorf("the flag does not win: %s", out)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "command=doctor") {
		t.Errorf("log %q, %v", text, err)
	}
}

// TestLogHoldsNoSource: not the prompt and not the text, unless asked for.
func TestLogHoldsNoSource(t *testing.T) {
	const prompt = "a_secret_of_mine"
	h := newHouse(t)
	log := filepath.Join(h.dir, "tandem", "tandem.log")
	h.run("", "generate", prompt, "-n", "2", "--model", h.model, "--log-level", "debug")
	text, err := os.ReadFile(log)
	if err != nil || strings.Contains(string(text), prompt) || !strings.Contains(string(text), "(16 bytes of text)") {
		t.Errorf("log %s, %v", text, err)
	}
	h.write("tandem/config.toml", "[log]\nsource_text = true\n")
	h.run("", "generate", prompt, "-n", "2", "--model", h.model)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), prompt) {
		t.Errorf("asked for: log %s, %v", text, err)
	}
}

// TestComplete: the mark stands for a position, and --show prints what is there.
func TestComplete(t *testing.T) {
	h := newHouse(t)
	const text = "def f(x):\n    return x\n\nprint(f(1))\n"
	file := h.write("a.py", text)
	marked := h.write("marked.py", strings.Replace(text, "return x", "return "+cursorMark+"x", 1))
	at := h.run("", "complete", file+":2:12", "--model", h.model, "-n", "4")
	if got := h.run("", "complete", marked, "--model", h.model, "-n", "4"); got != at {
		t.Errorf("at the mark %q, at the position %q", got, at)
	}
	shown := h.run("", "complete", marked, "--model", h.model, "-n", "4", "--show", "--layout", "spm-tail")
	for _, part := range []string{"def f(x):\n    return \x1b[2m", "\x1b[0mx\n\nprint(f(1))\n", "load ", "prefill ", "cached", "decode ", "spm-tail"} {
		if !strings.Contains(shown, part) {
			t.Errorf("no %q in\n%s", part, shown)
		}
	}
	if strings.Contains(shown, cursorMark) {
		t.Errorf("the mark is shown:\n%s", shown)
	}
}

// TestTokenizeRoundTrip: every byte comes back.
func TestTokenizeRoundTrip(t *testing.T) {
	h := newHouse(t)
	const text = "func main() {\r\n\tprintln(\"é 😀 \x00\xff\")\n}\n<|im_end|>"
	for _, flags := range [][]string{nil, {"--special"}} {
		ids := h.run(text, append([]string{"tokenize", "--model", h.model}, flags...)...)
		if back := h.run(ids, append([]string{"tokenize", "--decode", "--model", h.model}, flags...)...); back != text {
			t.Errorf("%v: %q came back as %q", flags, text, back)
		}
	}
	if ids := h.run("<|im_end|>", "tokenize", "--special", "--model", h.model); len(strings.Fields(ids)) != 1 {
		t.Errorf("a special token is %q", ids)
	}
}

// TestLogitsRaw: the raw file holds the distribution whose top JSON shows.
func TestLogitsRaw(t *testing.T) {
	h := newHouse(t)
	raw := filepath.Join(h.dir, "logits.f32")
	out := h.run("", "logits", "--ids", "5,6,7", "--all", "--top", "1", "--json", "--raw", raw, "--model", h.model)
	data, err := os.ReadFile(raw)
	if err != nil || len(data)%(3*4) != 0 || len(data) == 0 {
		t.Fatalf("raw file of %d bytes, %v", len(data), err)
	}
	var printed logitsOutput
	decodeJSON(t, out, &printed)
	if len(printed.Positions) != 3 || len(printed.IDs) != 3 {
		t.Fatalf("printed %+v", printed)
	}
	vocab := len(data) / 12
	for i, p := range printed.Positions {
		best, sum := 0, 0.0
		row := make([]float64, vocab)
		for j := range row {
			row[j] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*vocab+j):])))
			if row[j] > row[best] {
				best = j
			}
		}
		for _, x := range row {
			sum += math.Exp(x - row[best])
		}
		top := p.Top[0]
		if p.Index != i || int(top.ID) != best || math.Abs(top.LogProb+math.Log(sum)) > 1e-5 {
			t.Errorf("position %d: %+v, raw best %d with log-probability %v", i, p, best, -math.Log(sum))
		}
	}
}

// TestDeviceFlags: a hand-over from one device to the other gives a text too.
func TestDeviceFlags(t *testing.T) {
	h := newHouse(t)
	args := []string{"generate", "x = ", "-n", "4", "--model", h.model}
	if out := h.run("", append(args, "--prefill-device", "cpu", "--decode-device", "ref")...); out == "" {
		t.Error("no text")
	}
}

// TestInterrupt: Ctrl-C ends a command quietly and soon.
func TestInterrupt(t *testing.T) {
	h := newHouse(t)
	cmd := h.command("bench", "--model", h.model, "--device", "ref", "-p", "4000", "-r", "1000", "--cancels", "0", "--verbose")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Its log says when it has begun what would take minutes.
	errs := bufio.NewReader(stderr)
	if line, err := errs.ReadString('\n'); err != nil || !strings.Contains(line, "msg=start") {
		t.Errorf("first line %q, %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Skipf("left out: this system sends no interrupt: %v", err)
	}
	rest, err := io.ReadAll(errs)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || err != nil || strings.Contains(string(rest), "tandem:") {
		t.Errorf("exit code %d, %v, printed %q", code, err, rest)
	}
}

func decodeJSON(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %.200q", err, text)
	}
}

// TestPullOffline: a file that is here is right, and nobody is asked.
func TestPullOffline(t *testing.T) {
	h := newHouse(t)
	m, err := models.Find("smollm2-135m")
	if err != nil {
		t.Fatal(err)
	}
	path := h.write(filepath.Join("tandem", "models", m.File), "")
	if err := os.Truncate(path, m.Bytes); err != nil { // a file of nothing takes no room
		t.Fatal(err)
	}
	nowhere := "http://127.0.0.1:1"
	if got := h.run("", "pull", m.Name, "--hub", nowhere, "--proxy", nowhere); got != path+"\n" {
		t.Errorf("pull printed %q", got)
	}
	if list := h.run("", "models"); !regexp.MustCompile(`smollm2-135m +98 MB +yes`).MatchString(list) {
		t.Errorf("models printed\n%s", list)
	}
	if line, code := h.fail("generate", "x", "--model", m.Name); code != 1 || !strings.Contains(line, path) {
		t.Errorf("a file of zeros: code %d, %q", code, line)
	}
}

// TestBenchSynthetic: random weights are measured and leave nothing behind.
func TestBenchSynthetic(t *testing.T) {
	h := newHouse(t)
	out := h.run("", "bench", "--synthetic", "tiny-llama", "-p", "8,16", "-n", "2", "-r", "1", "--cancels", "0", "--device", "ref")
	if !regexp.MustCompile(`(?s)tiny-llama.* on ref.*prefill +8 +0 .*prefill +16 +0 .*decode +2 +0 `).MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
	left, err := os.ReadDir(filepath.Join(h.dir, "tandem", "models"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDoctorForPeople: it tells what is there, what is not, and what to do.
func TestDoctorForPeople(t *testing.T) {
	h := newHouse(t)
	out := h.run("", "doctor")
	for _, part := range []string{"cores", "device cpu", "device ref", "not here", "tandem pull qwen2.5-coder-0.5b", "would use", "because"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
}
