/*
 * scarce.c — the allocator's calls, which stand in front of the C library's because they are the program's own.
 *
 * Invariant: while nothing is set, each does exactly what the function behind it does. Freeing is left to the function behind.
 */
/* What is built hidden, LMDB does not find. */
#pragma GCC visibility push(default)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "tests/lib/scarce.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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

static uint64_t fail_at;
static bool fails_for_ever;
static atomic_bool is_armed;
static _Atomic uint64_t call_count;

void scarce_set(uint64_t index, bool for_ever)
{
    assert(!is_armed);
    fail_at = index;
    fails_for_ever = for_ever;
    call_count = 0;
    is_armed = true;
}

uint64_t scarce_clear(void)
{
    is_armed = false;
    return call_count;
}

bool scarce_was_met(void)
{
    return fail_at != 0 && call_count >= fail_at;
}

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

static bool is_out(const void *caller)
{
    if (!is_armed || is_sanitizers(caller))
        return false;
    uint64_t number = ++call_count;
    if (fail_at == 0 || number < fail_at || (number > fail_at && !fails_for_ever))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return is_out(__builtin_return_address(0)) ? NULL : REAL(malloc)(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return is_out(__builtin_return_address(0)) ? NULL : REAL(calloc)(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return bytes > 0 && is_out(__builtin_return_address(0)) ? NULL : REAL(realloc)(memory, bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    void *memory = is_out(__builtin_return_address(0)) ? NULL : REAL(memalign)(alignment, bytes);
    if (memory == NULL)
        return ENOMEM;
    *ret_memory = memory;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return is_out(__builtin_return_address(0)) ? NULL : REAL(memalign)(alignment, bytes);
}
