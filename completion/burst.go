package completion

import (
	"strings"
	"time"
)

// burstIdle is the pause after which the suffix that a prompt shows is taken
// anew: long enough for a thought between two words, short enough that an edit
// elsewhere is soon seen.
const burstIdle = 2 * time.Second

// burst is a stretch of typing in one place. The suffix stands before the text
// being typed in the prompt (spm-tail), so a change of it would cost everything:
// it is frozen while the burst lasts. What it lacks meanwhile is a closing sign
// that the editor inserted, or an edit elsewhere; the rules compare with the live
// text.
type burst struct {
	head   string // the document up to the start of the cursor's line, at the beginning
	after  string // the text after the cursor, at the beginning
	latest time.Time
}

// suffix is the text after the cursor to show for a document that stands before
// and after its cursor now.
func (b *burst) suffix(before, after string, now time.Time) string {
	goesOn := !b.latest.IsZero() && now.Sub(b.latest) < burstIdle &&
		strings.HasPrefix(before, b.head) && withoutClosers(after) == withoutClosers(b.after)
	if !goesOn {
		b.head, b.after = before[:strings.LastIndexByte(before, '\n')+1], after
	}
	b.latest = now
	return b.after
}

// withoutClosers drops what editors insert behind the cursor by themselves.
func withoutClosers(after string) string { return strings.TrimLeft(after, ")]}\"'`>") }
