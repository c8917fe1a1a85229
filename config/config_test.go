package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	text := `# every key
model = "smollm2-135m"
draft_model = "none"
device = "cpu"
prefill_device = "cpu"
decode_device = "ref"
kv = "q8_0"
threads = 3
context = 4096
tokens = 17
[pull]
hub = "https://hub.example"
mirror = "/srv/models"
proxy = "http://proxy.example:3128"
[log]
level = "debug"
file = "/var/log/tandem.log"
source_text = true
[lsp]
enabled = false
languages = { go = true, "*" = false }
exclude = ["gen/**"]
trigger = "manual"
idle_unload_minutes = 5
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	off, five := false, 5.0
	want := Config{
		Model: "smollm2-135m", DraftModel: "none", Device: "cpu", PrefillDevice: "cpu", DecodeDevice: "ref",
		KV: "q8_0", Threads: 3, Context: 4096, Tokens: 17,
		Pull: Pull{Hub: "https://hub.example", Mirror: "/srv/models", Proxy: "http://proxy.example:3128"},
		Log:  Log{Level: "debug", File: "/var/log/tandem.log", SourceText: true},
		LSP:  LSP{&off, map[string]bool{"go": true, "*": false}, []string{"gen/**"}, "manual", &five},
		Path: path,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got.Value("pull.hub") != want.Pull.Hub || got.Value("threads") != "3" || got.Value("pull") != "" || got.Value("-") != "" {
		t.Error("Value gives another value")
	}
	for _, key := range Keys() {
		if name := key[strings.LastIndexByte(key, '.')+1:]; !strings.Contains(text, "\n"+name+" =") {
			t.Errorf("key %q is not tried above", key)
		}
		if got.Value(key) == "" || (Config{}).Value(key) != "" {
			t.Errorf("key %q: value %q, unset %q", key, got.Value(key), (Config{}).Value(key))
		}
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"modle = 'x'", `f.toml:1: unknown key "modle"; the nearest is "model"`},
		{"\n# x\nthread = 3", `f.toml:3: unknown key "thread"; the nearest is "threads"`},
		{"prefill-device = 'cpu'", `the nearest is "prefill_device"`},
		{"hub = 'x'", `f.toml:1: unknown key "hub"; the nearest is "pull.hub"`},
		{"[pull]\nhub = 'x'\n[log]\nlevle = 'x'", `f.toml:4: unknown key "log.levle"; the nearest is "log.level"`},
		{"[log]\nlevel = 'x'\n[pull]\nlevel = 'x'", `f.toml:4: unknown key "pull.level"; the nearest is "log.level"`},
		{"model = 'x'\n[logs]\nlevel = 'x'", `f.toml:2: unknown key "logs"`},
		{"pull.mirorr = 'x'", `f.toml:1: unknown key "pull.mirorr"; the nearest is "pull.mirror"`},
		{"threads = 'two'", `f.toml: toml: line 1 (last key "threads")`},
		{"\nmodel = [", "f.toml:2: "},
		{"model = 'a'\nmodel = 'b'", "f.toml:2: "},
	} {
		_, err := parse("f.toml", test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", test.text, err)
		}
	}
}

func TestDefaultFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("XDG_STATE_HOME", home)
	if c, err := Load(""); err != nil || !reflect.DeepEqual(c, Config{}) {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	if _, err := Load(filepath.Join(home, "other.toml")); err == nil {
		t.Error("a named file that is not there is accepted")
	}
	if _, err := Load(home); err == nil || !strings.Contains(err.Error(), "not a file of settings") {
		t.Errorf("a folder: %v", err)
	}
	path := filepath.Join(home, "tandem", "config.toml")
	if got, err := Path(); got != path || err != nil {
		t.Errorf("Path() = %q, %v", got, err)
	}
	if got, err := LogPath(); got != filepath.Join(home, "tandem", "tandem.log") || err != nil {
		t.Errorf("LogPath() = %q, %v", got, err)
	}
	os.Mkdir(filepath.Dir(path), 0o700)
	os.WriteFile(path, []byte("threads = 5"), 0o600)
	if c, err := Load(""); err != nil || c.Threads != 5 || c.Path != path {
		t.Errorf("with a file: %+v, %v", c, err)
	}
}
