// NEON with the dot product of bytes (FEAT_DotProd): Apple's M1 and later,
// Cortex-A76, Neoverse N1 and later.
#if defined(__aarch64__)
#define _POSIX_C_SOURCE 199309L
#include "target.h"
#if defined(__clang__)
#if !defined(__ARM_FEATURE_DOTPROD)
#define __ARM_FEATURE_DOTPROD 1 // clang before 16 declares vdotq_laneq_s32 only for a file compiled with it
#endif
TARGET_BEGIN("dotprod")
#else
TARGET_BEGIN("arch=armv8.2-a+dotprod") // gcc's arm_neon.h says the same of vdotq_laneq_s32
#endif
#define RUNG_IS_NEONDOT
#define RUNG_NAME rung_neondot
#include "rung.h"
TARGET_END
#endif
