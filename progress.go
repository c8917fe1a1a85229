package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is one line on a terminal that tells how far something is. On
// anything but a terminal it is silent. It belongs to one goroutine.
type progress struct {
	bar   *progressbar.ProgressBar // nil when silent
	label string
	start time.Time
}

// progressSteps is how finely a share is drawn.
const progressSteps = 1000

// newProgress starts a line on f.
func newProgress(f *os.File, label string) *progress {
	p := &progress{label: label, start: time.Now()}
	if isTerminal(f) {
		p.bar = progressbar.NewOptions(progressSteps,
			progressbar.OptionSetWriter(f),
			progressbar.OptionSetDescription(label),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// show draws the share done, 0 to 1, and a note such as "12 of 480".
func (p *progress) show(share float64, note string) {
	if p.bar == nil {
		return
	}
	if note != "" {
		p.bar.Describe(p.label + ", " + note)
	}
	p.bar.Set(int(min(max(share, 0), 1) * progressSteps))
}

// done takes the line away.
func (p *progress) done() {
	if p.bar == nil {
		return
	}
	p.bar.Clear()
	p.bar.Exit()
	p.bar = nil
}

// rate words bytes per second since the line began.
func (p *progress) rate(bytes int64) string {
	seconds := time.Since(p.start).Seconds()
	if seconds < 0.5 {
		return ""
	}
	return fmt.Sprintf("%.1f MB/s", float64(bytes)/1e6/seconds)
}

// isTerminal reports whether f is a device that shows characters.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
