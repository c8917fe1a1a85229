// Sums that each thread of a span has its part of, in pairs. They are added up and shared
// out: of two of them a thread gives one to its neighbour and gets the neighbour's part
// of the one it keeps, and so on with threads twice as far, which is one shuffle a sum
// where adding up each for all takes five. The includer declares
//   SPAN  threads that share a row of weights, at most a subgroup
//   SUMS  pairs of a thread, SHARED of them to be shared out
vec2 sums[SUMS];

void clear_sums()
{
	[[unroll]] for (uint i = 0; i < SUMS; i++) sums[i] = vec2(0);
}

// SHARE is no function: with its distance in a parameter decode of several rows was slower
// by a third (docs/bench.md). A sum without a partner is added up for both.
#define SHARE(far) \
	if (far < SPAN) \
		[[unroll]] for (uint i = 0; i < SHARED; i += 2 * far) { \
			bool upper = (gl_SubgroupInvocationID & far) != 0; \
			vec2 own = sums[i], other = sums[i + far < SHARED ? i + far : i]; \
			vec2 keep = upper ? other : own, give = upper ? own : other; \
			sums[i] = keep + vec2(subgroupShuffleXor(give.x, far), subgroupShuffleXor(give.y, far)); \
		}

// share_sums leaves sum i in thread i of the span, the next SPAN in sums[SPAN], and so on.
void share_sums()
{
	SHARE(1)
	SHARE(2)
	SHARE(4)
	SHARE(8)
	SHARE(16)
	SHARE(32)
}
