// AVX2 with FMA and F16C: x86-64 since 2013.
#if defined(__x86_64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
TARGET_BEGIN("avx2,fma,f16c")
#define RUNG_IS_AVX2
#define RUNG_NAME rung_avx2
#include "rung.h"
TARGET_END
#endif
