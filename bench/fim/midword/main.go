// Command midword makes the infilling set fim_midword: it cuts the targets of
// HumanEval infilling and of repository-level items after some characters, so
// that cursors stand where people stop, most often inside a word. Which cut an
// item gets follows from a hash of its name alone: the set is the same on every
// run.
//
//	go run ./bench/fim/midword -o testdata/fim/fim_midword.jsonl.gz ITEMS.jsonl.gz...
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"strings"

	"tandem/bench/fim"
)

// Shares of the source items that are taken, in percent. They make about 100
// items of each kind, and twice that inside words.
const (
	lineShare       = 62 // of the programs: one line each, from its start
	lineWordShare   = 50 // of the programs: the same line, inside a word
	spanShare       = 65 // of the spans
	spanWordShare   = 15 // of the spans: inside a word
	repoShare       = 60 // of the repository lines
	repoWordShare   = 45 // of the repository lines: inside a word
	cutAtEdgeShare  = 35 // of spans and repository lines: cut at a word's edge, the rest whole
	afterBlankShare = 50 // of line starts: behind the indentation, the rest before it
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: midword -o OUT.jsonl.gz ITEMS.jsonl.gz...")
		os.Exit(2)
	}
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "midword:", err)
		os.Exit(1)
	}
}

func run(out string, sources []string) error {
	var items []fim.Item
	for _, path := range sources {
		read, err := fim.ReadFile(path)
		if err != nil {
			return err
		}
		items = append(items, read...)
	}
	made := midword(items)
	packed, err := pack(made)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, packed, 0o644); err != nil {
		return err
	}
	count := map[string]int{}
	for _, item := range made {
		count[item.Kind]++
	}
	fmt.Println(len(made), "items,", len(packed), "bytes,", count)
	return nil
}

// midword makes the set. Items of one program stand together, for the sake of
// caches and of gzip.
func midword(sources []fim.Item) []fim.Item {
	var made []fim.Item
	seen := map[string]bool{} // programs, which several spans may share
	for _, item := range sources {
		if strings.TrimSpace(item.Target) == "" {
			continue
		}
		if strings.HasPrefix(item.TaskID, "RandomSpan") {
			if program := item.Prefix + item.Target + item.Suffix; !seen[program] {
				seen[program] = true
				made = append(made, lineItems(item)...)
			}
			made = append(made, cutItems(item, fim.RandomSpan, spanShare, spanWordShare)...)
		} else {
			made = append(made, cutItems(item, fim.Repository, repoShare, repoWordShare)...)
		}
	}
	return made
}

// lineItems makes one line of item's program the target, whole and from inside
// a word.
func lineItems(item fim.Item) []fim.Item {
	program := item.Prefix + item.Target + item.Suffix
	starts := bodyLines(program)
	if len(starts) == 0 {
		return nil
	}
	start := starts[pick(item.TaskID, "line", len(starts))]
	end := start + strings.IndexByte(program[start:]+"\n", '\n')
	blanks := len(program[start:end]) - len(strings.TrimLeft(program[start:end], " \t"))
	line := fim.Item{
		TaskID: item.TaskID + "/line", Kind: fim.LineStart,
		Prefix: program[:start], Target: program[start:end], Suffix: program[end:],
	}
	word := cut(line, "word", pickOne(item.TaskID, wordCuts(line, blanks)))
	if chance(item.TaskID, "behind blanks", afterBlankShare) {
		line = cut(line, "indented", blanks)
	}
	var made []fim.Item
	if chance(item.TaskID, "lines", lineShare) {
		made = append(made, line)
	}
	if chance(item.TaskID, "lines", lineWordShare) && word.Kind == fim.MidWord {
		made = append(made, word)
	}
	return made
}

// bodyLines returns where the lines of code begin in a HumanEval program: below
// the docstring of its last function that has one, or below the first def.
func bodyLines(program string) []int {
	body := strings.LastIndex(program, `"""`)
	if single := strings.LastIndex(program, "'''"); single > body {
		body = single
	}
	if body < 0 {
		body = strings.Index(program, "def ")
	}
	var starts []int
	offset := 0
	for line := range strings.Lines(program) {
		code := strings.TrimSpace(line)
		if offset > body && len(code) >= 6 && code[0] != '#' {
			starts = append(starts, offset)
		}
		offset += len(line)
	}
	return starts
}

// cutItems takes share percent of the items, whole or cut at a word's edge, and
// wordShare percent cut inside a word.
func cutItems(item fim.Item, kind string, share, wordShare int) []fim.Item {
	var made []fim.Item
	if chance(item.TaskID, "take", share) {
		whole := item
		if edges := edgeCuts(item); len(edges) > 0 && chance(item.TaskID, "edge", cutAtEdgeShare) {
			whole = cut(item, "edge", pickOne(item.TaskID, edges))
			whole.Kind = kind
		}
		made = append(made, whole)
	}
	if words := wordCuts(item, 0); len(words) > 0 && chance(item.TaskID, "take", wordShare) {
		made = append(made, cut(item, "word", pickOne(item.TaskID, words)))
	}
	return made
}

// cut moves the first n bytes of item's target in front of the cursor.
func cut(item fim.Item, label string, n int) fim.Item {
	item.TaskID = fmt.Sprintf("%s/%s%d", item.TaskID, label, n)
	item.Prefix += item.Target[:n]
	item.Target = item.Target[n:]
	if fim.InWord(item.Prefix, item.Target) {
		item.Kind = fim.MidWord
	}
	return item
}

// wordCuts returns the cuts behind byte from that split a word of the target's
// first line that is not blank.
func wordCuts(item fim.Item, from int) []int { return cuts(item, from, true) }

// edgeCuts returns the cuts that do not.
func edgeCuts(item fim.Item) []int { return cuts(item, 0, false) }

func cuts(item fim.Item, from int, inWord bool) []int {
	target := item.Target
	begin := len(target) - len(strings.TrimLeft(target, " \t\r\n"))
	end := begin + strings.IndexByte(target[begin:]+"\n", '\n')
	var found []int
	for i := range target[:end] { // at starts of characters only
		if i <= max(from, begin) || strings.TrimSpace(target[i:end]) == "" {
			continue
		}
		if fim.InWord(target[:i], target[i:]) == inWord {
			found = append(found, i)
		}
	}
	return found
}

// pickOne returns one of cuts by the name of the item, 0 of none.
func pickOne(name string, cuts []int) int {
	if len(cuts) == 0 {
		return 0
	}
	return cuts[pick(name, "cut", len(cuts))]
}

func chance(name, what string, percent int) bool { return pick(name, what, 100) < percent }

// pick returns a number below n that depends on name and what alone.
func pick(name, what string, n int) int {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s", what, name)
	sum := h.Sum64()
	return int((sum ^ sum>>32) % uint64(n))
}

// pack writes items as gzipped JSON lines, the same bytes for the same items.
func pack(items []fim.Item) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	lines := json.NewEncoder(zip)
	lines.SetEscapeHTML(false)
	for _, item := range items {
		if err := lines.Encode(item); err != nil {
			return nil, err
		}
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
