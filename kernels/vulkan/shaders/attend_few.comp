#version 460
// Flash attention (Dao 2022) of few rows: a workgroup takes a row, a split of its keys
// and up to GROUP query heads that share a KV head, so that K and V are read once for
// them. Chunks of 64 keys: all scores, their maximum and exponentials, then the sum
// over V, rescaled when the maximum grows. m, l and o of each split are left to merged.

#include "base.glsl"
layout(constant_id = 7) const bool AWAITS = false;
#include "await.glsl"
#include "pages.glsl"
#include "attention.glsl"

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint GROUP = 7; // query heads of a workgroup, at most 8

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t q;        // (rows, Q_HEADS * DIM); AWAITS: and marks, see qkv.comp
	uint64_t partials; // (rows, Q_HEADS, splits): m and l, behind all of them o of DIM
	uint page_bytes;
	float scale;
	uint rows, splits;
	uint64_t late;
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

// Of a chunk's keys a thread has EACH times 8 dimensions of one, TEAM threads share
// it; and of its values 4 dimensions of PART_KEYS.
const uint TEAM = THREADS / CHUNK, EACH = (DIM / 8 + TEAM - 1) / TEAM;

Eight key_part[EACH];
vec4 value_part[PART_KEYS];

uint key_of(uint keys) { return min(thread() / TEAM, keys - 1); }
uint dim_of(uint e) { return min(e * TEAM + thread() % TEAM, DIM / 8 - 1) * 8; }

// fetch asks for those of the chunk's keys from first on; AWAITS: some may be written in this run.
void fetch(Chunk chunk, uint kv_head, uint first, uint keys, uint d, uint part)
{
	uint key = key_of(keys);
	if (key >= first)
		[[unroll]] for (uint e = 0; e < EACH; e++) key_part[e] = load8(chunk.page[key / PAGE_TOKENS], key % PAGE_TOKENS, kv_head, dim_of(e), AWAITS);
	[[unroll]] for (uint j = 0; j < PART_KEYS; j++) {
		uint k = min(part + j * PARTS, keys - 1);
		if (k >= first) value_part[j] = load4(chunk.page[k / PAGE_TOKENS] + half_bytes() + scale_bytes(), k % PAGE_TOKENS, kv_head, 4 * d, AWAITS);
	}
}

// score writes the scores of a chunk's keys.
void score(uint keys)
{
	uint t = thread() % TEAM;
	[[unroll]] for (uint h = 0; h < GROUP; h++) {
		float sum = 0;
		[[unroll]] for (uint e = 0; e < EACH; e++) {
			uint at = h * DIM4 + dim_of(e) / 4;
			float part = dot(queries[at], key_part[e].low) + dot(queries[at + 1], key_part[e].high);
			if (e * TEAM + t < DIM / 8) sum += part;
		}
		[[unroll]] for (uint m = 1; m < TEAM; m *= 2) sum += subgroupShuffleXor(sum, m);
		if (t == h % TEAM && thread() / TEAM < keys) scores[h * CHUNK + thread() / TEAM] = sum * scale;
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
	late_at = late;
	uint first = kv_head * PER_KV + block * GROUP; // query head
	for (uint h = thread(); h < GROUP; h += THREADS) {
		maximum[h] = uintBitsToFloat(0xff800000u);
		total[h] = 0;
	}
	vec4 sums[HALF_GROUP];
	[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] = vec4(0);
	uint half_first = thread() / HALF * HALF_GROUP, d = thread() % HALF % DIM4, part = thread() % HALF / DIM4;
	uint old = !AWAITS ? end : position + 1 - min(rows, position + 1);
	[[dont_unroll]] for (uint from = begin; from < end; from += CHUNK) {
		// Of the first chunk what was there before is on its way while queries are awaited.
		uint keys = min(CHUNK, end - from), there = from > begin ? keys : min(keys, max(old, from + 1) - from);
		Chunk chunk = chunk_of(row, from, from + keys);
		fetch(chunk, kv_head, 0, there, d, part);
		if (from == begin) {
			for (uint i = thread(); i < GROUP * DIM4; i += THREADS)
				queries[i] = block * GROUP + i / DIM4 < PER_KV ? await_vector(q, (row * Q_HEADS + first) * DIM4 + i) : vec4(0);
			if (end > old) {
				for (uint i = thread(); i < DIM; i += THREADS) await_word(q, (rows * Q_HEADS + kv_head) * DIM + i);
				memoryBarrierBuffer();
				barrier();
				fetch(chunk, kv_head, max(old, begin) - begin, keys, d, part);
			}
		}
		barrier();
		score(keys);
		barrier();
		weigh(keys);
		barrier();
		[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] *= rescale[min(half_first + h, GROUP - 1)];
		[[unroll]] for (uint j = 0; j < PART_KEYS; j++) {
			uint k = part + j * PARTS;
			if (k >= keys || part >= PARTS) continue;
			[[unroll]] for (uint h = 0; h < HALF_GROUP; h++) sums[h] += scores[min(half_first + h, GROUP - 1) * CHUNK + k] * value_part[j];
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
		uint at = (row * Q_HEADS + first + head) * splits + split;
		if (d == 0) Pairs(partials).at[at] = floatBitsToUint(vec2(maximum[head], total[head]));
		Vectors(partials + uint64_t(rows) * Q_HEADS * splits * 8).at[at * DIM4 + d] = sum;
	}
}

