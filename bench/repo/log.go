package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
)

const (
	logBytesMax  = 1 << 30
	lineBytesMax = 8 << 20 // of a log: a context in JSON
)

// Log is a file to which every result goes as it comes, one JSON object a line
// behind one for the setting, so that a run may end and go on at will. It belongs
// to one goroutine.
type Log struct {
	file *os.File
}

// OpenLog opens the log at path, or makes it, and reads the results that it holds.
func OpenLog(path string, s Setting) (*Log, []Result, error) {
	text, err := readLog(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1] // a line that was cut off is written again
	results, err := parseLog(whole, s)
	if err != nil {
		return nil, nil, fmt.Errorf("repo: %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, err
	}
	l := &Log{file}
	if err = file.Truncate(int64(len(whole))); err == nil {
		_, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil && len(whole) == 0 {
		err = l.write(s)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return l, results, nil
}

func readLog(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, logBytesMax+1))
	if err == nil && len(text) > logBytesMax {
		err = fmt.Errorf("repo: %s: more than %d bytes are no log of an evaluation", path, logBytesMax)
	}
	return text, err
}

func parseLog(text []byte, s Setting) ([]Result, error) {
	var results []Result
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if n == 1 {
			var was Setting
			if err := strict(line, &was); err != nil {
				return nil, fmt.Errorf("line 1 is no setting of an evaluation: %w: name a new file", err)
			}
			if !reflect.DeepEqual(was, s) {
				return nil, fmt.Errorf("it was made with %+v, now it would be %+v: name a new file", was, s)
			}
			continue
		}
		var r Result
		if err := strict(line, &r); err != nil {
			return nil, fmt.Errorf("line %d is no result: %w", n, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// strict reads a line that has exactly v's fields, none of them unknown.
func strict(line []byte, v any) error {
	if len(line) > lineBytesMax {
		return fmt.Errorf("longer than %d bytes", lineBytesMax)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// Add writes a result, before anything else is computed.
func (l *Log) Add(r Result) error { return l.write(r) }

func (l *Log) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(line, '\n'))
	return err
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
