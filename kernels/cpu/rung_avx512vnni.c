// AVX-512 with VNNI: Zen 4 and later, Ice Lake and later servers.
#if defined(__x86_64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")
#define RUNG_IS_AVX512VNNI
#define RUNG_NAME rung_avx512vnni
#include "rung.h"
TARGET_END
#endif
