package speed

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"tandem/kernels/op"
	"tandem/kernels/ref"
)

// tiny is a model of one layer with weights of zero.
func tiny(t *testing.T, maxTokens int) *op.Program {
	t.Helper()
	const width, vocab = 64, 96
	tensor := func(rows, cols int) *op.Tensor {
		return &op.Tensor{Name: "w", Type: op.Q8_0, Rows: rows, Cols: cols, Data: make([]byte, rows*op.Q8_0.RowBytes(cols))}
	}
	b := op.NewBuilder("tiny", vocab, maxTokens)
	x := b.Embed(tensor(vocab, width))
	q, k, v := b.MatMul(x, tensor(width, width), nil), b.MatMul(x, tensor(32, width), nil), b.MatMul(x, tensor(32, width), nil)
	x = b.MatMulAdd(x, b.Attention(q, k, v, 32), tensor(width, width))
	x = b.MatMulAdd(x, b.GatedMatMul(x, tensor(128, width), tensor(128, width), op.SiLU), tensor(width, 128))
	p, err := b.Program(b.MatMul(b.Select(x), tensor(vocab, width), nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// limited is ref with limits, as the cpu device has them.
type limited struct {
	*ref.Device
	err error
}

func (d limited) Limits(context.Context) (float64, float64, error) { return 20, 0.5, d.err }

func TestMeasure(t *testing.T) {
	p := tiny(t, 4096)
	d := limited{ref.Open(2), nil}
	var told []string
	r, err := Measure(t.Context(), p, d, d, Options{
		Model: "tiny", Prefill: []int{3, 600}, Decode: []int{2}, Depths: []int{0, 40}, Repeats: 3, KV: op.F16, Cancels: 3,
		Sequences: 4, Cached: 530,
		Progress: func(_ float64, what string) { told = append(told, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Model != "tiny" || r.Device != "ref" || r.Threads != 2 || r.ISA != "go" || r.Limits != (Limits{20, 0.5}) {
		t.Errorf("head of the report: %+v", r)
	}
	var seen [][2]int
	for _, rate := range append(r.Prefill, r.Decode...) {
		seen = append(seen, [2]int{rate.Depth, rate.Tokens})
		s := rate.TokensPerSecond
		if !(0 < s.Min && s.Min <= s.Median && s.Median <= s.Max) || rate.ShareOfLimit <= 0 {
			t.Errorf("rate %+v", rate)
		}
	}
	want := [][2]int{{0, 3}, {0, 600}, {40, 3}, {40, 600}, {0, 2}, {40, 2}}
	if len(seen) != len(want) {
		t.Fatalf("rates of depth and tokens %v, want %v", seen, want)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("rates of depth and tokens %v, want %v", seen, want)
		}
	}
	for _, rate := range r.Decode {
		together := rate.Together
		if together == nil || together.Sequences != 4 || together.ShareOfLimit <= 0 ||
			together.Ratio != together.TokensPerSecond.Median/rate.TokensPerSecond.Median {
			t.Errorf("rate %+v, together %+v", rate, together)
		}
	}
	if f := r.FirstToken; f.Prompt != 530 || f.New != 3 || f.Millis.Min <= 0 || f.StepMillis.Min <= 0 || f.Ratio != f.Millis.Median/f.StepMillis.Median {
		t.Errorf("first token %+v", f)
	}
	if r.CancelMillis.Samples != 3 || r.WakeupMillis.Samples == 0 || r.WakeupMillis.P99 < r.WakeupMillis.P50 {
		t.Errorf("cancel %+v, wake-up %+v", r.CancelMillis, r.WakeupMillis)
	}
	if strings.Join(told, " ") != "limits prefill decode first token responsiveness" {
		t.Errorf("progress %q", told)
	}
}

func TestTwoDevices(t *testing.T) {
	r, err := Measure(t.Context(), tiny(t, 64), ref.Open(1), ref.Open(2), Options{Prefill: []int{5}, Decode: []int{5}, Repeats: 1, KV: op.F32})
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != "ref+ref" || r.Limits != (Limits{}) || len(r.Prefill) != 1 || len(r.Decode) != 1 || r.CancelMillis != nil ||
		r.FirstToken != nil || r.Decode[0].Together != nil {
		t.Errorf("%+v", r)
	}
	// A page of one head of 32 in f32, keys and values.
	if h := r.HandOver; len(h) != 1 || h[0].Tokens != 5 || h[0].Bytes != op.PageTokens*32*4*2 || h[0].ExportMillis.Min <= 0 || h[0].ImportMillis.Min <= 0 {
		t.Errorf("hand-over %+v", h)
	}
	if r.Prefill[0].ShareOfLimit != 0 || r.Decode[0].ShareOfLimit != 0 {
		t.Error("a share of an unknown limit")
	}
}

func TestErrors(t *testing.T) {
	p := tiny(t, 64)
	fault := errors.New("no memory")
	for _, test := range []struct {
		opt  Options
		err  error
		want string
	}{
		{Options{Prefill: []int{65}, Repeats: 1}, nil, "65 tokens are more than the model's context of 64"},
		{Options{Decode: []int{32}, Depths: []int{33}, Repeats: 1}, nil, "65 tokens"},
		{Options{Prefill: []int{1}, Repeats: 1, Cancels: 1}, nil, "2048 tokens"},
		{Options{Prefill: []int{0}, Repeats: 1}, nil, "at least 1"},
		{Options{Prefill: []int{1}, Depths: []int{-1}, Repeats: 1}, nil, "at least 0"},
		{Options{Prefill: []int{1}}, nil, "0 repeats"},
		{Options{Repeats: 1, Sequences: 33}, nil, "at most 32"},
		{Options{Repeats: 1, Cached: 3}, nil, "at least 4"},
		{Options{Repeats: 1, Cached: 64}, nil, "65 tokens"},
		{Options{Prefill: []int{1}, Repeats: 1}, fault, "no memory"},
	} {
		d := limited{ref.Open(1), test.err}
		if _, err := Measure(t.Context(), p, d, d, test.opt); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.opt, err, test.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, p, ref.Open(1), ref.Open(1), Options{Prefill: []int{1}, Repeats: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled measurement: %v", err)
	}
}

// recorder is a device of which the test sees every batch.
type recorder struct {
	*ref.Device
	batches []op.Batch
}

type recorded struct {
	op.Executable
	d *recorder
}

func (d *recorder) Compile(ctx context.Context, p *op.Program, opt op.CompileOptions, progress func(float64)) (op.Executable, error) {
	exe, err := d.Device.Compile(ctx, p, opt, progress)
	return recorded{exe, d}, err
}

func (r recorded) Run(ctx context.Context, b *op.Batch) error {
	r.d.batches = append(r.d.batches, op.Batch{Rows: slices.Clone(b.Rows), Tables: b.Tables})
	return r.Executable.Run(ctx, b)
}

// TestTogether: each of the sequences has its row in every step, at the same
// position, on pages of its own; one alone runs in turns with them.
func TestTogether(t *testing.T) {
	d := &recorder{Device: ref.Open(1)}
	if _, err := Measure(t.Context(), tiny(t, 64), d, d, Options{Decode: []int{2}, Depths: []int{40}, Repeats: 1, KV: op.F16, Sequences: 3}); err != nil {
		t.Fatal(err)
	}
	var rows []int
	pages := map[int32]int{} // by page of the last position, its sequence
	for _, b := range d.batches {
		rows = append(rows, len(b.Rows))
		for i, r := range b.Rows {
			if len(b.Rows) == 3 && (int(r.Seq) != i || r.Pos != b.Rows[0].Pos || r.Pos < 40 || !r.Logits) {
				t.Errorf("row %d: %+v", i, r)
			}
			if page := b.Tables[r.Seq][r.Pos/op.PageTokens]; len(b.Rows) == 3 {
				if other, ok := pages[page]; ok && other != i {
					t.Errorf("sequences %d and %d write to page %d", other, i, page)
				}
				pages[page] = i
			}
		}
	}
	if want := []int{40, 1, 1, 3, 3, 1, 1, 3, 3}; !slices.Equal(rows, want) {
		t.Errorf("rows of the steps %v, want %v", rows, want)
	}
}

// TestFirstToken: every prompt but the first computes its last 3 tokens, and a
// step of one row stands behind each.
func TestFirstToken(t *testing.T) {
	d := &recorder{Device: ref.Open(1)}
	if _, err := Measure(t.Context(), tiny(t, 128), d, d, Options{Repeats: 2, KV: op.F16, Cached: 94}); err != nil {
		t.Fatal(err)
	}
	for i, b := range d.batches {
		n, pos := 3, int32(91)
		if i == 0 {
			n, pos = 94, 0
		}
		if i%2 == 1 {
			n, pos = 1, 94
		}
		if len(b.Rows) != n || b.Rows[0].Pos != pos {
			t.Errorf("step %d: %d rows from position %d, want %d from %d", i, len(b.Rows), b.Rows[0].Pos, n, pos)
		}
	}
	if len(d.batches) != 2*(2*stepsEach+1) {
		t.Errorf("%d steps", len(d.batches))
	}
}

func TestWork(t *testing.T) {
	p := tiny(t, 64)
	exe, err := ref.Open(1).Compile(t.Context(), p, op.CompileOptions{RowsMax: 1, LogitsMax: 1, KV: op.F16, Pages: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	w := workOf(p, exe.Pages())
	weights := float64(64*64 + 2*32*64 + 64*64 + 2*128*64 + 64*128)
	want := work{
		rowOps: 2 * weights, logitOps: 2 * 96 * 64,
		stepBytes:  (weights + 96*64) * 34 / 32, // the embedding table is not read as a whole
		tokenBytes: 2 * 32 * 2,                  // K and V, 32 values of 2 bytes
	}
	if w != want {
		t.Errorf("%+v\nwant %+v", w, want)
	}
	l := Limits{ReadGBs: 1, TeraOps: 1}
	if got, want := w.prefillShare(1e6, 2, l), (want.rowOps+want.logitOps/2)/1e6; math.Abs(got-want) > 1e-9 {
		t.Errorf("prefill share %v, want %v", got, want)
	}
	if got, want := w.decodeShare(1e3, 10, l), (want.stepBytes+10*want.tokenBytes)/1e6; math.Abs(got-want) > 1e-9 {
		t.Errorf("decode share %v, want %v", got, want)
	}
}

func TestStatistics(t *testing.T) {
	if got := SpreadOf([]float64{3, 1, 2}); got != (Spread{2, 1, 3}) {
		t.Errorf("odd: %+v", got)
	}
	if got := SpreadOf([]float64{4, 1, 2, 3}); got != (Spread{2.5, 1, 4}) {
		t.Errorf("even: %+v", got)
	}
	var values []float64
	for i := range 100 {
		values = append(values, float64(100-i))
	}
	if got := percentiles(values); *got != (Percentiles{50, 99, 100}) {
		t.Errorf("percentiles %+v", *got)
	}
	if got := percentiles([]float64{7}); *got != (Percentiles{7, 7, 1}) {
		t.Errorf("percentiles of one %+v", *got)
	}
}
