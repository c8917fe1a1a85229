package tokenizer

// rules are what a pre-tokenizer's name stands for.
type rules struct {
	classes *classTable
	gpt2    bool // GPT-2's pattern over digits split one by one, else Llama 3's
	digits  int  // numbers are cut to so many characters
	// wholeWords takes a pre-token that is in the vocabulary as it is, without
	// merging.
	wholeWords bool
	addBOS     bool // unless the file says otherwise
}

// rulesOf finds the rules by tokenizer.ggml.pre. Names in one case stand for
// the same rules in different models.
func rulesOf(pre string) (rules, bool) {
	r := rules{classes: classes()}
	switch pre {
	case "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan":
		r.digits = 1
	case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
		r.digits, r.wholeWords, r.addBOS = 3, true, true
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		r.gpt2, r.digits = true, 1
	default:
		return r, false
	}
	return r, true
}

// next is the length of the pre-token that s begins with; s is not empty. The
// text in s is taken to end where s does. split reports a run of whitespace
// that was ended before its last character for what follows it.
func (r *rules) next(s string) (n int, split bool) {
	if r.gpt2 {
		return r.nextGPT2(s)
	}
	return r.nextLlama3(s)
}

// nextLlama3 matches the pattern of Llama 3 and, with digits = 1, of Qwen 2:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//	 ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Case is folded for ASCII only, as llama.cpp does.
func (r *rules) nextLlama3(s string) (n int, split bool) {
	c, width := r.classes.first(s)
	switch c {
	case letter:
		return r.classes.run(s, width, letter), false
	case number:
		return r.number(s), false
	case newline:
		return r.whitespace(s)
	}
	if s[0] == '\'' {
		if n := contraction(s, 0x20); n > 0 {
			return n, false
		}
	}
	following := newline // as good as the end of the text here
	if width < len(s) {
		following, _ = r.classes.first(s[width:])
	}
	if following == letter {
		return r.classes.run(s, width, letter), false
	}
	if c == other || (s[0] == ' ' && following == other) {
		return r.classes.run(s, r.classes.run(s, width, other), newline), false
	}
	return r.whitespace(s)
}

// nextGPT2 matches GPT-2's pattern in what is left between numbers, which are
// cut out first, so that a number ends the text for it:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func (r *rules) nextGPT2(s string) (n int, split bool) {
	c, width := r.classes.first(s)
	if c == number {
		return r.number(s), false
	}
	if s[0] == '\'' {
		if n := contraction(s, 0); n > 0 {
			return n, false
		}
	}
	if s[0] == ' ' && len(s) > 1 {
		if following, _ := r.classes.first(s[1:]); following == letter || following == other {
			c = following
		}
	}
	if c == letter || c == other {
		return r.classes.run(s, width, c), false
	}
	return r.whitespace(s)
}

// number is the length of the digits that s begins with, at most r.digits.
func (r *rules) number(s string) int {
	n := 0
	for count := 0; count < r.digits && n < len(s); count++ {
		c, width := r.classes.first(s[n:])
		if c != number {
			break
		}
		n += width
	}
	return n
}

// whitespace matches \s*[\r\n]+ (not in GPT-2's pattern), \s+(?!\S) and \s+.
func (r *rules) whitespace(s string) (n int, split bool) {
	last, lines, c := 0, 0, space
	for n < len(s) {
		var width int
		c, width = r.classes.first(s[n:])
		if c != space && c != newline {
			break
		}
		last = n
		n += width
		if c == newline {
			lines = n
		}
	}
	switch {
	case lines > 0 && !r.gpt2:
		return lines, false
	case n == len(s) || last == 0:
		return n, false
	case r.gpt2 && c == number:
		return n, false
	}
	return last, true
}

// contraction is the length of the English contraction that s, which begins
// with an apostrophe, begins with; 0 if there is none. fold is the bit that
// makes letters small.
func contraction(s string, fold byte) int {
	if len(s) > 1 {
		switch s[1] | fold {
		case 's', 't', 'm', 'd':
			return 2
		}
	}
	if len(s) > 2 {
		switch string([]byte{s[1] | fold, s[2] | fold}) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}
