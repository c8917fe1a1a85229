package main

import (
	"strings"
	"testing"
)

func TestPosition(t *testing.T) {
	const text = "package a\n\nvar é = 1\r\nlast"
	for _, test := range []struct {
		in   string
		want string // text right of the cursor, or a part of the error
		ok   bool
	}{
		{"a.go:1:1", text, true},
		{"a.go:1:9", "a\n\nvar é = 1\r\nlast", true},
		{"a.go:1:10", "\n\nvar é = 1\r\nlast", true},
		{"a.go:1:11", "ends at column 10", false},
		{"a.go:2:1", "\nvar é = 1\r\nlast", true},
		{"a.go:3:7", " = 1\r\nlast", true},
		{"a.go:3:6", "inside a character", false},
		{"a.go:3:11", "\r\nlast", true},
		{"a.go:3:12", "ends at column 11", false},
		{"a.go:4:5", "", true},
		{"a.go:5:1", "there are 4 lines", false},
		{`C:\src\a.go:4:1`, "last", true},
		{"a.go:0:1", "FILE:LINE:COL", false},
		{"a.go:1:0", "FILE:LINE:COL", false},
		{"a.go:1", "FILE:LINE:COL", false},
		{"a.go", "FILE:LINE:COL", false},
		{":1:1", "FILE:LINE:COL", false},
		{"a.go:x:1", "FILE:LINE:COL", false},
		{"a.go:1:99999999999999999999", "FILE:LINE:COL", false},
	} {
		p, err := parsePosition(test.in)
		offset := 0
		if err == nil {
			offset, err = p.offset(text)
		}
		if (err == nil) != test.ok || err == nil && text[offset:] != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v; want %q", test.in, text[offset:], err, test.want)
		}
	}
}
