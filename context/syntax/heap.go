package syntax

/*
#include <stdint.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

// Trees are made and freed all the time, on whatever thread Go runs: with an arena
// for each thread, each keeps holes of its own, and the process grows for hours.
// Parsers run for milliseconds and may wait for each other's malloc.
__attribute__((constructor)) static void one_arena(void)
{
	mallopt(M_ARENA_MAX, 1);
}
#endif

// heap_in_use is what malloc has given out, -1 where the C library does not tell.
static int64_t heap_in_use(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 m = mallinfo2();
	return (int64_t)(m.uordblks + m.hblkhd);
#else
	return -1;
#endif
}

static void return_free(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
*/
import "C"

// HeapBytes is what C's malloc has given out, to trees and whatever else; -1 where
// the system's C library does not tell.
func HeapBytes() int64 { return int64(C.heap_in_use()) }

// ReturnFree gives the system back the pages of malloc's memory that hold nothing. By
// itself it gives back only what lies at its end, behind everything in use.
func ReturnFree() { C.return_free() }
