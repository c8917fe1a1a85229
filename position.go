package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// position is FILE:LINE:COL as Go and gcc print it: both numbers count from one,
// COL in bytes. COL may stand one past a line's end.
type position struct {
	file      string
	line, col int
}

// parsePosition reads FILE:LINE:COL; FILE may hold colons itself.
func parsePosition(s string) (position, error) {
	rest, col, ok := cutNumber(s)
	file, line, ok2 := cutNumber(rest)
	if !ok || !ok2 || file == "" {
		return position{}, fmt.Errorf("%q: the cursor is FILE:LINE:COL, counted from one, such as main.go:12:1", s)
	}
	return position{file: file, line: line, col: col}, nil
}

// cutNumber splits "text:7".
func cutNumber(s string) (text string, n int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(s[i+1:])
	return s[:i], n, err == nil && n > 0
}

// offset finds the position in text, in bytes.
func (p position) offset(text string) (int, error) {
	start := 0
	for range p.line - 1 {
		i := strings.IndexByte(text[start:], '\n')
		if i < 0 {
			return 0, fmt.Errorf("%s: line %d: there are %d lines", p.file, p.line, strings.Count(text, "\n")+1)
		}
		start += i + 1
	}
	line, _, _ := strings.Cut(text[start:], "\n")
	line = strings.TrimSuffix(line, "\r")
	if p.col > len(line)+1 {
		return 0, fmt.Errorf("%s:%d: column %d: the line ends at column %d (bytes, from one)", p.file, p.line, p.col, len(line)+1)
	}
	if rest := line[p.col-1:]; rest != "" && !utf8.RuneStart(rest[0]) {
		return 0, fmt.Errorf("%s:%d: column %d is inside a character: columns count bytes", p.file, p.line, p.col)
	}
	return start + p.col - 1, nil
}
