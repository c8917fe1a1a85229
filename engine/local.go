package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tandem/engine/gguf"
	"tandem/engine/kvcache"
	"tandem/engine/model"
	"tandem/engine/sample"
	"tandem/engine/tokenizer"
	"tandem/kernels/op"
)

// Options say what to load and where to run it.
type Options struct {
	Path string // a GGUF file
	// Prefill and Decode drive the devices; they may be the same. Their owner
	// closes them after the engine.
	Prefill, Decode *Executor
	KV              op.DType // storage of keys and values: F16 (the zero value means it too), Q8_0 or F32
	MaxTokens       int      // context; 0: the model's own, at most 8,192
	PoolTokens      int      // positions in the KV pool; 0: twice MaxTokens
	ColdBytes       int64    // host memory for evicted pages; 0: none
	// Progress, if set, is told the share of the weights that is loaded.
	Progress func(share float64)
}

const maxTokensDefault = 8192

// handOverTokens is the least number of uncached prompt tokens for which
// another device prefills. Real devices' cost models will decide it.
const handOverTokens = 64

// Local is the engine inside this process.
type Local struct {
	file      *gguf.File
	tokenizer *tokenizer.Tokenizer
	program   *op.Program
	masked    []int32 // ids that are never sampled: padding
	prefill   *placed // == decode unless they are different devices
	decode    *placed
	info      Info

	closeMu  sync.Mutex
	closed   bool
	requests sync.WaitGroup // running; only added to under closeMu

	statsMu sync.Mutex
	stats   Stats
}

var _ Engine = (*Local)(nil)

// Open loads a model. A cancelled ctx ends the loading.
func Open(ctx context.Context, opt Options) (*Local, error) {
	file, err := gguf.Open(opt.Path)
	if err != nil {
		return nil, err
	}
	l := &Local{file: file}
	if err := l.load(ctx, opt); err != nil {
		l.free()
		return nil, err
	}
	return l, nil
}

func (l *Local) load(ctx context.Context, opt Options) (err error) {
	if l.program, err = model.Build(l.file); err != nil {
		return fmt.Errorf("%s: %w", opt.Path, err)
	}
	if l.tokenizer, err = openTokenizer(l.file); err != nil {
		return fmt.Errorf("%s: %w", opt.Path, err)
	}
	for id := range int32(l.program.Vocab) {
		if l.tokenizer != nil && (int(id) >= l.tokenizer.Size() || l.tokenizer.Padding(id)) {
			l.masked = append(l.masked, id)
		}
	}
	if opt.MaxTokens <= 0 {
		opt.MaxTokens = maxTokensDefault
	}
	opt.MaxTokens = min(opt.MaxTokens, l.program.MaxTokens)
	if opt.PoolTokens <= 0 {
		opt.PoolTokens = 2 * opt.MaxTokens
	}
	if opt.KV == 0 {
		opt.KV = op.F16
	}
	if l.decode, err = l.place(ctx, opt.Decode, opt); err != nil {
		return err
	}
	l.prefill = l.decode
	if opt.Prefill != opt.Decode {
		if l.prefill, err = l.place(ctx, opt.Prefill, opt); err != nil {
			return err
		}
	}
	name, _ := l.file.Text("general.name")
	l.info = Info{
		Model: name, Path: opt.Path, MaxTokens: opt.MaxTokens,
		PrefillDevice: opt.Prefill.device.Name(), DecodeDevice: opt.Decode.device.Name(),
		WeightBytes: l.decode.exec.Bytes(),
		CacheBytes:  int64(l.decode.exec.Pages().Len()) * int64(l.decode.exec.Pages().PageBytes()),
	}
	return nil
}

// openTokenizer gives nil for a file whose vocabulary is of another kind: such
// a model takes ids only.
func openTokenizer(f *gguf.File) (*tokenizer.Tokenizer, error) {
	if kind, _ := f.Text("tokenizer.ggml.model"); kind != "gpt2" {
		return nil, nil
	}
	return tokenizer.New(f)
}

// place compiles the program for a device.
func (l *Local) place(ctx context.Context, on *Executor, opt Options) (*placed, error) {
	compile := op.CompileOptions{
		RowsMax: rowsMax, LogitsMax: logitsMax, KV: opt.KV,
		Pages: (opt.PoolTokens + op.PageTokens - 1) / op.PageTokens,
	}
	exec, err := on.device.Compile(ctx, l.program, compile, opt.Progress)
	if err != nil {
		return nil, fmt.Errorf("%s: load on %s: %w", opt.Path, on.device.Name(), err)
	}
	cold, err := kvcache.NewCold(opt.ColdBytes, exec.Pages().PageBytes())
	if err != nil {
		exec.Close()
		return nil, err
	}
	return &placed{executor: on, exec: exec, program: l.program, cache: kvcache.New(exec.Pages(), cold), cold: cold}, nil
}

// Info describes the model and where it runs.
func (l *Local) Info() Info { return l.info }

// Tokenizer is the model's, nil if its vocabulary is of a kind not known.
func (l *Local) Tokenizer() *tokenizer.Tokenizer { return l.tokenizer }

// CountTokens is the number of tokens of text, without special tokens.
func (l *Local) CountTokens(text string) int {
	if l.tokenizer == nil {
		return 0
	}
	return len(l.tokenizer.Encode(nil, text))
}

// Close waits for running requests, then frees the model.
func (l *Local) Close() error {
	l.closeMu.Lock()
	closed := l.closed
	l.closed = true
	l.closeMu.Unlock()
	if closed {
		return ErrClosed
	}
	l.requests.Wait()
	return l.free()
}

func (l *Local) free() error {
	placements := []*placed{l.decode, l.prefill}
	for _, p := range slices.Compact(placements) {
		if p != nil {
			p.exec.Close()
			p.cold.Close()
		}
	}
	return l.file.Close()
}

// enter counts a running request; leave must follow.
func (l *Local) enter() error {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.requests.Add(1)
	return nil
}

func (l *Local) leave() { l.requests.Done() }

// Generate continues req's prompt; see Engine.
func (l *Local) Generate(ctx context.Context, req Request, emit func(text string) bool) (Result, error) {
	begin := time.Now()
	if err := l.enter(); err != nil {
		return Result{}, err
	}
	defer l.leave()
	g, err := l.newGeneration(ctx, req, begin)
	if err != nil {
		return Result{}, err
	}
	defer g.cancel(nil)
	err = g.run(emit)
	l.count(g.result)
	return g.result, err
}

// Logits computes the logits after every token of ids, in order of position.
// emit gets a slice that is valid during the call only; its error ends the work.
func (l *Local) Logits(ctx context.Context, ids []int32, emit func(pos int, logits []float32) error) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	if err := l.checkIDs(ids); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return l.decode.executor.run(&job{
		ctx: ctx, on: l.decode, tokens: slices.Clone(ids), every: true,
		logits: func(pos int, logits []float32) (int32, bool) {
			if err := emit(pos, logits); err != nil {
				cancel(err)
			}
			return 0, false
		},
	})
}

// checkIDs checks a prompt's tokens.
func (l *Local) checkIDs(ids []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("the prompt is empty: give at least one token")
	}
	if len(ids) > l.info.MaxTokens {
		return fmt.Errorf("%w: %d tokens, room for %d", ErrContextFull, len(ids), l.info.MaxTokens)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= l.program.Vocab {
			return fmt.Errorf("token %d of the prompt is %d; the vocabulary has %d", i, id, l.program.Vocab)
		}
	}
	return nil
}

// Stats are sums over an engine's life.
type Stats struct {
	Requests      int64 `json:"requests"`
	PromptTokens  int64 `json:"prompt_tokens"`
	CachedTokens  int64 `json:"cached_tokens"`
	PrefillTokens int64 `json:"prefill_tokens"`
	DecodedTokens int64 `json:"decoded_tokens"`
}

// Stats gives the sums so far.
func (l *Local) Stats() Stats {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	return l.stats
}

func (l *Local) count(r Result) {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	l.stats.Requests++
	l.stats.PromptTokens += int64(r.PromptTokens)
	l.stats.CachedTokens += int64(r.CachedTokens)
	l.stats.PrefillTokens += int64(r.PrefillTokens)
	l.stats.DecodedTokens += int64(r.DecodedTokens)
}

// checkSampling names what is wrong with a request's numbers.
func checkSampling(req Request) error {
	if req.MaxTokens < 0 {
		return fmt.Errorf("max_tokens is %d: use 0 or more", req.MaxTokens)
	}
	return req.Sampling.Check()
}

var _ sample.Vocabulary = (*tokenizer.Tokenizer)(nil)
