// Package plot writes the plots of docs as SVG: a page in the reader's colours,
// light or dark, and the elements that plots have in common. It knows nothing of
// what is plotted: where things stand and what they mean is its callers' to say.
package plot

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Page is a plot in the making, in pixels of its own coordinates.
type Page struct{ b strings.Builder }

// New begins a page. light are rules of style for the caller's classes; dark
// replace them for readers who prefer that.
func New(title string, width, height int, light, dark string) *Page {
	p := &Page{}
	p.Printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`, width, height)
	p.Printf("<title>%s</title>\n<style>", escape(title))
	p.Printf(".paper { fill: #ffffff } text { fill: #222222 } .grid { stroke: #d5d5d5 } .frame { stroke: #777777; fill: none }\n%s", light)
	p.Printf("@media (prefers-color-scheme: dark) {")
	p.Printf(".paper { fill: #16181d } text { fill: #e6e6e6 } .grid { stroke: #3a3d44 } .frame { stroke: #9a9a9a }\n%s\n}\n</style>", dark)
	p.Printf(`<rect class="paper" width="%d" height="%d"/>`, width, height)
	return p
}

// Printf adds an element and a line break.
func (p *Page) Printf(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// Line adds one of a class.
func (p *Page) Line(class string, x1, y1, x2, y2 float64) {
	p.Printf(`<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, class, x1, x2, y1, y2)
}

// Text adds a line of text whose anchor, "start", "middle" or "end", is at x and
// whose letters stand on y.
func (p *Page) Text(x, y float64, anchor, text string) {
	p.Printf(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, escape(text))
}

// Write ends the page and writes it.
func (p *Page) Write(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String()+"</svg>\n")
	return err
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
