// Command accuracy compares this engine's logits with llama.cpp's and with exact
// arithmetic, over source code. From the repository's root:
//
//	go run ./bench/accuracy --peer DIR [--models NAMES] [--tokens N] [--ref-tokens N] [--greedy=false]
//
// DIR is a build of llama.cpp out of the llama-cpp-python source package. It
// prints a table in Markdown and fails if a gate does.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"tandem/engine/gguf"
	"tandem/engine/model"
	"tandem/engine/tokenizer"
	"tandem/kernels/cpu"
	"tandem/kernels/op"
	"tandem/kernels/ref"
	"tandem/models"
)

const (
	windowTokens = 250 // compared at a time: logits of all its positions are held
	prompts      = 50  // for the greedy comparison
	promptTokens = 64
	promptStride = 38
	greedyTokens = 24

	klGate       = 0.01 // nats, mean KL(llama.cpp || cpu)
	topGate      = 0.97 // share of positions with the same best token
	greedyGate   = 0.5  // nats between the peer's best two where the first difference is excused
	corpusFolder = "testdata/accuracy"
)

func main() {
	peerDir := flag.String("peer", "", "folder in which llama.cpp was built")
	names := flag.String("models", "qwen2.5-coder-0.5b,qwen2.5-coder-1.5b,smollm2-135m", "models to compare, separated by commas")
	tokens := flag.Int("tokens", 2000, "tokens to compare with llama.cpp")
	refTokens := flag.Int("ref-tokens", 2000, "of those, tokens to compute exactly, too (slow)")
	greedy := flag.Bool("greedy", true, "compare greedy continuations, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *peerDir, strings.Split(*names, ","), *tokens, *refTokens, *greedy); err != nil {
		log.Fatal("accuracy: ", err)
	}
}

func run(ctx context.Context, peerDir string, names []string, tokens, refTokens int, greedy bool) error {
	work, err := os.MkdirTemp("", "accuracy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	program := filepath.Join(work, "peer_logits")
	if err := buildPeer(ctx, peerDir, program); err != nil {
		return err
	}
	fmt.Println("| model | tokens | KL(llama.cpp ‖ cpu) mean; without first positions; p99; max | same top token | tokens exactly | KL(ref ‖ cpu); same top | KL(ref ‖ llama.cpp); same top | greedy: prompts that part; largest gap there |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	failed := false
	for _, name := range names {
		c, err := open(ctx, name, program)
		if err != nil {
			return err
		}
		r, err := c.compare(ctx, tokens, refTokens)
		if err == nil && greedy {
			err = c.compareGreedy(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(r.row(name))
		failed = failed || !r.passes()
	}
	if failed {
		return fmt.Errorf("a gate failed: mean KL(llama.cpp ‖ cpu) <= %v, same top token >= %v, KL(ref ‖ cpu) <= KL(ref ‖ llama.cpp), no greedy difference at a gap over %v nats", klGate, topGate, greedyGate)
	}
	return nil
}

// comparison holds one model on the three sides.
type comparison struct {
	path, program string // weights, peer_logits
	vocab         int
	corpus        []int32
	cpu, ref      op.Executable
}

func open(ctx context.Context, name, program string) (*comparison, error) {
	path, _, err := models.Resolve("", name)
	if err != nil {
		return nil, err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := model.Build(f)
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.New(f)
	if err != nil {
		return nil, err
	}
	c := &comparison{path: path, program: program, vocab: p.Vocab}
	if c.corpus, err = readCorpus(t); err != nil {
		return nil, err
	}
	device, err := cpu.Open(cpu.Options{})
	if err != nil {
		return nil, err
	}
	size := op.CompileOptions{RowsMax: windowTokens, LogitsMax: windowTokens, KV: op.F16, Pages: windowTokens/op.PageTokens + 1}
	if c.cpu, err = device.Compile(ctx, p, size, nil); err != nil {
		return nil, err
	}
	size.KV = op.F32
	c.ref, err = ref.Open(device.Info().Threads).Compile(ctx, p, size, nil)
	return c, err
}

func readCorpus(t *tokenizer.Tokenizer) ([]int32, error) {
	paths, err := filepath.Glob(filepath.Join(corpusFolder, "*.txt"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no %s/*.txt: run this from the repository's root", corpusFolder)
	}
	var ids []int32
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		ids = t.Encode(ids, string(text))
	}
	return ids, nil
}

// logits computes a window on a device: dst is (len(ids), vocab).
func logits(ctx context.Context, e op.Executable, ids []int32, dst []float32) error {
	b := &op.Batch{Tables: [][]int32{nil}, Logits: dst}
	for i, id := range ids {
		b.Rows = append(b.Rows, op.Row{Token: id, Pos: int32(i), Logits: true})
	}
	for page := range e.Pages().Len() {
		b.Tables[0] = append(b.Tables[0], int32(page))
	}
	return e.Run(ctx, b)
}

// compare runs all three sides window by window.
func (c *comparison) compare(ctx context.Context, tokens, refTokens int) (*result, error) {
	r := &result{}
	tokens = min(tokens, len(c.corpus))
	peer, err := startPeer(ctx, c.program, c.path, "logits")
	if err != nil {
		return nil, err
	}
	var rows [3][]float32 // llama.cpp, cpu, ref
	for i := range rows {
		rows[i] = make([]float32, windowTokens*c.vocab)
	}
	for from := 0; from < tokens; from += windowTokens {
		ids := c.corpus[from:min(from+windowTokens, tokens)]
		n := len(ids) * c.vocab
		if err := peer.logits(ids, rows[0][:n]); err != nil {
			return nil, fmt.Errorf("llama.cpp: %w", err)
		}
		if err := logits(ctx, c.cpu, ids, rows[1][:n]); err != nil {
			return nil, err
		}
		exact := from < refTokens
		if exact {
			if err := logits(ctx, c.ref, ids, rows[2][:n]); err != nil {
				return nil, err
			}
		}
		for i := range ids {
			at := func(side int) []float32 { return rows[side][i*c.vocab : (i+1)*c.vocab] }
			r.add(i, at(0), at(1))
			if exact {
				r.addExact(at(2), at(1), at(0))
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %d of %d tokens, mean KL so far %.5f\n", filepath.Base(c.path), from+len(ids), tokens, mean(r.kl))
	}
	if err := peer.close(); err != nil {
		return nil, err
	}
	return r, nil
}

// compareGreedy feeds the peer's own choices to the cpu device: up to the first
// difference that is what greedy decoding would have done.
func (c *comparison) compareGreedy(ctx context.Context, r *result) error {
	row := make([]float32, windowTokens*c.vocab)
	peer, err := startPeer(ctx, c.program, c.path, "greedy", fmt.Sprint(greedyTokens))
	if err != nil {
		return err
	}
	for i := 0; i < prompts && i*promptStride+promptTokens <= len(c.corpus); i++ {
		prompt := c.corpus[i*promptStride:][:promptTokens:promptTokens]
		tokens, err := peer.greedy(prompt, greedyTokens)
		if err != nil {
			return fmt.Errorf("llama.cpp: %w", err)
		}
		ids := prompt
		for _, t := range tokens[:len(tokens)-1] {
			ids = append(ids, t.id)
		}
		if err := logits(ctx, c.cpu, ids, row[:len(ids)*c.vocab]); err != nil {
			return err
		}
		for j, t := range tokens {
			if best(row[(promptTokens-1+j)*c.vocab:][:c.vocab]) != int(t.id) {
				r.parted++
				r.gap = max(r.gap, t.gap)
				break
			}
		}
		r.prompts++
	}
	return peer.close()
}
