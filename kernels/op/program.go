// Package op is what models and devices share: the ops a model is written in,
// the Program they form, the rows one step computes, the storage formats of
// weights, and the Device interface. It computes nothing but the plain
// definition of the formats, and knows neither files nor tokens' meanings.
package op

// Value names an activation buffer of a Program: one f32 vector of
// Program.Values[v].Width for each row of the step.
type Value int

// ValueInfo describes a Value.
type ValueInfo struct {
	Width int
	Name  string // what tests and traces call it, "" for most
	// Selected values hold only the rows that want logits, in their order.
	Selected bool
}

// Program is a model's forward pass: ops in order over named values. It holds
// no run-time state: the rows, positions and page tables come with each Batch.
type Program struct {
	Name   string // the model's architecture
	Values []ValueInfo
	Ops    []Op
	KV     []KVLayer // one per attention layer
	Logits Value     // Selected, Width is the vocabulary
	Vocab  int
	// MaxTokens is the longest sequence the model was made for.
	MaxTokens int
}

// KVLayer is the shape of one layer's keys and values in the KV cache.
type KVLayer struct {
	Heads   int // KV heads
	HeadDim int
}

// PageBytes is the layer's part of a page in the hand-over form, see [Pages].
func (l KVLayer) PageBytes(kv DType) int { return 2 * PageTokens * l.Heads * kv.RowBytes(l.HeadDim) }

// Op is one of the op types of this package.
type Op interface{ isOp() }

// Embed: Out = Table[token], dequantised.
type Embed struct {
	Table *Tensor // (vocab, width)
	Out   Value
}

// Norm: Out = In / sqrt(mean(In²) + Eps) * Weight.
type Norm struct {
	In, Out Value
	Weight  []float32 // (width)
	Eps     float32
}

// MatMul: Out = In Weightᵀ (+ Bias) (+ Residual).
type MatMul struct {
	In, Out  Value
	Weight   *Tensor   // (out, in)
	Bias     []float32 // (out) or nil
	Residual Value     // same width as Out, or NoValue
}

// NoValue stands for an absent optional Value.
const NoValue Value = -1

// Activation is the non-linearity of a GatedMatMul.
type Activation int

// The activations.
const (
	SiLU Activation = iota // x / (1 + exp(-x))
)

// GatedMatMul: Out = act(In Gateᵀ) * (In Upᵀ), the first half of a gated FFN.
type GatedMatMul struct {
	In, Out  Value
	Gate, Up *Tensor // (ffn, in) each
	Act      Activation
}

// Rope rotates pairs of each head of X in place by position * Freqs[k].
type Rope struct {
	X        Value // (heads * HeadDim)
	HeadDim  int
	Freqs    []float32 // (rotated dims / 2), angle per position
	Adjacent bool      // pairs (2k, 2k+1) instead of (k, k + len(Freqs))
}

// Attention stores K and V of each row at its position in the layer's pages,
// then reads every position up to the row's own:
// Out = softmax(Scale * Q Kᵀ) V, query head h reading KV head h / (QHeads / Heads).
type Attention struct {
	Layer   int   // index into Program.KV
	Q       Value // (QHeads * HeadDim)
	K, V    Value // (Heads * HeadDim)
	Out     Value // (QHeads * HeadDim)
	QHeads  int
	Heads   int
	HeadDim int
	Scale   float32
}

// Select: Out = the rows of In that want logits.
type Select struct {
	In, Out Value
}

func (*Embed) isOp()       {}
func (*Norm) isOp()        {}
func (*MatMul) isOp()      {}
func (*GatedMatMul) isOp() {}
func (*Rope) isOp()        {}
func (*Attention) isOp()   {}
func (*Select) isOp()      {}

// Uses lists the values that o reads and the ones that it writes.
func Uses(o Op) (reads, writes []Value) {
	switch o := o.(type) {
	case *Embed:
		return nil, []Value{o.Out}
	case *Norm:
		return []Value{o.In}, []Value{o.Out}
	case *MatMul:
		reads = []Value{o.In}
		if o.Residual != NoValue {
			reads = append(reads, o.Residual)
		}
		return reads, []Value{o.Out}
	case *GatedMatMul:
		return []Value{o.In}, []Value{o.Out}
	case *Rope:
		return []Value{o.X}, []Value{o.X}
	case *Attention:
		return []Value{o.Q, o.K, o.V}, []Value{o.Out}
	case *Select:
		return []Value{o.In}, []Value{o.Out}
	}
	panic("op: Uses: unknown op")
}
