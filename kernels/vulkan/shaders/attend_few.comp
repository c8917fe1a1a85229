#version 460
// Flash attention (Dao 2022) of few rows: a workgroup takes a row, a split of its keys
// and up to GROUP query heads that share a KV head, so that K and V are read once for
// them. Chunks of 64 keys: all scores, their maximum and exponentials, then the sum
// over V, rescaled when the maximum grows. m, l and o of each split are left to merged.

#include "base.glsl"
#include "pages.glsl"
#include "attention.glsl"

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint GROUP = 7; // query heads of a workgroup, at most 8

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t q;        // (rows, Q_HEADS * DIM)
	uint64_t partials; // (rows, Q_HEADS, SPLITS_MAX): m and l, behind all of them o of DIM
	uint page_bytes;
	float scale;
	uint rows;
};

const uint SUBGROUPS = THREADS / SUBGROUP;
const uint DIM4 = DIM / 4;
const uint PER_KV = Q_HEADS / HEADS, BLOCKS = (PER_KV + GROUP - 1) / GROUP;
// For the sum over V half of the threads take half of the heads: DIM4 of them a key.
const uint HALF = THREADS / 2, HALF_GROUP = (GROUP + 1) / 2, PARTS = HALF / DIM4;
const uint PART_KEYS = (CHUNK + PARTS - 1) / PARTS;

shared vec4 queries[GROUP * DIM4];
shared float scores[GROUP * CHUNK];
shared float maximum[GROUP], total[GROUP], rescale[GROUP];
shared vec4 parts[2 * THREADS];

// A chunk's pages: a chunk of 64 keys lies in two.
struct Chunk { uint64_t page[CHUNK / PAGE_TOKENS]; };

Chunk chunk_of(uint row, uint from, uint end)
{
	Chunk c;
	uint first = Words(pool.starts).at[row] + from / PAGE_TOKENS, last = (end - 1 - from) / PAGE_TOKENS;
	[[unroll]] for (uint p = 0; p < CHUNK / PAGE_TOKENS; p++) c.page[p] = pool.pages + uint64_t(Words(pool.table).at[first + min(p, last)]) * page_bytes;
	return c;
}

// score writes the scores of a chunk's keys: a thread takes a key and some heads.
void score(Chunk chunk, uint kv_head, uint keys)
{
	const uint teams = THREADS / CHUNK > 0 ? THREADS / CHUNK : 1;
	for (uint item = thread(); item < CHUNK * teams; item += THREADS) {
		uint key = item % CHUNK;
		if (key >= keys) continue;
		float sums[(GROUP + teams - 1) / teams];
		[[unroll]] for (uint j = 0; j < sums.length(); j++) sums[j] = 0;
		for (uint d = 0; d < DIM4; d++) {
			vec4 k = load4(chunk.page[key / PAGE_TOKENS], key % PAGE_TOKENS, kv_head, 4 * d);
			[[unroll]] for (uint j = 0; j < sums.length(); j++) sums[j] += dot(queries[min(item / CHUNK + j * teams, GROUP - 1) * DIM4 + d], k);
		}
		[[unroll]] for (uint j = 0; j < sums.length(); j++)
			if (item / CHUNK + j * teams < GROUP) scores[(item / CHUNK + j * teams) * CHUNK + key] = sums[j] * scale;
	}
}

// weigh replaces the scores by exponentials: a subgroup takes a head at a time.
void weigh(uint keys)
{
	for (uint h = gl_SubgroupID; h < GROUP; h += SUBGROUPS) {
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

void main()
{
	uint row = gl_WorkGroupID.x, kv_head = gl_WorkGroupID.y / BLOCKS, block = gl_WorkGroupID.y % BLOCKS, split = gl_WorkGroupID.z;
	uint position = Words(pool.positions).at[row], keys_of = split_keys(position), begin = split * keys_of, end = min(position + 1, begin + keys_of);
	if (begin > position) return;
	uint first = kv_head * PER_KV + block * GROUP; // query head
	for (uint i = thread(); i < GROUP * DIM4; i += THREADS)
		queries[i] = block * GROUP + i / DIM4 < PER_KV ? Vectors(q).at[(row * Q_HEADS + first) * DIM4 + i] : vec4(0);
	for (uint h = thread(); h < GROUP; h += THREADS) {
		maximum[h] = uintBitsToFloat(0xff800000u);
		total[h] = 0;
	}
	vec4 sums[HALF_GROUP];
	[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] = vec4(0);
	uint half_first = thread() / HALF * HALF_GROUP, d = thread() % HALF % DIM4, part = thread() % HALF / DIM4;
	for (; begin < end; begin += CHUNK) {
		uint keys = min(CHUNK, end - begin);
		Chunk chunk = chunk_of(row, begin, begin + keys);
		vec4 v[PART_KEYS]; // on their way while the scores are made
		[[unroll]] for (uint j = 0; j < PART_KEYS; j++) {
			uint k = min(part + j * PARTS, keys - 1);
			v[j] = load4(chunk.page[k / PAGE_TOKENS] + half_bytes() + scale_bytes(), k % PAGE_TOKENS, kv_head, 4 * d);
		}
		barrier();
		score(chunk, kv_head, keys);
		barrier();
		weigh(keys);
		barrier();
		[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] *= rescale[min(half_first + h, GROUP - 1)];
		[[unroll]] for (uint j = 0; j < PART_KEYS; j++) {
			uint k = part + j * PARTS;
			if (k >= keys || part >= PARTS) continue;
			[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] += scores[min(half_first + h, GROUP - 1) * CHUNK + k] * v[j];
		}
	}
	[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) {
		uint side = h % 2 * THREADS; // what was there two heads before has been read
		parts[side + thread()] = sums[h];
		barrier();
		uint head = half_first + h;
		if (part > 0 || head >= GROUP || block * GROUP + head >= PER_KV) continue;
		vec4 sum = vec4(0);
		[[dont_unroll]] for (uint p = 0; p < PARTS; p++) sum += parts[side + thread() + p * DIM4];
		uint at = (row * Q_HEADS + first + head) * SPLITS_MAX + split;
		if (d == 0) Pairs(partials).at[at] = floatBitsToUint(vec2(maximum[head], total[head]));
		Vectors(partials + uint64_t(rows) * Q_HEADS * SPLITS_MAX * 8).at[at * DIM4 + d] = sum;
	}
}

