package tokenizer

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// alphabets are what strange texts are made of; each entry is drawn as often as
// another.
var alphabets = []string{
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_",
	"0123456789",
	"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	"        \t\t\n\n\r\v\f",
	"\u0085\u00a0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000", // white space
	"\u200b\u200d\u2060\ufeff\u00ad\u180e",                               // none, though it looks so
	"абвгдежзийклмнопрстуфхцчшщъыьэюяЁЇҐ",
	"的一是不了人我在有他这中大来上国个到说们為𠀀𪜶𮯰",
	"あいうえおカキクケコー々〆",
	"가나다라마바사한국어",
	"ابتثجحخدذرزسشصضطظعغفقكلمنهويءَُِّ",
	"अआइईउऊकखगघङािीुूेै्ं",
	"กขฃคฅฆงจฉชซฌญฎะาิีเแ",
	"éèêëàâäîïôöûüçñßøåÆŒſıİǅ",
	"e\u0301a\u0300o\u0308\u0327n\u0303\u20dd",
	"😀🎉🦙👩\u200d👩\u200d👧👍🏽❤\ufe0f🇩🇪#\ufe0f\u20e3",
	"½¼²³₁①Ⅷ٣७１２３〇𝟘𐄇",
	"∀∂∈ℝ∧∪≡∞↑→⇒∫√€£¥©®™§¶†…–—“”‘’«»¿¡",
	"𝒜𝔅ℭ𝓭ªºʰ",
	"\x00\x01\x07\x1b\x7f\ue000\ufffd\u0378\U000e0001\U0010ffff", // control, private, unassigned
}

// phrases are pieces that the patterns treat in their own way.
var phrases = []string{
	"'s", "'T", "'re", "'VE", "'m", "'ll", "'D", "'", "''", "'ſ", "x'S", "we'Ll", "'9", "' s",
	"\r\n", "\n\n", " \n", "\n ", "\n\t\t", "  ", "   x", "    5", "\t\t}", " \t(", ";\n", "){\r\n", "  // ", " /*",
	"123456", "3.14e-10", "0xFF", "१२३४", "<tool_call>", "<|im_end|>", "<|fim_prefix|", "<!--", "-->", "===", "!=", ":=", "->",
	"func ", "return err\n", "if (x == NULL)", "def f(self):\n    pass\n", "const a = `${b}`;\n", "#include <stdio.h>\n",
	"привет мир", "你好，世界！", "こんにちは", "안녕하세요", "مرحبا بالعالم", "naïve café", "ÀÉÎ",
}

// strangeText is valid UTF-8 of about n bytes that mixes everything, always the
// same for a seed.
func strangeText(seed uint64, n int) string {
	random := rand.New(rand.NewPCG(seed, 7))
	var out strings.Builder
	for out.Len() < n {
		if random.IntN(3) == 0 {
			out.WriteString(phrases[random.IntN(len(phrases))])
			continue
		}
		alphabet := []rune(alphabets[random.IntN(len(alphabets))])
		for range 1 + random.IntN(1+random.IntN(12)) {
			out.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		if random.IntN(4) == 0 {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// mixedSource is about n bytes of source text in several languages, as found on
// this machine: Go and JavaScript of the Go distribution, Python's standard
// library, C headers, and strange text.
func mixedSource(tb testing.TB, n int) string {
	tb.Helper()
	output := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	goRoot := output("go", "env", "GOROOT")
	python := output("python3", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))")
	var out strings.Builder
	for _, part := range []struct {
		dir, ext string
		share    int // of 16
	}{
		{filepath.Join(goRoot, "src/net"), ".go", 3},
		{filepath.Join(goRoot, "src/go"), ".go", 2},
		{python, ".py", 4},
		{"/usr/include", ".h", 2},
		{goRoot, ".js", 1},
		{filepath.Join(goRoot, "src/runtime"), ".s", 1},
	} {
		end := out.Len() + n*part.share/16
		if part.dir == "" {
			continue
		}
		filepath.WalkDir(part.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || out.Len() >= end {
				return filepath.SkipAll
			}
			if !strings.HasSuffix(path, part.ext) || !d.Type().IsRegular() {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil && utf8.Valid(text) {
				out.Write(text[:min(len(text), 32<<10)])
			}
			return nil
		})
	}
	text := strings.ToValidUTF8(out.String(), "") // a file may be cut inside a character
	text += strangeText(1, n/8)
	text += strings.ReplaceAll(text[:min(len(text), n/16)], "\n", "\r\n")
	return text + strangeText(2, max(0, n-len(text)))
}
