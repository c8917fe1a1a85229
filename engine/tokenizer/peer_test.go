package tokenizer

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// With TANDEM_PEER naming llama.cpp's llama-tokenize and -update, TestPeer
// writes testdata/corpus.txt and what the peer makes of it.
var update = flag.Bool("update", false, "rewrite testdata from the peer's answers; needs TANDEM_PEER")

// peerPath is llama-tokenize, with which the live comparison is made.
func peerPath(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("TANDEM_PEER")
	if path == "" {
		tb.Skip("left out: set TANDEM_PEER to llama.cpp's llama-tokenize to compare with it")
	}
	return path
}

// peerIDs asks the peer for the tokens of text, without BOS.
func peerIDs(tb testing.TB, peer, vocabulary, text string, special bool) []int32 {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	args := []string{"-m", vocabularyPath(tb, vocabulary), "-f", file, "--ids", "--no-bos", "--no-escape"}
	if !special {
		args = append(args, "--no-parse-special")
	}
	out, err := exec.Command(peer, args...).Output()
	if err != nil {
		tb.Fatalf("%s: %v", peer, err)
	}
	// The ids are the last line, [1, 2, 3].
	out = bytes.TrimSpace(out)
	var ids []int32
	if err := json.Unmarshal(out[bytes.LastIndexByte(out, '\n')+1:], &ids); err != nil {
		tb.Fatalf("%s: %v", peer, err)
	}
	return ids
}

// TestPeer compares with the peer itself on 1 MB of source found on this
// machine and 1 MB of strange text.
func TestPeer(t *testing.T) {
	peer := peerPath(t)
	corpus := string(readCorpus(t))
	if *update {
		corpus = makeCorpus(t)
		writeFile(t, "corpus.txt", corpus)
	}
	for _, name := range vocabularies {
		t.Run(name, func(t *testing.T) {
			tok := openVocabulary(t, name)
			for what, text := range map[string]string{
				"source": mixedSource(t, 1<<20), "strange": strangeText(3, 1<<20), "corpus": corpus,
			} {
				want := peerIDs(t, peer, name, text, false)
				got := tok.Encode(nil, text)
				compareIDs(t, tok, what, text, got, want)
				t.Logf("%s: %d bytes, %d tokens", what, len(text), len(want))
				if what == "corpus" && *update {
					writeFile(t, "corpus."+name+".sums", sums(want))
				}
			}
			text := withSpecials(tok, strangeText(6, 1<<16))
			compareIDs(t, tok, "special", text, tok.EncodeSpecial(nil, text), peerIDs(t, peer, name, text, true))
		})
	}
}

// withSpecials puts the spellings of special tokens into a text, some of them
// broken off.
func withSpecials(tok *Tokenizer, text string) string {
	spellings := slices.Sorted(maps.Keys(tok.special))
	random := rand.New(rand.NewPCG(8, 9))
	var out strings.Builder
	for word := range strings.FieldsSeq(text) {
		out.WriteString(word)
		s := spellings[random.IntN(len(spellings))]
		out.WriteString(s[:max(len(s)-random.IntN(3), 0)])
		out.WriteString([]string{"", " ", "\n"}[random.IntN(3)])
	}
	return out.String()
}

// compareIDs reports the first difference and the text around it.
func compareIDs(t *testing.T, tok *Tokenizer, what, text string, got, want []int32) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i < len(got) && i < len(want) && got[i] == want[i] {
			continue
		}
		from := max(0, i-5)
		at := len(tok.Detokenize(got[:min(i, len(got))], true))
		t.Errorf("%s: token %d, at byte %d %q:\n got %v\nwant %v", what, i, at, text[max(0, at-20):min(len(text), at+40)],
			got[from:min(len(got), i+10)], want[from:min(len(want), i+10)])
		return
	}
}

// TestCorpus compares with what the peer, llama.cpp as of llama-cpp-python
// 0.3.36, made of the committed corpus; see update.
func TestCorpus(t *testing.T) {
	corpus := string(readCorpus(t))
	for _, name := range vocabularies {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", "corpus."+name+".sums"))
			if err != nil {
				t.Fatal(err)
			}
			ids := openVocabulary(t, name).Encode(nil, corpus)
			got, want := strings.Fields(sums(ids)), strings.Fields(string(raw))
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("tokens %d to %d are not the peer's", i*sumTokens, (i+1)*sumTokens)
				}
			}
		})
	}
}

// sumTokens is the number of tokens under one sum.
const sumTokens = 32

// sums are short hashes of the ids, 32 at a time: enough to find a difference,
// far smaller than the ids.
func sums(ids []int32) string {
	var out strings.Builder
	for block := range slices.Chunk(ids, sumTokens) {
		h := fnv.New32a()
		for _, id := range block {
			fmt.Fprintf(h, "%d ", id)
		}
		fmt.Fprintf(&out, "%08x\n", h.Sum32())
	}
	return out.String()
}

// makeCorpus is the package's own source and strange text.
func makeCorpus(tb testing.TB) string {
	tb.Helper()
	var out strings.Builder
	for _, name := range []string{"bpe.go", "detokenize.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		out.Write(text)
	}
	source, err := os.ReadFile("pretokenize.go")
	if err != nil {
		tb.Fatal(err)
	}
	out.WriteString(strings.ReplaceAll(string(source), "\n", "\r\n"))
	out.WriteString(strangeText(4, 32<<10))
	return out.String()
}

func readCorpus(tb testing.TB) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "corpus.txt"))
	if err != nil && !*update {
		tb.Fatal(err)
	}
	return text
}

func writeFile(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join("testdata", name), []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}
