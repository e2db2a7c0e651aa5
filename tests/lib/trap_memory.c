/*
 * trap_memory.c — the allocator's calls for trap.h, which stand in front of the C library's because they are the program's own:
 * what we allocate, LMDB, zstd and the C library itself. settle_options.reallocate reaches our own alone.
 *
 * Apart from trap.c, since the allocator of Clang's sanitizers cannot be replaced. Invariant: while no trap is set, each does
 * exactly what the function behind it does. Freeing is left to that. A test allocates nothing itself meanwhile.
 */
/* What is built hidden, LMDB does not find. */
#pragma GCC visibility push(default)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/trap.h"

/* Under names that need no looking up, which would allocate. */
#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t bytes);
void *REAL(calloc)(size_t count, size_t bytes);
void *REAL(realloc)(void *memory, size_t bytes);
void *REAL(memalign)(size_t alignment, size_t bytes);

/* AddressSanitizer starts a thread with a call of the C library's that allocates, and ends the process where that fails. Apart
 * and not instrumented, since allocations come before the sanitizer is ready. */
__attribute__((noinline, no_sanitize("address"))) static bool is_sanitizers(const void *caller)
{
#ifdef __SANITIZE_ADDRESS__
    Dl_info place;
    return dladdr(caller, &place) != 0 && place.dli_fname != NULL && strstr(place.dli_fname, "/libc.so") != NULL;
#else
    (void)caller;
    return false;
#endif
}

static bool is_out(const char *name, const void *caller)
{
    if (!trap_is_set() || is_sanitizers(caller) || trap_judge(TRAP_MEMORY, name, caller) == 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return is_out("malloc", TRAP_CALLER) ? NULL : REAL(malloc)(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return is_out("calloc", TRAP_CALLER) ? NULL : REAL(calloc)(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return bytes > 0 && is_out("realloc", TRAP_CALLER) ? NULL : REAL(realloc)(memory, bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    void *memory = is_out("posix_memalign", TRAP_CALLER) ? NULL : REAL(memalign)(alignment, bytes);
    if (memory == NULL)
        return ENOMEM;
    *ret_memory = memory;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return is_out("aligned_alloc", TRAP_CALLER) ? NULL : REAL(memalign)(alignment, bytes);
}
