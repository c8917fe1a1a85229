package typing

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
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
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">
<title>Time from a keystroke to its suggestion</title>
<style>
.paper { fill: #ffffff } text { fill: #222222 } .grid { stroke: #d5d5d5 } .frame { stroke: #777777; fill: none }
.curve { fill: none; stroke-width: 2 }
.cold { stroke: #0b62b8 } .warm { stroke: #b3430a } .reused { stroke: #17743b } .first { stroke: #6b6b6b } .later { stroke: #8a2d9c }
.first, .cold { stroke-dasharray: 6 3 }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181d } text { fill: #e6e6e6 } .grid { stroke: #3a3d44 } .frame { stroke: #9a9a9a }
.cold { stroke: #6db3f8 } .warm { stroke: #ff9a5c } .reused { stroke: #63d08c } .first { stroke: #b5b5b5 } .later { stroke: #d98aea }
}
</style>
<rect class="paper" width="%d" height="%d"/>
`, plotWidth, plotHeight, plotWidth, plotHeight)
	axis := newAxis(all)
	axis.draw(&b)
	for i, s := range all {
		axis.curve(&b, s)
		legend(&b, i, s)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
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
func (a axis) draw(b *strings.Builder) {
	for power := a.from; power <= a.to; power++ {
		value := math.Pow10(power)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", a.x(value), a.x(value), plotTop, plotBottom)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", a.x(value), plotBottom+18, value)
	}
	for percent := 0; percent <= 100; percent += 25 {
		at := y(float64(percent) / 100)
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", plotLeft, plotRight, at, at)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%d %%</text>`+"\n", plotLeft-8, at+4, percent)
	}
	fmt.Fprintf(b, `<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`+"\n", plotLeft, plotTop, plotRight-plotLeft, plotBottom-plotTop)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">milliseconds from the keystroke to the whole suggestion (logarithmic)</text>`+"\n",
		(plotLeft+plotRight)/2, plotBottom+36)
	fmt.Fprintf(b, `<text x="%d" y="16">share of keystrokes that were answered by then</text>`+"\n", plotLeft)
}

// curve draws the steps of a distribution.
func (a axis) curve(b *strings.Builder, s series) {
	fmt.Fprintf(b, `<path class="curve %s" d="M%.1f %.1f`, s.class, a.x(s.millis[0]), y(0))
	for i, millis := range s.millis {
		fmt.Fprintf(b, "H%.1fV%.1f", a.x(millis), y(float64(i+1)/float64(len(s.millis))))
	}
	fmt.Fprintf(b, `H%d"/>`+"\n", plotRight)
}

// legend names the i-th curve.
func legend(b *strings.Builder, i int, s series) {
	x := 10 + i*140
	fmt.Fprintf(b, `<path class="curve %s" d="M%d %dh22"/>`+"\n", s.class, x, plotHeight-12)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s (%d)</text>`+"\n", x+26, plotHeight-8, s.name, len(s.millis))
}
