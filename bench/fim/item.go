// Package fim measures infilling: how often a model, a layout and healing give
// back the text that was cut out of a program at a cursor. It reads items,
// asks a [Source] to fill each and scores what comes back, the same way for
// this engine and for a peer's server. It runs no program that a model wrote.
package fim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"
)

// The kinds of items, by where the cursor stands.
const (
	LineStart  = "line_start"  // before a line, or behind its indentation
	MidWord    = "mid_word"    // between two signs of one word, whatever the origin
	RandomSpan = "random_span" // where a random span of a program began
	Repository = "repository"  // in a line that needs another file to be known
)

// Kinds lists the kinds in the order of reports.
func Kinds() []string { return []string{LineStart, MidWord, RandomSpan, Repository} }

// Item is a program with a hole at a cursor.
type Item struct {
	TaskID string `json:"task_id"`
	Kind   string `json:"kind"`
	Prefix string `json:"prefix"` // ends at the cursor
	Suffix string `json:"suffix"` // begins where Target ended
	Target string `json:"target"` // what stood between them
}

const (
	itemBytesMax = 1 << 20   // one line of a file
	fileBytesMax = 256 << 20 // a file, unpacked
)

// wire is a line of any of the three formats: ours, HumanEval infilling
// (prompt, canonical_solution) and repository items (id).
type wire struct {
	Item
	ID       string  `json:"id"`
	Prompt   *string `json:"prompt"`
	Solution string  `json:"canonical_solution"`
}

// ReadFile reads the items of a JSON-lines file, gzipped or not: this package's
// own, those of HumanEval infilling, or repository-level ones.
func ReadFile(path string) ([]Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	items, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("fim: %s: %w", path, err)
	}
	return items, nil
}

// Read is ReadFile of an open file.
func Read(r io.Reader) ([]Item, error) {
	var items []Item
	err := Lines(r, func(line []byte) error {
		var w wire
		if err := json.Unmarshal(line, &w); err != nil {
			return err
		}
		item := w.item()
		if item.TaskID == "" || item.Target == "" {
			return errors.New("neither an infilling item of ours, of HumanEval nor of a repository")
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

// Lines calls each with every line of r, gzipped or not, that is not blank. Its
// error, which ends the reading, is returned with the line's number.
func Lines(r io.Reader, each func(line []byte) error) error {
	in, err := Unzipped(r)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(io.LimitReader(in, fileBytesMax))
	lines.Buffer(nil, itemBytesMax)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := each(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("a line longer than %d bytes, or unreadable: %w", itemBytesMax, err)
	}
	return nil
}

// item brings a line of any format to the common one.
func (w wire) item() Item {
	item := w.Item
	switch {
	case w.Prompt != nil:
		item.Prefix, item.Target = *w.Prompt, w.Solution
		item.Kind = RandomSpan
	case w.ID != "":
		item.TaskID = w.ID
		item.Kind = Repository
	}
	if InWord(item.Prefix, item.Target) {
		item.Kind = MidWord
	}
	return item
}

// InWord reports whether a cursor between left and right splits a word.
func InWord(left, right string) bool {
	l, _ := utf8.DecodeLastRuneInString(left)
	r, _ := utf8.DecodeRuneInString(right)
	return left != "" && right != "" && wordRune(l) && wordRune(r)
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// Unzipped is r, or what it holds if it is gzipped.
func Unzipped(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	return gzip.NewReader(in)
}
