package engine

const (
	draftMax = 15 // drafted tokens of a sequence in a step; with the sampled one 16 rows

	matchMin   = 2  // tokens that must agree for what followed them to be drafted
	matchMax   = 32 // tokens that are compared; more say nothing more
	matchTries = 16 // earlier places that are compared, the latest first
	resumeMax  = 8  // tokens behind a rejected one among which the text may go on

	// acceptWeight is the share of the latest token in the moving averages of
	// acceptance, forgetWeight that of what was first believed, for each token
	// that could have been drafted and was not: so it is tried again.
	acceptWeight = 0.15
	forgetWeight = 0.005
)

// draftLens are the lengths that a draft has if enough tokens are there. Each
// is a number of rows whose cost must be measured, so there are few.
var draftLens = [...]int{1, 2, 3, 5, 7, 9, draftMax}

// drafter drafts for one sequence: tokens that may come next, to be verified in
// the step that computes the last one. It learns how many of them are
// accepted, and drafts none where that would cost more than it gains. It
// belongs to the executor's goroutine.
type drafter struct {
	lookup lookup
	shares [len(believed)]float64 // of tokens accepted, by kind of match
	kind   int                    // of the last draft's match, or byModel

	model *draftModel // asked where look-up finds nothing; nil without one
	asked int         // tokens of the sequence when ask was last called
	ready []int32     // what draft gives for so many
}

// believed is the share of tokens accepted before anything was verified, by the
// tokens that agree: 1 (of a text resumed), 2, 3-4, 5-8, 9-16, more.
var believed = [...]float64{0.5, 0.4, 0.5, 0.6, 0.7, 0.8}

func kindOf(match int) int {
	kind := 0
	for n := 1; n < match && kind < len(believed)-1; n *= 2 {
		kind++
	}
	return kind
}

// ask prepares what draft gives behind j's tokens. If the draft model is to make
// that, it gives the job to wait for. said is how many tokens j's text has.
func (d *drafter) ask(j *job, n, said int, cost func(k int) float64) *job {
	if d.asked == len(j.tokens) {
		return nil
	}
	d.ready = d.look(j.tokens, n, cost)
	d.asked = len(j.tokens)
	if d.ready != nil || n == 0 {
		return nil
	}
	return d.model.ask(j, n, said, func(drafted []int32) { d.ready, d.kind = drafted, byModel })
}

// draft gives at most n tokens that may follow tokens, which are those of the
// last call and what came since. cost(k) is what a step costs in which k are
// verified.
func (d *drafter) draft(tokens []int32, n int, cost func(k int) float64) []int32 {
	if d.asked == len(tokens) {
		return d.ready[:min(n, len(d.ready))]
	}
	return d.look(tokens, n, cost)
}

// look is draft by look-up.
func (d *drafter) look(tokens []int32, n int, cost func(k int) float64) []int32 {
	if d.lookup.last == nil {
		d.shares = believed
	}
	d.lookup.extend(tokens)
	from, match := d.lookup.find()
	if match == 0 {
		return nil
	}
	d.kind = kindOf(match)
	n, _ = draftLen(d.shares[d.kind], min(n, draftMax), cost)
	if n == 0 {
		d.shares[d.kind] += forgetWeight * (believed[d.kind] - d.shares[d.kind])
		return nil
	}
	d.lookup.at = from
	drafted := make([]int32, n)
	for i := range drafted {
		// What reaches the end has a period: it goes on with that.
		drafted[i] = tokens[from+i%(len(tokens)-from)]
	}
	return drafted
}

// verified learns from the last draft: that so many of its tokens were accepted.
func (d *drafter) verified(drafted, accepted int) {
	if d.kind == byModel {
		d.model.verified(drafted, accepted)
		return
	}
	d.shares[d.kind] = learned(d.shares[d.kind], drafted, accepted)
	d.lookup.at += accepted
}

// learned is the share of tokens accepted after so many more were.
func learned(share float64, drafted, accepted int) float64 {
	for range accepted {
		share += acceptWeight * (1 - share)
	}
	if accepted < drafted {
		share -= acceptWeight * share
	}
	return share
}

// draftLen is how many of n tokens to verify so that a step gives the most
// tokens for its cost, if each is accepted with probability share as long as
// all before it are, and how many tokens for a cost of 1 that are.
func draftLen(share float64, n int, cost func(k int) float64) (best int, most float64) {
	most = 1 / cost(0)
	tokens, chance, counted := 1.0, 1.0, 0
	for _, k := range draftLens {
		k = min(k, n)
		for ; counted < k; counted++ {
			chance *= share
			tokens += chance
		}
		if k > best && tokens/cost(k) > most {
			best, most = k, tokens/cost(k)
		}
	}
	return best, most
}

// lookup finds the longest match of a sequence's last tokens in the sequence
// itself: what followed them there may follow them again (prompt look-up:
// Saxena, «Prompt Lookup Decoding», 2023). Each new token and each search cost
// the same however long the sequence is.
type lookup struct {
	tokens []int32
	last   map[[matchMin]int32]int32 // the position behind the latest pair of these
	prev   []int32                   // by position: the one before with the same pair before it, or 0
	at     int                       // in tokens: behind what the last draft had right, 0 without one
}

// extend takes in what came since the last call. The end is searched for, and
// not yet found.
func (l *lookup) extend(tokens []int32) {
	if l.last == nil {
		l.last = make(map[[matchMin]int32]int32, len(tokens))
	}
	known := len(l.tokens)
	l.tokens = tokens
	for p := known; p < len(tokens); p++ {
		if p < matchMin {
			l.prev = append(l.prev, 0)
			continue
		}
		pair := [matchMin]int32(tokens[p-matchMin : p])
		l.prev = append(l.prev, l.last[pair])
		l.last[pair] = int32(p)
	}
}

// find gives the position behind the longest match and its length, 0 without
// any. Of equal ones it is the first behind the last draft, or else the latest.
func (l *lookup) find() (from, match int) {
	n := len(l.tokens)
	if n < matchMin {
		return 0, 0
	}
	p := int(l.last[[matchMin]int32(l.tokens[n-matchMin:])])
	for tries := 0; p > 0 && tries < matchTries; tries++ {
		if m := l.agree(p); m > match || m == match && p >= l.at {
			from, match = p, m
		}
		p = int(l.prev[p])
	}
	if match == 0 && l.at > 0 {
		return l.resume()
	}
	return from, match
}

// agree counts the tokens before p that are those at the end, up to matchMax.
func (l *lookup) agree(p int) int {
	n := 0
	for end := len(l.tokens); n < min(p, matchMax) && l.tokens[p-1-n] == l.tokens[end-1-n]; n++ {
	}
	return n
}

// resume looks for the last token a little behind where the last draft became
// wrong: a name may have been changed, and the text goes on behind it.
func (l *lookup) resume() (from, match int) {
	end := len(l.tokens) - 1
	for p := l.at; p < min(l.at+resumeMax, end); p++ {
		if l.tokens[p] == l.tokens[end] {
			return p + 1, 1
		}
	}
	return 0, 0
}
