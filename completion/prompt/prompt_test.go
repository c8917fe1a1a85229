package prompt

import (
	"strings"
	"testing"

	"tandem/engine"
)

// spell writes a prompt as one string, with the special tokens as they are and
// ordinary pieces in brackets.
func spell(p Prompt) string {
	var b strings.Builder
	for _, piece := range p.Pieces {
		if piece.Special {
			b.WriteString(strings.Trim(piece.Text, "<|>"))
		} else {
			b.WriteString("[" + piece.Text + "]")
		}
	}
	if p.Heal {
		b.WriteString("~")
	}
	return b.String()
}

func TestLayouts(t *testing.T) {
	mid := FIM{Prefix: "a\n  retu", Suffix: "\nz"}
	start := FIM{Suffix: "z"}
	for _, test := range []struct {
		layout Layout
		fim    FIM
		heal   bool
		want   string
	}{
		{PSM, mid, false, "fim_prefix[a\n  retu]fim_suffix[\nz]fim_middle"},
		{PSM, mid, true, "fim_prefix[a\n ]fim_suffix[\nz]fim_middle[ retu]~"},
		{PSMLine, mid, false, "fim_prefix[a\n]fim_suffix[\nz]fim_middle[  retu]"},
		{PSMLine, mid, true, "fim_prefix[a\n]fim_suffix[\nz]fim_middle[  retu]~"},
		{SPMTail, mid, false, "fim_prefixfim_suffix[\nz]fim_middle[a\n  retu]"},
		{SPMTail, mid, true, "fim_prefixfim_suffix[\nz]fim_middle[a\n  retu]~"},
		{Plain, mid, true, "[a\n  retu]~"},
		{PSM, start, true, "fim_prefixfim_suffix[z]fim_middle"},
		{SPMTail, start, true, "fim_prefixfim_suffix[z]fim_middle"},
		{SPMTail, FIM{Prefix: "a"}, true, "fim_prefixfim_suffixfim_middle[a]~"},
		{Plain, start, true, "[\n]"},
		{PSM, FIM{Prefix: "a\n"}, true, "fim_prefix[a\n]fim_suffixfim_middle"},
	} {
		if got := spell(test.layout.Build(test.fim, test.heal)); got != test.want {
			t.Errorf("%s, heal %v: %q, want %q", test.layout.Name(), test.heal, got, test.want)
		}
	}
}

// A token spelled out in source is text: it must not become the token.
func TestSpecialSpellingInSourceStaysText(t *testing.T) {
	for _, l := range Layouts() {
		p := l.Build(FIM{Prefix: "x = '<|fim_middle|>", Suffix: "<|endoftext|>'"}, true)
		for _, piece := range p.Pieces {
			if strings.Contains(piece.Text, "'") && piece.Special {
				t.Errorf("%s: %+v", l.Name(), piece)
			}
		}
		if l != Plain && len(p.Pieces) > 6 {
			t.Errorf("%s: %d pieces: %+v", l.Name(), len(p.Pieces), p.Pieces)
		}
	}
	var _ []engine.Piece = PSM.Build(FIM{}, false).Pieces
}

func TestByName(t *testing.T) {
	for _, name := range Names() {
		if l, err := ByName(name); err != nil || l.Name() != name {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if _, err := ByName("spm"); err == nil || !strings.Contains(err.Error(), "spm-tail") {
		t.Errorf("unknown layout: %v", err)
	}
}

func TestLastWord(t *testing.T) {
	for _, test := range []struct{ text, word string }{
		{"", ""},
		{"x", "x"},
		{"    retu", " retu"},
		{"a.my_var2", "my_var2"},
		{"foo(", "("},
		{"x ==", " =="},
		{"x = ", " "},
		{"if:\n    ", "    "},
		{"if:\n", ""},
		{"if:\r\n\t", "\t"},
		{"s := größ", " größ"},
	} {
		if got := test.text[lastWord(test.text):]; got != test.word {
			t.Errorf("last word of %q is %q, want %q", test.text, got, test.word)
		}
	}
}

func TestCutSpecial(t *testing.T) {
	for text, want := range map[string]string{
		"a <|b|> c":                    "a <|b|> c",
		"a<|endoftext|>b":              "a",
		"a<|im_end|>\n<|file_sep|>b":   "a",
		"<|fim_pad|>":                  "",
		"a<|file_sep|>\n<|im_end|>end": "a",
		"a\n</s>b":                     "a\n",
		"<s>a</s>b":                    "<s>a</s>b",
		"a<fim_middle>b":               "a",
		"a<｜fim▁end｜>b":                "a",
	} {
		if got := CutSpecial(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
