// AVX2 with AVX-VNNI, the byte products of AVX-512 VNNI in 256 bits: Alder Lake
// and Zen 5 and later.
#if defined(__x86_64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
TARGET_BEGIN("avx2,avxvnni,fma,f16c")
#define RUNG_IS_AVXVNNI
#define RUNG_NAME rung_avxvnni
#include "rung.h"
TARGET_END
#endif
