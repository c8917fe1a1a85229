package typing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"
)

// A moment is when a suggestion may be worth something: something was just typed,
// a word begins or a pause ends, and there is more to come.
const (
	momentPause   = 2 * time.Second
	momentBehind  = "\n .:(=" // a word begins behind these
	momentTypes   = 4         // code points that are typed on the line at least, blanks at both ends aside
	momentLineMax = 1 << 20   // of a line of a file of moments
	typedMax      = 1 << 10   // code points that a suggestion is compared with
)

// Moment is a step of a trace before which a suggestion is asked for.
type Moment struct {
	Step   int    // of Trace.Steps
	Cursor int    // where it types, in bytes
	Typed  string // what the trace goes on to type there, on that line
}

// Moments are those of the file that lies beside the trace, TRACE.points.jsonl,
// gzipped or not; where there is none, they are found in the trace.
func (t *Trace) Moments(path string) ([]Moment, error) {
	stem := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".json")
	for _, name := range []string{stem + ".points.jsonl", stem + ".points.jsonl.gz"} {
		data, err := readAll(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		moments, err := t.ParseMoments(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return moments, nil
	}
	return t.FindMoments(), nil
}

// ParseMoments reads moments, a line of JSON each with txn and next_typed, and
// holds them against the trace.
func (t *Trace) ParseMoments(data []byte) ([]Moment, error) {
	byTxn := map[int]int{}
	for i, s := range t.Steps {
		byTxn[s.Txn] = i
	}
	var moments []Moment
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, momentLineMax)
	for n := 1; lines.Scan(); n++ {
		var point struct {
			Txn       int    `json:"txn"`
			NextTyped string `json:"next_typed"`
		}
		if err := json.Unmarshal(lines.Bytes(), &point); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		step, ok := byTxn[point.Txn]
		if !ok {
			return nil, fmt.Errorf("line %d: the trace has no txn %d to ask before", n, point.Txn)
		}
		cursor, types := t.Steps[step].types()
		if !types || !strings.HasPrefix(t.typed(step, cursor), point.NextTyped) {
			return nil, fmt.Errorf("line %d: txn %d of the trace does not begin to type %.40q", n, point.Txn, point.NextTyped)
		}
		moments = append(moments, Moment{step, cursor, point.NextTyped})
	}
	return moments, lines.Err()
}

// FindMoments finds a trace's moments.
func (t *Trace) FindMoments() []Moment {
	var moments []Moment
	for i := 1; i < len(t.Steps); i++ {
		cursor, types := t.Steps[i].types()
		at, typed := t.Steps[i-1].types()
		last := t.Steps[i-1].Edits[0].Text
		if !types || !typed || utf8.RuneCountInString(last) != 1 || at+len(last) != cursor {
			continue
		}
		pause := t.Steps[i].Gap >= momentPause
		if !pause && !strings.Contains(momentBehind, last) {
			continue
		}
		line, _, _ := strings.Cut(t.typed(i, cursor), "\n")
		if utf8.RuneCountInString(strings.TrimSpace(line)) >= momentTypes {
			moments = append(moments, Moment{i, cursor, line})
		}
	}
	return moments
}

// Spread chooses n of moments, evenly over all of them and always the same.
func Spread(moments []Moment, n int) []Moment {
	if n >= len(moments) {
		return moments
	}
	some := make([]Moment, n)
	for i := range some {
		some[i] = moments[(2*i+1)*len(moments)/(2*n)]
	}
	return some
}

// types is where the step types, and whether that is all it does.
func (s Step) types() (cursor int, ok bool) {
	e := s.Edits[0]
	return e.Start, len(s.Edits) == 1 && e.Start == e.End && e.Text != ""
}

// typed is what the steps from step on type at cursor, one behind the other, up to
// the first one that does something else.
func (t *Trace) typed(step, cursor int) string {
	var b strings.Builder
	for _, s := range t.Steps[min(step, len(t.Steps)):] {
		at, ok := s.types()
		if !ok || at != cursor+b.Len() || b.Len() > typedMax {
			break
		}
		b.WriteString(s.Edits[0].Text)
	}
	return b.String()
}

// before are the documents as the steps find them, whose numbers ascend.
func (t *Trace) before(steps []int) []string {
	var docs []string
	doc := player{text: []byte(t.Start)}
	for i, s := range t.Steps {
		for len(docs) < len(steps) && steps[len(docs)] == i {
			docs = append(docs, string(doc.text))
		}
		for _, e := range s.Edits {
			doc.splice(e)
		}
	}
	return docs
}

// right is how many code points of a suggestion are the beginning of what was
// typed.
func right(suggestion, typed string) int {
	n := 0
	for _, r := range suggestion {
		next, size := utf8.DecodeRuneInString(typed)
		if size == 0 || next != r {
			break
		}
		typed = typed[size:]
		n++
	}
	return n
}
