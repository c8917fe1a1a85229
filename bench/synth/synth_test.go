package synth

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tandem/engine/gguf"
	"tandem/engine/tokenizer"
	"tandem/kernels/op"
)

// made writes a shape to memory and reads it back.
func made(t *testing.T, shape string, seed uint64) *gguf.File {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, shape, seed, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(shape, out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// realFile opens downloaded weights.
func realFile(t *testing.T, name string) *gguf.File {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(filepath.Join(cache, "tandem", "models", name+".gguf"))
	if err != nil {
		t.Skipf("%s is not there to compare with: run `tandem pull %s`", name, name)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The shapes whose real files we have are those files, tensor by tensor.
func TestShapesAreTheRealFiles(t *testing.T) {
	for _, name := range []string{"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"} {
		t.Run(name, func(t *testing.T) {
			real := realFile(t, name)
			s, choose, err := find(name)
			if err != nil {
				t.Fatal(err)
			}
			tensors := s.tensors(choose)
			if len(tensors) != len(real.Tensors()) {
				t.Fatalf("%d tensors, %d in the real file", len(tensors), len(real.Tensors()))
			}
			for i, want := range real.Tensors() {
				if got := tensors[i]; got.Name != want.Name || got.Type != want.Type || !slices.Equal(got.Dims, real.Dims(want.Name)) {
					t.Errorf("tensor %d: %s %s %v, in the real file %s %s %v", i, got.Name, got.Type, got.Dims, want.Name, want.Type, real.Dims(want.Name))
				}
			}
			compareMetadata(t, s, real)
		})
	}
}

// compareMetadata holds every number and the tokens that are not ordinary
// against the real file's.
func compareMetadata(t *testing.T, s shapeOf, real *gguf.File) {
	for _, kv := range s.metadata(s.name) {
		switch want := kv.Value.(type) {
		case uint32, float32, bool:
			got, _ := real.Float(kv.Key)
			if b, ok := want.(bool); ok {
				if is, ok := real.Bool(kv.Key); !ok || is != b {
					t.Errorf("%s: %v, in the real file %v", kv.Key, b, is)
				}
			} else if reflect.ValueOf(want).Convert(reflect.TypeOf(got)).Float() != got {
				t.Errorf("%s: %v, in the real file %v", kv.Key, want, got)
			}
		case []string:
			texts, _ := real.Texts(kv.Key)
			if len(want) != len(texts) {
				t.Errorf("%s: %d, in the real file %d", kv.Key, len(want), len(texts))
			} else if kv.Key == "tokenizer.ggml.tokens" && (!slices.Equal(want[:256], texts[:256]) || !slices.Equal(want[s.ordinary:], texts[s.ordinary:])) {
				t.Errorf("%s: bytes or special tokens differ", kv.Key)
			}
		case []int32:
			types, _ := real.Ints(kv.Key)
			for i, n := range want {
				if int64(n) != types[i] {
					t.Fatalf("%s[%d]: %d, in the real file %d", kv.Key, i, n, types[i])
				}
			}
		}
	}
}

// The larger shapes have the sizes and the counts of types of the files on the
// model hub.
func TestLargeShapes(t *testing.T) {
	for _, c := range []struct {
		name   string
		giga   float64 // 10^9 bytes
		counts map[op.DType]int
	}{
		{"qwen2.5-coder-3b", 1.93, nil},
		{"qwen2.5-coder-7b", 4.68, nil},
		{"qwen2.5-coder-14b", 8.99, map[op.DType]int{op.F32: 241, op.Q4_K: 289, op.Q6_K: 49}},
		{"qwen2.5-coder-32b", 19.85, nil},
		{"llama-3.2-1b", 0.81, nil},
		{"llama-3.2-3b", 2.02, map[op.DType]int{op.F32: 58, op.Q4_K: 168, op.Q6_K: 29}},
	} {
		s, choose, err := find(c.name)
		if err != nil {
			t.Fatal(err)
		}
		counts, total := make(map[op.DType]int), int64(6e6) // the header
		for _, tensor := range s.tensors(choose) {
			counts[tensor.Type]++
			total += tensor.Bytes()
		}
		if giga := float64(total) / 1e9; math.Abs(giga-c.giga) > 0.006 {
			t.Errorf("%s: %.3f GB and not %.2f", c.name, giga, c.giga)
		}
		if c.counts != nil && !reflect.DeepEqual(counts, c.counts) {
			t.Errorf("%s: %v and not %v", c.name, counts, c.counts)
		}
	}
}

// In every type the weights are finite, centred, and as large as they should be.
func TestWeights(t *testing.T) {
	for _, typ := range op.DTypes {
		f := made(t, "tiny-llama:"+typ.String(), 7)
		for _, tensor := range f.Tensors() {
			x, err := tensor.Floats()
			if err != nil {
				t.Fatal(err)
			}
			want := typ
			if tensor.Rows == 1 {
				want = op.F32
			} else {
				checkMoments(t, tensor, x)
			}
			if tensor.Type != want {
				t.Errorf("%s: %s and not %s", tensor.Name, tensor.Type, want)
			}
		}
	}
}

// checkMoments wants mean 0 and variance 1/columns, and rows that differ.
func checkMoments(t *testing.T, tensor *op.Tensor, x []float32) {
	t.Helper()
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n, sigma := float64(len(x)), 1/math.Sqrt(float64(tensor.Cols))
	if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.03*sigma || math.Abs(deviation/sigma-1) > 0.06 || math.IsNaN(mean) {
		t.Errorf("%s %s: mean %.4f and deviation %.3f of what it should be", tensor.Name, tensor.Type, mean/sigma, deviation/sigma)
	}
	if tensor.Rows > 1 && bytes.Equal(tensor.Row(0), tensor.Row(1)) {
		t.Errorf("%s: rows are equal", tensor.Name)
	}
}

// The mix of the tiny shapes holds both of its types.
func TestTinyMix(t *testing.T) {
	for _, shape := range []string{"tiny-qwen2", "tiny-llama"} {
		f := made(t, shape, 1)
		for name, want := range map[string]op.DType{
			"blk.0.ffn_down.weight": op.Q4_K, "blk.2.ffn_down.weight": op.Q6_K, "blk.3.attn_v.weight": op.Q6_K, "blk.3.attn_k.weight": op.Q4_K,
		} {
			if tensor, ok := f.Tensor(name); !ok || tensor.Type != want {
				t.Errorf("%s: %s is not %s", shape, name, want)
			}
		}
	}
}

func TestRopeDivisors(t *testing.T) {
	f := made(t, "tiny-llama", 1)
	tensor, ok := f.Tensor(ropeFreqs)
	if !ok {
		t.Fatal("no " + ropeFreqs)
	}
	x, err := tensor.Floats()
	if err != nil {
		t.Fatal(err)
	}
	between := 0
	for i, v := range x {
		if i > 0 && v < x[i-1] {
			t.Errorf("%v falls at %d", x, i)
		}
		if v > 1 && v < 32 {
			between++
		}
	}
	if x[0] != 1 || x[len(x)-1] != 32 || between == 0 {
		t.Errorf("not from 1 to 32 with values between: %v", x)
	}
}

func TestSameSeedSameFile(t *testing.T) {
	sum := func(seed uint64) [32]byte {
		h := sha256.New()
		if err := Write(h, "tiny-qwen2", seed, nil); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	first, again := sum(1), sum(1)
	if first != again {
		t.Error("one seed gave two files")
	}
	if first == sum(2) {
		t.Error("two seeds gave one file")
	}
}

// Each made-up token is the merge of two before it, no two are alike, and the
// tokenizer takes them and gives the text back.
func TestVocabularies(t *testing.T) {
	for _, s := range shapes {
		if s.name != "tiny-qwen2" && s.name != "tiny-llama" && s.name != "qwen2.5-coder-7b" && s.name != "llama-3.2-1b" {
			continue // the others have the vocabulary of one of these
		}
		var file bytes.Buffer
		if err := gguf.Write(&file, append(s.vocabulary(), gguf.KV{Key: "general.architecture", Value: s.arch}), nil, nil); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Parse(s.name, file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		tokens, _ := f.Texts("tokenizer.ggml.tokens")
		merges, _ := f.Texts("tokenizer.ggml.merges")
		checkVocabulary(t, s, tokens, merges)
		tok, err := tokenizer.New(f)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		const text = "def foo(bar):\n        return the  new strings, ümlaut"
		if ids := tok.Encode(nil, text); tok.Detokenize(ids, false) != text || len(ids) >= len(text) {
			t.Errorf("%s: %d tokens, back as %q", s.name, len(ids), tok.Detokenize(ids, false))
		}
	}
}

func checkVocabulary(t *testing.T, s shapeOf, tokens, merges []string) {
	t.Helper()
	if len(tokens) != s.vocab || len(merges) != s.ordinary-256 {
		t.Fatalf("%s: %d tokens and %d merges", s.name, len(tokens), len(merges))
	}
	seen := make(map[string]bool)
	for i, token := range tokens {
		if seen[token] {
			t.Fatalf("%s: %q is there twice", s.name, token)
		}
		if i >= 256 && i < s.ordinary {
			left, right, _ := strings.Cut(merges[i-256], " ")
			if left+right != token || !seen[left] || !seen[right] {
				t.Fatalf("%s: %q is not the merge %q of earlier tokens", s.name, token, merges[i-256])
			}
		}
		seen[token] = true
	}
}

func TestProgress(t *testing.T) {
	var calls, last, total int64
	err := Write(io.Discard, "tiny-llama:F32", 1, func(done, all int64) {
		if done <= last || done > all {
			t.Errorf("%d after %d of %d", done, last, all)
		}
		calls, last, total = calls+1, done, all
	})
	if err != nil || calls < 2 || last != total {
		t.Errorf("%v: %d calls, %d of %d", err, calls, last, total)
	}
}

func TestWriteFails(t *testing.T) {
	for shape, want := range map[string]string{
		"qwen3":          "tiny-qwen2",
		"":               "tiny-qwen2",
		"tiny-llama:Q9":  "Q4_K",
		"tiny-llama:":    "Q4_K",
		"tiny-llama:q4k": "Q4_K",
	} {
		if err := Write(io.Discard, shape, 1, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", shape, err)
		}
	}
	stop := errors.New("stop")
	if err := Write(stopping{stop}, "qwen2.5-coder-32b", 1, nil); !errors.Is(err, stop) {
		t.Errorf("a failing writer: %v", err)
	}
}

type stopping struct{ err error }

func (s stopping) Write([]byte) (int, error) { return 0, s.err }

func BenchmarkWrite(b *testing.B) {
	for _, shape := range []string{"qwen2.5-coder-0.5b", "llama-3.2-1b"} {
		b.Run(shape, func(b *testing.B) {
			for b.Loop() {
				if err := Write(io.Discard, shape, 1, func(_, total int64) { b.SetBytes(total) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
