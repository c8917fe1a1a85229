package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tandem/engine/gguf"
)

// vocabularies are the real ones, one for each set of rules. Llama's lies beside
// its vectors, the others are in weight files.
var vocabularies = []string{"qwen2.5-coder-0.5b", "llama-bpe", "smollm2-135m"}

// vocabularyPath finds the file of a real vocabulary.
func vocabularyPath(tb testing.TB, name string) string {
	tb.Helper()
	if name == "qwen2" || name == "llama-bpe" {
		return sharedPath(tb, "tokenizer-vectors/ggml-vocab-"+name+".gguf")
	}
	return modelPath(tb, name)
}

// sharedPath finds a file of the shared material.
func sharedPath(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("TANDEM_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("left out: %s is not there; set TANDEM_SHARED to the folder of the shared material", path)
	}
	return path
}

// modelPath finds a weight file where pull puts it.
func modelPath(tb testing.TB, name string) string {
	tb.Helper()
	cache, err := os.Getenv("XDG_CACHE_HOME"), error(nil)
	if cache == "" {
		cache, err = os.UserCacheDir()
	}
	path := filepath.Join(cache, "tandem", "models", name+".gguf")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		tb.Skipf("left out: no weights at %s; get them with: bin/tandem pull %s", path, name)
	}
	return path
}

var opened sync.Map // path to *Tokenizer

// openVocabulary reads one of the real vocabularies, once.
func openVocabulary(tb testing.TB, name string) *Tokenizer {
	tb.Helper()
	path := vocabularyPath(tb, name)
	if t, ok := opened.Load(path); ok {
		return t.(*Tokenizer)
	}
	f, err := gguf.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	t, err := New(f)
	if err != nil {
		tb.Fatal(err)
	}
	opened.Store(path, t)
	return t
}

// TestVectors holds Encode against llama.cpp's own vectors.
func TestVectors(t *testing.T) {
	for _, name := range []string{"qwen2", "llama-bpe", "smollm2-135m"} {
		t.Run(name, func(t *testing.T) {
			tok := openVocabulary(t, name)
			texts, wants := readVectors(t, name)
			for i, text := range texts {
				got := tok.Encode(nil, text)
				if !slices.Equal(got, wants[i]) {
					t.Errorf("%q:\n got %v\nwant %v", text, got, wants[i])
				}
				if back := tok.Detokenize(got, false); back != text {
					t.Errorf("%q comes back as %q", text, back)
				}
			}
		})
	}
}

// readVectors reads the texts, which are the same for all vocabularies, and a
// vocabulary's ids.
func readVectors(tb testing.TB, name string) (texts []string, ids [][]int32) {
	tb.Helper()
	out := "tokenizer-vectors/ggml-vocab-" + name + ".out"
	if name == "smollm2-135m" {
		out = "tokenizer-vectors/smollm2-135m.out"
	}
	raw, err := os.ReadFile(sharedPath(tb, "tokenizer-vectors/ggml-vocab-qwen2.inp"))
	if err != nil {
		tb.Fatal(err)
	}
	// Each text ends with a separator.
	texts = strings.Split(strings.TrimSuffix(string(raw), "\n__ggml_vocab_test__\n"), "\n__ggml_vocab_test__\n")
	if raw, err = os.ReadFile(sharedPath(tb, out)); err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var row []int32
		for _, field := range strings.Fields(line) {
			id, err := strconv.Atoi(field)
			if err != nil {
				tb.Fatal(err)
			}
			row = append(row, int32(id))
		}
		ids = append(ids, row)
	}
	if len(texts) != len(ids) {
		tb.Fatalf("%d texts and %d lines of ids", len(texts), len(ids))
	}
	return texts, ids
}
