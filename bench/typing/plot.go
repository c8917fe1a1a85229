package typing

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"tandem/bench/plot"
)

// The plot, in pixels of its own coordinates.
const (
	plotWidth, plotHeight = 760, 420
	plotLeft, plotRight   = 64, 740
	plotTop, plotBottom   = 24, 356
)

// series is one curve: the share of answers that were there by a time.
type series struct {
	class  string // of the style sheet
	name   string
	millis []float64 // in ascending order
}

// WriteSVG draws the distributions of the latencies, on a logarithmic axis. The
// colours follow the reader's: light or dark.
func (r *Report) WriteSVG(w io.Writer) error {
	all := []series{{"cold", "cold", r.Cold.Millis}, {"warm", "warm", r.Warm.Millis}, {"reused", "reused", r.Reused.Millis}}
	if r.Peer != nil {
		all = append(all, series{"first", "peer, first key", r.Peer.First.Millis}, series{"later", "peer, later keys", r.Peer.Later.Millis})
	}
	all = slices.DeleteFunc(all, func(s series) bool { return len(s.millis) == 0 })
	page := plot.New("Time from a keystroke to its suggestion", plotWidth, plotHeight,
		`.curve { fill: none; stroke-width: 2 }
.cold { stroke: #0b62b8 } .warm { stroke: #b3430a } .reused { stroke: #17743b } .first { stroke: #6b6b6b } .later { stroke: #8a2d9c }
.first, .cold { stroke-dasharray: 6 3 }`,
		`.cold { stroke: #6db3f8 } .warm { stroke: #ff9a5c } .reused { stroke: #63d08c } .first { stroke: #b5b5b5 } .later { stroke: #d98aea }`)
	axis := newAxis(all)
	axis.draw(page)
	for i, s := range all {
		axis.curve(page, s)
		legend(page, i, s)
	}
	return page.Write(w)
}

// axis is the logarithmic one, whole powers of ten from the least to the most.
type axis struct{ from, to int }

func newAxis(all []series) axis {
	a := axis{math.MaxInt, math.MinInt}
	for _, s := range all {
		a.from = min(a.from, int(math.Floor(math.Log10(max(s.millis[0], 0.01)))))
		a.to = max(a.to, int(math.Ceil(math.Log10(max(s.millis[len(s.millis)-1], 0.01)))))
	}
	if a.from >= a.to {
		return axis{0, 3}
	}
	return a
}

func (a axis) x(millis float64) float64 {
	share := (math.Log10(max(millis, 0.01)) - float64(a.from)) / float64(a.to-a.from)
	return plotLeft + share*(plotRight-plotLeft)
}

func y(share float64) float64 { return plotBottom - share*(plotBottom-plotTop) }

// draw draws the grid, what it means and its units.
func (a axis) draw(page *plot.Page) {
	for power := a.from; power <= a.to; power++ {
		value := math.Pow10(power)
		page.Line("grid", a.x(value), plotTop, a.x(value), plotBottom)
		page.Text(a.x(value), plotBottom+18, "middle", fmt.Sprint(value))
	}
	for percent := 0; percent <= 100; percent += 25 {
		at := y(float64(percent) / 100)
		page.Line("grid", plotLeft, at, plotRight, at)
		page.Text(plotLeft-8, at+4, "end", fmt.Sprintf("%d %%", percent))
	}
	page.Printf(`<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`, plotLeft, plotTop, plotRight-plotLeft, plotBottom-plotTop)
	page.Text((plotLeft+plotRight)/2, plotBottom+36, "middle", "milliseconds from the keystroke to the whole suggestion (logarithmic)")
	page.Text(plotLeft, 16, "start", "share of keystrokes that were answered by then")
}

// curve draws the steps of a distribution.
func (a axis) curve(page *plot.Page, s series) {
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", a.x(s.millis[0]), y(0))
	for i, millis := range s.millis {
		fmt.Fprintf(&path, "H%.1fV%.1f", a.x(millis), y(float64(i+1)/float64(len(s.millis))))
	}
	page.Printf(`<path class="curve %s" d="%sH%d"/>`, s.class, &path, plotRight)
}

// legend names the i-th curve.
func legend(page *plot.Page, i int, s series) {
	x := 10 + i*140
	page.Printf(`<path class="curve %s" d="M%d %dh22"/>`, s.class, x, plotHeight-12)
	page.Text(float64(x+26), plotHeight-8, "start", fmt.Sprintf("%s (%d)", s.name, len(s.millis)))
}
