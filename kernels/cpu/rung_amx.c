// AVX-512 with VNNI, and the byte products of panels by AMX: Sapphire Rapids and
// later servers of Intel.
#if defined(__x86_64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
TARGET_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c,amx-tile,amx-int8")
#define RUNG_IS_AVX512VNNI
#define RUNG_HAS_AMX
#define RUNG_NAME rung_amx
#include "rung.h"
TARGET_END
#endif
