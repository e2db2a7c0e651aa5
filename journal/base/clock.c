/*
 * clock.c — the time. Its text is made in digits.c.
 */
#include "journal/base/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "journal/base/digits.h"

uint64_t clock_system_us(void *context)
{
    (void)context;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    assert(failed == 0); /* the clock exists on every kernel there is */
    if (now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_us(struct clock *clock)
{
    assert(clock != NULL && clock->now_us != NULL);
    uint64_t now = clock->now_us(clock->context);
    if (now > clock->last_us)
        clock->last_us = now;
    return clock->last_us;
}

void clock_format_us(uint64_t time_us, char ret_text[CLOCK_TEXT_BYTES])
{
    char text[DIGITS_TIME_BYTES + DIGITS_SLACK];
    struct digits_clock none = {0};
    size_t bytes = (size_t)(digits_time_us(text, time_us, &none) - text);
    assert(bytes == CLOCK_TEXT_BYTES - 1);
    memcpy(ret_text, text, bytes);
    ret_text[bytes] = '\0';
}
