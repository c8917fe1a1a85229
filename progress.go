package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	barWidth      = 24
	progressEvery = 100 * time.Millisecond
)

// progress is one line on a terminal that tells how far something is. On
// anything but a terminal it is silent. It belongs to one goroutine.
type progress struct {
	w     io.Writer // nil when silent
	label string
	start time.Time
	drawn time.Time
	width int // of what stands there
}

// newProgress starts a line on f.
func newProgress(f *os.File, label string) *progress {
	p := &progress{label: label, start: time.Now()}
	if isTerminal(f) {
		p.w = f
	}
	return p
}

// show draws the share done, 0 to 1, and a note such as "12 of 480 MB".
func (p *progress) show(share float64, note string) {
	if p.w == nil || time.Since(p.drawn) < progressEvery {
		return
	}
	p.drawn = time.Now()
	full := int(min(max(share, 0), 1) * barWidth)
	p.draw(fmt.Sprintf("%s [%s%s] %3.0f %% %s", p.label,
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), 100*min(max(share, 0), 1), note))
}

// done takes the line away.
func (p *progress) done() {
	if p.w == nil || p.width == 0 {
		return
	}
	p.draw("")
	fmt.Fprint(p.w, "\r")
	p.w = nil
}

func (p *progress) draw(line string) {
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

// isTerminal reports whether f is a device that shows characters.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// rate words bytes per second since the line began.
func (p *progress) rate(bytes int64) string {
	seconds := time.Since(p.start).Seconds()
	if seconds < 0.5 {
		return ""
	}
	return fmt.Sprintf("%.1f MB/s", float64(bytes)/1e6/seconds)
}
