package retrieve

import (
	"cmp"
	"slices"
	"strings"
)

// interest is a name that what comes next may be about.
type interest struct {
	name      string
	qualifier string // what stands before a dot, where the name does not stand alone
	weight    float64
}

// Weights of interests. A definition of a name on the cursor's line comes before
// one of a name that was imported and is not used yet, and that before all others.
const (
	weightMember     = 1.7 // the type of what stands before the dot at the cursor
	weightLine       = 1.5 // on the cursor's line, and of the call that the cursor is in
	weightReceiver   = 1.4 // in the line that says what the receiver at the cursor is
	weightUnused     = 1.2 // imported and used nowhere: it is imported to be used
	weightUnusedMany = 0.8 // the same, where that is so of many: then they have another reason
	weightAbove      = 1.0 // just above the cursor; less with the distance
	weightBelow      = 0.5 // the same below
	weightHeader     = 0.7 // of the definitions around the cursor
	weightImported   = 0.2 // imported and used elsewhere
	weightHop        = 0.6 // of a signature that is found: the types in it

	halfLines    = 8       // at which a name counts half
	bytesAbove   = 4 << 10 // of the cursor that are looked at
	bytesBelow   = 2 << 10
	maxHeaders   = 16
	headerLines  = 2_000
	maxInterests = 128
	maxUnused    = 4
	usedBytes    = 256 << 10 // around the cursor in which names count as used
)

// interests collects names with the most that speaks for each.
type interests struct {
	byName map[interest]float64 // the key without its weight
	order  []interest
}

func (in *interests) add(name, qualifier string, weight float64) {
	key := interest{name: name, qualifier: qualifier}
	if old, ok := in.byName[key]; ok {
		in.byName[key] = max(old, weight)
		return
	}
	in.byName[key] = weight
	in.order = append(in.order, key)
}

// list is the names by weight, in the order in which they were found among equals.
func (in *interests) list() []interest {
	list := slices.Clone(in.order)
	for i := range list {
		list[i].weight = in.byName[list[i]]
	}
	slices.SortStableFunc(list, func(a, b interest) int { return cmp.Compare(b.weight, a.weight) })
	return list[:min(len(list), maxInterests)]
}

// interests are the names around the cursor, those that say what the receiver at
// the cursor is, those of the headers around it, and the imported ones.
func (s *search) interests() []interest {
	s.interestsOnce.Do(func() { s.wanted = s.findInterests() })
	return s.wanted
}

func (s *search) findInterests() []interest {
	in := &interests{byName: map[interest]float64{}}
	from := s.text.LineStart(s.text.LineOf(s.Offset - bytesAbove))
	to := min(s.Offset+bytesBelow, len(s.Text))
	window := code(s.family, s.Text[from:to])
	at := s.Offset - from
	s.near(in, window, at)
	s.receiver(in, window, at)
	s.callee(in, window, at)
	s.headers(in)
	s.imported(in)
	return in.list()
}

// near takes the names around the cursor; the word that is being typed is none.
func (s *search) near(in *interests, window string, at int) {
	above := strings.Count(window[:at], "\n") // lines to the cursor's
	line, last := 0, 0
	eachWord(window, func(start, end int) {
		line += strings.Count(window[last:start], "\n")
		last = start
		if end >= at && start <= at {
			return
		}
		weight := weightLine
		if d := line - above; d < 0 || start > at {
			weight = weightAbove
			if d >= 0 {
				weight, d = weightBelow, -d
			}
			weight *= halfLines / float64(halfLines-d)
		}
		in.add(window[start:end], qualifierOf(window, start), weight)
	})
}

// qualifierOf is the word before the dot, arrow or colons before start.
func qualifierOf(text string, start int) string {
	for _, dot := range [...]string{".", "->", "::", "?."} {
		if strings.HasSuffix(text[:start], dot) {
			word, _ := wordBefore(text, start-len(dot))
			return word
		}
	}
	return ""
}

// receiver looks at what stands before the dot at the cursor: a module, or a
// variable, which the nearest line that declares or sets it tells about.
func (s *search) receiver(in *interests, window string, at int) {
	_, start := wordBefore(window, at)
	name := qualifierOf(window, start)
	if name == "" || name == "self" || name == "this" {
		return
	}
	in.add(name, "", weightLine)
	declared := -1
	eachWord(window, func(start, end int) {
		if window[start:end] == name && end < at && (declared < 0 || start < at) && declares(window, start, end) {
			declared = start
		}
	})
	if declared < 0 {
		return
	}
	from := strings.LastIndexByte(window[:declared], '\n') + 1
	line := window[from:endOf(window, declared, "\n")]
	eachWord(line, func(start, end int) {
		in.add(line[start:end], qualifierOf(line, start), weightReceiver)
	})
}

// declares reports whether the word at start..end is set or given a type there.
func declares(text string, start, end int) bool {
	rest := strings.TrimLeft(text[end:min(end+32, len(text))], " ?!")
	switch {
	case rest == "" || strings.HasPrefix(rest, "==") || strings.HasPrefix(rest, "=>"):
		return false
	case strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, ":"):
		return true
	}
	// "name *Type" and "name Type" in one language, "Type name" in others
	before := strings.TrimRight(text[max(start-64, 0):start], " *&")
	return rest[0] == '*' || text[end] == ' ' && isWord(rest[0]) || len(before) > 0 && isWord(before[len(before)-1]) && !strings.HasSuffix(before, "return")
}

// callee takes the function of the call that the cursor is in, which may have
// begun on a line before.
func (s *search) callee(in *interests, window string, at int) {
	open := 0
	for i := at - 1; i >= 0; i-- {
		switch window[i] {
		case ')', ']', '}':
			open++
		case '[', '{':
			open = max(open-1, 0)
		case '(':
			if open--; open >= 0 {
				continue
			}
			if word, start := wordBefore(window, i); word != "" {
				in.add(word, qualifierOf(window, start), weightLine)
			}
			return
		}
	}
}

// headers takes the names in the lines that what the cursor is in begins with, by
// their indentation.
func (s *search) headers(in *interests) {
	indent := indentOf(s.text.Line(s.line))
	if strings.TrimSpace(s.text.Line(s.line)) == "" {
		indent = max(indent, s.Offset-s.text.LineStart(s.line))
	}
	weight, found := weightHeader, 0
	for n := s.line - 1; n >= max(s.line-headerLines, 0) && found < maxHeaders && indent > 0; n-- {
		raw := s.text.Line(n)
		if strings.TrimSpace(raw) == "" || indentOf(raw) >= indent {
			continue
		}
		indent = indentOf(raw)
		line := code(s.family, raw[:min(len(raw), maxChunkBytes)])
		eachWord(line, func(start, end int) { in.add(line[start:end], qualifierOf(line, start), weight) })
		weight *= 0.95
		found++
	}
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// imported takes the names that the file imports. One that stands nowhere else
// was imported for what is about to be written.
func (s *search) imported(in *interests) {
	uses := s.uses()
	unused := 0
	for _, n := range uses {
		if n <= 1 {
			unused++
		}
	}
	for _, m := range slices.Backward(s.own.imports) {
		for _, name := range slices.Backward(m.Names) {
			weight := weightImported
			switch {
			case uses[local(name)] > 1:
			case unused <= maxUnused:
				weight = weightUnused
			default:
				weight = weightUnusedMany
			}
			in.add(local(name), "", weight)
		}
	}
}

// uses counts the words of the text around the cursor.
func (s *search) uses() map[string]int {
	from, to := max(s.Offset-usedBytes/2, 0), min(s.Offset+usedBytes/2, len(s.Text))
	text := code(s.family, s.Text[from:to])
	uses := map[string]int{}
	for _, m := range s.own.imports {
		for _, name := range m.Names {
			uses[local(name)] = 0
		}
	}
	eachWord(text, func(start, end int) {
		if n, wanted := uses[text[start:end]]; wanted {
			uses[text[start:end]] = n + 1
		}
	})
	return uses
}
