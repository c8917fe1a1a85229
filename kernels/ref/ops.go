package ref

import (
	"math"

	"tandem/kernels/op"
)

// tileRows is the number of weight rows that a worker dequantises at a time, so
// that an input row is read once for all of them.
const tileRows = 8

// embed: out = table[token].
func (r *run) embed(o *op.Embed) {
	width, out := o.Table.Cols, r.value(o.Out)
	err := o.Table.Guard(func() {
		for i, row := range r.b.Rows {
			op.Dequantize(o.Table.Type, out[i*width:(i+1)*width], o.Table.Row(int(row.Token)))
		}
	})
	if err != nil {
		r.fail(err)
	}
}

// norm: out = in / sqrt(mean(in²) + eps) * weight.
func (r *run) norm(o *op.Norm) {
	width, in, out := len(o.Weight), r.value(o.In), r.value(o.Out)
	for at := 0; at < len(in); at += width {
		x, y := in[at:at+width], out[at:at+width]
		var sum float64
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		scale := 1 / math.Sqrt(sum/float64(width)+float64(o.Eps))
		for k, v := range x {
			y[k] = float32(float64(v) * scale * float64(o.Weight[k]))
		}
	}
}

// matMul: out = in weightᵀ (+ bias) (+ residual).
func (r *run) matMul(o *op.MatMul) {
	in, out := r.input(o.In), r.value(o.Out) // (rows, cols), (rows, weight rows)
	cols, width := o.Weight.Cols, o.Weight.Rows
	var residual []float32 // (rows, weight rows)
	if o.Residual != op.NoValue {
		residual = r.value(o.Residual)
	}
	r.tiles(o.Weight.Rows, r.rows(o.Out), func(w *worker, from, n int) {
		if !r.dequantise(w, w.weight, o.Weight, from, n) {
			return
		}
		for i := range r.rows(o.Out) {
			x := in[i*cols : (i+1)*cols]
			for j := range n {
				sum := dot(x, w.weight[j*cols:(j+1)*cols])
				at := i*width + from + j
				if o.Bias != nil {
					sum += float64(o.Bias[from+j])
				}
				if residual != nil {
					sum += float64(residual[at])
				}
				out[at] = float32(sum)
			}
			if !r.goOn(w, n*cols) {
				return
			}
		}
	})
}

// gatedMatMul: out = silu(in gateᵀ) * (in upᵀ).
func (r *run) gatedMatMul(o *op.GatedMatMul) {
	in, out := r.input(o.In), r.value(o.Out) // (rows, cols), (rows, gate rows)
	cols, width := o.Gate.Cols, o.Gate.Rows
	r.tiles(o.Gate.Rows, r.rows(o.Out), func(w *worker, from, n int) {
		gates, ups := w.weight[:n*cols], w.weight[n*cols:] // (n, cols) each
		if !r.dequantise(w, gates, o.Gate, from, n) || !r.dequantise(w, ups, o.Up, from, n) {
			return
		}
		for i := range r.rows(o.Out) {
			x := in[i*cols : (i+1)*cols]
			for j := range n {
				gate := dot(x, gates[j*cols:(j+1)*cols])
				up := dot(x, ups[j*cols:(j+1)*cols])
				out[i*width+from+j] = float32(silu(gate) * up)
			}
			if !r.goOn(w, 2*n*cols) {
				return
			}
		}
	})
}

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

// input is v in float64, (rows, width).
func (r *run) input(v op.Value) []float64 {
	in := r.value(v)
	wide := r.wide[:len(in)]
	widen(wide, in)
	return wide
}

// widen copies the first len(dst) values of src.
func widen(dst []float64, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i] = float64(x)
	}
}

// tiles calls do for tiles of up to tileRows of n weight rows, unless there are
// no rows to multiply with: then the weights need not be read.
func (r *run) tiles(n, rows int, do func(w *worker, from, n int)) {
	if rows == 0 {
		return
	}
	r.parallel((n+tileRows-1)/tileRows, func(w *worker, tile int) {
		from := tile * tileRows
		do(w, from, min(tileRows, n-from))
	})
}

// dequantise reads rows [from, from+n) of t to dst, (n, cols).
func (r *run) dequantise(w *worker, dst []float64, t *op.Tensor, from, n int) bool {
	row := w.row[:t.Cols]
	err := t.Guard(func() {
		for j := range n {
			op.Dequantize(t.Type, row, t.Row(from+j))
			widen(dst[j*t.Cols:(j+1)*t.Cols], row)
		}
	})
	if err != nil {
		r.fail(err)
		return false
	}
	return r.goOn(w, n*t.Cols)
}

// dot is the sum of x*w in four chains, always in this order. The products are
// converted so that no compiler may fuse them with the sums.
func dot(x, w []float64) float64 {
	var a, b, c, d float64
	for len(x) >= 4 && len(w) >= 4 {
		a += float64(x[0] * w[0])
		b += float64(x[1] * w[1])
		c += float64(x[2] * w[2])
		d += float64(x[3] * w[3])
		x, w = x[4:], w[4:]
	}
	for k := range x {
		a += float64(x[k] * w[k])
	}
	return (a + b) + (c + d)
}

// rope rotates pair k of each head by position * freqs[k].
func (r *run) rope(o *op.Rope) {
	pairs, x := len(o.Freqs), r.value(o.X)
	op.RopeTable(r.cos, r.sin, r.b.Rows, o.Freqs)
	for h := 0; h*o.HeadDim < len(x); h++ {
		head := x[h*o.HeadDim : (h+1)*o.HeadDim]
		row := h * o.HeadDim / r.p.Values[o.X].Width
		for k := range pairs {
			i, j := k, k+pairs
			if o.Adjacent {
				i, j = 2*k, 2*k+1
			}
			cos, sin := float64(r.cos[row*pairs+k]), float64(r.sin[row*pairs+k])
			a, b := float64(head[i]), float64(head[j])
			head[i] = float32(float64(a*cos) - float64(b*sin))
			head[j] = float32(float64(b*cos) + float64(a*sin))
		}
	}
}

// selectRows keeps the rows that want logits.
func (r *run) selectRows(o *op.Select) {
	width, in, out := r.p.Values[o.In].Width, r.value(o.In), r.value(o.Out)
	for i, row := range r.selected {
		copy(out[i*width:(i+1)*width], in[row*width:(row+1)*width])
	}
}
