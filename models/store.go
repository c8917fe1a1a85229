package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const extension = ".gguf"

// ErrNotPulled says that a model is known and its file is not on this machine.
// Its message names the command that gets it.
var ErrNotPulled = errors.New("not pulled")

// Dir is the folder where models lie: $XDG_CACHE_HOME/tandem/models, or below
// the system's own cache folder. It need not exist.
func Dir() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(cache) {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("models: no folder for models: %w: set XDG_CACHE_HOME", err)
		}
	}
	return filepath.Join(cache, "tandem", "models"), nil
}

// Path is where the model of that name lies in dir, there or not.
func Path(dir, name string) string { return filepath.Join(dir, name+extension) }

// Resolve finds a model's file: nameOrPath is the name of a built-in model, whose
// file is in dir ("" for [Dir]), or the path of a GGUF file, for which m is nil.
// A model that is not there is ErrNotPulled, with m set. It opens no connection.
func Resolve(dir, nameOrPath string) (path string, m *Model, err error) {
	known, findErr := Find(nameOrPath)
	if findErr != nil {
		path, err = resolvePath(nameOrPath, findErr)
		return path, nil, err
	}
	if dir == "" {
		if dir, err = Dir(); err != nil {
			return "", nil, err
		}
	}
	path = Path(dir, known.Name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", &known, fmt.Errorf("models: %s is %w: run `tandem pull %s` (%s)", known.Name, ErrNotPulled, known.Name, megabytes(known.Bytes))
	case err != nil:
		return "", &known, fmt.Errorf("models: %w", err)
	case !known.fits(info):
		return "", &known, fmt.Errorf("models: %s: %d bytes where %d are right, so it is %w whole: run `tandem pull %s`",
			path, info.Size(), known.Bytes, ErrNotPulled, known.Name)
	}
	return path, &known, nil
}

// resolvePath is for what is no built-in name, which notFound says.
func resolvePath(path string, notFound error) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Mode().IsRegular():
		return path, nil
	case err == nil:
		return "", fmt.Errorf("models: %s: not a file: give the path of a %s file or a model's name", path, extension)
	case strings.ContainsRune(path, filepath.Separator) || strings.HasSuffix(path, extension):
		return "", fmt.Errorf("models: %w", err)
	}
	return "", notFound
}

// fits reports whether a file with the model's name can be the model. The hash
// was checked before it got that name, so the size is enough.
func (m Model) fits(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Size() > 0 && (m.SHA256 == "" || info.Size() == m.Bytes)
}

// megabytes words a number of bytes for people: "98 MB".
func megabytes(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%d kB", (n+500)/1e3)
	case n < 1e10:
		return fmt.Sprintf("%d MB", (n+5e5)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
