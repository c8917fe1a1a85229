package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tandem/engine/gguf"
	"tandem/engine/tokenizer"
	"tandem/models"
)

// maxInputBytes bounds what is read from standard input.
const maxInputBytes = 1 << 30

type tokenizeCmd struct {
	Special bool `help:"Spellings of special tokens, such as <|im_start|>, become the token."`
	Decode  bool `help:"Read ids, separated by blanks, commas or brackets, and print their text."`
}

// Help is what --help adds.
func (*tokenizeCmd) Help() string {
	return `Reads standard input to its end and prints the ids on one line. No token is added
at the beginning. With --decode the other way: the text of the ids, byte for byte,
with --special those of special tokens too.`
}

// tokens is `tandem tokenize --json`.
type tokens struct {
	IDs []int32 `json:"ids"`
}

// Run turns text into ids or back.
func (c *tokenizeCmd) Run(a *app) error {
	t, closeFile, err := openTokenizer(a.Model)
	if err != nil {
		return err
	}
	defer closeFile()
	input, err := io.ReadAll(io.LimitReader(a.in, maxInputBytes+1))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	if len(input) > maxInputBytes {
		return fmt.Errorf("standard input: more than %d bytes: split it", maxInputBytes)
	}
	if c.Decode {
		ids, err := parseIDs(string(input), t.Size())
		if err != nil {
			return err
		}
		_, err = io.WriteString(a.out, t.Detokenize(ids, c.Special))
		return err
	}
	var ids []int32
	if c.Special {
		ids = t.EncodeSpecial(nil, string(input))
	} else {
		ids = t.Encode(nil, string(input))
	}
	return printIDs(a, ids)
}

func printIDs(a *app, ids []int32) error {
	out := bufio.NewWriter(a.out)
	if a.JSON {
		// One line: a million ids one below the other help nobody.
		if ids == nil {
			ids = []int32{}
		}
		if err := encodeLine(out, tokens{ids}); err != nil {
			return err
		}
		return out.Flush()
	}
	for i, id := range ids {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(strconv.Itoa(int(id)))
	}
	out.WriteByte('\n')
	return out.Flush()
}

// promptIDs are the tokens of a prompt, which begins as the model wants it to.
// With special the spellings of special tokens become the token.
func promptIDs(t *tokenizer.Tokenizer, prompt string, special bool) ([]int32, error) {
	if t == nil {
		return nil, errors.New("the model's vocabulary is of a kind not known: choose another model or give token ids")
	}
	var ids []int32
	if bos, ok := t.BOS(); ok {
		ids = append(ids, bos)
	}
	if special {
		return t.EncodeSpecial(ids, prompt), nil
	}
	return t.Encode(ids, prompt), nil
}

// parseIDs reads ids below size.
func parseIDs(text string, size int) ([]int32, error) {
	var ids []int32
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil || id < 0 || id >= int64(size) {
			return nil, fmt.Errorf("token id %.40q: give numbers from 0 to %d", word, size-1)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// openTokenizer reads a model's vocabulary and nothing else of it.
func openTokenizer(model string) (*tokenizer.Tokenizer, func(), error) {
	path, _, err := models.Resolve("", model)
	if err != nil {
		return nil, nil, err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, nil, err
	}
	t, err := tokenizer.New(f)
	if err = errors.Join(err, f.Err()); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, func() { f.Close() }, nil
}
