#version 460
// Out = table[token]: a thread takes a group of 32 values, of a float table 16.
#include "base.glsl"
#include "weights.glsl"

layout(constant_id = 2) const uint TYPE = 0;

layout(push_constant) uniform Push {
	uint64_t table, tokens, to;
	uint table_rows, groups, rows;
};

void main()
{
	uint item = gl_GlobalInvocationID.x;
	if (item >= rows * groups) return;
	uint row = item / groups, g = item % groups, token = Words(tokens).at[row];
	Floats out_row = Floats(to + uint64_t(item) * (is_float(TYPE) ? 64 : 128));
	if (is_float(TYPE)) {
		for (uint i = 0; i < 8; i++) {
			vec2 pair = float_pair(TYPE, table, (token * groups + g) * 8 + i);
			out_row.at[2 * i] = pair.x;
			out_row.at[2 * i + 1] = pair.y;
		}
		return;
	}
	Group w = load_group(TYPE, Weight(table, table_rows, groups), token, g);
	for (int k = 0; k < 32; k++) {
		int q = bitfieldExtract(int(w.q[k / 4]), 8 * (k % 4), 8) - zero_of(TYPE);
		// The product is exact, so that a fused multiply-add changes nothing.
		out_row.at[k] = (k < 16 ? w.scale : w.scale2) * float(q) - w.offset;
	}
}
