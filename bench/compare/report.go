package main

import (
	"fmt"
	"io"
	"math"

	"tandem/bench/plot"
	"tandem/bench/speed"
)

// result is a case of a model, in tokens per second of both programs.
type result struct {
	model string
	test
	own, peer speed.Spread
}

func (r result) ratio() float64 { return r.own.Median / r.peer.Median }

// writeTable writes a table in Markdown.
func writeTable(w io.Writer, results []result) {
	fmt.Fprintln(w, "| model | case | tandem | llama.cpp | ratio |\n|---|---|---|---|---|")
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %v | %s | %s | %.2f |\n", r.model, r.test, show(r.own), show(r.peer), r.ratio())
	}
}

func show(s speed.Spread) string {
	return fmt.Sprintf("%.1f (%.1f-%.1f)", s.Median, s.Min, s.Max)
}

// The plot, in pixels of its own coordinates.
const (
	plotWidth           = 760
	plotLeft, plotRight = 190, 600 // of the bars; what they say stands behind the longest
	plotTop             = 44
	barHeight           = 11
	caseHeight          = 34 // two bars and air
	modelHeight         = 24 // a model's name
)

// writeSVG draws two bars a case, as long as they are fast beside llama.cpp,
// which is 1; thin lines reach from the slowest run to the fastest.
func writeSVG(w io.Writer, results []result) error {
	height, largest := plotTop+40, 1.0
	for i, r := range results {
		height += caseHeight
		if i == 0 || r.model != results[i-1].model {
			height += modelHeight
		}
		largest = max(largest, r.own.Max/r.peer.Median, r.peer.Max/r.peer.Median)
	}
	page := plot.New("Tokens per second beside llama.cpp", plotWidth, height,
		`.own { fill: #0b62b8 } .peer { fill: #9a9a9a } .range { stroke: #222222 }`,
		`.own { fill: #6db3f8 } .peer { fill: #6b6b6b } .range { stroke: #e6e6e6 }`)
	most := math.Ceil(largest)
	x := func(ratio float64) float64 { return plotLeft + ratio/most*(plotRight-plotLeft) }
	for i, name := range []string{"own", "peer"} {
		at := plotLeft + 180*i
		page.Printf(`<rect class="%s" x="%d" y="10" width="22" height="%d"/>`, name, at, barHeight)
		page.Text(float64(at+28), 20, "start", []string{"tandem", "llama.cpp"}[i])
	}
	bottom := float64(height - 36)
	for ratio := 0.0; ratio <= most; ratio++ {
		page.Line("grid", x(ratio), plotTop-8, x(ratio), bottom)
		page.Text(x(ratio), bottom+16, "middle", fmt.Sprint(ratio))
	}
	page.Text((plotLeft+plotRight)/2, bottom+32, "middle", "speed beside llama.cpp's median; labels: tokens/s, and the ratio")
	y := plotTop
	for i, r := range results {
		if i == 0 || r.model != results[i-1].model {
			page.Text(8, float64(y+14), "start", r.model)
			y += modelHeight
		}
		page.Text(plotLeft-8, float64(y+15), "end", r.test.String())
		bar := func(class string, y int, s speed.Spread, label string) {
			page.Printf(`<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, class, plotLeft, y, x(s.Median/r.peer.Median)-plotLeft, barHeight)
			middle := float64(y) + barHeight/2.0
			page.Line("range", x(s.Min/r.peer.Median), middle, x(s.Max/r.peer.Median), middle)
			page.Text(x(max(s.Median, s.Max)/r.peer.Median)+6, float64(y+barHeight-1), "start", label)
		}
		bar("own", y, r.own, fmt.Sprintf("%.1f, %.2f times", r.own.Median, r.ratio()))
		bar("peer", y+barHeight+2, r.peer, fmt.Sprintf("%.1f", r.peer.Median))
		y += caseHeight
	}
	return page.Write(w)
}
