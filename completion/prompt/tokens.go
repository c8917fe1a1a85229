package prompt

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The fill-in-the-middle tokens of Qwen 2.5 Coder by their spelling: weight
// files seldom carry keys for them, and ids differ between models.
const (
	fimPrefix = "<|fim_prefix|>"
	fimSuffix = "<|fim_suffix|>"
	fimMiddle = "<|fim_middle|>"
)

// StopTokens returns the spellings of the tokens that end a middle: the end of
// the text, of the file, of a chat turn, and any FIM token, which would begin
// another prompt. Models that lack some of them never produce those.
func StopTokens() []string {
	return []string{
		"<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>", "<|im_start|>",
		fimPrefix, fimSuffix, fimMiddle,
	}
}

// spelledTokens are special tokens of other models. Some have met them in what
// they were trained on, and say them letter by letter.
func spelledTokens() []string {
	return []string{
		"<|end|>", "<|end_of_text|>", "<|eot_id|>", "<|assistant|>", "<|user|>", "<|system|>", "<|file_separator|>",
		"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<file_sep>", "<repo_name>", "<EOT>", "<｜",
	}
}

// CutSpecial returns text up to the first spelling of a special token in it. A
// small model sometimes spells one out in ordinary tokens.
func CutSpecial(text string) string {
	for _, t := range slices.Concat(StopTokens(), spelledTokens()) {
		if i := strings.Index(text, t); i >= 0 {
			text = text[:i]
		}
	}
	// This one is also a tag of HTML, where another begins what it ends.
	if i := strings.Index(text, "</s>"); i >= 0 && !strings.Contains(text[:i], "<s") {
		text = text[:i]
	}
	return text
}

// lastWord returns where the last word of text begins: its trailing run of
// letters, digits and underscores, or of blanks, or of other signs, and the one
// space before it. A pre-tokenizer would join at most that much to what is
// typed next. A line break never belongs to it.
func lastWord(text string) int {
	start := len(text)
	last := runeNone
	for start > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:start])
		class := classOf(r)
		if class == runeBreak || (last != runeNone && class != last) {
			break
		}
		last = class
		start -= size
	}
	if start > 0 && start < len(text) && last != runeBlank && text[start-1] == ' ' {
		start--
	}
	return start
}

// runeClass sorts runes as pre-tokenizers do, roughly.
type runeClass int

const (
	runeNone runeClass = iota
	runeWord
	runeBlank
	runeBreak
	runeSign
)

func classOf(r rune) runeClass {
	switch {
	case r == '\n' || r == '\r':
		return runeBreak
	case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
		return runeWord
	case unicode.IsSpace(r):
		return runeBlank
	}
	return runeSign
}
