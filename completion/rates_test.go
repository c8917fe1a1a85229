package completion

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"tandem/context/syntax"
	"tandem/engine"
)

type place struct {
	kind                 string
	path                 string
	before, truth, after string
}

func placesIn(path, text string, rng *rand.Rand, n int) []place {
	var out []place
	lines := strings.SplitAfter(text, "\n")
	starts := make([]int, len(lines)+1)
	for i, l := range lines {
		starts[i+1] = starts[i] + len(l)
	}
	add := func(kind string, from, to int) {
		if to > from && !blank(text[from:to]) {
			out = append(out, place{kind, path, text[:from], text[from:to], text[to:]})
		}
	}
	for range n {
		i := rng.Intn(len(lines))
		line := lines[i]
		body := strings.TrimRight(line, "\n")
		if blank(body) {
			continue
		}
		ind := len(blanks(body))
		s := starts[i]
		end := s + len(body)
		add("line", s+ind, end)
		cut := s + ind + 1 + rng.Intn(max(1, len(body)-ind-1))
		if cut < end {
			add("rest", cut, end)
		}
		// inside brackets on this line
		for at := s + ind; at < end; at++ {
			if c := text[at]; c == '(' || c == '[' || c == '{' || c == '"' {
				depth := 0
				closer := byte(closerOf(c)[0])
				if c == '"' {
					closer = '"'
				}
				for j := at + 1; j < end; j++ {
					if text[j] == closer && depth == 0 {
						add("pair", at+1, j)
						break
					}
					if text[j] == c {
						depth++
					} else if text[j] == closer {
						depth--
					}
				}
				if rng.Intn(2) == 0 {
					break
				}
			}
		}
		// middle of the line
		if len(body)-ind > 8 {
			a := s + ind + rng.Intn(len(body)-ind-6)
			b := a + 2 + rng.Intn(min(12, end-a-3))
			add("middle", a, b)
		}
		// block: this statement
		j := i + 1
		for j < len(lines) && j < i+10 && !blank(lines[j]) && (indent(lines[j]) > indent(body) || indent(lines[j]) == indent(body) && closes(lines[j])) {
			j++
		}
		if j > i+1 && j < i+10 {
			add("block", s+ind, starts[j]-1)
			if strings.HasSuffix(body, "{") || strings.HasSuffix(body, ":") {
				add("body", end, starts[j]-1)
			}
		}
	}
	return out
}

func TestRates(t *testing.T) {
	if os.Getenv("RATES") == "" {
		t.Skip()
	}
	var paths []string
	filepath.Walk("..", func(p string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && info.Size() < 60000 && !strings.Contains(p, "golden") && !strings.Contains(p, "syntax/testdata") && !strings.Contains(p, "testdata/cursors") {
			q := strings.TrimSuffix(p, ".txt")
			if _, ok := syntax.ByPath(q); ok {
				paths = append(paths, p)
			}
		}
		return nil
	})
	for _, extra := range strings.Fields(os.Getenv("RATES")) {
		m, _ := filepath.Glob(extra)
		paths = append(paths, m...)
	}
	rng := rand.New(rand.NewSource(7))
	type stat struct{ n, checkCut, exact, shorter, nothing, wrong, unparsed, broken, shownBroken int }
	stats := map[string]*stat{}
	samples := 0
	show := os.Getenv("SHOW")
	bylang := map[string]int{}
	for _, p := range paths {
		b, _ := os.ReadFile(p)
		text := strings.ReplaceAll(string(b), "\r", "")
		name := strings.TrimSuffix(p, ".txt")
		lang, _ := syntax.ByPath(name)
		if tree, err := syntax.Parse(lang, text, syntax.Options{}); err != nil {
			continue
		} else {
			e := tree.ErrorsIn(0, len(text))
			tree.Close()
			if (e > 0) != (os.Getenv("BAD") != "") {
				continue
			}
		}
		if bylang[lang.Name()] > 1500 {
			continue
		}
		for _, pl := range placesIn(name, text, rng, 12) {
			bylang[lang.Name()]++
			doc := Document{Path: name, Text: pl.before + pl.after, Offset: len(pl.before)}
			var c checker
			k := c.begin(doc)
			r := ruleAt(doc)
			for _, key := range []string{pl.kind, lang.Name()} {
				if stats[key] == nil {
					stats[key] = &stat{}
				}
			}
			count := func(f func(*stat)) { f(stats[pl.kind]); f(stats[lang.Name()]) }
			count(func(s *stat) { s.n++ })
			got := k.cut(Suggestion{Text: pl.truth}, r, time.Minute)
			if k.errors > 0 {
				count(func(s *stat) { s.unparsed++ })
			}
			report := func(what string, shown Suggestion) {
				if strings.Contains(show, what) && samples < 100 {
					samples++
					fmt.Printf("--- %s %s %s (%s)\n%s¦%s\n  truth %q\n  shown %q replace %d errors %d\n", what, pl.kind, name, shown.Stop, lastOf(pl.before, 2), firstOf(pl.after, 2), pl.truth, shown.Text, shown.Replace, k.errors)
				}
			}
			if got.Text != pl.truth {
				count(func(s *stat) { s.checkCut++ })
				report("check", got)
			}
			raw := pl.truth + pl.after[:min(len(pl.after), 150)]
			stop := engine.StopLimit
			if len(pl.after) <= 150 {
				stop = engine.StopToken
			}
			// stream
			for i := range raw {
				if _, end := r.cut(raw[:i], false); end != "" {
					raw, stop = raw[:i], engine.StopCaller
					break
				}
			}
			f := k.cut(r.finish(raw, engine.Result{Stop: stop}), r, time.Minute)
			ft := strings.TrimSpace(f.Text)
			result := pl.before + f.Text + pl.after[f.Replace:]
			want := strings.TrimSpace(pl.truth)
			switch {
			case trimAll(result) == trimAll(text):
				count(func(s *stat) { s.exact++ })
			case ft == "":
				count(func(s *stat) { s.nothing++ })
				report("nothing", f)
			case strings.HasPrefix(want, ft):
				count(func(s *stat) { s.shorter++ })
				if f.Stop != "line" && f.Stop != "blank" {
					report("shorter", f)
				}
			default:
				count(func(s *stat) { s.wrong++ })
				report("wrong", f)
			}
			// broken: truth cut at a random place, or a bracket too many
			bad := pl.truth[:rng.Intn(len(pl.truth))]
			if rng.Intn(3) == 0 {
				bad = pl.truth + []string{")", "}", "]"}[rng.Intn(3)]
			}
			if tree, err := syntax.Parse(lang, pl.before+bad+pl.after, syntax.Options{}); err == nil {
				e := tree.ErrorsIn(0, 1<<30)
				tree.Close()
				if e > k.errors {
					count(func(s *stat) { s.broken++ })
					f := k.cut(r.finish(bad, engine.Result{Stop: engine.StopToken}), r, time.Minute)
					w := pl.before + f.Text + pl.after[f.Replace:]
					tree, _ := syntax.Parse(lang, w, syntax.Options{})
					if tree.ErrorsIn(0, 1<<30) > k.errors {
						count(func(s *stat) { s.shownBroken++ })
						report("broken", f)
					}
					tree.Close()
				}
			}
			c.close()
		}
	}
	var keys []string
	for k := range stats {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Printf("%-16s %+v\n", k, *stats[k])
	}
}

func trimAll(s string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		b.WriteString(trimEnd(l) + "\n")
	}
	return strings.TrimSpace(b.String())
}

func lastOf(s string, n int) string {
	i := len(s)
	for range n {
		i = strings.LastIndexByte(s[:max(0, i-1)], '\n')
		if i < 0 {
			return s
		}
	}
	return s[i+1:]
}

func firstOf(s string, n int) string {
	l := strings.SplitAfterN(s, "\n", n+1)
	return strings.Join(l[:min(n, len(l))], "")
}
