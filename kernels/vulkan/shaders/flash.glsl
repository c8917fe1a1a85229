// Attention of many rows (Dao 2022, 2023): what its two kernels share. A workgroup
// takes a tile: rows of one sequence at following positions, and up to GROUP query
// heads that share a KV head. A row with a head is a line. The keys are walked in
// blocks with a running maximum of each line, so that K and V are read once for all.
// Where few rows have many keys, several workgroups take a tile, each a split of its
// keys; join.comp puts them together.

layout(constant_id = 5) const uint Q_HEADS = 14;
layout(constant_id = 6) const uint GROUP = 7; // query heads of a tile
layout(constant_id = 7) const uint KEYS = 32; // of a block, a power of two

layout(push_constant) uniform Push {
	Pool pool;
	uint64_t q, to; // (rows, Q_HEADS * DIM)
	uint64_t tiles; // first row of each, and how many: 0 behind the last tile
	uint64_t partials; // of splits: as join.comp reads them
	uint page_bytes;
	float scale; // of scores, which become powers of 2
	uint rows;
};

const uint PER_KV = Q_HEADS / HEADS, BLOCKS = (PER_KV + GROUP - 1) / GROUP;
const float MINUS_INFINITY = uintBitsToFloat(0xff800000u);

struct Tile {
	uint first, rows;
	uint position, last; // of the first row and of the last
	uint begin, end;     // the keys of this split
	uint table;          // where its sequence's pages stand
	uint kv_head, head, heads; // head: the first query head
};

Tile this_tile()
{
	Tile t;
	uvec2 entry = Pairs(tiles).at[gl_WorkGroupID.x];
	t.first = entry.x;
	t.rows = entry.y;
	if (t.rows == 0) return t;
	t.position = Words(pool.positions).at[t.first];
	t.last = t.position + t.rows - 1;
	uint blocks = t.last / KEYS + 1, each = (blocks + gl_NumWorkGroups.z - 1) / gl_NumWorkGroups.z * KEYS;
	t.begin = gl_WorkGroupID.z * each;
	t.end = min(t.begin + each, t.last + 1);
	t.table = Words(pool.starts).at[t.first];
	uint block = gl_WorkGroupID.y % BLOCKS;
	t.kv_head = gl_WorkGroupID.y / BLOCKS;
	t.head = t.kv_head * PER_KV + block * GROUP;
	t.heads = min(GROUP, PER_KV - block * GROUP);
	return t;
}

bool is_line(Tile t, uint line) { return line / GROUP < t.rows && line % GROUP < t.heads; }

// vector_of numbers the heads of all rows.
uint vector_of(Tile t, uint line) { return (t.first + line / GROUP) * Q_HEADS + t.head + line % GROUP; }

// A workgroup that has all the keys of its tile leaves the result, one of several its
// maximum, its total, and its sums as they are.
bool has_all() { return gl_NumWorkGroups.z == 1; }

void leave(Tile t, uint line, float top, float total)
{
	uint at = vector_of(t, line) * gl_NumWorkGroups.z + gl_WorkGroupID.z;
	if (is_line(t, line) && !has_all()) Pairs(partials).at[at] = floatBitsToUint(vec2(top, total));
}

// leave4 takes 4 values from dim 4 * d4 on, already divided by the total if it has all keys.
void leave4(Tile t, uint line, uint d4, vec4 sum)
{
	uint at = vector_of(t, line) * gl_NumWorkGroups.z + gl_WorkGroupID.z;
	uint64_t sums = has_all() ? to : partials + uint64_t(rows) * Q_HEADS * gl_NumWorkGroups.z * 8;
	if (is_line(t, line)) Vectors(sums).at[at * (DIM / 4) + d4] = sum;
}

// masks reports whether a block that begins at a key holds keys that not every line sees.
bool masks(Tile t, uint from) { return from + KEYS > t.position + 1; }

// seen is how many keys of a block a line sees.
uint seen(Tile t, uint from, uint line) { return clamp(int(t.position + line / GROUP + 1 - from), 0, int(KEYS)); }

// half_of is where K (or V) of a position's page begins.
uint64_t half_of(Tile t, uint position, bool is_value)
{
	uint page = Words(pool.table).at[t.table + position / PAGE_TOKENS];
	return pool.pages + uint64_t(page) * page_bytes + (is_value ? half_bytes() + scale_bytes() : 0);
}

// A value that is not finite may show only in rows that see its key, but 0 times it
// is no number: where keys are masked it is staged as 0, and its key marked by the
// block it is in, whose score then is no number for those who see it.
shared uint marks[KEYS];

const float NO_NUMBER = uintBitsToFloat(NOT_A_NUMBER);
