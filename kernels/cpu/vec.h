// The few vector operations that the kernels are written in. vf is LANES floats,
// vi LANES x int32 or as many bytes. A rung's file defines RUNG_IS_ and its name,
// sets its compile target, and includes this. Every operation is exact or
// correctly rounded, so that a row's result depends on the order of operations
// alone.
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

// KEEP_ORDER keeps loads behind it from being scheduled before it, where they would
// take registers that sums need.
#define KEEP_ORDER __asm__ volatile("" ::: "memory")

// lane_mask + 16 - n begins n lanes of ones.
static const int32_t lane_mask[32] __attribute__((unused)) = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

#if defined(RUNG_IS_AVX512VNNI)

#include <immintrin.h>
enum { LANES = 16 };
typedef __m512 vf;
typedef __m512i vi;

INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
INLINE vf vf_first(vf a, int n) { return _mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), a); }
INLINE vf vf_pow2(vf n) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23)); }
INLINE vf vf_from_i32(vi a) { return _mm512_cvtepi32_ps(a); }
INLINE vf vf_f16(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vf vf_bf16(const uint8_t *p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16)); }
INLINE vf vf_i8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p))); }
INLINE vf vf_u8(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p))); }
INLINE void vf_to_i8(int8_t *p, vf a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a))); }
INLINE void vf_to_f16(uint16_t *p, vf a) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }

INLINE vi vi_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
INLINE void vi_store(uint8_t *p, vi a) { _mm512_storeu_si512(p, a); }
INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
INLINE vi vi_set1_u8(uint8_t x) { return _mm512_set1_epi8((char)x); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
INLINE vi vi_add_u8(vi a, vi b) { return _mm512_add_epi8(a, b); }
#define vi_left(a, n) _mm512_slli_epi16(a, n)
#define vi_right(a, n) _mm512_srli_epi16(a, n)

// vi_dot adds the 4 products of each lane's bytes: weights 0..255, activations +-127.
// The broadcast belongs into the instruction, where it takes no register: gcc
// would make it one of its own, and spill.
INLINE vi vi_dot(vi acc, vi w, const int8_t *x)
{
	__asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*(const int32_t(*)[1])x));
	return acc;
}
INLINE void prefetch(const void *p) { _mm_prefetch(p, _MM_HINT_T0); }
INLINE void prefetch_later(const void *p) { _mm_prefetch(p, _MM_HINT_T1); }

#elif defined(RUNG_IS_AVX2) || defined(RUNG_IS_AVXVNNI)

#include <immintrin.h>
enum { LANES = 8 };
typedef __m256 vf;
typedef __m256i vi;

INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vf_abs(vf a) { return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff))); }
INLINE vf vf_first(vf a, int n) { return _mm256_and_ps(a, _mm256_loadu_ps((const float *)(lane_mask + 16 - n))); }
INLINE vf vf_pow2(vf n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)); }
INLINE vf vf_from_i32(vi a) { return _mm256_cvtepi32_ps(a); }
INLINE vf vf_f16(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE vf vf_bf16(const uint8_t *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16)); }
INLINE vf vf_i8(const uint8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
INLINE vf vf_u8(const uint8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
INLINE void vf_to_i8(int8_t *p, vf a)
{
	__m256i w = _mm256_cvtps_epi32(a);
	__m128i h = _mm_packs_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
	_mm_storel_epi64((__m128i *)p, _mm_packs_epi16(h, h));
}
INLINE void vf_to_f16(uint16_t *p, vf a) { _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }

INLINE vi vi_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void vi_store(uint8_t *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
INLINE vi vi_set1_u8(uint8_t x) { return _mm256_set1_epi8((char)x); }
INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
INLINE vi vi_add_u8(vi a, vi b) { return _mm256_add_epi8(a, b); }
#define vi_left(a, n) _mm256_slli_epi16(a, n)
#define vi_right(a, n) _mm256_srli_epi16(a, n)

INLINE __m256i four_bytes(const int8_t *x)
{
	int32_t x4;
	memcpy(&x4, x, 4);
	return _mm256_set1_epi32(x4);
}
#if defined(RUNG_IS_AVXVNNI)
// vi_dot adds the 4 products of each lane's bytes: weights 0..255, activations +-127.
INLINE vi vi_dot(vi acc, vi w, const int8_t *x) { return _mm256_dpbusd_avx_epi32(acc, w, four_bytes(x)); }
#else
// vi_pairs adds pairs of products to 16-bit sums: weights up to 31 allow four of
// them before a sum can overflow, weights up to 63 two (127 * 63 * 2 * 2 < 2^15).
INLINE vi vi_pairs(vi sums, vi w, const int8_t *x) { return _mm256_add_epi16(sums, _mm256_maddubs_epi16(w, four_bytes(x))); }
// vi_widen adds the two 16-bit sums of each lane to acc.
INLINE vi vi_widen(vi acc, vi sums) { return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1))); }
// vi_dot_signed takes weights -128..127: |w| as the unsigned side, its sign moved
// to the activation; 128 * 127 * 2 fits 16 bits.
INLINE vi vi_dot_signed(vi acc, vi w, const int8_t *x)
{
	return vi_widen(acc, _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(four_bytes(x), w)));
}
#endif
INLINE void prefetch(const void *p) { _mm_prefetch(p, _MM_HINT_T0); }
INLINE void prefetch_later(const void *p) { _mm_prefetch(p, _MM_HINT_T1); }

#elif defined(RUNG_IS_NEONDOT)

#include <arm_neon.h>
enum { LANES = 4 };
typedef float32x4_t vf;
typedef uint8x16_t vi;

INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
INLINE void vf_store(float *p, vf a) { vst1q_f32(p, a); }
INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
// fmax would keep a NaN of either side; the kernels count on the second one's, as elsewhere.
INLINE vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
INLINE vf vf_round(vf a) { return vrndnq_f32(a); }
INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
INLINE vf vf_first(vf a, int n) { return vreinterpretq_f32_s32(vandq_s32(vreinterpretq_s32_f32(a), vld1q_s32(lane_mask + 16 - n))); }
INLINE vf vf_pow2(vf n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23)); }
INLINE vf vf_from_i32(vi a) { return vcvtq_f32_s32(vreinterpretq_s32_u8(a)); }
INLINE vf vf_f16(const uint8_t *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
INLINE vf vf_bf16(const uint8_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16)); }
INLINE uint8x8_t lane_bytes(const uint8_t *p)
{
	uint32_t b;
	memcpy(&b, p, 4);
	return vreinterpret_u8_u32(vdup_n_u32(b));
}
INLINE vf vf_i8(const uint8_t *p) { return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(lane_bytes(p)))))); }
INLINE vf vf_u8(const uint8_t *p) { return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(lane_bytes(p))))); }
INLINE void vf_to_i8(int8_t *p, vf a)
{
	int16x4_t h = vqmovn_s32(vcvtnq_s32_f32(a)); // a NaN becomes 0
	int8x8_t b = vqmovn_s16(vcombine_s16(h, h));
	memcpy(p, &b, 4);
}
INLINE void vf_to_f16(uint16_t *p, vf a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }

INLINE vi vi_load(const uint8_t *p) { return vld1q_u8(p); }
INLINE void vi_store(uint8_t *p, vi a) { vst1q_u8(p, a); }
INLINE vi vi_set1(int32_t x) { return vreinterpretq_u8_s32(vdupq_n_s32(x)); }
INLINE vi vi_set1_u8(uint8_t x) { return vdupq_n_u8(x); }
INLINE vi vi_and(vi a, vi b) { return vandq_u8(a, b); }
INLINE vi vi_or(vi a, vi b) { return vorrq_u8(a, b); }
INLINE vi vi_add_u8(vi a, vi b) { return vaddq_u8(a, b); }
#define vi_left(a, n) vshlq_n_u8(a, n)
#define vi_right(a, n) vshrq_n_u8(a, n)

// vi_dot_four adds 4 quads: weights -128..127, the activations of all four in one
// register, of which each instruction takes 4 bytes.
INLINE vi vi_dot_four(vi acc, const vi *w, const int8_t *x)
{
	int8x16_t x16 = vld1q_s8(x);
	int32x4_t a = vreinterpretq_s32_u8(acc);
	a = vdotq_laneq_s32(a, vreinterpretq_s8_u8(w[0]), x16, 0);
	a = vdotq_laneq_s32(a, vreinterpretq_s8_u8(w[1]), x16, 1);
	a = vdotq_laneq_s32(a, vreinterpretq_s8_u8(w[2]), x16, 2);
	a = vdotq_laneq_s32(a, vreinterpretq_s8_u8(w[3]), x16, 3);
	return vreinterpretq_u8_s32(a);
}
INLINE void prefetch(const void *p) { __builtin_prefetch(p); }
INLINE void prefetch_later(const void *p) { __builtin_prefetch(p, 0, 2); }

#else // RUNG_IS_GENERIC, plain C: what every compiler knows

enum { LANES = 16 };
typedef struct { float v[16]; } vf;
typedef union { int32_t v[16]; uint8_t b[64]; uint16_t h[32]; } vi; // little-endian machines
#define LANE for (int i = 0; i < 16; i++)

INLINE vf vf_load(const float *p) { vf r; memcpy(&r, p, 64); return r; }
INLINE void vf_store(float *p, vf a) { memcpy(p, &a, 64); }
INLINE vf vf_set1(float x) { vf r; LANE r.v[i] = x; return r; }
INLINE vf vf_add(vf a, vf b) { LANE a.v[i] += b.v[i]; return a; }
INLINE vf vf_sub(vf a, vf b) { LANE a.v[i] -= b.v[i]; return a; }
INLINE vf vf_mul(vf a, vf b) { LANE a.v[i] *= b.v[i]; return a; }
INLINE vf vf_div(vf a, vf b) { LANE a.v[i] /= b.v[i]; return a; }
// Without FMA hardware fmaf is a slow library call: this rung rounds twice, always.
INLINE vf vf_fma(vf a, vf b, vf c) { LANE a.v[i] = a.v[i] * b.v[i] + c.v[i]; return a; }
INLINE vf vf_max(vf a, vf b) { LANE a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; return a; }
INLINE vf vf_round(vf a) { LANE a.v[i] = nearbyintf(a.v[i]); return a; }
INLINE vf vf_abs(vf a) { LANE a.v[i] = fabsf(a.v[i]); return a; }
INLINE vf vf_first(vf a, int n) { LANE a.v[i] = i < n ? a.v[i] : 0; return a; }
INLINE float from_bits(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
INLINE uint32_t to_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
INLINE vf vf_pow2(vf n) { LANE n.v[i] = from_bits((uint32_t)((int32_t)n.v[i] + 127) << 23); return n; }
INLINE vf vf_from_i32(vi a) { vf r; LANE r.v[i] = (float)a.v[i]; return r; }
INLINE uint16_t u16_at(const uint8_t *p, int i) { return (uint16_t)(p[2 * i] | p[2 * i + 1] << 8); }
INLINE float half_bits(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
	if (e == 31) return from_bits(sign | 0x7f800000 | m << 13);
	if (e) return from_bits(sign | (e + 112) << 23 | m << 13);
	return sign ? -(float)m * 0x1p-24f : (float)m * 0x1p-24f;
}
INLINE uint16_t float_half(float f)
{
	uint32_t u = to_bits(f), sign = u >> 16 & 0x8000;
	u &= 0x7fffffff;
	if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00);
	if (u >= 0x477ff000) return (uint16_t)(sign | 0x7c00); // rounds to infinity
	if (u < 0x38800000) // subnormal half: let the float adder round
		return (uint16_t)(sign | (to_bits(from_bits(u) + 0.5f) - to_bits(0.5f)));
	u += 0xc8000fff + (u >> 13 & 1);
	return (uint16_t)(sign | u >> 13);
}
INLINE vf vf_f16(const uint8_t *p) { vf r; LANE r.v[i] = half_bits(u16_at(p, i)); return r; }
INLINE vf vf_bf16(const uint8_t *p) { vf r; LANE r.v[i] = from_bits((uint32_t)u16_at(p, i) << 16); return r; }
INLINE vf vf_i8(const uint8_t *p) { vf r; LANE r.v[i] = (int8_t)p[i]; return r; }
INLINE vf vf_u8(const uint8_t *p) { vf r; LANE r.v[i] = p[i]; return r; }
// A NaN activation must not be undefined behaviour; it becomes 0 here, -128 elsewhere.
INLINE void vf_to_i8(int8_t *p, vf a) { LANE p[i] = a.v[i] == a.v[i] ? (int8_t)nearbyintf(a.v[i]) : 0; }
INLINE void vf_to_f16(uint16_t *p, vf a) { LANE p[i] = float_half(a.v[i]); }

INLINE vi vi_load(const uint8_t *p) { vi r; memcpy(&r, p, 64); return r; }
INLINE void vi_store(uint8_t *p, vi a) { memcpy(p, &a, 64); }
INLINE vi vi_set1(int32_t x) { vi r; LANE r.v[i] = x; return r; }
INLINE vi vi_set1_u8(uint8_t x) { vi r; memset(&r, x, 64); return r; }
INLINE vi vi_and(vi a, vi b) { LANE a.v[i] &= b.v[i]; return a; }
INLINE vi vi_or(vi a, vi b) { LANE a.v[i] |= b.v[i]; return a; }
INLINE vi vi_add_u8(vi a, vi b) { for (int i = 0; i < 64; i++) a.b[i] += b.b[i]; return a; }
INLINE vi vi_left(vi a, int n) { for (int i = 0; i < 32; i++) a.h[i] = (uint16_t)(a.h[i] << n); return a; }
INLINE vi vi_right(vi a, int n) { for (int i = 0; i < 32; i++) a.h[i] >>= n; return a; }
INLINE vi vi_dot(vi acc, vi w, const int8_t *x)
{
	LANE acc.v[i] += w.b[4 * i] * x[0] + w.b[4 * i + 1] * x[1] + w.b[4 * i + 2] * x[2] + w.b[4 * i + 3] * x[3];
	return acc;
}
INLINE void prefetch(const void *p) { (void)p; }
INLINE void prefetch_later(const void *p) { (void)p; }

#endif

// Sums and maxima over the lanes, always in the same order: the upper half onto the
// lower one until one is left.
#if defined(RUNG_IS_AVX512VNNI) || defined(RUNG_IS_AVX2) || defined(RUNG_IS_AVXVNNI)

#if defined(RUNG_IS_AVX512VNNI)
#define TO_256(op, a) _mm256_##op##_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1))
#else
#define TO_256(op, a) (a)
#endif
#define OVER_LANES(name, op) \
	INLINE float name(vf a) \
	{ \
		__m256 half = TO_256(op, a); \
		__m128 x = _mm_##op##_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)); \
		x = _mm_##op##_ps(x, _mm_movehl_ps(x, x)); \
		return _mm_cvtss_f32(_mm_##op##_ss(x, _mm_movehdup_ps(x))); \
	}
OVER_LANES(vf_sum, add)
OVER_LANES(vf_largest, max)

// sum_halves sums 16 bytes and 16 more.
INLINE void sum_halves(const int8_t *q, int *low, int *high)
{
	__m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_loadu_si256((const __m256i *)q));
	__m256i sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
	sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
	sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
	*low = _mm256_cvtsi256_si32(sums);
	*high = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
}

#else

INLINE float vf_sum(vf a)
{
	float v[LANES];
	vf_store(v, a);
	for (int n = LANES / 2; n; n /= 2)
		for (int i = 0; i < n; i++) v[i] += v[i + n];
	return v[0];
}

INLINE float vf_largest(vf a)
{
	float v[LANES];
	vf_store(v, a);
	for (int n = LANES / 2; n; n /= 2)
		for (int i = 0; i < n; i++) v[i] = v[i] > v[i + n] ? v[i] : v[i + n];
	return v[0];
}

INLINE void sum_halves(const int8_t *q, int *low, int *high)
{
	*low = *high = 0;
	for (int i = 0; i < 16; i++) *low += q[i];
	for (int i = 16; i < 32; i++) *high += q[i];
}

#endif

#if defined(RUNG_HAS_BF16)
enum { HAS_BF16 = 1 };
typedef __m512bh vp; // 16 pairs of BF16, kept as vf where they are not computed with

// vf_store_bf16 rounds to BF16 and returns what it stored.
INLINE vf vf_store_bf16(uint16_t *p, vf a)
{
	_mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(a));
	return vf_bf16((const uint8_t *)p);
}

// vf_pair_bf16 rounds to BF16: a becomes the lanes' lower halves, b their upper ones.
INLINE vf vf_pair_bf16(vf a, vf b)
{
	__m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
	return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

INLINE vf vf_first_of_pair(vf v) { return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0xffff))); }

// vf_fma_pairs adds both products of each lane's pair and the pair p.
INLINE vf vf_fma_pairs(vf v, float p, vf acc) { return _mm512_dpbf16_ps(acc, (vp)v, (vp)_mm512_set1_ps(p)); }
#else
enum { HAS_BF16 = 0 };
INLINE vf vf_store_bf16(uint16_t *p, vf a) { (void)p; return a; }
INLINE vf vf_pair_bf16(vf a, vf b) { (void)b; return a; }
INLINE vf vf_first_of_pair(vf v) { return v; }
INLINE vf vf_fma_pairs(vf v, float p, vf acc) { (void)v, (void)p; return acc; }
#endif

// vf_exp is e^x for x <= 88: 2^n * e^r with |r| <= ln2/2 and a degree-6 Taylor
// polynomial, within 2 ulp; below -87 it stays at e^-87.
INLINE vf vf_exp(vf x)
{
	x = vf_max(vf_set1(-87.0f), x); // in this order a NaN stays one
	vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
	vf r = vf_fma(n, vf_set1(-0.693145752f), x); // ln2 in two parts: Cody and Waite
	r = vf_fma(n, vf_set1(-1.42860677e-6f), r);
	vf p = vf_set1(1.0f / 720);
	p = vf_fma(p, r, vf_set1(1.0f / 120));
	p = vf_fma(p, r, vf_set1(1.0f / 24));
	p = vf_fma(p, r, vf_set1(1.0f / 6));
	p = vf_fma(p, r, vf_set1(0.5f));
	p = vf_fma(p, r, vf_set1(1.0f));
	p = vf_fma(p, r, vf_set1(1.0f));
	return vf_mul(p, vf_pow2(n));
}
