/* Tests of settle_submit_async(): each completion comes exactly once, in order, from the engine's thread, when it is
 * true. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(engine_async);

#define SUBMISSIONS_MAX 2000

/* One submission of up to 8 events. */
struct submission {
    struct board *board;
    settle_result results[8];
    const settle_result *told_results;
    size_t count, told_count;
    settle_status told_status;
    unsigned calls;
    uint64_t order; /* of its completion: 1, 2, 3 … */
};

struct board {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t main_thread;
    uint64_t done_count;
    bool called_from_main;
    bool is_slow;
    struct submission submissions[SUBMISSIONS_MAX];
};

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct submission *submission = context;
    struct board *board = submission->board;
    if (board->is_slow)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    pthread_mutex_lock(&board->mutex);
    submission->calls++;
    submission->told_status = status;
    submission->told_results = results;
    submission->told_count = count;
    submission->order = ++board->done_count;
    if (pthread_equal(pthread_self(), board->main_thread))
        board->called_from_main = true;
    pthread_cond_broadcast(&board->changed);
    pthread_mutex_unlock(&board->mutex);
}

static struct board *board_make(void)
{
    struct board *board = calloc(1, sizeof *board);
    cr_assert(board != NULL);
    pthread_mutex_init(&board->mutex, NULL);
    pthread_cond_init(&board->changed, NULL);
    board->main_thread = pthread_self();
    for (size_t i = 0; i < SUBMISSIONS_MAX; i++)
        board->submissions[i].board = board;
    return board;
}

static void board_wait(struct board *board, uint64_t count)
{
    pthread_mutex_lock(&board->mutex);
    while (board->done_count < count)
        pthread_cond_wait(&board->changed, &board->mutex);
    pthread_mutex_unlock(&board->mutex);
}

static void board_free(struct board *board)
{
    pthread_mutex_destroy(&board->mutex);
    pthread_cond_destroy(&board->changed);
    free(board);
}

static void submit(struct rig *rig, struct submission *submission, uint64_t ts_ms, size_t count)
{
    settle_event events[8];
    submission->count = count;
    for (size_t i = 0; i < count; i++)
        events[i] = rig_deposit(1, RIG_USDT, 1, ts_ms + i);
    EXPECT_OK(settle_submit_async(rig->engine, events, count, submission->results, on_done, submission, &test_error));
}

static void expect_answered(const struct submission *submission, uint64_t first_seq, uint64_t order)
{
    cr_assert(submission->calls == 1, "called %u times", submission->calls);
    cr_assert(submission->told_status == SETTLE_OK && submission->told_count == submission->count);
    cr_assert(submission->told_results == submission->results);
    cr_assert(submission->order == order, "%d-th instead of %d-th", (int)submission->order, (int)order);
    for (size_t i = 0; i < submission->count; i++)
        cr_assert(submission->results[i].seq == first_seq + i && submission->results[i].outcome == SETTLE_ACCEPTED);
}

Test(engine_async, each_completion_comes_once_in_order_from_another_thread)
{
    struct rig rig;
    struct board *board = board_make();
    rig_make(&rig);
    rig.options.commit_events_max = 16;
    rig_open(&rig);
    uint64_t seq = 1;
    for (size_t i = 0; i < SUBMISSIONS_MAX; i++) {
        submit(&rig, &board->submissions[i], 1000 * i, 1 + i % 8);
        if (i % 100 == 99)
            EXPECT_OK(settle_flush(rig.engine, &test_error)); /* and other calls in between */
    }
    board_wait(board, SUBMISSIONS_MAX);
    rig_close(&rig);
    cr_assert(!board->called_from_main && board->done_count == SUBMISSIONS_MAX);
    for (size_t i = 0; i < SUBMISSIONS_MAX; i++) {
        expect_answered(&board->submissions[i], seq, i + 1);
        seq += 1 + i % 8;
    }
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, what_a_completion_tells_survives_a_crash)
{
    struct rig rig, crashed;
    struct board *board = board_make();
    rig_make(&rig);
    rig_open(&rig);
    for (uint64_t i = 0; i < 10; i++) {
        submit(&rig, &board->submissions[i], 100 * i, 5);
        board_wait(board, i + 1);
        rig_make(&crashed);
        tree_copy(rig.data, crashed.data);
        cr_assert(rig_try_open(&crashed) == SETTLE_OK, "%s", crashed.error.text);
        cr_assert(rig_available(&crashed, 1, RIG_USDT) == (settle_int128)(5 * (i + 1)));
        rig_remove(&crashed);
    }
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, closing_completes_what_is_open)
{
    struct rig rig;
    struct board *board = board_make();
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    for (uint64_t i = 0; i < 3; i++)
        submit(&rig, &board->submissions[i], 100 * i, 5);
    cr_assert(board->done_count == 0, "the interval is a minute");
    rig_close(&rig);
    cr_assert(board->done_count == 3);
    for (uint64_t i = 0; i < 3; i++)
        expect_answered(&board->submissions[i], 1 + 5 * i, i + 1);
    cr_assert(rig_try_open(&rig) == SETTLE_OK);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 15);
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, a_full_commit_closes_at_once)
{
    struct rig rig;
    struct board *board = board_make();
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig.options.commit_events_max = 8;
    rig_open(&rig);
    submit(&rig, &board->submissions[0], 1, 8);
    board_wait(board, 1); /* or the suite's time is up */
    submit(&rig, &board->submissions[1], 100, 6);
    submit(&rig, &board->submissions[2], 200, 2);
    board_wait(board, 3);
    expect_answered(&board->submissions[2], 15, 3);
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, an_open_commit_closes_when_its_interval_is_over)
{
    struct rig rig;
    struct board *board = board_make();
    rig_make(&rig);
    rig.options.commit_interval_us_max = 50000;
    rig_open(&rig);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    submit(&rig, &board->submissions[0], 1, 8);
    board_wait(board, 1);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
    cr_assert(ms > 45, "after %f ms", ms);
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, a_synchronous_caller_takes_the_others_along)
{
    struct rig rig;
    struct board *board = board_make();
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    submit(&rig, &board->submissions[0], 1, 8);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 100)).seq == 9);
    board_wait(board, 1);
    submit(&rig, &board->submissions[1], 200, 8);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 17, "a balance waits until it is durable");
    board_wait(board, 2);
    submit(&rig, &board->submissions[2], 300, 8);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    board_wait(board, 3);
    rig_remove(&rig);
    board_free(board);
}

Test(engine_async, a_submission_that_fails_has_no_completion)
{
    struct rig rig;
    struct board *board = board_make();
    struct submission *one = &board->submissions[0];
    rig_make(&rig);
    rig_open(&rig);
    settle_event events[2] = {rig_deposit(1, RIG_USDT, 1, 1), rig_deposit(0, RIG_USDT, 1, 1)};
    EXPECT_STATUS(settle_submit_async(rig.engine, events, 2, one->results, on_done, one, &test_error),
                  SETTLE_E_INVALID);
    cr_assert(test_error.offset_bytes == 1);
    EXPECT_STATUS(settle_submit_async(rig.engine, events, 0, one->results, on_done, one, &test_error),
                  SETTLE_E_INVALID);
    EXPECT_STATUS(settle_submit_async(rig.engine, events, 1, one->results, NULL, one, &test_error), SETTLE_E_INVALID);
    rig_close(&rig);
    cr_assert(board->done_count == 0);
    rig_remove(&rig);
    board_free(board);
}

/* Room is waited for, so a slow completion slows the caller and loses nothing. */
Test(engine_async, a_slow_completion_holds_the_callers_up)
{
    struct rig rig;
    struct board *board = board_make();
    board->is_slow = true;
    rig_make(&rig);
    rig.options.commit_events_max = 4;
    rig_open(&rig);
    for (size_t i = 0; i < 100; i++)
        submit(&rig, &board->submissions[i], 100 * i, 4);
    rig_close(&rig);
    for (size_t i = 0; i < 100; i++)
        expect_answered(&board->submissions[i], 1 + 4 * i, i + 1);
    rig_remove(&rig);
    board_free(board);
}

/* ---- Memory ---- */

struct scarce {
    struct rig rig; /* first: the context of the log is the rig */
    _Atomic bool is_out;
};

static void *scarce_reallocate(void *context, void *memory, size_t bytes)
{
    struct scarce *scarce = context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return scarce->is_out ? NULL : realloc(memory, bytes);
}

static settle_status submit_one(struct scarce *scarce, struct submission *submission, uint64_t ts_ms)
{
    settle_event event = rig_deposit(1, RIG_USDT, 1, ts_ms);
    submission->count = 1;
    submission->results[0].seq = 77;
    return settle_submit_async(scarce->rig.engine, &event, 1, submission->results, on_done, submission, &test_error);
}

/* It once stopped the engine: the events were taken before there was a place for their completion. */
Test(engine_async, a_list_of_completions_that_cannot_grow_refuses_and_takes_nothing)
{
    struct scarce scarce;
    struct board *board = board_make();
    memset(&scarce, 0, sizeof scarce);
    rig_make(&scarce.rig);
    scarce.rig.options.reallocate = scarce_reallocate;
    scarce.rig.options.segment_bytes = 1 << 20;           /* one frame takes them all, */
    scarce.rig.options.commit_interval_us_max = 60000000; /* and completions wait until somebody flushes */
    rig_open(&scarce.rig);
    rig_deposits(&scarce.rig, 1, 1); /* nothing but the list has to grow from here on */
    size_t taken = 0, refused = 0;
    for (; taken < 200; taken++) {
        struct submission *submission = &board->submissions[taken];
        scarce.is_out = true;
        settle_status status = submit_one(&scarce, submission, 2 + taken);
        scarce.is_out = false;
        if (status == SETTLE_OK)
            continue;
        refused++;
        cr_assert(status == SETTLE_E_NO_MEMORY && test_error.status == status, "%s", test_error.text);
        cr_assert_eq(submission->results[0].seq, 0);
        EXPECT_OK(submit_one(&scarce, submission, 2 + taken));
    }
    cr_assert_eq(refused, 3); /* 64, 128, 256 */
    cr_assert_eq(board->done_count, 0);
    EXPECT_OK(settle_flush(scarce.rig.engine, &test_error));
    board_wait(board, taken);
    for (size_t i = 0; i < taken; i++)
        expect_answered(&board->submissions[i], 2 + i, i + 1); /* no event twice, none lost */
    rig_remove(&scarce.rig);
    board_free(board);
}
