package tokenizer

import (
	"fmt"
	"strings"
	"testing"

	"tandem/engine/gguf"
)

// BenchmarkEncode encodes 1 MB of mixed source.
func BenchmarkEncode(b *testing.B) {
	for _, name := range vocabularies {
		b.Run(name, func(b *testing.B) {
			tok := openVocabulary(b, name)
			text := mixedSource(b, 1<<20)
			benchmarkText(b, tok, text)
		})
	}
}

// BenchmarkEncodeRuns encodes 1 MB of one character, a single word for BPE.
func BenchmarkEncodeRuns(b *testing.B) {
	for _, unit := range []string{"a", " ", "\n", "'", "7", "😀", "中", "ab"} {
		b.Run(fmt.Sprintf("%q", unit), func(b *testing.B) {
			benchmarkText(b, openVocabulary(b, "qwen2.5-coder-0.5b"), strings.Repeat(unit, 1<<20/len(unit)))
		})
	}
}

// BenchmarkEncodeLine encodes a line, as a keystroke does.
func BenchmarkEncodeLine(b *testing.B) {
	benchmarkText(b, openVocabulary(b, "qwen2.5-coder-0.5b"), "\tif err := json.Unmarshal(data, &config); err != nil {\n")
}

func BenchmarkLastPreToken(b *testing.B) {
	tok := openVocabulary(b, "qwen2.5-coder-0.5b")
	text := mixedSource(b, 32<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.LastPreToken(text)
	}
}

func benchmarkText(b *testing.B, tok *Tokenizer, text string) {
	b.SetBytes(int64(len(text)))
	ids := tok.Encode(nil, text)
	for b.Loop() {
		ids = tok.Encode(ids[:0], text)
	}
}

func BenchmarkNew(b *testing.B) {
	f, err := gguf.Open(vocabularyPath(b, "qwen2.5-coder-0.5b"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		if _, err := New(f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSort is the price of the first WithPrefix.
func BenchmarkSort(b *testing.B) {
	tok := openVocabulary(b, "qwen2.5-coder-0.5b")
	for b.Loop() {
		tok.sort()
	}
}
