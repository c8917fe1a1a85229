package syntax

import (
	"fmt"
	"strings"

	sitter "github.com/smacker/go-tree-sitter"

	"tandem/internal/bug"
)

// tokensMark parts a query file: what stands before it is asked about whole
// files and kept, what stands behind it about short ranges.
const tokensMark = "\n;;; tokens\n"

// query is one half of a language's query file. It is never closed: it lives as
// long as its Language, which is as long as the process. Safe for concurrent use.
type query struct {
	q          *sitter.Query
	names      []string // of captures, by id
	conditions [][]condition
}

// condition is an "#eq?" with a text, the one predicate that query files may use.
type condition struct {
	capture uint32
	want    string
}

// capture is a captured node without the node: nothing of a tree is kept.
type capture struct {
	name       string
	start, end int
}

// load reads grammar and queries, once.
func (l *Language) load() error {
	l.once.Do(func() {
		l.lang = l.grammar()
		text, err := queryFiles.ReadFile("queries/" + l.file)
		if err != nil {
			l.err = bug.Errorf("syntax: %s: %w", l.file, err)
			return
		}
		defs, tokens, _ := strings.Cut(string(text), tokensMark)
		if l.defs, l.err = newQuery(l.lang, defs); l.err == nil {
			l.tokens, l.err = newQuery(l.lang, tokens)
		}
		if l.err != nil {
			l.err = bug.Errorf("syntax: queries/%s for %s: %w", l.file, l.name, l.err)
		}
	})
	return l.err
}

func newQuery(lang *sitter.Language, text string) (*query, error) {
	q, err := sitter.NewQuery([]byte(text), lang)
	if err != nil {
		return nil, err
	}
	out := &query{q: q}
	for id := range q.CaptureCount() {
		out.names = append(out.names, q.CaptureNameForId(id))
	}
	for pattern := range q.PatternCount() {
		var conditions []condition
		for _, steps := range q.PredicatesForPattern(pattern) {
			if op := q.StringValueForId(steps[0].ValueId); op != "eq?" || steps[2].Type != sitter.QueryPredicateStepTypeString {
				return nil, fmt.Errorf("predicate %q: only #eq? with a text is known", op)
			}
			conditions = append(conditions, condition{steps[1].ValueId, q.StringValueForId(steps[2].ValueId)})
		}
		out.conditions = append(out.conditions, conditions)
	}
	return out, nil
}

// run visits the matches that touch from..to with the number of their pattern;
// captures is only good during the visit. A cursor cannot be stopped, and at each
// child of an ERROR node it looks for the next one with a name: trees with long
// runs of others, as a page of open brackets makes, have no matches.
func (q *query) run(v view, from, to int, visit func(pattern int, captures []capture)) {
	if v.of.survey(v).wide {
		return
	}
	cursor := sitter.NewQueryCursor()
	defer cursor.Close()
	if from > 0 || to < len(v.text) {
		cursor.SetPointRange(pointAt(v.text, from), pointAt(v.text, to))
	}
	cursor.Exec(q.q, v.tree.RootNode())
	var captures []capture
	for range maxMatches {
		m, ok := cursor.NextMatch()
		if !ok {
			return
		}
		captures = captures[:0]
		for _, c := range m.Captures {
			start, end := v.span(c.Node)
			captures = append(captures, capture{q.names[c.Index], start, end})
		}
		if q.holds(v.text, m, captures) {
			visit(int(m.PatternIndex), captures)
		}
	}
}

func (q *query) holds(text string, m *sitter.QueryMatch, captures []capture) bool {
	for _, condition := range q.conditions[m.PatternIndex] {
		for i, c := range m.Captures {
			if c.Index == condition.capture && text[captures[i].start:captures[i].end] != condition.want {
				return false
			}
		}
	}
	return true
}
