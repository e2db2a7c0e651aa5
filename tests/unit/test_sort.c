/* sort_in_place(): as qsort(3) says, for every small order and for large ones, and it takes no memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/sort.h"
#include "tests/lib/expect.h"

TestSuite(sort, .fini = leaks_check, .timeout = 60);

static int by_value(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

/* Elements of an odd size, of which only the key counts: the rest must travel with it. */
struct named {
    unsigned char key;
    char name[6];
};

static int by_key(const void *a, const void *b)
{
    return (int)((const struct named *)a)->key - (int)((const struct named *)b)->key;
}

static void expect_sorted(unsigned *values, size_t count)
{
    unsigned *expected = malloc((count + 1) * sizeof *values);
    cr_assert_not_null(expected);
    memcpy(expected, values, count * sizeof *values);
    qsort(expected, count, sizeof *values, by_value);
    sort_in_place(values, count, sizeof *values, by_value);
    cr_assert(memcmp(values, expected, count * sizeof *values) == 0, "%zu elements", count);
    free(expected);
}

/* Every row of `count` digits below `count`: all orders, with equal elements. */
Test(sort, every_order_of_up_to_six)
{
    for (size_t count = 1; count <= 6; count++) {
        size_t rows = 1;
        for (size_t i = 0; i < count; i++)
            rows *= count;
        for (size_t row = 0; row < rows; row++) {
            unsigned values[6];
            size_t rest = row;
            for (size_t i = 0; i < count; i++, rest /= count)
                values[i] = (unsigned)(rest % count);
            expect_sorted(values, count);
        }
    }
}

Test(sort, random_rising_and_falling_rows)
{
    enum { MOST = 3000 };
    unsigned *values = malloc(MOST * sizeof *values), state = 12345;
    cr_assert_not_null(values);
    for (size_t count = 7; count <= MOST; count = count * 2 + 1) {
        for (size_t i = 0; i < count; i++)
            values[i] = (state = state * 1103515245u + 12345u) >> 8;
        expect_sorted(values, count);
        expect_sorted(values, count);
        for (size_t i = 0; i < count; i++)
            values[i] = (unsigned)(count - i);
        expect_sorted(values, count);
    }
    free(values);
}

Test(sort, elements_of_any_size_travel_whole)
{
    struct named all[26];
    for (size_t i = 0; i < 26; i++) {
        all[i].key = (unsigned char)(i * 7 % 26);
        snprintf(all[i].name, sizeof all[i].name, "%c%u", 'a' + (int)all[i].key, (unsigned)all[i].key);
    }
    sort_in_place(all, 26, sizeof all[0], by_key);
    for (size_t i = 0; i < 26; i++) {
        char name[6];
        snprintf(name, sizeof name, "%c%zu", 'a' + (int)i, i);
        cr_assert_eq(all[i].key, i);
        cr_assert_str_eq(all[i].name, name);
    }
}

Test(sort, nothing_and_one)
{
    unsigned one = 7;
    sort_in_place(NULL, 0, sizeof one, by_value);
    sort_in_place(&one, 1, sizeof one, by_value);
    cr_assert_eq(one, 7);
}
