/* test_query_moment.c — moments as people write them. */
#include <inttypes.h>

#include "query/query.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(query_moment);

#define NOW_US UINT64_C(1733856600000000) /* 2024-12-10T18:50:00Z */

static void expect_time(const char *text, uint64_t expected_us)
{
    uint64_t time_us = 1;
    cr_assert(query_time_parse(text, NOW_US, &time_us), "%s", text);
    cr_assert_eq(time_us, expected_us, "%s: %" PRIu64 ", expected %" PRIu64, text, time_us, expected_us);
}

Test(query_moment, rfc_3339_in_any_zone)
{
    expect_time("2024-12-10T18:50:00Z", NOW_US);
    expect_time("2024-12-10t18:50:00z", NOW_US);
    expect_time("2024-12-10 18:50:00Z", NOW_US);
    expect_time("2024-12-10T18:50:00.000000Z", NOW_US);
    expect_time("2024-12-10T18:50:00.5Z", NOW_US + 500000);
    expect_time("2024-12-10T18:50:00.123456Z", NOW_US + 123456);
    expect_time("2024-12-10T18:50:00.123456999Z", NOW_US + 123456);
    expect_time("2024-12-10T20:50:00+02:00", NOW_US);
    expect_time("2024-12-10T13:20:00-05:30", NOW_US);
    expect_time("2024-12-10T18:50:00-00:00", NOW_US);
    expect_time("2024-12-11T00:30:00+05:40", NOW_US);
    expect_time("2024-02-29T00:00:00Z", UINT64_C(1709164800000000));
    expect_time("2000-02-29T00:00:00Z", UINT64_C(951782400000000));
    expect_time("2016-12-31T23:59:60Z", UINT64_C(1483228800000000));
    expect_time("9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999));
}

Test(query_moment, what_is_before_1970_is_the_beginning)
{
    expect_time("1970-01-01T00:00:00Z", 0);
    expect_time("1970-01-01T00:00:00.000001Z", 1);
    expect_time("1970-01-01T00:59:59+01:00", 0);
    expect_time("1969-12-31T23:59:59Z", 0);
    expect_time("0000-01-01T00:00:00Z", 0);
    expect_time("-99999w", 0);
    expect_time("-99999999999999999w", 0);
}

Test(query_moment, milliseconds_since_1970)
{
    expect_time("0", 0);
    expect_time("1", 1000);
    expect_time("1733856600000", NOW_US);
    expect_time("18446744073709551", UINT64_C(18446744073709551000));
}

Test(query_moment, a_time_ago)
{
    expect_time("-0s", NOW_US);
    expect_time("-90s", NOW_US - UINT64_C(90000000));
    expect_time("-30m", NOW_US - UINT64_C(1800000000));
    expect_time("-1h", NOW_US - UINT64_C(3600000000));
    expect_time("-2d", NOW_US - UINT64_C(172800000000));
    expect_time("-1w", NOW_US - UINT64_C(604800000000));
}

Test(query_moment, anything_else_is_no_time)
{
    static const char *const wrong[] = {"",
                                        "now",
                                        "2024-12-10",
                                        "2024-12-10T18:50Z",
                                        "2024-12-10T18:50:00",
                                        "2024-12-10T18:50:00Zz",
                                        "2024-12-10T18:50:00 Z",
                                        "2024-12-10T18:50:00.Z",
                                        "2024-12-10T18:50:00,5Z",
                                        "2024-12-10T18:50:61Z",
                                        "2024-12-10T18:60:00Z",
                                        "2024-12-10T24:00:00Z",
                                        "2024-12-32T00:00:00Z",
                                        "2024-12-00T00:00:00Z",
                                        "2024-13-01T00:00:00Z",
                                        "2024-00-01T00:00:00Z",
                                        "2023-02-29T00:00:00Z",
                                        "1900-02-29T00:00:00Z",
                                        "2024-04-31T00:00:00Z",
                                        "24-12-10T18:50:00Z",
                                        "2024-12-10T18:50:00+02",
                                        "2024-12-10T18:50:00+0200",
                                        "2024-12-10T18:50:00+24:00",
                                        "2024-12-10T18:50:00+02:60",
                                        "2024/12/10T18:50:00Z",
                                        " 2024-12-10T18:50:00Z",
                                        "2024-12-10T18:50:00Z ",
                                        "01",
                                        "1.5",
                                        "+1",
                                        "1e3",
                                        "18446744073709552",
                                        "99999999999999999999",
                                        "-",
                                        "-1",
                                        "-h",
                                        "-1y",
                                        "-1hh",
                                        "--1h",
                                        "-01h",
                                        "-1.5h",
                                        "-1h30m",
                                        "-18446744073709551616s",
                                        "-111111111111111111111111111s"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t time_us = 4711;
        cr_assert_not(query_time_parse(wrong[i], NOW_US, &time_us), "%s", wrong[i]);
        cr_assert_eq(time_us, 4711, "%s", wrong[i]);
    }
}

Test(query_moment, now_is_now)
{
    cr_assert_gt(query_now_us(), NOW_US);
    cr_assert_leq(query_now_us(), query_now_us());
}
