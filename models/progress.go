package models

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// reporter tells the user how far a pull is: as a bar on a terminal, elsewhere as
// a line now and then. It belongs to one goroutine. A nil reporter is silent.
type reporter struct {
	w        io.Writer
	told     func(have, whole int64) // nil for none
	label    string
	terminal bool

	bar          *progressbar.ProgressBar // while one stands there
	source       string
	begun, total int64 // bytes: at the start of this source, of the whole
	at           int64 // bytes as last told
	start, shown time.Time
}

func newReporter(w io.Writer, told func(have, whole int64), label string) *reporter {
	if w == nil && told == nil {
		return nil
	}
	if w == nil {
		w = io.Discard
	}
	return &reporter{w: w, told: told, label: label, terminal: isTerminal(w)}
}

// isTerminal reports whether w is a device that shows characters.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// say writes one line, above the bar if there is one.
func (r *reporter) say(format string, args ...any) {
	if r == nil {
		return
	}
	if r.bar != nil {
		r.bar.Clear()
	}
	fmt.Fprintf(r.w, format+"\n", args...)
}

// begin starts a source's progress at have of total bytes.
func (r *reporter) begin(source string, have, total int64) {
	if r == nil {
		return
	}
	r.end()
	r.source, r.begun, r.at, r.total, r.start = source, have, have, total, time.Now()
	r.shown = r.start
	what := fmt.Sprintf("%s: %s from %s", r.label, megabytes(total), source)
	if have > 0 {
		what += fmt.Sprintf(", of which %s are here", megabytes(have))
	}
	r.say("%s", what)
	if r.terminal && total > have {
		// The bar runs over what is missing: with what was there it would take it
		// for the speed of the network.
		r.bar = progressbar.NewOptions64(total-have,
			progressbar.OptionSetWriter(r.w),
			progressbar.OptionSetDescription(r.label),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(barEvery),
			progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(),
		)
	}
}

// restart tells that what was here is gone.
func (r *reporter) restart() {
	if r != nil && r.at > 0 {
		r.begin(r.source, 0, r.total)
	}
}

// set tells that n bytes of the whole are here. Fewer than before is an estimate
// that was too good, and waits until it is true.
func (r *reporter) set(n int64) {
	if r == nil || n <= r.at {
		return
	}
	r.at = n
	if r.told != nil {
		r.told(n, r.total)
	}
	if r.bar != nil {
		r.bar.Set64(min(max(n-r.begun, 0), r.total-r.begun))
		return
	}
	if now := time.Now(); !r.terminal && now.Sub(r.shown) >= lineEvery {
		r.shown = now
		fmt.Fprintln(r.w, r.line(n, now.Sub(r.start)))
	}
}

// line words that n bytes are here after some time.
func (r *reporter) line(n int64, elapsed time.Duration) string {
	text := fmt.Sprintf("%s: %s of %s", r.label, megabytes(n), megabytes(r.total))
	rate := float64(n-r.begun) / elapsed.Seconds()
	if rate < 1 {
		return text
	}
	left := time.Duration(float64(r.total-n) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s, %.1f MB/s, %v left", text, rate/1e6, left)
}

// end takes the bar away.
func (r *reporter) end() {
	if r == nil || r.bar == nil {
		return
	}
	r.bar.Clear()
	r.bar.Exit()
	r.bar = nil
}
