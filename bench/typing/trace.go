// Package typing replays recorded typing at the language server, a child process
// that it speaks with as an editor does: what a keystroke costs until its ghost
// text is there, what of the suggestions was typed, what hours of it leave
// behind. It knows traces, moments and scores, and how a peer answers the same
// moments; what the server does with a request is deliberately not its business.
package typing

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"tandem/bench/fim"
	"tandem/internal/editor"
)

// Limits of a trace.
const (
	traceBytesMax    = 256 << 20 // of its JSON, unpacked
	documentBytesMax = 8 << 20   // as the server has it
	stepsMax         = 1 << 20
	gapMax           = 5 * time.Second // between two steps: nobody waits a night for the next key
	tick             = time.Second     // of the stamps in a trace
)

// Trace is a recorded editing session of one document. It never changes.
type Trace struct {
	Start string // the document as it is opened
	End   string // as the last step leaves it
	Steps []Step
}

// Step is what happened at one moment: a keystroke, mostly.
type Step struct {
	Edits []editor.Edit // one after the other
	At    time.Duration // since the first step, spread and capped
	Gap   time.Duration // since the step before, as it is stamped
	Txn   int           // its number in the file
}

// Cursor is where the step leaves the cursor: behind what was typed.
func (s Step) Cursor() int {
	last := s.Edits[len(s.Edits)-1]
	return last.Start + len(last.Text)
}

// First is a trace that ends after n steps; 0 means all of them.
func (t *Trace) First(n int) *Trace {
	if n == 0 || n >= len(t.Steps) {
		return t
	}
	return &Trace{Start: t.Start, End: t.before([]int{n})[0], Steps: t.Steps[:n]}
}

// recording is a trace as its file has it; positions count code points.
type recording struct {
	StartContent string `json:"startContent"`
	EndContent   string `json:"endContent"`
	Txns         []struct {
		Time    time.Time `json:"time"`
		Patches []patch   `json:"patches"`
	} `json:"txns"`
}

// patch is [position, number deleted, text inserted].
type patch struct {
	at, deleted int
	text        string
}

// UnmarshalJSON reads a patch.
func (p *patch) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a patch is [position, deleted, inserted], not %.40s", data)
	}
	for i, v := range []any{&p.at, &p.deleted, &p.text} {
		if err := json.Unmarshal(parts[i], v); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile reads a trace, gzipped or not.
func ReadFile(path string) (*Trace, error) {
	data, err := readAll(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// readAll is the text of a file, unpacked.
func readAll(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := fim.Unzipped(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(src, traceBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > traceBytesMax {
		return nil, fmt.Errorf("%s: more than %d MB", path, traceBytesMax>>20)
	}
	return data, nil
}

// Parse reads a trace and plays it once, so that what it returns can be played:
// every edit lies inside its document, and the end is the recorded one. Where
// the document begins empty, the first step is what it is opened with.
func Parse(data []byte) (*Trace, error) {
	var rec recording
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, fmt.Errorf("no trace: %w", err)
	}
	if len(rec.Txns) == 0 || len(rec.Txns) > stepsMax {
		return nil, fmt.Errorf("%d txns, want 1 to %d", len(rec.Txns), stepsMax)
	}
	t := &Trace{Start: rec.StartContent}
	doc := player{text: []byte(rec.StartContent), isASCII: isASCII(rec.StartContent)}
	var stamps []time.Time
	for i, txn := range rec.Txns {
		step := Step{Txn: i}
		for _, p := range txn.Patches {
			e, err := doc.play(p)
			if err != nil {
				return nil, fmt.Errorf("txn %d: %w", i, err)
			}
			step.Edits = append(step.Edits, e)
		}
		if i == 0 && rec.StartContent == "" {
			t.Start = string(doc.text)
			continue
		}
		if len(step.Edits) > 0 {
			t.Steps, stamps = append(t.Steps, step), append(stamps, txn.Time)
		}
	}
	t.End = string(doc.text)
	if t.End != rec.EndContent {
		return nil, fmt.Errorf("the txns lead to a document of %d bytes that is not endContent (%d bytes)", len(t.End), len(rec.EndContent))
	}
	for i, at := range spread(stamps) {
		t.Steps[i].At = at
		if i > 0 {
			t.Steps[i].Gap = stamps[i].Sub(stamps[i-1])
		}
	}
	return t, nil
}

// player is a document while a trace is read or played.
type player struct {
	text    []byte
	isASCII bool // then code points are bytes
}

// play makes a patch's change and gives it in bytes.
func (d *player) play(p patch) (editor.Edit, error) {
	wrong := fmt.Errorf("patch at %d, %d deleted, in a document of %d bytes", p.at, p.deleted, len(d.text))
	if p.at < 0 || p.deleted < 0 || p.at > len(d.text) || p.deleted > len(d.text) {
		return editor.Edit{}, wrong
	}
	start, ok := d.skip(0, p.at)
	end, ok2 := d.skip(start, p.deleted)
	if !ok || !ok2 {
		return editor.Edit{}, wrong
	}
	if len(d.text)-(end-start)+len(p.text) > documentBytesMax {
		return editor.Edit{}, fmt.Errorf("the document grows beyond %d MB", documentBytesMax>>20)
	}
	d.isASCII = d.isASCII && isASCII(p.text)
	e := editor.Edit{Start: start, End: end, Text: p.text}
	d.splice(e)
	return e, nil
}

// splice makes an edit that lies inside the text.
func (d *player) splice(e editor.Edit) {
	tail := len(d.text) - e.End
	grown := append(d.text, e.Text...) // room for the longer of the two
	copy(grown[e.Start+len(e.Text):], grown[e.End:e.End+tail])
	copy(grown[e.Start:], e.Text)
	d.text = grown[:e.Start+len(e.Text)+tail]
}

// skip is the offset n code points behind from; false where the document ends
// before.
func (d *player) skip(from, n int) (int, bool) {
	if d.isASCII {
		return from + n, from+n <= len(d.text)
	}
	for range n {
		if from >= len(d.text) {
			return from, false
		}
		_, size := utf8.DecodeRune(d.text[from:])
		from += size
	}
	return from, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// spread gives times to steps whose stamps are whole ticks: those with the same
// stamp are spread evenly over the tick, or over what there is up to the next
// stamp; a gap lasts gapMax at most, one that goes backwards nothing.
func spread(stamps []time.Time) []time.Duration {
	at := make([]time.Duration, len(stamps))
	now := time.Duration(0)
	for i := 0; i < len(stamps); {
		n := 1
		for i+n < len(stamps) && stamps[i+n].Equal(stamps[i]) {
			n++
		}
		gap := tick
		if i+n < len(stamps) {
			gap = min(max(stamps[i+n].Sub(stamps[i]), 0), gapMax+tick)
		}
		room := min(gap, tick)
		for k := range n {
			at[i+k] = now + room*time.Duration(k)/time.Duration(n)
		}
		last := at[i+n-1]
		now = min(now+gap, last+gapMax)
		i += n
	}
	return at
}
