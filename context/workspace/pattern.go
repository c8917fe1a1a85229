package workspace

import "strings"

// pattern is a glob as Git's wildmatch.c reads it, ready to be matched in time
// pattern × text: a set of places in the pattern walks along the text, where
// backtracking would take for ever on "*a*a*a*b".
type pattern struct {
	parts []part
	never bool // malformed: Git matches nothing with it
}

type part struct {
	kind  partKind
	char  byte
	class *[4]uint64 // bytes that match
}

type partKind byte

const (
	literal  partKind = iota
	anyChar           // ?, no slash
	oneOf             // [a-z]
	star              // *, any number but no slash
	deepStar          // **, any number
	deepDirs          // before the ** of **/: takes nothing, and may pass over the ** and its slash
)

// compilePattern reads glob. In a path, slashes are matched by slashes and "**"
// alone; in a name there are none, and "**" is "*".
func compilePattern(glob string, inPath bool) pattern {
	var p pattern
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '\\':
			if i++; i == len(glob) {
				return pattern{never: true}
			}
			p.parts = append(p.parts, part{char: glob[i]})
		case '?':
			p.parts = append(p.parts, part{kind: anyChar})
		case '[':
			class, next, ok := compileClass(glob, i+1)
			if !ok {
				return pattern{never: true}
			}
			p.parts = append(p.parts, part{kind: oneOf, class: class})
			i = next
		case '*':
			first := i
			for i+1 < len(glob) && glob[i+1] == '*' {
				i++
			}
			kind := starKind(glob, first, i+1, inPath)
			if kind == deepStar && strings.HasPrefix(glob[i+1:], "/") {
				p.parts = append(p.parts, part{kind: deepDirs})
			}
			p.parts = append(p.parts, part{kind: kind})
		default:
			p.parts = append(p.parts, part{char: c})
		}
	}
	return p
}

// starKind is the kind of the stars glob[first:end]. Two are deep only as a
// whole component of a path.
func starKind(glob string, first, end int, inPath bool) partKind {
	rest := glob[end:]
	switch {
	case !inPath || end-first < 2 || first > 0 && glob[first-1] != '/':
		return star
	case rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`):
		return deepStar
	}
	return star
}

// compileClass reads a class from behind its bracket and gives the place of the
// closing one.
func compileClass(glob string, i int) (class *[4]uint64, end int, ok bool) {
	class = new([4]uint64)
	add := func(from, to byte) {
		for c := int(from); c <= int(to); c++ {
			class[c>>6] |= 1 << (c & 63)
		}
	}
	negated := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if negated {
		i++
	}
	var previous byte // begins a range if a hyphen follows; 0 if it cannot
	for first := true; ; first = false {
		if i >= len(glob) {
			return nil, 0, false
		}
		c := glob[i]
		switch {
		case c == ']' && !first:
			if negated {
				for n := range class {
					class[n] = ^class[n]
				}
			}
			class['/'>>6] &^= 1 << ('/' & 63)
			return class, i, true
		case c == '\\':
			if i++; i == len(glob) {
				return nil, 0, false
			}
			c = glob[i]
			add(c, c)
		case c == '-' && previous != 0 && i+1 < len(glob) && glob[i+1] != ']':
			if i++; glob[i] == '\\' {
				i++
			}
			if i == len(glob) {
				return nil, 0, false
			}
			add(previous, glob[i])
			c = 0
		case c == '[' && strings.HasPrefix(glob[i+1:], ":"):
			end := strings.IndexByte(glob[i+2:], ']')
			if end < 0 {
				return nil, 0, false
			}
			name, closed := strings.CutSuffix(glob[i+2:i+2+end], ":")
			if !closed { // a set with a bracket in it
				add(c, c)
				break
			}
			if !addNamed(name, add) {
				return nil, 0, false
			}
			i, c = i+2+end, 0
		default:
			add(c, c)
		}
		previous, i = c, i+1
	}
}

// addNamed adds the class [:name:], in ASCII as Git has it.
func addNamed(name string, add func(from, to byte)) bool {
	ranges, ok := map[string]string{
		"alnum": "09AZaz", "alpha": "AZaz", "blank": "  \t\t", "cntrl": "\x00\x1f\x7f\x7f", "digit": "09", "graph": "!~", "lower": "az",
		"print": " ~", "punct": "!/:@[`{~", "space": "\t\r  ", "upper": "AZ", "xdigit": "09AFaf",
	}[name]
	for i := 0; i < len(ranges); i += 2 {
		add(ranges[i], ranges[i+1])
	}
	return ok
}

// match reports whether all of text matches.
func (p *pattern) match(text string) bool {
	if p.never {
		return false
	}
	var room [2][64]bool // most patterns fit
	now, next := room[0][:], room[1][:]
	if len(p.parts) >= len(now) {
		now, next = make([]bool, len(p.parts)+1), make([]bool, len(p.parts)+1)
	}
	now, next = now[:len(p.parts)+1], next[:len(p.parts)+1]
	now[0] = true
	p.skip(now)
	for i := range len(text) {
		clear(next)
		alive := false
		for at, here := range now[:len(p.parts)] {
			if !here || !p.parts[at].takes(text[i]) {
				continue
			}
			alive = true
			if p.parts[at].kind >= star {
				next[at] = true
			} else {
				next[at+1] = true
			}
		}
		if !alive {
			return false
		}
		p.skip(next)
		now, next = next, now
	}
	return now[len(p.parts)]
}

// skip adds the places that are reached by stars that stand for nothing.
func (p *pattern) skip(places []bool) {
	for at, here := range places[:len(p.parts)] {
		if !here {
			continue
		}
		if kind := p.parts[at].kind; kind >= star {
			places[at+1] = true
			if kind == deepDirs {
				places[at+3] = true
			}
		}
	}
}

func (p *part) takes(c byte) bool {
	switch p.kind {
	case literal:
		return c == p.char
	case oneOf:
		return p.class[c>>6]>>(c&63)&1 != 0
	case deepStar:
		return true
	case deepDirs:
		return false
	}
	return c != '/'
}
