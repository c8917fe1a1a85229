package completion

import (
	"strings"
	"unicode/utf8"

	"tandem/context/syntax"
)

// lexis says where in a language a bracket means nothing: in its strings and
// comments. It is a rough reading of single signs, which needs no text that
// parses and is done while a suggestion is still being said.
type lexis struct {
	quotes  []string  // around strings, the longer ones first
	raw     string    // those of them between which \ is a sign like others
	chars   bool      // 'c' is a character, and ' may stand alone
	holed   string    // quotes of strings that may hold code
	hole    string    // what begins it; of "$", a bracket follows
	prefix  string    // letters in front of a string, one of which lets it hold code
	line    string    // begins a comment to the end of the line
	comment [2]string // around others
	stray   bool      // ) may stand alone
	indents bool      // blocks are indented, not closed
	words   bool      // words close blocks
	macros  bool      // text may be right that no grammar knows
	unknown bool      // nothing is known of the language

	means [256]bool // the bytes with which a sign may begin that means something
}

var (
	lexisC      = newLexis(lexis{quotes: []string{`"`}, chars: true, line: "//", comment: [2]string{"/*", "*/"}, macros: true})
	lexisJava   = newLexis(lexis{quotes: []string{`"`}, chars: true, line: "//", comment: [2]string{"/*", "*/"}})
	lexisGo     = newLexis(lexis{quotes: []string{`"`, "`"}, raw: "`", chars: true, line: "//", comment: [2]string{"/*", "*/"}})
	lexisScript = newLexis(lexis{quotes: []string{`"`, `'`, "`"}, holed: "`", hole: "${", line: "//", comment: [2]string{"/*", "*/"}})
	lexisPython = newLexis(lexis{quotes: []string{`"""`, `'''`, `"`, `'`}, holed: `"'`, hole: "{", prefix: "fF", line: "#", indents: true})
	lexisLua    = newLexis(lexis{quotes: []string{`"`, `'`}, line: "--", comment: [2]string{"--[[", "]]"}, words: true})
	lexisShell  = newLexis(lexis{quotes: []string{`"`, `'`}, raw: `'`, holed: `"`, hole: "$", line: "#", stray: true, words: true})
	lexisOther  = newLexis(lexis{quotes: []string{`"`}, unknown: true})
)

// newLexis adds to l what follows from the rest.
func newLexis(l lexis) *lexis {
	signs := strings.Join(l.quotes, "") + l.hole + l.line + l.comment[0] + l.comment[1] + "()[]{}<>\\'\n"
	for i := range len(signs) {
		l.means[signs[i]] = true
	}
	return &l
}

// lexisOf is the lexis of the file at path.
func lexisOf(path string) *lexis {
	lang, ok := syntax.ByPath(path)
	if !ok {
		return lexisOther
	}
	switch lang.Name() {
	case "go":
		return lexisGo
	case "python":
		return lexisPython
	case "javascript", "typescript", "typescriptreact":
		return lexisScript
	case "c", "cpp":
		return lexisC
	case "lua":
		return lexisLua
	case "shellscript":
		return lexisShell
	}
	return lexisJava // Rust, too
}

// pair is something that is open.
type pair struct {
	kind   pairKind
	closer string // what ends it; "\n" where the line does
	at     int    // where it begins
	holed  bool   // code may stand in it
}

type pairKind byte

const (
	bracket pairKind = iota
	quoted
	comment
)

// inLine reports whether p ends with its line, come what may.
func (p pair) inLine() bool {
	return p.kind == comment && p.closer == "\n" || p.kind == quoted && len(p.closer) == 1 && p.closer != "`"
}

// closing tells that a closing sign was read.
type closing struct {
	closer string
	at     int
	pair   pair   // what it closes
	whose  closer // where that was opened
}

type closer byte

const (
	nobody closer = iota // nothing is open that it closes
	within               // in the text that was read
	base                 // before it
)

// scanner reads a text from its beginning on and keeps what is open.
type scanner struct {
	lexis  *lexis
	angles bool   // < and > are brackets, too
	open   []pair // the innermost last
	base   int    // so many of open were so before the text
}

// newScanner reads on where open was left open.
func newScanner(l *lexis, open []pair) *scanner {
	s := &scanner{lexis: l, open: append([]pair(nil), open...), base: len(open)}
	if n := len(open); n > 0 {
		s.angles = open[n-1].closer == ">"
	}
	return s
}

// own counts what text has opened and not closed.
func (s *scanner) own() int { return len(s.open) - s.base }

// scan reads text from..to and calls closes for each closing sign; false ends it.
func (s *scanner) scan(text string, from, to int, closes func(closing) bool) {
	for i := from; i < to; {
		if !s.lexis.means[text[i]] {
			i++
			continue
		}
		n, closer := s.sign(text, i)
		if closer != "" && !closes(s.close(closer, i)) {
			return
		}
		s.base = min(s.base, len(s.open))
		i += n
	}
}

// close takes a closing sign. One that is not the innermost's closes nothing.
func (s *scanner) close(closer string, at int) closing {
	c := closing{closer: closer, at: at}
	if n := len(s.open); n > 0 && s.open[n-1].closer == closer {
		c.pair, c.whose = s.open[n-1], within
		if n <= s.base {
			c.whose = base
		}
		s.open = s.open[:n-1]
	}
	return c
}

// sign reads one sign: how long it is, and what it closes, if it does. What it
// opens is open then.
func (s *scanner) sign(text string, i int) (n int, closer string) {
	if top := s.top(); top.kind != bracket {
		return s.signInside(text, i, top)
	}
	l, c := s.lexis, text[i]
	switch {
	case l.comment[0] != "" && strings.HasPrefix(text[i:], l.comment[0]):
		return s.push(pair{kind: comment, closer: l.comment[1], at: i}, len(l.comment[0]))
	case l.line != "" && strings.HasPrefix(text[i:], l.line) && (!l.stray || wordBegins(text, i)):
		return s.push(pair{kind: comment, closer: "\n", at: i}, len(l.line))
	case c == '\\':
		return 2, ""
	case c == '\'' && l.chars:
		return charLen(text[i:]), ""
	}
	for _, quote := range l.quotes {
		if strings.HasPrefix(text[i:], quote) {
			holed := strings.Contains(l.holed, quote[:1]) && (l.prefix == "" || prefixed(text[:i], l.prefix))
			return s.push(pair{kind: quoted, closer: quote, at: i, holed: holed}, len(quote))
		}
	}
	switch {
	case c == '(' || c == '[' || c == '{' || c == '<' && s.angles && !strings.HasPrefix(text[i:], "<="):
		return s.push(pair{closer: closerOf(c), at: i}, 1)
	case c == ')' || c == ']' || c == '}':
		return 1, text[i : i+1]
	case c == '>' && s.angles && (i == 0 || text[i-1] != '-' && text[i-1] != '='):
		return 1, ">"
	}
	return 1, ""
}

// signInside is sign in a string or a comment.
func (s *scanner) signInside(text string, i int, p pair) (n int, closer string) {
	l := s.lexis
	switch {
	case strings.HasPrefix(text[i:], p.closer):
		return len(p.closer), p.closer
	case text[i] == '\n' && p.inLine():
		s.open = s.open[:len(s.open)-1] // somebody forgot to close it
		return 1, ""
	case text[i] == '\\' && p.kind == quoted && !strings.Contains(l.raw, p.closer):
		return 2, ""
	case !p.holed || !strings.HasPrefix(text[i:], l.hole):
		return 1, ""
	case l.hole == "$":
		if i+1 < len(text) && (text[i+1] == '(' || text[i+1] == '{') {
			return s.push(pair{closer: closerOf(text[i+1]), at: i}, 2)
		}
		return 1, ""
	case l.hole == "{" && strings.HasPrefix(text[i:], "{{"):
		return 2, "" // a brace of the string
	}
	return s.push(pair{closer: "}", at: i}, len(l.hole))
}

func (s *scanner) push(p pair, n int) (int, string) {
	s.open = append(s.open, p)
	return n, ""
}

// top is the innermost of what is open, a bracket without a closer if nothing is.
func (s *scanner) top() pair {
	if n := len(s.open); n > 0 {
		return s.open[n-1]
	}
	return pair{}
}

func closerOf(c byte) string {
	switch c {
	case '(':
		return ")"
	case '[':
		return "]"
	case '<':
		return ">"
	}
	return "}"
}

// prefixed reports whether the string behind text has one of letters in front.
func prefixed(text, letters string) bool {
	word := text[len(strings.TrimRightFunc(text, isWord)):]
	return word != "" && len(word) <= 2 && strings.ContainsAny(word, letters)
}

// charLen is the length of the character literal that text begins with, 1 if it
// begins with none.
func charLen(text string) int {
	const longest = len(`\u{10ffff}'`)
	_, n := utf8.DecodeRuneInString(text[1:])
	if strings.HasPrefix(text[1:], `\`) && len(text) > 2 {
		behind := text[3:min(len(text), 2+longest)]
		n += 1 + strings.IndexByte(behind, '\'') // where there is none, at a sign that is none
	}
	if n > 0 && strings.HasPrefix(text[1+n:], "'") && text[1] != '\n' {
		return n + 2
	}
	return 1
}

// wordBegins reports whether a word of a shell may begin at i.
func wordBegins(text string, i int) bool {
	return i == 0 || strings.IndexByte(" \t\n;", text[i-1]) >= 0
}
