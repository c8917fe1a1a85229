package syntax

import sitter "github.com/smacker/go-tree-sitter"

// survey is what one walk along the errors of a tree finds.
type survey struct {
	errors []span
	wide   bool // no query may look at the tree
}

// ErrorsIn counts the places in from..to, ends included, that do not parse: what
// the parser skipped and what it had to make up. Where an error shows is not
// always where it was made: a bracket that is not closed may show at the end of
// the file. To compare two texts, count in the whole of both.
func (t *Tree) ErrorsIn(from, to int) int {
	v, ok := t.view()
	if !ok {
		return 0
	}
	defer v.close()
	from, to = t.clamp(from, to)
	count := 0
	for _, e := range t.survey(v).errors {
		if e.start <= to && e.end >= from {
			count++
		}
	}
	return count
}

// survey walks once for each tree. Of a text with more than maxNodes nodes beside
// its errors it knows the first ones, and no query looks at it.
func (t *Tree) survey(v view) *survey {
	t.surveyOnce.Do(func() {
		s := &t.surveyed
		s.wide = true
		run := 0 // of nodes without a name
		longest := 0
		done := v.walk(func(n *sitter.Node) bool {
			run++
			if n.IsNamed() {
				run = 0
			}
			longest = max(longest, run)
			if !n.HasError() {
				return false
			}
			if n.IsError() || n.IsMissing() {
				s.errors = append(s.errors, span{int(n.StartByte()), min(int(n.EndByte()), len(v.text))})
			}
			return true
		})
		s.wide = !done || longest > maxRun
	})
	return &t.surveyed
}

// walk visits nodes from the outside in, going into those for which enter says
// so, and reports whether maxNodes were enough for all. It does not recurse: text
// may nest as deep as it is long.
func (v view) walk(enter func(*sitter.Node) bool) bool {
	cursor := sitter.NewTreeCursor(v.tree.RootNode())
	defer cursor.Close()
	for range maxNodes {
		if enter(cursor.CurrentNode()) && cursor.GoToFirstChild() {
			continue
		}
		for !cursor.GoToNextSibling() {
			if !cursor.GoToParent() {
				return true
			}
		}
	}
	return false
}
