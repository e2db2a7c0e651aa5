/* test_clock.c — time that does not go back, and its text against the C library's calendar. */
#include "journal/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(clock);

#define DAY_US UINT64_C(86400000000)
#define LAST_US UINT64_C(253402300799999999)

static uint64_t scripted_us(void *context)
{
    const uint64_t **next = context;
    return *(*next)++;
}

Test(clock, time_never_goes_back)
{
    const uint64_t told[] = {100, 101, 50, 0, 101, 102, 7, UINT64_MAX, 5};
    const uint64_t expected[] = {100, 101, 101, 101, 101, 102, 102, UINT64_MAX, UINT64_MAX};
    const uint64_t *next = told;
    struct clock clock = {scripted_us, &next, 0};
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        cr_assert_eq(clock_now_us(&clock), expected[i], "call %zu", i);
        cr_assert_eq(clock.last_us, expected[i], "call %zu", i);
    }
}

Test(clock, time_starts_behind_what_the_journal_knows)
{
    const uint64_t told[] = {999, 1001};
    const uint64_t *next = told;
    struct clock clock = {scripted_us, &next, 1000};
    cr_assert_eq(clock_now_us(&clock), 1000);
    cr_assert_eq(clock_now_us(&clock), 1001);
}

Test(clock, the_systems_clock_tells_microseconds_since_1970)
{
    time_t before = time(NULL);
    uint64_t now = clock_system_us(NULL);
    time_t after = time(NULL);
    /* time(2) may read a coarser clock that lags by a tick. */
    cr_assert_geq(now, ((uint64_t)before - 1) * 1000000);
    cr_assert_leq(now, ((uint64_t)after + 2) * 1000000);
    struct clock clock = {clock_system_us, NULL, 0};
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t next = clock_now_us(&clock);
        cr_assert_geq(next, last);
        last = next;
    }
}

static void expect_text(uint64_t time_us, const char *expected)
{
    char text[CLOCK_TEXT_BYTES + 4];
    memset(text, '#', sizeof(text));
    clock_format_us(time_us, text);
    cr_assert_str_eq(text, expected, "%" PRIu64 " is '%s', expected '%s'", time_us, text, expected);
    cr_assert_eq(strlen(text), CLOCK_TEXT_BYTES - 1);
    cr_assert_arr_eq(text + CLOCK_TEXT_BYTES, "####", 4);
}

/* What gmtime_r(3) and printf(3) make of it. */
static void expect_as_the_c_library(uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm tm;
    cr_assert_not_null(gmtime_r(&seconds, &tm));
    char day[32], expected[64];
    cr_assert_gt(strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm), 0);
    snprintf(expected, sizeof(expected), "%s.%06" PRIu64 "Z", day, time_us % 1000000);
    expect_text(time_us, expected);
}

Test(clock, texts_that_anybody_can_check)
{
    expect_text(0, "1970-01-01T00:00:00.000000Z");
    expect_text(1, "1970-01-01T00:00:00.000001Z");
    expect_text(999999, "1970-01-01T00:00:00.999999Z");
    expect_text(1733856600000000, "2024-12-10T18:50:00.000000Z");
    expect_text(UINT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    expect_text(UINT64_C(1709251199999999), "2024-02-29T23:59:59.999999Z");
    expect_text(UINT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z");
    expect_text(UINT64_C(4107542399999999), "2100-02-28T23:59:59.999999Z");
    expect_text(LAST_US, "9999-12-31T23:59:59.999999Z");
}

Test(clock, later_times_are_shown_as_the_last_one)
{
    expect_text(LAST_US + 1, "9999-12-31T23:59:59.999999Z");
    expect_text(UINT64_MAX, "9999-12-31T23:59:59.999999Z");
}

Test(clock, the_ends_of_every_day_of_400_years_are_the_c_librarys)
{
    for (uint64_t day = 0; day < 146097 + 366; day++) {
        expect_as_the_c_library(day * DAY_US);
        expect_as_the_c_library(day * DAY_US + DAY_US - 1);
    }
}

Test(clock, the_first_and_last_day_of_every_year_are_the_c_librarys)
{
    uint64_t day = 0;
    for (uint64_t year = 1970; year <= 9999; year++) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        char expected[32];
        snprintf(expected, sizeof(expected), "%04" PRIu64 "-01-01T00:00:00.000000Z", year);
        expect_text(day * DAY_US, expected);
        day += leap ? 366 : 365;
        snprintf(expected, sizeof(expected), "%04" PRIu64 "-12-31T23:59:59.999999Z", year);
        expect_text(day * DAY_US - 1, expected);
    }
    cr_assert_eq(day * DAY_US - 1, LAST_US);
}

Test(clock, times_of_the_day_are_the_c_librarys)
{
    for (uint64_t i = 0; i < 86400; i++)
        expect_as_the_c_library(1733788800000000 + i * 1000000 + i * 37 % 1000000);
    uint64_t state = 7;
    for (int i = 0; i < 50000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        expect_as_the_c_library((state >> 5) % LAST_US);
    }
}
