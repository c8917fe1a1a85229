package syntax

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	sitter "github.com/smacker/go-tree-sitter"
)

// DefaultLimit is the time that one parse may take: enough for a megabyte
// of a usual language from nothing. An edit takes a tenth of that.
const DefaultLimit = 250 * time.Millisecond

var (
	// ErrTooLarge says that a text is longer than MaxBytes.
	ErrTooLarge = errors.New("too large to be parsed")
	// ErrTooSlow says that a parse took longer than its limit.
	ErrTooSlow = errors.New("parsing takes too long")
)

// Options choose how to parse. The zero value is the default.
type Options struct {
	Limit time.Duration // 0 means DefaultLimit; the steps are microseconds
}

// Tree is the syntax of one text, which never changes. Who got it from Parse or
// Edit closes it. It is safe for concurrent use, Close included: each question
// works on its own copy of the root (the binding keeps a map of nodes that was
// not made to be shared), and whoever comes after Close gets an empty answer.
type Tree struct {
	lang *Language
	text string

	rootMu sync.Mutex
	root   *sitter.Tree // nil when closed; never asked, only copied

	factsOnce  sync.Once
	defs       []definition
	imports    []Import
	surveyOnce sync.Once
	surveyed   survey
}

// Parse reads text, which need be neither correct nor UTF-8. The error is
// ErrTooLarge or ErrTooSlow, or a bug.
func Parse(lang *Language, text string, o Options) (*Tree, error) { return parse(lang, nil, text, o) }

// Edit parses a text that follows from the tree's own by an edit: what did not
// change is shared. It finds the changed range itself, so that no edit can be told
// wrongly; several edits far apart are taken as one and cost more. The old tree
// stays as it was, until its own Close.
func (t *Tree) Edit(text string, o Options) (*Tree, error) {
	v, ok := t.view()
	if !ok {
		return nil, errors.New("syntax: edit of a closed tree: parse the text instead")
	}
	defer v.close()
	start, oldEnd, newEnd := changed(t.text, text)
	v.tree.Edit(sitter.EditInput{
		StartIndex:  uint32(start),
		OldEndIndex: uint32(oldEnd),
		NewEndIndex: uint32(newEnd),
		// The binding hands OldEndPoint to C in the place of NewEndPoint.
		// That is harmless: every node that an edit touches is made anew.
		StartPoint:  pointAt(t.text, start),
		OldEndPoint: pointAt(t.text, oldEnd),
		NewEndPoint: pointAt(text, newEnd),
	})
	return parse(t.lang, v.tree, text, o)
}

// parse uses a parser of its own. Making one costs microseconds, and a parser
// that ran into its limit would go on with the old text when used again.
func parse(lang *Language, old *sitter.Tree, text string, o Options) (*Tree, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("syntax: %d bytes, at most %d: %w", len(text), MaxBytes, ErrTooLarge)
	}
	if err := lang.load(); err != nil {
		return nil, err
	}
	limit := o.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	liveParsers.Add(1)
	defer liveParsers.Add(-1)
	parser := sitter.NewParser()
	defer parser.Close()
	parser.SetLanguage(lang.lang)
	if lang == langLua {
		luaMu.Lock()
		defer luaMu.Unlock()
		if err := forgetLua(parser); err != nil {
			return nil, err
		}
	}
	parser.SetOperationLimit(max(int(limit.Microseconds()), 1))
	in := input{text: text, deadline: time.Now().Add(limit)}
	// The binding's way to cancel by a context can hit the next parse.
	root, err := parser.ParseInputCtx(context.Background(), old, sitter.Input{Read: in.read, Encoding: sitter.InputEncodingUTF8})
	if err == nil && in.late {
		root.Close()
		err = sitter.ErrOperationLimit
	}
	if errors.Is(err, sitter.ErrOperationLimit) {
		return nil, fmt.Errorf("syntax: %d bytes of %s in %v: %w", len(text), lang.name, limit, ErrTooSlow)
	}
	if err != nil {
		return nil, fmt.Errorf("syntax: %s: %w", lang.name, err)
	}
	liveTrees.Add(1)
	return &Tree{lang: lang, text: text, root: root}, nil
}

// luaMu guards the C variables in which the scanner of Lua's grammar keeps what
// string it is in, for all parsers of the process.
var luaMu sync.Mutex

// forgetLua makes them what they are at the beginning: a string that ends does.
func forgetLua(parser *sitter.Parser) error {
	tree, err := parser.ParseCtx(context.Background(), nil, []byte(`x = ""`))
	if err != nil {
		return fmt.Errorf("syntax: lua: %w", err)
	}
	tree.Close()
	return nil
}

// input hands a text to the parser, chunk by chunk. The parser looks at its limit
// only between tokens, and there are texts (a page of quotes in Lua) in which it
// looks for one for minutes: for the late, the text ends at the next chunk.
type input struct {
	text     string
	deadline time.Time
	late     bool
	end      int // of the chunk before
}

func (in *input) read(offset uint32, _ sitter.Point) []byte {
	at := int(offset)
	if at >= len(in.text) {
		return nil
	}
	in.late = in.late || time.Now().After(in.deadline)
	if !in.late {
		in.end = min(at+chunkBytes, len(in.text))
		return []byte(in.text[at:in.end])
	}
	// Where a character may go on behind a chunk, the parser asks again from its
	// beginning, and does not survive to get nothing then.
	if at >= in.end-utf8.UTFMax && at < in.end {
		return []byte(in.text[at:in.end])
	}
	return nil
}

// Close frees the tree. Closing twice does nothing.
func (t *Tree) Close() {
	t.rootMu.Lock()
	defer t.rootMu.Unlock()
	if t.root != nil {
		t.root.Close()
		t.root = nil
		liveTrees.Add(-1)
	}
}

// Text is what was parsed.
func (t *Tree) Text() string { return t.text }

// Language is what the text was parsed as.
func (t *Tree) Language() *Language { return t.lang }

// view is one question's own copy of a tree. It belongs to one goroutine, which
// closes it; no node outlives it.
type view struct {
	tree *sitter.Tree
	text string
	of   *Tree
}

func (t *Tree) view() (view, bool) {
	t.rootMu.Lock()
	defer t.rootMu.Unlock()
	if t.root == nil {
		return view{}, false
	}
	liveTrees.Add(1)
	return view{t.root.Copy(), t.text, t}, true // the copy is of one pointer
}

func (v view) close() {
	v.tree.Close()
	liveTrees.Add(-1)
}

// span is where a node lies, without the white space that some grammars (Lua's)
// have at the beginning of a token.
func (v view) span(n *sitter.Node) (start, end int) {
	start, end = int(n.StartByte()), min(int(n.EndByte()), len(v.text))
	for start < end && isSpace(v.text[start]) {
		start++
	}
	return start, end
}

// changed is the range in which two texts differ, widened to whole characters.
func changed(old, text string) (start, oldEnd, newEnd int) {
	most := min(len(old), len(text))
	for start < most && old[start] == text[start] {
		start++
	}
	for start > 0 && start < len(old) && !utf8.RuneStart(old[start]) {
		start--
	}
	same := 0
	for same < most-start && old[len(old)-1-same] == text[len(text)-1-same] {
		same++
	}
	for same > 0 && !utf8.RuneStart(text[len(text)-same]) {
		same--
	}
	return start, len(old) - same, len(text) - same
}

// pointAt is an offset as the binding wants it: lines from zero, columns in bytes.
func pointAt(text string, offset int) sitter.Point {
	row := strings.Count(text[:offset], "\n")
	column := offset - (strings.LastIndexByte(text[:offset], '\n') + 1)
	return sitter.Point{Row: uint32(row), Column: uint32(column)}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
