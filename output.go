package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// printJSON prints v for people and machines alike.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // code is full of < and &
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// encodeLine prints v as one line of JSON.
func encodeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// endLine ends a text on a terminal. Elsewhere only the text is wanted.
func (a *app) endLine() error {
	if !isTerminal(a.out) {
		return nil
	}
	_, err := fmt.Fprintln(a.out)
	return err
}

// bytesText words a size: "491 MB".
func bytesText(n int64) string {
	if n >= 1e10 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
