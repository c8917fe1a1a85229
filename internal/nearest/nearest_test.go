package nearest

import (
	"strings"
	"testing"
)

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"model", "MODEL", 0},
		{"ab", "ba", 2}, {"flaw", "lawn", 2}, {strings.Repeat("a", 1<<20), "a", maxBytes - 1},
	} {
		if got := Edits(test.a, test.b); got != test.want {
			t.Errorf("Edits(%.9q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestOf(t *testing.T) {
	words := []string{"model", "device", "threads", "tokens"}
	for typed, want := range map[string]string{"modle": "model", "thread": "threads", "TOKEN": "tokens", "": "model", "devise": "device"} {
		if got := Of(typed, words); got != want {
			t.Errorf("Of(%q) = %q, want %q", typed, got, want)
		}
	}
}
