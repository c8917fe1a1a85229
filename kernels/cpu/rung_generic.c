// Plain C: any processor.
#if !defined(__clang__)
#pragma GCC optimize("O2") // O3 unrolls every lane of every kernel and takes minutes
#endif
#define _POSIX_C_SOURCE 199309L
#define RUNG_IS_GENERIC
#define RUNG_NAME rung_generic
#include "rung.h"

size_t cpu_scratch_bytes(int cols_max, int group_heads, int head_dim)
{
	return scratch_bytes(cols_max, group_heads, head_dim);
}
