package completion

import (
	"iter"
	"strings"
	"sync"
	"time"

	"tandem/context/syntax"
)

const (
	// checkedBytesMax is the longest document whose suggestions are checked: a
	// session keeps a tree of some ten times that.
	checkedBytesMax = 256 << 10

	// checkTime is what a check may add to a suggestion's time. The document was
	// parsed while the engine worked; what is left takes one millisecond where
	// nothing is cut.
	checkTime = 5 * time.Millisecond
)

// checker knows the syntax of a document's last text, so that parsing the next
// one costs what has changed. It belongs to a Session, which closes it; its
// methods may be called from any goroutine. mu guards what follows it.
type checker struct {
	mu     sync.Mutex
	tree   *syntax.Tree // nil if none has been parsed yet
	newest int          // checks begun
	of     int          // the one that tree is of
	closed bool
}

// check is a document on its way through the parser, and what it says of
// suggestions then. The checker closes the tree, after which it says nothing.
type check struct {
	text   string
	offset int

	done   chan struct{} // closed when what follows stands
	tree   *syntax.Tree  // nil if the document is not checked
	errors int
}

// begin parses doc while others go on, for limit at most.
func (c *checker) begin(doc Document, limit time.Duration) *check {
	k := &check{text: doc.Text, offset: doc.Offset, done: make(chan struct{})}
	lang, ok := syntax.ByPath(doc.Path)
	if !ok || len(doc.Text) > checkedBytesMax {
		close(k.done)
		return k
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest++
	go func(number int) {
		defer close(k.done)
		if tree := c.parse(lang, doc.Text, limit); tree != nil {
			k.errors = tree.ErrorsIn(0, len(doc.Text))
			k.tree = tree
			c.keep(tree, number)
		}
	}(c.newest)
	return k
}

// parse reads text, from the last tree on if there is one. It is nil where that
// fails or takes too long.
func (c *checker) parse(lang *syntax.Language, text string, limit time.Duration) *syntax.Tree {
	c.mu.Lock()
	last := c.tree
	c.mu.Unlock()
	if last != nil && last.Language() == lang {
		if tree, err := last.Edit(text, syntax.Options{Limit: limit}); err == nil {
			return tree
		}
	}
	tree, err := syntax.Parse(lang, text, syntax.Options{Limit: limit})
	if err != nil {
		return nil
	}
	return tree
}

// keep takes the tree of a check in the place of an older one's.
func (c *checker) keep(tree *syntax.Tree, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || number < c.of {
		tree.Close()
		return
	}
	if c.tree != nil {
		c.tree.Close()
	}
	c.tree, c.of = tree, number
}

// close frees what the checker holds, and will hold.
func (c *checker) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.tree != nil {
		c.tree.Close()
		c.tree = nil
	}
}

// cut shortens a suggestion to what parses no worse than the document does
// without it. What is not known within limit goes unchecked.
func (k *check) cut(s Suggestion, r rule, limit time.Duration) Suggestion {
	if s.Text == "" {
		return s
	}
	deadline := time.Now().Add(limit)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-k.done:
	case <-timer.C:
		return s
	}
	if k.tree == nil || r.staysText(s.Text) || k.errors > 0 && r.lexis.macros && r.closesAll(s.Text) || k.parses(s.Text, s.Replace, deadline) {
		return s
	}
	if s.Stop == timeUp && (r.lexis.words || k.parses(s.Text+r.pending(s.Text), s.Replace, deadline)) {
		return s // what it lacks is what the next one begins with
	}
	s.Stop = "syntax"
	for text := range r.shorter(s.Text) {
		if k.parses(text, s.Replace, deadline) {
			s.Text = text
			return s
		}
	}
	s.Text, s.Replace = "", 0
	return s
}

// parses reports whether the document has no more errors with text than without
// it, as far as can be known before the deadline.
func (k *check) parses(text string, replace int, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 {
		return true
	}
	whole := k.text[:k.offset] + text + k.text[k.offset+replace:]
	tree, err := k.tree.Edit(whole, syntax.Options{Limit: left})
	if err != nil {
		return true
	}
	defer tree.Close()
	return tree.ErrorsIn(0, len(whole)) <= k.errors
}

// shorter are the beginnings of a suggestion that may stand for it, the longest
// first: whole lines, what they have opened closed again, then the first line
// without signs at its end. The beginning of a call, say, is no suggestion.
func (r rule) shorter(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		text = strings.ReplaceAll(text, "\r", "")
		first, _, _ := strings.Cut(text, "\n")
		for last := text; text != ""; text = text[:max(0, strings.LastIndexByte(text, '\n'))] {
			lines := strings.TrimRight(text, " \t\n")
			if !r.inLine() && r.rest == "" {
				lines = r.closed(lines)
			}
			if lines != last && !blank(lines) && !yield(r.lineEnds(lines)) {
				return
			}
			last = lines
		}
		for n := len(first) - 1; n > 0 && !isWordByte(first[n]); n-- {
			if !isBlank(first[n-1]) && !yield(first[:n]) {
				return
			}
		}
	}
}
