package op

import (
	"fmt"
	"math"
)

// Builder writes a Program op by op; each method appends one op and returns its
// output. Shapes are checked by Program, which returns the first mistake, so
// that a model file reads without error handling.
type Builder struct {
	p   Program
	err error
}

// NewBuilder starts a Program for a model of the given vocabulary and context.
func NewBuilder(name string, vocab, maxTokens int) *Builder {
	return &Builder{p: Program{Name: name, Vocab: vocab, MaxTokens: maxTokens, Logits: NoValue}}
}

// Embed looks tokens up in table (vocab, width).
func (b *Builder) Embed(table *Tensor) Value {
	out := b.value(table.Cols, false)
	b.p.Ops = append(b.p.Ops, &Embed{Table: table, Out: out})
	return out
}

// Norm is RMSNorm with weight (width).
func (b *Builder) Norm(x Value, weight []float32, eps float32) Value {
	b.check(len(weight) == b.width(x), "norm: weight %d for a value of width %d", len(weight), b.width(x))
	out := b.value(b.width(x), b.selected(x))
	b.p.Ops = append(b.p.Ops, &Norm{In: x, Out: out, Weight: weight, Eps: eps})
	return out
}

// MatMul is x weightᵀ + bias; bias may be nil.
func (b *Builder) MatMul(x Value, weight *Tensor, bias []float32) Value {
	return b.matMul(x, weight, bias, NoValue)
}

// MatMulAdd is residual + x weightᵀ.
func (b *Builder) MatMulAdd(residual, x Value, weight *Tensor) Value {
	b.check(b.width(residual) == weight.Rows, "%s: residual of width %d for %d rows", weight.Name, b.width(residual), weight.Rows)
	return b.matMul(x, weight, nil, residual)
}

func (b *Builder) matMul(x Value, weight *Tensor, bias []float32, residual Value) Value {
	b.check(weight.Cols == b.width(x), "%s: %d columns for a value of width %d", weight.Name, weight.Cols, b.width(x))
	b.check(bias == nil || len(bias) == weight.Rows, "%s: bias of %d for %d rows", weight.Name, len(bias), weight.Rows)
	out := b.value(weight.Rows, b.selected(x))
	b.p.Ops = append(b.p.Ops, &MatMul{In: x, Out: out, Weight: weight, Bias: bias, Residual: residual})
	return out
}

// GatedMatMul is act(x gateᵀ) * (x upᵀ).
func (b *Builder) GatedMatMul(x Value, gate, up *Tensor, act Activation) Value {
	b.check(gate.Cols == b.width(x) && up.Cols == b.width(x) && gate.Rows == up.Rows,
		"%s: gate (%d, %d) and up (%d, %d) for a value of width %d", gate.Name, gate.Rows, gate.Cols, up.Rows, up.Cols, b.width(x))
	out := b.value(gate.Rows, b.selected(x))
	b.p.Ops = append(b.p.Ops, &GatedMatMul{In: x, Out: out, Gate: gate, Up: up, Act: act})
	return out
}

// RopeStyle is how Rope pairs the dimensions of a head.
type RopeStyle bool

// The pairings: NEOX rotates (k, k+d/2), Adjacent rotates (2k, 2k+1).
const (
	NEOX     RopeStyle = false
	Adjacent RopeStyle = true
)

// Rope rotates the heads of x in place and returns x.
func (b *Builder) Rope(x Value, headDim int, freqs []float32, style RopeStyle) Value {
	b.check(headDim > 0 && b.width(x)%max(headDim, 1) == 0 && 2*len(freqs) <= headDim,
		"rope: width %d, head dimension %d, %d frequencies", b.width(x), headDim, len(freqs))
	b.p.Ops = append(b.p.Ops, &Rope{X: x, HeadDim: headDim, Freqs: freqs, Adjacent: bool(style)})
	return x
}

// Attention adds a KV layer and attends causally with scale 1/sqrt(headDim).
func (b *Builder) Attention(q, k, v Value, headDim int) Value {
	b.check(headDim > 0 && b.width(k) == b.width(v) && b.width(q)%max(b.width(k), 1) == 0 && b.width(k)%max(headDim, 1) == 0,
		"attention: q %d, k %d, v %d, head dimension %d", b.width(q), b.width(k), b.width(v), headDim)
	if b.err != nil {
		return q
	}
	out := b.value(b.width(q), false)
	heads := b.width(k) / headDim
	b.p.Ops = append(b.p.Ops, &Attention{
		Layer: len(b.p.KV), Q: q, K: k, V: v, Out: out,
		QHeads: b.width(q) / headDim, Heads: heads, HeadDim: headDim,
		Scale: float32(1 / math.Sqrt(float64(headDim))),
	})
	b.p.KV = append(b.p.KV, KVLayer{Heads: heads, HeadDim: headDim})
	return out
}

// Select keeps the rows that want logits.
func (b *Builder) Select(x Value) Value {
	out := b.value(b.width(x), true)
	b.p.Ops = append(b.p.Ops, &Select{In: x, Out: out})
	return out
}

// Name labels v for tests and traces and returns it.
func (b *Builder) Name(v Value, format string, args ...any) Value {
	b.p.Values[v].Name = fmt.Sprintf(format, args...)
	return v
}

// Program ends the program with the value that holds the logits.
func (b *Builder) Program(logits Value) (*Program, error) {
	b.check(b.selected(logits), "logits are not selected rows")
	b.check(b.width(logits) == b.p.Vocab, "logits of width %d for a vocabulary of %d", b.width(logits), b.p.Vocab)
	if b.err != nil {
		return nil, b.err
	}
	b.p.Logits = logits
	return &b.p, nil
}

func (b *Builder) value(width int, selected bool) Value {
	b.p.Values = append(b.p.Values, ValueInfo{Width: width, Selected: selected})
	return Value(len(b.p.Values) - 1)
}

func (b *Builder) width(v Value) int     { return b.p.Values[v].Width }
func (b *Builder) selected(v Value) bool { return b.p.Values[v].Selected }

func (b *Builder) check(ok bool, format string, args ...any) {
	if !ok && b.err == nil {
		b.err = fmt.Errorf("%s: "+format, append([]any{b.p.Name}, args...)...)
	}
}
