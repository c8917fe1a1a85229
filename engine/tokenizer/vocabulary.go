package tokenizer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tandem/engine/gguf"
)

// Keys of a GGUF file that describe its tokenizer.
const (
	keyModel  = "tokenizer.ggml.model"
	keyPre    = "tokenizer.ggml.pre"
	keyTokens = "tokenizer.ggml.tokens"
	keyTypes  = "tokenizer.ggml.token_type"
	keyMerges = "tokenizer.ggml.merges"
	keyAddBOS = "tokenizer.ggml.add_bos_token"
	keyBOS    = "tokenizer.ggml.bos_token_id"
	keyEOS    = "tokenizer.ggml.eos_token_id"
	keyEOT    = "tokenizer.ggml.eot_token_id"
	keyEOM    = "tokenizer.ggml.eom_token_id"
)

// tokenBytesMax bounds a token's spelling. The longest known are runs of 128
// spaces, two bytes each as they are spelled.
const tokenBytesMax = 1024

// Types of tokenizer.ggml.token_type.
const (
	typeNormal      = 1
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
	typeUnused      = 5
)

// endNames are the spellings of tokens that end a text, whatever keys the file
// has: files of instruct models name one of two, and those of Qwen 2.5 Coder
// none of those that end a fill-in-the-middle.
var endNames = []string{
	"<|endoftext|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
	"<|end_of_text|>", "<|eom_id|>", "<|eot_id|>",
	"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
}

// controlNames are spellings that some converters do not mark as control
// tokens. As user-defined ones they would be found in every source text.
var controlNames = append([]string{
	"<|im_start|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
	"<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
}, endNames...)

// New reads the tokenizer of a model. Its errors name the file and the key.
func New(f *gguf.File) (*Tokenizer, error) {
	t := &Tokenizer{bos: -1}
	for _, step := range []func(*gguf.File) error{t.readRules, t.readTokens, t.readMerges, t.readEnds} {
		if err := step(f); err != nil {
			// A file that was cut short since it was opened looks as if keys
			// were missing.
			if cause := f.Err(); cause != nil {
				err = cause
			}
			return nil, fmt.Errorf("tokenizer: %s: %w", f.Path(), err)
		}
	}
	return t, nil
}

func has(f *gguf.File, key string) bool { return slices.Contains(f.Keys(), key) }

// bad is the error of a key.
func bad(key, format string, args ...any) error {
	return fmt.Errorf("key %s: %s: convert the model again or choose another file", key, fmt.Sprintf(format, args...))
}

func (t *Tokenizer) readRules(f *gguf.File) error {
	if model, _ := f.Text(keyModel); model != "gpt2" {
		return bad(keyModel, "%.40q is not the byte-level BPE \"gpt2\", the only kind supported", model)
	}
	pre, _ := f.Text(keyPre)
	rules, ok := rulesOf(pre)
	if !ok {
		return bad(keyPre, "%.40q is not supported; qwen2, llama-bpe and smollm are", pre)
	}
	t.rules = rules
	return nil
}

// readTokens fills kinds and spellings.
func (t *Tokenizer) readTokens(f *gguf.File) error {
	spellings, ok := f.Texts(keyTokens)
	if !ok || len(spellings) == 0 || len(spellings) > slotMax {
		return bad(keyTokens, "no list of 1 to %d tokens", slotMax)
	}
	types, ok := f.Ints(keyTypes)
	if has(f, keyTypes) && (!ok || len(types) != len(spellings)) {
		return bad(keyTypes, "%d types for %d tokens", len(types), len(spellings))
	}
	t.kinds = make([]kind, len(spellings))
	t.starts = make([]uint32, 1, len(spellings)+1)
	for i, s := range spellings {
		if len(s) > tokenBytesMax {
			return bad(keyTokens, "token %d is %d bytes long; %d are the limit", i, len(s), tokenBytesMax)
		}
		k, err := kindOf(types, i, s)
		if err != nil {
			return err
		}
		if k == ordinary {
			if t.text, ok = appendBytes(t.text, s); !ok {
				return bad(keyTokens, "token %d, %.40q, holds a character that stands for no byte", i, s)
			}
		} else {
			t.text = append(t.text, s...)
		}
		t.kinds[i] = k
		t.starts = append(t.starts, uint32(len(t.text)))
		t.longest = max(t.longest, len(t.text)-int(t.starts[i]))
	}
	return t.index()
}

// index makes the ways to find a token by its text.
func (t *Tokenizer) index() error {
	t.ordinary = make(map[string]int32, len(t.kinds))
	t.special = make(map[string]int32)
	printed := make(map[string]int32)
	all := string(t.text)
	for i, k := range t.kinds {
		s := all[t.starts[i]:t.starts[i+1]]
		ids := t.special
		switch k {
		case padding:
			continue
		case ordinary:
			ids = t.ordinary
		case userDefined:
			printed[s] = int32(i)
		}
		if first, ok := ids[s]; ok {
			return bad(keyTokens, "tokens %d and %d are the same, %.40q", first, i, s)
		}
		ids[s] = int32(i)
	}
	t.complete = true
	for b := range t.byteIDs {
		id, ok := t.ordinary[string([]byte{byte(b)})]
		if !ok {
			id, t.complete = -1, false
		}
		t.byteIDs[b] = id
	}
	t.plain, t.marked = newMatcher(printed), newMatcher(t.special)
	return nil
}

// kindOf is the kind of token i, spelled s. Without types all are normal.
func kindOf(types []int64, i int, s string) (kind, error) {
	typ := int64(typeNormal)
	if types != nil {
		typ = types[i]
	}
	// Older converters filled a vocabulary up with user-defined [PAD151646].
	if s == "" || (strings.HasPrefix(s, "[PAD") && s == "[PAD"+strconv.Itoa(i)+"]") {
		return padding, nil
	}
	switch typ {
	case typeNormal, typeUserDefined:
		if s[0] == '<' && slices.Contains(controlNames, s) {
			return control, nil
		}
		if typ == typeUserDefined {
			return userDefined, nil
		}
		return ordinary, nil
	case typeControl, typeUnknown:
		return control, nil
	case typeUnused:
		return padding, nil
	}
	return 0, bad(keyTypes, "token %d has the unknown type %d", i, typ)
}

// byteOf gives the byte that a character of a spelling stands for, -1 for none:
// printable characters of Latin-1 stand for themselves, the other bytes in
// ascending order for the characters from U+0100.
var byteOf = func() (table [256 + 68]int16) {
	others := 256
	for b := range 256 {
		if (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE {
			table[b] = int16(b)
			continue
		}
		table[b] = -1
		table[others] = int16(b)
		others++
	}
	return table
}()

// appendBytes appends the bytes that an ordinary token stands for.
func appendBytes(dst []byte, spelling string) ([]byte, bool) {
	for _, r := range spelling {
		if int(r) >= len(byteOf) || byteOf[r] < 0 {
			return dst, false
		}
		dst = append(dst, byte(byteOf[r]))
	}
	return dst, true
}

func (t *Tokenizer) readMerges(f *gguf.File) error {
	merges, ok := f.Texts(keyMerges)
	if !ok || len(merges) > slotMax {
		return bad(keyMerges, "no list of up to %d merges", slotMax)
	}
	t.merges = newMergeTable(len(merges))
	var buf []byte
	for rank, s := range merges {
		var left, right, joined int32
		if left, right, joined, buf, ok = t.mergeOf(s, buf); !ok {
			return bad(keyMerges, "merge %d, %.40q, does not join two tokens to a third", rank, s)
		}
		t.merges.add(left, right, joined)
	}
	return nil
}

// mergeOf reads a merge, two spellings with a space between them. The space
// cannot be part of one: as a byte of a token it is spelled otherwise. buf is
// scratch space, given back.
func (t *Tokenizer) mergeOf(s string, buf []byte) (left, right, joined int32, _ []byte, ok bool) {
	a, b, _ := strings.Cut(s, " ")
	buf, okA := appendBytes(buf[:0], a)
	n := len(buf)
	buf, okB := appendBytes(buf, b)
	if !okA || !okB {
		return 0, 0, 0, buf, false
	}
	left, okA = t.ordinary[string(buf[:n])]
	right, okB = t.ordinary[string(buf[n:])]
	joined, ok = t.ordinary[string(buf)]
	return left, right, joined, buf, ok && okA && okB
}

// readEnds finds the tokens that begin and end a text.
func (t *Tokenizer) readEnds(f *gguf.File) error {
	wanted := t.rules.addBOS
	if add, ok := f.Bool(keyAddBOS); ok {
		wanted = add
	}
	bos, err := t.idOf(f, keyBOS)
	if err != nil {
		return err
	}
	if wanted && bos < 0 {
		return bad(keyBOS, "missing, and texts of this model begin with it")
	}
	if wanted {
		t.bos = bos
	}
	for _, key := range []string{keyEOS, keyEOT, keyEOM} {
		id, err := t.idOf(f, key)
		if err != nil {
			return err
		}
		if id >= 0 {
			t.ends = append(t.ends, id)
		}
	}
	for _, name := range endNames {
		if id, ok := t.special[name]; ok {
			t.ends = append(t.ends, id)
		}
	}
	slices.Sort(t.ends)
	t.ends = slices.Compact(t.ends)
	return nil
}

// idOf reads a token's id, -1 if the key is not there.
func (t *Tokenizer) idOf(f *gguf.File, key string) (int32, error) {
	if !has(f, key) {
		return -1, nil
	}
	id, ok := f.Int(key)
	if !ok {
		return -1, bad(key, "not a number")
	}
	if id < 0 || id >= int64(len(t.kinds)) {
		return -1, bad(key, "%d is not one of %d tokens", id, len(t.kinds))
	}
	return int32(id), nil
}
