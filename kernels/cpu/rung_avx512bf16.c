// AVX-512 with VNNI and products of BF16: Zen 4 and later, Cooper Lake, Sapphire
// Rapids and later.
#if defined(__x86_64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,fma,f16c")
#define RUNG_IS_AVX512VNNI
#define RUNG_HAS_BF16
#define RUNG_NAME rung_avx512bf16
#include "rung.h"
TARGET_END
#endif
