// TARGET_BEGIN compiles the functions behind it for an instruction set, up to
// TARGET_END: gcc and clang spell that differently. Compiler flags would do, but
// cgo passes on only some of them.
#ifndef TANDEM_TARGET_H
#define TANDEM_TARGET_H

#define TARGET_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_BEGIN(features) TARGET_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END _Pragma("clang attribute pop")
#else
#define TARGET_BEGIN(features) TARGET_PRAGMA(GCC target(features))
#define TARGET_END
#endif

#endif
