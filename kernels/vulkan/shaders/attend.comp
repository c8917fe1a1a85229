#version 460
// Flash attention (Dao 2022): a workgroup takes a row, a split of its keys and up
// to GROUP query heads that share a KV head, so that K and V are read once for
// them. Chunks of 64 keys: all scores, their maximum and exponentials, then the
// sum over V, rescaled when the maximum grows. ALL: one split holds every key
// and the result is final; else m, l and o of each split are left to merge.comp.
#include "base.glsl"
#include "pages.glsl"
#include "attention.glsl"

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint GROUP = 7; // query heads of a workgroup, at most 8
layout(constant_id = 7) const bool ALL = false;

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t q;        // (rows, Q_HEADS * DIM)
	uint64_t to;       // ALL: (rows, Q_HEADS * DIM)
	uint64_t partials; // else (rows, Q_HEADS, SPLITS_MAX): m and l, behind all of them o of DIM
	uint page_bytes;
	float scale;
	uint rows;
};

const uint DIM4 = DIM / 4, PARTS = THREADS / DIM4; // threads for a vector of V, keys at a time
const uint PER_KV = Q_HEADS / HEADS, BLOCKS = (PER_KV + GROUP - 1) / GROUP;

shared vec4 queries[GROUP * DIM4];
shared float scores[GROUP * CHUNK];
shared float maximum[GROUP], total[GROUP], rescale[GROUP];
shared vec4 parts[THREADS];

// score writes the scores of a chunk's keys: a thread takes a key and some heads.
void score(uint row, uint kv_head, uint from, uint keys)
{
	const uint teams = THREADS / CHUNK > 0 ? THREADS / CHUNK : 1;
	for (uint item = thread(); item < CHUNK * teams; item += THREADS) {
		uint key = item % CHUNK, position = from + key;
		if (key >= keys) continue;
		uint64_t base = page_of(pool, page_bytes, row, position);
		for (uint h = item / CHUNK; h < GROUP; h += teams) {
			float sum = 0;
			for (uint d = 0; d < DIM4; d++) sum += dot(queries[h * DIM4 + d], load4(base, position % PAGE_TOKENS, kv_head, 4 * d));
			scores[h * CHUNK + key] = sum * scale;
		}
	}
}

// weigh replaces the scores by exponentials: a subgroup takes a head at a time.
void weigh(uint keys)
{
	for (uint h = gl_SubgroupID; h < GROUP; h += THREADS / SUBGROUP) {
		float top = maximum[h];
		for (uint k = gl_SubgroupInvocationID; k < keys; k += SUBGROUP) top = max(top, scores[h * CHUNK + k]);
		top = subgroupMax(top);
		float sum = 0;
		for (uint k = gl_SubgroupInvocationID; k < keys; k += SUBGROUP) {
			float weight = exp(scores[h * CHUNK + k] - top);
			scores[h * CHUNK + k] = weight;
			sum += weight;
		}
		sum = subgroupAdd(sum);
		if (gl_SubgroupInvocationID == 0) {
			rescale[h] = exp(maximum[h] - top);
			total[h] = total[h] * rescale[h] + sum;
			maximum[h] = top;
		}
	}
}

void write(uint row, uint head, uint split, uint d, vec4 sum, uint h)
{
	uint at = row * Q_HEADS + head;
	if (ALL) {
		Vectors(to).at[at * DIM4 + d] = sum / total[h];
		return;
	}
	at = at * SPLITS_MAX + split;
	if (d == 0) Pairs(partials).at[at] = floatBitsToUint(vec2(maximum[h], total[h]));
	Vectors(partials + uint64_t(rows) * Q_HEADS * SPLITS_MAX * 8).at[at * DIM4 + d] = sum;
}

void main()
{
	uint row = gl_WorkGroupID.x, kv_head = gl_WorkGroupID.y / BLOCKS, block = gl_WorkGroupID.y % BLOCKS, split = gl_WorkGroupID.z;
	uint position = Words(pool.positions).at[row], end = position + 1, begin = 0;
	if (!ALL) {
		begin = split * split_keys(position);
		if (begin >= end) return;
		end = min(end, begin + split_keys(position));
	}
	uint first = kv_head * PER_KV + block * GROUP; // query head
	for (uint i = thread(); i < GROUP * DIM4; i += THREADS)
		queries[i] = block * GROUP + i / DIM4 < PER_KV ? Vectors(q).at[(row * Q_HEADS + first) * DIM4 + i] : vec4(0);
	for (uint h = thread(); h < GROUP; h += THREADS) {
		maximum[h] = uintBitsToFloat(0xff800000u);
		total[h] = 0;
	}
	vec4 sums[GROUP];
	[[unroll]] for (uint h = 0; h < GROUP; h++) sums[h] = vec4(0);
	uint d = thread() % DIM4, part = thread() / DIM4;
	for (; begin < end; begin += CHUNK) {
		uint keys = min(CHUNK, end - begin);
		barrier();
		score(row, kv_head, begin, keys);
		barrier();
		weigh(keys);
		barrier();
		[[unroll]] for (uint h = 0; h < GROUP; h++) sums[h] *= rescale[h];
		for (uint k = part; k < keys && part < PARTS; k += PARTS) {
			uint64_t values = page_of(pool, page_bytes, row, begin + k) + half_bytes() + scale_bytes();
			vec4 v = load4(values, (begin + k) % PAGE_TOKENS, kv_head, 4 * d);
			[[unroll]] for (uint h = 0; h < GROUP; h++) sums[h] += scores[h * CHUNK + k] * v;
		}
	}
	[[unroll]] for (uint h = 0; h < GROUP; h++) {
		barrier();
		parts[thread()] = sums[h];
		barrier();
		if (thread() < DIM4 && block * GROUP + h < PER_KV) {
			vec4 sum = parts[d];
			for (uint p = 1; p < PARTS; p++) sum += parts[p * DIM4 + d];
			write(row, first + h, split, d, sum, h);
		}
	}
}
