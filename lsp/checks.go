package lsp

import (
	"errors"
	"math"
	"strings"

	"tandem/context/workspace"
)

// check is a reason for no suggestion that needs no model.
type check struct {
	stage string // as tandem/explain calls it
	fine  string // what that says where there is no reason
	why   func(r *request) string
}

// checks are asked in this order.
var checks = []check{
	{"document", "is open", func(r *request) string {
		switch {
		case !r.open:
			return "the document is not open"
		case r.doc.Missing != nil && !errors.Is(r.doc.Missing, workspace.ErrExcluded):
			return "the document is " + r.doc.Missing.Error()
		}
		return ""
	}},
	{"settings", "allow it", func(r *request) string {
		return r.settings.allows(r.doc.Path, r.doc.Language, r.snapshot.Folders())
	}},
	{"file", "no secret and not ignored", func(r *request) string {
		if reason := r.snapshot.Excluded(r.doc.Path); reason != "" {
			return "the file is excluded: " + reason
		}
		return ""
	}},
	{"trigger", "a request is due", (*request).untimely},
}

// declines is why a request is answered with nothing at once, "" if it is not.
func (r *request) declines() string {
	for _, c := range checks {
		if reason := c.why(r); reason != "" {
			return reason
		}
	}
	return ""
}

// sudden are the kinds of changes after which nobody waits for a suggestion. Who
// takes something back or away, or brings text from elsewhere, is not writing and
// has not seen yet what stands there.
var sudden = map[workspace.Kind]string{
	workspace.Deleted:  "a deletion",
	workspace.Pasted:   "a paste",
	workspace.Replaced: "a new text",
	workspace.Undone:   "an undo",
}

// untimely is why nothing is suggested now that nobody asked for. What
// was a suggestion is as good as typed.
func (r *request) untimely() string {
	name := sudden[r.doc.Last]
	switch {
	case r.manual:
		return ""
	case r.settings.Trigger == Manual:
		return `the setting trigger is "manual" and nobody asked`
	case name != "" && !r.change.suggested && r.change.touches(r.doc.Text.LineOf(r.offset)):
		return "the last change was " + name + " and nobody asked"
	}
	return ""
}

// lastChange is that of a document, as far as its kind does not tell
// whether a request may follow it.
type lastChange struct {
	first, last int  // the lines that it touched
	suggested   bool // it inserted what the server had suggested
}

// touches reports whether a cursor in that line may be where the change left it.
// From elsewhere a request is as good as the first one.
func (c lastChange) touches(line int) bool { return c.first <= line && line <= c.last }

// newChange touches nothing yet.
func newChange() lastChange { return lastChange{first: math.MaxInt, last: -1} }

// include notes an edit of text.
func (c *lastChange) include(text workspace.Text, e workspace.Edit) {
	first := text.LineOf(e.Start)
	breaks := strings.Count(e.Text, "\n") + strings.Count(e.Text, "\r") - strings.Count(e.Text, "\r\n")
	c.first, c.last = min(c.first, first), max(c.last, first+breaks)
}
