/* test_bench_samples.c — percentiles and medians. */
#include "tests/lib/expect.h"
#include "tools/bench/samples.h"

SETTLE_SUITE(bench_samples);

Test(bench_samples, sorting_orders_also_the_extremes)
{
    uint64_t samples[] = {UINT64_MAX, 0, UINT64_C(1) << 63, 5, 5, 1};
    const uint64_t sorted[] = {0, 1, 5, 5, UINT64_C(1) << 63, UINT64_MAX};
    samples_sort(samples, 6);
    cr_expect_arr_eq(samples, sorted, sizeof sorted);
    samples_sort(samples, 1);
    samples_sort(NULL, 0);
}

Test(bench_samples, percentiles_are_the_nearest_rank)
{
    uint64_t samples[1000];
    for (size_t i = 0; i < 1000; i++)
        samples[i] = i + 1;
    cr_expect_eq(samples_percentile(samples, 1000, 0), 1);
    cr_expect_eq(samples_percentile(samples, 1000, 1), 1);
    cr_expect_eq(samples_percentile(samples, 1000, 50000), 500);
    cr_expect_eq(samples_percentile(samples, 1000, 50001), 501);
    cr_expect_eq(samples_percentile(samples, 1000, 99000), 990);
    cr_expect_eq(samples_percentile(samples, 1000, 99900), 999);
    cr_expect_eq(samples_percentile(samples, 1000, 99901), 1000);
    cr_expect_eq(samples_percentile(samples, 1000, 100000), 1000);
}

Test(bench_samples, percentiles_of_few_samples_are_samples)
{
    const uint64_t one[] = {7}, three[] = {1, 2, 9};
    cr_expect_eq(samples_percentile(one, 1, 0), 7);
    cr_expect_eq(samples_percentile(one, 1, 99900), 7);
    cr_expect_eq(samples_percentile(three, 3, 50000), 2);
    cr_expect_eq(samples_percentile(three, 3, 99000), 9);
}

Test(bench_samples, the_median_is_in_the_middle_and_leaves_the_order)
{
    const double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {8};
    cr_expect_float_eq(samples_median(odd, 3), 3, 0);
    cr_expect_float_eq(samples_median(even, 4), 2.5, 0);
    cr_expect_float_eq(samples_median(one, 1), 8, 0);
    cr_expect_float_eq(odd[0], 5, 0);
}
