/*
 * leaks.c — the leak check of a Criterion test. Criterion's workers end without LeakSanitizer's own check, so that a
 * leak would pass in silence.
 */
#include "tests/lib/leaks.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_CHECKED 1
#endif
#endif

#ifdef LEAKS_CHECKED
#include <sanitizer/lsan_interface.h>

void leaks_check(void)
{
    if (__lsan_do_recoverable_leak_check() != 0)
        abort();
}
#else
void leaks_check(void)
{
}
#endif
