// Package config reads the settings file, config.toml. Its keys mirror the
// command line's flags, which override them; a key that does not exist is an
// error that names the nearest one that does. It knows where the file lies and
// what type each setting has, and deliberately not what the values mean.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"

	"github.com/BurntSushi/toml"
)

// maxFileBytes is far more than every key with a long comment needs.
const maxFileBytes = 1 << 20

// Config is the settings file. A zero value means that the file does not say.
type Config struct {
	// Flags of the same name.
	Model         string `toml:"model"`
	DraftModel    string `toml:"draft_model"`
	Device        string `toml:"device"`
	PrefillDevice string `toml:"prefill_device"`
	DecodeDevice  string `toml:"decode_device"`
	KV            string `toml:"kv"`
	Threads       int    `toml:"threads"`
	Context       int    `toml:"context"`
	Tokens        int    `toml:"tokens"` // -n

	Pull Pull `toml:"pull"`
	Log  Log  `toml:"log"`
	LSP  LSP  `toml:"lsp"`

	// Path is the file that was read, "" if there is none.
	Path string `toml:"-"`
}

// Pull says where models come from.
type Pull struct {
	Hub    string `toml:"hub"`    // address of the model hub or a mirror of it
	Mirror string `toml:"mirror"` // folder or address that is asked first
	Proxy  string `toml:"proxy"`  // proxy of every connection that pull opens
}

// Log says what is written down.
type Log struct {
	Level      string `toml:"level"` // debug, info, warn, error
	File       string `toml:"file"`
	SourceText bool   `toml:"source_text"` // source code and prompts may stand in the log
}

// LSP is for editors, whose own settings override it; docs/lsp-extensions.md says
// what its keys mean. Its JSON is what an editor would send.
type LSP struct {
	Enabled           *bool           `toml:"enabled" json:"enabled,omitempty"`
	Languages         map[string]bool `toml:"languages" json:"languages,omitempty"`
	Exclude           []string        `toml:"exclude" json:"exclude,omitempty"`
	Trigger           string          `toml:"trigger" json:"trigger,omitempty"`
	IdleUnloadMinutes *float64        `toml:"idle_unload_minutes" json:"idleUnloadMinutes,omitempty"`
}

// Load reads the settings at path. With path "" it reads the user's own file,
// see [Path], which need not be there.
func Load(path string) (Config, error) {
	optional := path == ""
	if optional {
		var err error
		if path, err = Path(); err != nil {
			return Config{}, nil // no home, no settings
		}
	}
	info, err := os.Stat(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("config: %w: check --config", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return Config{}, fmt.Errorf("config: %s: not a file of settings (at most %d bytes)", path, maxFileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w: check its permissions", err)
	}
	return parse(path, string(text))
}

func parse(path, text string) (Config, error) {
	c := Config{Path: path}
	meta, err := toml.Decode(text, &c)
	if err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return Config{}, fmt.Errorf("config: %s:%d: %s", path, at.Position.Line, message(at))
		}
		return Config{}, fmt.Errorf("config: %s: %w", path, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		key := unknown[0]
		return Config{}, fmt.Errorf("config: %s:%d: unknown key %q; the nearest is %q",
			path, lineOf(text, key), key.String(), nearestKey(key, Keys()))
	}
	return c, nil
}

// message words a parse error in one line, with the key it stands at.
func message(at toml.ParseError) string {
	if at.LastKey == "" {
		return at.Message
	}
	return fmt.Sprintf("key %q: %s", at.LastKey, at.Message)
}

// Keys lists every key that the file may hold, as "table.key".
func Keys() []string {
	var keys []string
	walk(reflect.ValueOf(Config{}), "", func(key string, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// Value is the setting of a key that [Keys] lists as text, "" where the file
// does not say.
func (c Config) Value(key string) string {
	text := ""
	walk(reflect.ValueOf(c), "", func(k string, v reflect.Value) {
		if k == key && !v.IsZero() {
			text = fmt.Sprint(v.Interface())
		}
	})
	return text
}

// walk visits the settings in v, a table called name.
func walk(v reflect.Value, name string, visit func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		switch key := v.Type().Field(i).Tag.Get("toml"); {
		case key == "-":
		case v.Field(i).Kind() == reflect.Struct:
			walk(v.Field(i), name+key+".", visit)
		default:
			visit(name+key, v.Field(i))
		}
	}
}

// Path is the user's settings file: $XDG_CONFIG_HOME/tandem/config.toml, or the
// system's own folder for settings where that variable is not set.
func Path() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", fmt.Errorf("config: %w", err)
		}
	}
	return filepath.Join(dir, "tandem", "config.toml"), nil
}

// LogPath is where the log goes unless the settings say otherwise:
// $XDG_STATE_HOME/tandem/tandem.log, or the system's own place for such files.
func LogPath() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if filepath.IsAbs(dir) {
		return filepath.Join(dir, "tandem", "tandem.log"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("config: %w", err)
		}
		return filepath.Join(dir, "tandem", "tandem.log"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	return filepath.Join(home, ".local", "state", "tandem", "tandem.log"), nil
}
