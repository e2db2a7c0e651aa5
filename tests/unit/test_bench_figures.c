/* test_bench_figures.c — medians of figures and of their ratios, shares of the events, the text of an error. */
#include <errno.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"
#include "tools/bench/bench.h"

SETTLE_SUITE(bench_figures);

static struct bench bench;

static void expect_median(enum figure_id id, double median, double ratio)
{
    double ret_median, ret_ratio;
    cr_assert(bench_figure_median(&bench, id, &ret_median, &ret_ratio));
    cr_expect_float_eq(ret_median, median, 1e-9);
    cr_expect_float_eq(ret_ratio, ratio, 1e-9);
}

/* Run by run: where the device was slow, it was so for both. */
Test(bench_figures, a_ratio_is_that_of_the_same_run)
{
    double median, ratio;
    bench_figures_init(&bench);
    cr_expect_not(bench_figure_median(&bench, FIGURE_API_1, &median, &ratio), "there is no run yet");
    bench_record(&bench, FIGURE_API_1, 10);
    cr_expect_not(bench_figure_median(&bench, FIGURE_API_1, &median, &ratio), "there is no limit yet");
    bench_record(&bench, FIGURE_RAW, 100);
    bench_record(&bench, FIGURE_RAW, 50);
    bench_record(&bench, FIGURE_RAW, 1000);
    bench_record(&bench, FIGURE_API_1, 20);
    bench_record(&bench, FIGURE_API_1, 30);
    expect_median(FIGURE_API_1, 20, 0.1);
    expect_median(FIGURE_RAW, 100, 1);
}

Test(bench_figures, bytes_are_put_in_proportion_to_a_raw_record)
{
    bench_figures_init(&bench);
    bench_record(&bench, FIGURE_JOURNAL_BYTES, 256);
    expect_median(FIGURE_JOURNAL_BYTES, 256, 2);
}

Test(bench_figures, latencies_are_put_in_proportion_to_the_device)
{
    bench_figures_init(&bench);
    bench_record(&bench, FIGURE_SYNC_P999, 1000);
    bench_record(&bench, FIGURE_PACED_P999, 4500);
    bench_record(&bench, FIGURE_PACED_MAX, 9000);
    expect_median(FIGURE_PACED_P999, 4500, 4.5);
    expect_median(FIGURE_PACED_MAX, 9000, 9);
}

Test(bench_figures, rates_are_a_second)
{
    bench_figures_init(&bench);
    bench_record(&bench, FIGURE_RAW, 1e6);
    bench_record_rate(&bench, FIGURE_REPLAY, 500, 1000000);
    expect_median(FIGURE_REPLAY, 5e5, 0.5);
    bench_record_rate(&bench, FIGURE_VERIFY, 1, 0); /* a clock that stood still */
    expect_median(FIGURE_VERIFY, 1e9, 1000);
}

Test(bench_figures, names_are_unique)
{
    bench_figures_init(&bench);
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        for (size_t k = i + 1; k < FIGURE_COUNT; k++)
            cr_expect_str_neq(bench.figures[i].name, bench.figures[k].name);
}

Test(bench_figures, a_share_is_at_least_one_and_at_most_what_is_allowed)
{
    bench.events_count = 1000;
    cr_expect_eq(bench_share(&bench, 10, 5000), 100);
    cr_expect_eq(bench_share(&bench, 10, 50), 50);
    cr_expect_eq(bench_share(&bench, 2000, 50), 1);
}

Test(bench_figures, the_events_follow_the_distribution)
{
    settle_error error;
    bench = (struct bench){.events_count = 200};
    EXPECT_OK(bench_events_init(&bench, &error));
    settle_event uniform = bench.events[150];
    EXPECT_OK(bench_events_make(&bench, STREAM_ZIPF, &error));
    cr_expect_eq(bench.distribution, STREAM_ZIPF);
    cr_expect(memcmp(&uniform, &bench.events[150], sizeof uniform) != 0);
    EXPECT_OK(bench_events_make(&bench, STREAM_UNIFORM, &error));
    cr_expect_eq(uniform.ts_ms, bench.events[150].ts_ms);
    bench_events_deinit(&bench);
}

Test(bench_figures, an_error_says_what_and_why)
{
    settle_error error;
    cr_expect_eq(bench_error(&error, SETTLE_E_IO, ENOSPC, "writing failed"), SETTLE_E_IO);
    cr_expect_eq(error.cause_errno, ENOSPC);
    cr_expect_str_eq(error.text, "writing failed: No space left on device");
    cr_expect_eq(bench_error(&error, SETTLE_E_NO_MEMORY, 0, "no memory"), SETTLE_E_NO_MEMORY);
    cr_expect_str_eq(error.text, "no memory");
}
