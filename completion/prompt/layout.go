// Package prompt lays out what stands around a cursor as the pieces of a
// model's prompt, the stable part first. It knows the fill-in-the-middle tokens
// by their spelling and how much of a file to show; token cost comes in as a
// function. It deliberately knows no ids, no caches and no documents' versions.
package prompt

import (
	"fmt"
	"strings"

	"tandem/engine"
)

// FIM is the text around a cursor, cut to a window of its file, and what other
// files have to do with it.
type FIM struct {
	Prefix string // ends at the cursor
	Suffix string // begins at the cursor
	// Repository stands before all of it; layouts without tokens for it leave it out.
	Repository Repository
}

// Repository is the part of a prompt that tells of other files. The zero value
// adds nothing to a prompt.
type Repository struct {
	Name   string
	Chunks []Chunk
	Path   string // of the file with the cursor
}

// Chunk is a part of a file, whole lines.
type Chunk struct {
	Path string // as the model is to see it
	Text string
}

// Prompt is what an engine is asked to continue.
type Prompt struct {
	Pieces []engine.Piece
	// Heal asks the engine to continue inside the last word of the last piece.
	// It is false where nothing stands before the cursor.
	Heal bool
}

// Layout orders the parts of a FIM prompt. Which one serves a model best is
// measured, see docs/bench.md.
type Layout interface {
	// Name is the layout's name in flags, settings and reports.
	Name() string
	// Build lays f out. With heal the continuation may start inside the word
	// that the cursor stands in or behind.
	Build(f FIM, heal bool) Prompt
}

// The layouts.
var (
	PSM     Layout = psm{}
	PSMLine Layout = psmLine{}
	SPMTail Layout = spmTail{}
	Plain   Layout = plain{}
)

// Layouts returns every layout, in the order in which help texts list them.
func Layouts() []Layout { return []Layout{PSM, PSMLine, SPMTail, Plain} }

// Names returns the layouts' names.
func Names() []string {
	var names []string
	for _, l := range Layouts() {
		names = append(names, l.Name())
	}
	return names
}

// ByName returns the layout called name.
func ByName(name string) (Layout, error) {
	for _, l := range Layouts() {
		if l.Name() == name {
			return l, nil
		}
	}
	return nil, fmt.Errorf("prompt: no layout %q; there are %s", name, strings.Join(Names(), ", "))
}

// psm is prefix, suffix, middle, the order that the models saw most in
// training. What is typed moves the suffix, so every keystroke prefills the
// whole suffix anew.
type psm struct{}

func (psm) Name() string { return "psm" }

// Build puts the prefix's unfinished word behind <|fim_middle|> when it is to
// be healed: there the engine can drop its tokens and hold the continuation to
// its bytes. Without heal the middle starts at the cursor.
func (psm) Build(f FIM, heal bool) Prompt {
	cut := len(f.Prefix)
	if heal {
		cut = lastWord(f.Prefix)
	}
	return middleFrom(f, cut, heal)
}

// psmLine is psm whose middle starts with the cursor's line. Typing appends to
// the prompt's end, so only a new line prefills the suffix anew.
type psmLine struct{}

func (psmLine) Name() string { return "psm-line" }

func (psmLine) Build(f FIM, heal bool) Prompt {
	return middleFrom(f, strings.LastIndexByte(f.Prefix, '\n')+1, heal)
}

// spmTail is an empty prefix, the suffix, and the text before the cursor as the
// beginning of the middle. The prompt ends with what is being typed, so a
// keystroke appends a token or two to what is cached.
type spmTail struct{}

func (spmTail) Name() string { return "spm-tail" }

func (spmTail) Build(f FIM, heal bool) Prompt { return middleFrom(f, 0, heal) }

// plain is the prefix alone, for models that have no FIM tokens: they cannot
// see what stands below the cursor.
type plain struct{}

func (plain) Name() string { return "plain" }

func (plain) Build(f FIM, heal bool) Prompt {
	if f.Prefix == "" {
		// A prompt needs a token to start from.
		return Prompt{Pieces: []engine.Piece{{Text: "\n"}}}
	}
	return Prompt{Pieces: []engine.Piece{{Text: f.Prefix}}, Heal: heal}
}

// middleFrom lays f out with the first cut bytes of its prefix before the
// suffix and the rest of it as the beginning of the middle.
func middleFrom(f FIM, cut int, heal bool) Prompt {
	pieces := append(f.Repository.pieces(), engine.Piece{Text: fimPrefix, Special: true})
	if cut > 0 {
		pieces = append(pieces, engine.Piece{Text: f.Prefix[:cut]})
	}
	pieces = append(pieces, engine.Piece{Text: fimSuffix, Special: true})
	if f.Suffix != "" {
		pieces = append(pieces, engine.Piece{Text: f.Suffix})
	}
	pieces = append(pieces, engine.Piece{Text: fimMiddle, Special: true})
	if cut < len(f.Prefix) {
		pieces = append(pieces, engine.Piece{Text: f.Prefix[cut:]})
	}
	return Prompt{Pieces: pieces, Heal: heal && cut < len(f.Prefix)}
}

// pieces are the repository's name, its chunks each behind its path, and the path
// of the file that is completed, as Qwen 2.5 Coder was trained on repositories
// (its technical report, section 3.2.2, "Repo-Level Pretraining").
func (r Repository) pieces() []engine.Piece {
	if len(r.Chunks) == 0 {
		return nil
	}
	pieces := []engine.Piece{{Text: repoName, Special: true}, {Text: r.Name + "\n"}}
	for _, c := range r.Chunks {
		pieces = append(pieces, engine.Piece{Text: fileSep, Special: true}, engine.Piece{Text: c.Path + "\n" + c.Text})
	}
	return append(pieces, engine.Piece{Text: fileSep, Special: true}, engine.Piece{Text: r.Path + "\n"})
}
