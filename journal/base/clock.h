/* clock.h — the time, told from outside, that never goes back. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*now_us)(void *context); /* microseconds since 1970 */
    void *context;
    uint64_t last_us; /* greatest time handed out; set from the journal at open */
};

uint64_t clock_system_us(void *context);
/* max(now, the last one). Not thread-safe: the owner's lock covers it. */
uint64_t clock_now_us(struct clock *clock);

/* "2024-12-10T18:50:00.000000Z" (27 bytes and a terminator), RFC 3339, UTC; proleptic Gregorian, years 1970–9999. */
#define CLOCK_TEXT_BYTES 28
void clock_format_us(uint64_t time_us, char ret_text[CLOCK_TEXT_BYTES]);

#endif
