/* test_bench_random.c — the numbers behind the benchmarks' events: the mixer, ranges, Zipf's distribution. */
#include <math.h>
#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tools/bench/random.h"

SETTLE_SUITE(bench_random);

/* The first numbers of splitmix64 from state 0, as its author publishes them. */
Test(bench_random, the_sequence_is_that_of_splitmix64)
{
    uint64_t state = 0;
    cr_expect_eq(random_next(&state), UINT64_C(0xe220a8397b1dcdaf));
    cr_expect_eq(random_next(&state), UINT64_C(0x6e789e6aa1b965f4));
    cr_expect_eq(random_next(&state), UINT64_C(0x06c45d188009454f));
}

Test(bench_random, below_covers_its_range_and_nothing_else)
{
    cr_expect_eq(random_below(0, 1), 0);
    cr_expect_eq(random_below(UINT64_MAX, 1), 0);
    cr_expect_eq(random_below(0, 7), 0);
    cr_expect_eq(random_below(UINT64_MAX, 7), 6);
    cr_expect_eq(random_below(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
}

Test(bench_random, below_is_even)
{
    enum { BELOW = 10, DRAWS = 100000 };
    unsigned counts[BELOW] = {0};
    uint64_t state = 42;
    for (int i = 0; i < DRAWS; i++)
        counts[random_below(random_next(&state), BELOW)]++;
    for (int i = 0; i < BELOW; i++) /* the standard deviation is 95 */
        cr_expect(abs((int)counts[i] - DRAWS / BELOW) < 500, "%d: %u", i, counts[i]);
}

/* The share of each of the first ranks, and of all the rest, is the one of the formula. */
static void expect_zipf(uint32_t count, double exponent)
{
    enum { DRAWS = 1000000, FIRST = 20 };
    struct zipf zipf;
    unsigned counts[FIRST] = {0};
    uint64_t state = 7;
    double sum = 0;
    cr_assert(zipf_init(&zipf, count, exponent));
    for (int i = 0; i < DRAWS; i++) {
        uint32_t rank = zipf_pick(&zipf, random_next(&state));
        cr_assert_lt(rank, count);
        if (rank < FIRST)
            counts[rank]++;
    }
    for (uint32_t rank = 0; rank < count; rank++)
        sum += pow((double)rank + 1, -exponent);
    for (uint32_t rank = 0; rank < FIRST && rank < count; rank++) {
        double expected = DRAWS * pow((double)rank + 1, -exponent) / sum;
        cr_expect(fabs(counts[rank] - expected) < 5 * sqrt(expected) + 1, "rank %u of %u: %u times, expected %.0f",
                  rank, count, counts[rank], expected);
    }
    zipf_deinit(&zipf);
}

Test(bench_random, zipf_has_the_shares_of_its_formula)
{
    expect_zipf(100000, 1.1);
    expect_zipf(1000, 0.9);
    expect_zipf(3, 2.0);
}

Test(bench_random, zipf_of_exponent_zero_is_even)
{
    expect_zipf(10, 0.0);
}

Test(bench_random, zipf_of_one_rank_has_one_answer)
{
    struct zipf zipf;
    cr_assert(zipf_init(&zipf, 1, 1.1));
    cr_expect_eq(zipf_pick(&zipf, 0), 0);
    cr_expect_eq(zipf_pick(&zipf, UINT64_MAX), 0);
    zipf_deinit(&zipf);
    zipf_deinit(&zipf); /* a second time is harmless */
}
