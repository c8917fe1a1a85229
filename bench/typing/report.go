package typing

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Report is what moments came to.
type Report struct {
	Keys     int  `json:"keys"` // of a moment
	NoPauses bool `json:"no_pauses"`

	Cold   Latency `json:"cold"`
	Warm   Latency `json:"warm"`
	Reused Latency `json:"reused"`
	Unread int     `json:"none"`  // keys with no text for which the engine was not asked
	Empty  int     `json:"empty"` // cold and warm ones without text

	Shown int `json:"shown"` // code points of all suggestions
	Right int `json:"right"` // of those, code points that were typed then
	Stale int `json:"stale"` // answers to another state of the document

	PrefillPerCharacter float64 `json:"prefill_tokens_per_shown_character"`
	DecodedPerCharacter float64 `json:"decoded_tokens_per_shown_character"`
	DecodedAfterCancel  int64   `json:"decoded_after_cancel"`

	Peer    *PeerReport    `json:"peer,omitempty"`
	Moments []MomentResult `json:"moments"`
}

// PeerReport is what the peer's answers to the same keys came to. Ratios are this
// engine's figure over the peer's.
type PeerReport struct {
	First Latency `json:"first"` // of each moment
	Later Latency `json:"later"`
	// Same are the later ones whose key was a warm one: where suggestions are
	// reused the peer's editor does not ask either, if it keeps its answers.
	Same  Latency `json:"same"`
	Shown int     `json:"shown"`
	Right int     `json:"right"`

	PromptPerCharacter  float64 `json:"prompt_tokens_per_shown_character"`
	DecodedPerCharacter float64 `json:"decoded_tokens_per_shown_character"`

	WarmP50Ratio  float64 `json:"warm_p50_ratio"`  // to Later
	WarmP95Ratio  float64 `json:"warm_p95_ratio"`  // to Later
	SameP50Ratio  float64 `json:"same_p50_ratio"`  // to Same
	SameP95Ratio  float64 `json:"same_p95_ratio"`  // to Same
	FirstP50Ratio float64 `json:"first_p50_ratio"` // of Cold to First
	RightRatio    float64 `json:"right_ratio"`
}

// Latency is the distribution of a time in milliseconds.
type Latency struct {
	Samples int       `json:"samples"`
	P50     float64   `json:"p50"`
	P95     float64   `json:"p95"`
	Max     float64   `json:"max"`
	Millis  []float64 `json:"ms"` // in ascending order
}

func latency(millis []float64) Latency {
	l := Latency{Samples: len(millis), Millis: append([]float64{}, millis...)}
	slices.Sort(l.Millis)
	if l.Samples > 0 {
		rank := func(percent int) float64 { return l.Millis[(l.Samples*percent+99)/100-1] }
		l.P50, l.P95, l.Max = rank(50), rank(95), rank(100)
	}
	return l
}

// summarise adds the moments up.
func (r *Report) summarise() {
	millis := map[Kind][]float64{}
	var prefill, decoded int64
	for _, m := range r.Moments {
		prefill, decoded = prefill+m.Stats.PrefillTokens, decoded+m.Stats.DecodedTokens
		r.DecodedAfterCancel += m.Stats.DecodedAfterCancel
		for _, k := range m.Keys {
			millis[k.Kind] = append(millis[k.Kind], k.Millis)
			r.Shown += utf8.RuneCountInString(k.Text)
			r.Right += k.Right
			if k.Stale {
				r.Stale++
			}
			if k.Text == "" && k.Kind != Unread {
				r.Empty++
			}
		}
	}
	r.Cold, r.Warm, r.Reused = latency(millis[Cold]), latency(millis[Warm]), latency(millis[Reused])
	r.Unread = len(millis[Unread])
	r.PrefillPerCharacter, r.DecodedPerCharacter = ratio(float64(prefill), float64(r.Shown)), ratio(float64(decoded), float64(r.Shown))
	r.summarisePeer()
}

// summarisePeer does, if it was asked.
func (r *Report) summarisePeer() {
	if len(r.Moments) == 0 {
		return
	}
	p := &PeerReport{}
	var first, later, same []float64
	var prompt, decoded int
	for _, m := range r.Moments {
		for i, k := range m.Keys {
			if k.Peer == nil {
				return
			}
			p.Shown += utf8.RuneCountInString(k.Peer.Text)
			p.Right += k.Peer.Right
			prompt, decoded = prompt+k.Peer.PromptTokens, decoded+k.Peer.DecodedTokens
			if i == 0 {
				first = append(first, k.Peer.Millis)
				continue
			}
			later = append(later, k.Peer.Millis)
			if k.Kind == Warm {
				same = append(same, k.Peer.Millis)
			}
		}
	}
	p.First, p.Later, p.Same = latency(first), latency(later), latency(same)
	p.PromptPerCharacter, p.DecodedPerCharacter = ratio(float64(prompt), float64(p.Shown)), ratio(float64(decoded), float64(p.Shown))
	p.WarmP50Ratio, p.WarmP95Ratio = ratio(r.Warm.P50, p.Later.P50), ratio(r.Warm.P95, p.Later.P95)
	p.SameP50Ratio, p.SameP95Ratio = ratio(r.Warm.P50, p.Same.P50), ratio(r.Warm.P95, p.Same.P95)
	p.FirstP50Ratio, p.RightRatio = ratio(r.Cold.P50, p.First.P50), ratio(float64(r.Right), float64(p.Right))
	r.Peer = p
}

// ratio is a over b, 0 where b is.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
