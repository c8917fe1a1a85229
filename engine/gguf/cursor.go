package gguf

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// cursor reads fields from the start of a file and never past its end. The
// first failure sticks: later reads give zeros, and loops stop at err.
type cursor struct {
	path  string
	data  []byte // the file, at most maxHeaderBytes of it
	whole int    // bytes of the whole file
	pos   int
	err   error

	// What is being read, for messages.
	noun   string // "key" or "tensor", "" for the file's own fields
	number int    // which one
	item   string // its name, "" while that is being read
	index  int    // element of an array, -1 outside of one
}

func newCursor(path string, data []byte) *cursor {
	return &cursor{path: path, data: data[:min(len(data), maxHeaderBytes)], whole: len(data), index: -1}
}

// at says what is read from here on.
func (c *cursor) at(noun string, number int, item string) {
	c.noun, c.number, c.item = noun, number, item
}

// fail records that field of the current item is wrong.
func (c *cursor) fail(field, remedy, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("gguf: %s: %s%s: %s: %s", c.path, c.where(), field, fmt.Sprintf(format, args...), remedy)
	}
}

// where names the current item, as in `key "a"[3] `.
func (c *cursor) where() string {
	switch {
	case c.noun == "":
		return ""
	case c.item == "":
		return c.noun + " " + strconv.Itoa(c.number) + " "
	case c.index < 0:
		return c.noun + " " + strconv.Quote(c.item) + " "
	}
	return c.noun + " " + strconv.Quote(c.item) + "[" + strconv.Itoa(c.index) + "] "
}

// left is the number of bytes after the cursor.
func (c *cursor) left() uint64 { return uint64(len(c.data) - c.pos) }

// take gives the next n bytes, nil when they are not there.
func (c *cursor) take(field string, n uint64) []byte {
	if c.err != nil {
		return nil
	}
	if n > c.left() {
		if n <= uint64(c.whole-c.pos) {
			c.fail(field, remedyConvert, "the header is longer than %d MiB", maxHeaderBytes>>20)
		} else {
			c.fail(field, remedyFetch, "%d bytes are declared or needed and %d are left", n, c.left())
		}
		return nil
	}
	b := c.data[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return b
}

func (c *cursor) u32(field string) uint32 {
	if b := c.take(field, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(field string) uint64 {
	if b := c.take(field, 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a number of things that take at least each bytes of the header.
func (c *cursor) count(field string, limit int, each uint64) int {
	n := c.u64(field)
	if c.err != nil {
		return 0
	}
	return c.bounded(field, n, limit, each)
}

// bounded checks a count that was read.
func (c *cursor) bounded(field string, n uint64, limit int, each uint64) int {
	if n > uint64(limit) {
		c.fail(field, remedyFetch, "%d is more than the limit of %d", n, limit)
		return 0
	}
	if n > uint64(c.whole-c.pos)/each {
		c.fail(field, remedyFetch, "%d need at least %d bytes and %d are left", n, n*each, c.whole-c.pos)
		return 0
	}
	return int(n)
}

// name reads and copies a key or a tensor's name.
func (c *cursor) name() string {
	n := c.u64("name length")
	if c.err != nil {
		return ""
	}
	if n == 0 || n > maxNameBytes {
		c.fail("name length", remedyFetch, "%d is not between 1 and %d", n, maxNameBytes)
		return ""
	}
	s := string(c.take("name", n))
	if c.err == nil && !printable(s) {
		c.fail("name", remedyFetch, "%q is not printable text", s)
	}
	return s
}

// printable holds for text that can stand in a message and a log line.
func printable(s string) bool {
	for _, r := range s {
		if (r < ' ' || r > '~') && (r == utf8.RuneError || !unicode.IsPrint(r)) {
			return false
		}
	}
	return true
}
