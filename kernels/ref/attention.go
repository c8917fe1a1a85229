package ref

import (
	"math"

	"tandem/kernels/op"
)

// attention stores the batch's keys and values, then lets every row read its
// sequence up to its own position. A unit of work is a row and a KV head, with
// all query heads that read it.
func (r *run) attention(o *op.Attention) {
	l := r.pages.layers[o.Layer]
	k, v := r.value(o.K), r.value(o.V) // (rows, heads * headDim)
	width := o.Heads * o.HeadDim
	for i, row := range r.b.Rows {
		table, pos := r.b.Tables[row.Seq], int(row.Pos)
		r.pages.store(l, l.keys, table, pos, k[i*width:(i+1)*width])
		r.pages.store(l, l.values, table, pos, v[i*width:(i+1)*width])
	}
	r.parallel(len(r.b.Rows)*o.Heads, func(w *worker, unit int) {
		r.attend(w, o, l, unit/o.Heads, unit%o.Heads)
	})
}

// attend is softmax(scale * q kᵀ) v of one row for the query heads of one KV head.
func (r *run) attend(w *worker, o *op.Attention, l layer, row, head int) {
	group, dim := o.QHeads/o.Heads, o.HeadDim
	at := (row*o.QHeads + head*group) * dim
	n := int(r.b.Rows[row].Pos) + 1
	table := r.b.Tables[r.b.Rows[row].Seq]
	q := w.queries[:group*dim]   // (group, headDim)
	scores := w.scores[:group*n] // (group, n)
	sums := w.sums[:group*dim]   // (group, headDim)

	widen(q, r.value(o.Q)[at:])
	for from := 0; from < n; from += op.PageTokens {
		keys := min(op.PageTokens, n-from)
		k := r.pages.load(w, l, l.keys, table[from/op.PageTokens], head, keys) // (keys, headDim)
		for g := range group {
			for i := range keys {
				scores[g*n+from+i] = dot(q[g*dim:(g+1)*dim], k[i*dim:(i+1)*dim]) * float64(o.Scale)
			}
		}
		if !r.goOn(w, group*keys*dim) {
			return
		}
	}
	for g := range group {
		softmax(scores[g*n : (g+1)*n])
	}
	clear(sums)
	for from := 0; from < n; from += op.PageTokens {
		values := min(op.PageTokens, n-from)
		v := r.pages.load(w, l, l.values, table[from/op.PageTokens], head, values) // (values, headDim)
		for g := range group {
			sum := sums[g*dim : (g+1)*dim]
			for i := range values {
				p := scores[g*n+from+i]
				for d, x := range v[i*dim : (i+1)*dim] {
					sum[d] += float64(p * x)
				}
			}
		}
		if !r.goOn(w, group*values*dim) {
			return
		}
	}
	out := r.value(o.Out)[at : at+group*dim]
	for i, sum := range sums {
		out[i] = float32(sum)
	}
}

// softmax replaces x by exp(x) / sum(exp(x)), less the maximum to stay finite.
func softmax(x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}
