/*
 * expect.h — what every Criterion suite of ours uses: a suite that fails on leaks, and assertions on a settle_status
 * that say what went wrong.
 *
 *     SETTLE_SUITE(segment);
 *
 *     Test(segment, a_new_segment_is_zeros)
 *     {
 *         EXPECT_OK(segment_create(fd, &header, &test_error));
 *         EXPECT_STATUS(segment_create(fd, &header, &test_error), SETTLE_E_EXISTS);
 *     }
 */
#ifndef TESTS_LIB_EXPECT_H
#define TESTS_LIB_EXPECT_H

#include <criterion/criterion.h>

#include <settle/event.h>

#include "tests/lib/leaks.h"

/* Defines the suite. Criterion lets a leak pass, so its end looks for one. */
#define SETTLE_SUITE(name) TestSuite(name, .fini = leaks_check, .timeout = 240)

/* Pass &test_error to the call under test and the macros below print it. */
extern settle_error test_error;

/* Evaluates the call once, after clearing test_error. */
#define EXPECT_OK(call) EXPECT_STATUS(call, SETTLE_OK)
#define EXPECT_STATUS(call, expected)                                                                                  \
    do {                                                                                                               \
        test_error = (settle_error){.status = SETTLE_OK};                                                              \
        int expect_status_ = (int)(call);                                                                              \
        if (expect_status_ != (int)(expected))                                                                         \
            cr_assert_fail("%s: status %d, expected %d: %s", #call, expect_status_, (int)(expected),                   \
                           expect_describe(&test_error));                                                              \
    } while (0)

/* The error's sentence and place; valid until the next call. */
const char *expect_describe(const settle_error *error);

#endif
