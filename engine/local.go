package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
	// Fallback, if set, loads the model and takes over when all devices that Prefill
	// and Decode drive are lost. Until then it holds nothing.
	Fallback   *Executor
	KV         op.DType // storage of keys and values: F16, Q8_0 or F32 (which is the zero value)
	MaxTokens  int      // context; 0: 8,192; never more than the model's own
	PoolTokens int      // positions in each KV pool, at least MaxTokens; 0: twice MaxTokens
	ColdBytes  int64    // host memory for evicted pages of each pool; 0: none
	NoDraft    bool     // decode one token in each step
	// DraftPath, if set, is a small GGUF file with the same vocabulary that drafts
	// where look-up finds nothing; it runs where Decode does. With DraftOptional one
	// that cannot be used is left out, with a line in the log, as is in any case one
	// for which there is not enough memory.
	DraftPath     string
	DraftOptional bool
	// Progress, if set, is told the share of the weights that is loaded.
	Progress func(share float64)
}

const maxTokensDefault = 8192

// Local is the engine inside this process.
type Local struct {
	file        *gguf.File
	tokenizer   *tokenizer.Tokenizer // nil if noTokenizer says why
	noTokenizer error
	program     *op.Program
	masked      []int32     // ids that are never sampled: padding
	opt         Options     // with defaults filled in
	info        Info        // as it was opened
	drafts      *draftModel // nil without one; it stays where it was loaded

	replaceMu sync.Mutex // held while a lost device is replaced; taken before planMu
	planMu    sync.Mutex
	plan      // guarded by planMu

	closeMu  sync.Mutex
	closed   bool
	requests sync.WaitGroup // running; only added to under closeMu

	statsMu sync.Mutex
	stats   Stats
}

var (
	_ Engine            = (*Local)(nil)
	_ sample.Vocabulary = (*tokenizer.Tokenizer)(nil)
)

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
		return err
	}
	if err := l.openTokenizer(); err != nil {
		return err
	}
	if opt.MaxTokens <= 0 {
		opt.MaxTokens = maxTokensDefault
	}
	opt.MaxTokens = min(opt.MaxTokens, l.program.MaxTokens)
	if opt.PoolTokens <= 0 {
		opt.PoolTokens = 2 * opt.MaxTokens
	}
	if opt.PoolTokens < opt.MaxTokens {
		return fmt.Errorf("%s: a KV pool of %d tokens for a context of %d: make the pool larger or the context smaller",
			opt.Path, opt.PoolTokens, opt.MaxTokens)
	}
	l.opt = opt
	devices := []*Executor{opt.Decode, opt.Prefill}
	if opt.Prefill == opt.Decode {
		devices = devices[:1]
	}
	l.info = Info{
		Model: l.name(), Path: opt.Path, MaxTokens: opt.MaxTokens,
		PrefillDevice: opt.Prefill.device.Name(), DecodeDevice: opt.Decode.device.Name(),
	}
	for _, t := range l.file.Tensors() {
		l.info.WeightBytes += int64(len(t.Data))
	}
	if opt.Progress == nil {
		opt.Progress = func(float64) {}
	}
	for i, executor := range devices {
		p, err := l.place(ctx, executor, opt, func(share float64) {
			opt.Progress((float64(i) + share) / float64(len(devices)))
		})
		if err != nil {
			return err
		}
		if i == 0 {
			l.decode = p
		}
		l.prefill = p
		l.info.CacheBytes += int64(p.exec.Pages().Len()) * int64(p.exec.Pages().PageBytes())
	}
	if opt.DraftPath != "" && !opt.NoDraft {
		if l.drafts, err = openDraftModel(ctx, l, opt); err == nil {
			small := l.drafts.local.info
			l.info.DraftModel, l.info.WeightBytes, l.info.CacheBytes = small.Model, l.info.WeightBytes+small.WeightBytes, l.info.CacheBytes+small.CacheBytes
		} else if ctx.Err() != nil || !withoutDraftModel(opt, err) {
			return err
		}
	}
	l.file.Drop() // devices and tokenizer have copied what they need
	opt.Progress(1)
	return nil
}

// name is what the file calls its model, or else the file's own name.
func (l *Local) name() string {
	if name, ok := l.file.Text("general.name"); ok && name != "" {
		return name
	}
	return strings.TrimSuffix(filepath.Base(l.file.Path()), ".gguf")
}

// openTokenizer leaves none for a file whose vocabulary is of another kind than
// byte-level BPE: such a model takes ids and gives logits.
func (l *Local) openTokenizer() (err error) {
	if kind, _ := l.file.Text("tokenizer.ggml.model"); kind != "gpt2" {
		l.noTokenizer = fmt.Errorf("its vocabulary is of the kind %.40q, not the byte-level BPE \"gpt2\"", kind)
		return nil
	}
	if l.tokenizer, err = tokenizer.New(l.file); err != nil {
		return err
	}
	for id := range int32(l.program.Vocab) {
		if l.tokenizer.Padding(id) {
			l.masked = append(l.masked, id)
		}
	}
	return nil
}

// place compiles the program for a device.
func (l *Local) place(ctx context.Context, on *Executor, opt Options, progress func(float64)) (*placed, error) {
	exec, err := on.device.Compile(ctx, l.program, op.CompileOptions{
		RowsMax: rowsMax, LogitsMax: logitsMax, KV: opt.KV, Pages: pagesOf(opt.PoolTokens), Masked: l.masked,
	}, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: load on %s: %w", opt.Path, on.device.Name(), err)
	}
	cold, err := kvcache.NewCold(opt.ColdBytes, exec.Pages().PageBytes())
	if err != nil {
		exec.Close()
		return nil, err
	}
	p := &placed{
		executor: on, exec: exec, program: l.program, cache: kvcache.New(exec.Pages(), cold), cold: cold,
		logits: make([]float32, logitsMax*l.program.Vocab), stats: DeviceStats{Device: on.device.Name()},
	}
	if ranker, ok := exec.(op.Ranker); ok {
		p.bestMax = ranker.BestMax()
		p.best = make([]op.Scored, logitsMax*p.bestMax)
	} else {
		// The pages are taken now, not one row after the other as drafts get longer:
		// a server that grows for hours looks as if it leaked.
		clear(p.logits)
	}
	p.publish()
	return p, nil
}

// Info describes the model and where it runs.
func (l *Local) Info() Info {
	info, p := l.info, l.planNow()
	info.PrefillDevice, info.DecodeDevice, info.Lost = p.prefill.executor.device.Name(), p.decode.executor.device.Name(), p.lost
	return info
}

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
	var errs []error
	if l.drafts != nil {
		errs = append(errs, l.drafts.close())
	}
	for _, p := range slices.Compact(placements) {
		if p != nil && !p.leave.begun { // a lost one is freed
			errs = append(errs, p.close())
		}
	}
	return errors.Join(append(errs, l.file.Close())...)
}

// enter counts a running request; requests.Done must follow.
func (l *Local) enter() error {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.requests.Add(1)
	return nil
}

// Generate continues req's prompt; see [Engine]. Errors that a caller can tell
// apart are ErrContextFull, ErrQueueFull, ErrClosed, ctx's own and the device's. A
// lost device's request goes on on the next one: its error comes only if there is none.
// A stop token that the vocabulary lacks is an error, unless it is spelled
// <|...|>: lists of those serve several models.
func (l *Local) Generate(ctx context.Context, req Request, emit func(text string) bool) (Result, error) {
	begin := time.Now()
	if err := l.enter(); err != nil {
		return Result{}, err
	}
	defer l.requests.Done()
	g, err := l.newGeneration(ctx, req, begin)
	if err != nil {
		return Result{}, err
	}
	err = g.run(ctx, emit)
	l.count(g.result)
	if err == nil && l.drafts != nil && l.drafts.big == l.planNow().decode {
		l.drafts.follow(g.prompt)
	}
	return g.result, err
}

// Logits computes the logits after every token of ids, in order of position, on
// the decode device. emit gets a slice, (vocab), that is valid during the call
// only; its error ends the work and is returned.
func (l *Local) Logits(ctx context.Context, ids []int32, emit func(pos int, logits []float32) error) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.requests.Done()
	if err := l.checkIDs(ids); err != nil {
		return err
	}
	vocab := l.program.Vocab
	rows := make([]float32, min(logitsMax, len(ids))*vocab)
	for from := 0; from < len(ids); from += logitsMax {
		to := min(from+logitsMax, len(ids))
		err := l.run(&job{
			ctx: ctx, priority: Chat, tokens: slices.Clone(ids[:to]), from: from,
			logits: func(pos int, logits []float32) (int32, bool) {
				copy(rows[(pos-from)*vocab:], logits)
				return 0, false
			},
		})
		if err != nil {
			return err
		}
		for pos := from; pos < to; pos++ {
			if err := emit(pos, rows[(pos-from)*vocab:(pos-from+1)*vocab]); err != nil {
				return err
			}
		}
	}
	return nil
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
	Drafted       int64 `json:"drafted"`
	Accepted      int64 `json:"accepted"`
	// Of those, by the draft model and not by look-up.
	ModelDrafted  int64 `json:"model_drafted"`
	ModelAccepted int64 `json:"model_accepted"`
	// Prompts whose keys and values went from one device to another, the bytes of
	// those, and the time that took, waiting for the devices' steps included.
	HandOvers     int64         `json:"hand_overs"`
	HandOverBytes int64         `json:"hand_over_bytes"`
	HandOver      time.Duration `json:"hand_over"`
	// Devices has one entry, or two: prefill, then decode. The last one is the
	// draft model's, if there is one.
	Devices []DeviceStats `json:"devices"`
}

// Stats gives the sums so far.
func (l *Local) Stats() Stats {
	l.statsMu.Lock()
	s := l.stats
	l.statsMu.Unlock()
	p := l.planNow()
	s.Devices = []DeviceStats{p.prefill.deviceStats()}
	if p.decode != p.prefill {
		s.Devices = append(s.Devices, p.decode.deviceStats())
	}
	if l.drafts != nil {
		s.ModelDrafted, s.ModelAccepted = l.drafts.drafted.Load(), l.drafts.accepted.Load()
		s.Devices = append(s.Devices, l.drafts.on.deviceStats())
	}
	return s
}

func (l *Local) count(r Result) {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	l.stats.Requests++
	l.stats.PromptTokens += int64(r.PromptTokens)
	l.stats.CachedTokens += int64(r.CachedTokens)
	l.stats.PrefillTokens += int64(r.PrefillTokens)
	l.stats.DecodedTokens += int64(r.DecodedTokens)
	l.stats.Drafted += int64(r.Drafted)
	l.stats.Accepted += int64(r.Accepted)
}

const stopsMax = 64 // texts, and as many tokens

// check names what is wrong with a request, whatever the model.
func (r Request) check() error {
	switch {
	case r.MaxTokens < 0:
		return fmt.Errorf("max_tokens is %d: use 0 or more", r.MaxTokens)
	case r.Priority < Completion || r.Priority > WarmUp:
		return fmt.Errorf("priority is %d: use %d (completion), %d (chat) or %d (warm-up)", r.Priority, Completion, Chat, WarmUp)
	case len(r.Stop) > stopsMax || len(r.StopTokens) > stopsMax:
		return fmt.Errorf("%d stop texts and %d stop tokens: use at most %d of each", len(r.Stop), len(r.StopTokens), stopsMax)
	case slices.Contains(r.Stop, ""):
		return fmt.Errorf("a stop text is empty: leave it out")
	case r.Heal && r.IDs != nil:
		return fmt.Errorf("heal needs the prompt as text: give no ids")
	}
	return r.Sampling.Check()
}
