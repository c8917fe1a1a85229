package main

import (
	"fmt"
	"os"
	"strings"

	"tandem/completion"
	"tandem/engine"
)

// Lines of a file that --show prints above and below the cursor.
const (
	showAbove = 16
	showBelow = 6
)

// around is doc's text around the cursor with s dim in it, in the place of what it
// replaces. NO_COLOR replaces the colour by brackets.
func around(doc completion.Document, s completion.Suggestion) string {
	before, after := lastLines(doc.Text[:doc.Offset], showAbove), firstLines(doc.Text[doc.Offset+s.Replace:], showBelow)
	dim, plain := "\x1b[2m", "\x1b[0m"
	if os.Getenv("NO_COLOR") != "" {
		dim, plain = "⟦", "⟧"
	}
	// Each line is dimmed by itself, for pagers that begin anew on every line.
	ghost := dim + strings.ReplaceAll(s.Text, "\n", plain+"\n"+dim) + plain
	return strings.TrimRight(before+ghost+after, "\n") + "\n"
}

// lastLines is the end of text from the beginning of its n-th last line.
func lastLines(text string, n int) string {
	start := len(text)
	for range n {
		i := strings.LastIndexByte(text[:start], '\n')
		if i < 0 {
			return text
		}
		start = i
	}
	return text[start+1:]
}

// firstLines is the beginning of text up to the end of its n-th line.
func firstLines(text string, n int) string {
	end := 0
	for range n {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}

// cost is one line about what a suggestion took.
func (m *loaded) cost(r engine.Result, s completion.Suggestion) string {
	return fmt.Sprintf("\nload %.0f ms, prefill %d tokens in %.0f ms, %d cached, decode %d tokens in %.0f ms (%s, %s)\n",
		millis(m.loadTime), r.PrefillTokens, millis(r.Prefill), r.CachedTokens,
		r.DecodedTokens, millis(r.Total-r.Prefill), s.Layout, m.where())
}
