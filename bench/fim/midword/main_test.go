package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/bench/fim"
)

func TestCutsOfOneTarget(t *testing.T) {
	item := fim.Item{TaskID: "a", Prefix: "x", Target: "\n  f(a1, é_b) \nmore"}
	for _, test := range []struct {
		what string
		cuts []int
		want string
	}{
		{"words", wordCuts(item, 0), "1, é_b) \nmore|_b) \nmore|b) \nmore"},
		{"words behind byte 6", wordCuts(item, 6), "_b) \nmore|b) \nmore"},
		{"edges", edgeCuts(item), "(a1, é_b) \nmore|a1, é_b) \nmore|, é_b) \nmore| é_b) \nmore|é_b) \nmore|) \nmore"},
	} {
		var rests []string
		for _, n := range test.cuts {
			rests = append(rests, item.Target[n:])
		}
		if got := strings.Join(rests, "|"); got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

func TestBodyLines(t *testing.T) {
	program := "import os\n\ndef f(x):\n    \"\"\" f(2)\n    4\n    \"\"\"\n    # twice\n    y = x * 2\n    x\n    return y\n"
	var lines []string
	for _, start := range bodyLines(program) {
		line, _, _ := strings.Cut(program[start:], "\n")
		lines = append(lines, strings.TrimSpace(line))
	}
	if got := strings.Join(lines, "|"); got != "y = x * 2|return y" {
		t.Errorf("lines %q", got)
	}
}

// What is cut must stay whole: prefix, target and suffix still make the program.
func TestItemsKeepTheProgram(t *testing.T) {
	source := fim.Item{
		TaskID: "RandomSpan/1", Kind: fim.RandomSpan,
		Prefix: "def first(values):\n    if not values:\n", Target: "        return None\n    return values", Suffix: "[0]\n",
	}
	program := source.Prefix + source.Target + source.Suffix
	made := 0
	for i := range 100 {
		source.TaskID += string(rune('a' + i%26))
		for _, item := range midword([]fim.Item{source}) {
			made++
			if item.Prefix+item.Target+item.Suffix != program {
				t.Fatalf("%+v", item)
			}
		}
	}
	if made < 100 {
		t.Errorf("%d items of 100 programs", made)
	}
}

// The committed set must be what this program makes.
func TestCommittedSetIsFresh(t *testing.T) {
	shared := os.Getenv("TANDEM_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "..", "shared")
	}
	var sources []fim.Item
	for _, name := range []string{"HumanEval-RandomSpanInfillingLight.jsonl.gz", "repo_level_dev.jsonl.gz"} {
		items, err := fim.ReadFile(filepath.Join(shared, "quality", name))
		if err != nil {
			t.Skipf("the sets that it is made from are not there; point TANDEM_SHARED at the folder that holds quality/: %v", err)
		}
		sources = append(sources, items...)
	}
	committed, err := fim.ReadFile(filepath.Join("..", "..", "..", "testdata", "fim", "fim_midword.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := pack(midword(sources))
	if err != nil {
		t.Fatal(err)
	}
	made, err := fim.Read(bytes.NewReader(packed))
	if err != nil || len(made) != len(committed) {
		t.Fatalf("%d items made, %d committed, %v", len(made), len(committed), err)
	}
	for i := range made {
		if made[i] != committed[i] {
			t.Fatalf("item %d: %s is made, %s committed", i, made[i].TaskID, committed[i].TaskID)
		}
	}
}
