// What every shader has: extensions, pointers to the kinds of memory that are
// read and written, and the size of work and of subgroups.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 128; // of a workgroup
layout(constant_id = 1) const uint SUBGROUP = 32; // threads that run in step

layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Quads { uvec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Pairs { uvec2 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) buffer Halves { uint16_t at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Floats { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 16) buffer Vectors { vec4 at[]; };
// Of what is written while the shader runs.
layout(buffer_reference, std430, buffer_reference_align = 16) volatile buffer LateQuads { uvec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) volatile buffer LatePairs { uvec2 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) volatile buffer LateWords { uint at[]; };

struct Part { vec4 at[4]; }; // what a thread has of a row; perhaps only the first 4 values

// Storage formats, numbered as in GGUF.
const uint F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30;

// thread numbers a workgroup's threads so that those of a subgroup follow each other.
uint thread() { return gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID; }

// quad_of is where 16 quants of a group lie in a quantised twin: of a column the first
// halves of all groups, then the second, so that threads that take a group each read
// what lies side by side.
uint quad_of(uint column, uint groups, uint g, uint half_group) { return (2 * column + half_group) * groups + g; }

bool is_finite(float x) { return (floatBitsToUint(x) & 0x7f800000u) != 0x7f800000u; }

const uint NOT_A_NUMBER = 0x7fc00000u;

// round_half rounds to f16, ties to even, in integers: packHalf2x16 may round
// toward zero. NaN stays NaN.
uint round_half(float x)
{
	uint bits = floatBitsToUint(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
	if (rest > 0x7f800000u) return sign | 0x7e00u;
	if (rest >= 0x477ff000u) return sign | 0x7c00u;
	if (rest < 0x38800000u) { // a subnormal half: the sum has 2^-24 as its last place
		precise float sum = uintBitsToFloat(rest) + 0.5;
		return sign | (floatBitsToUint(sum) - floatBitsToUint(0.5));
	}
	rest += 0xfffu + (rest >> 13 & 1u);
	return sign | (rest >> 13) - (112u << 10);
}

float half_value(uint bits) { return unpackHalf2x16(bits & 0xffffu).x; }
