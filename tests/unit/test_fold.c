/* test_fold.c — a fold beside a writer: what it looks up may lie in segments that came after it had begun. */
#include "journal/base/file.h"
#include "query/fold.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

SETTLE_SUITE(fold);

static unsigned repeats;

static void count_repeat(void *context, uint64_t first_position, uint64_t position)
{
    (void)context;
    cr_assert_lt(first_position, position);
    repeats++;
}

/* All that is durable now. */
static void fold_all(struct fold *fold)
{
    settle_status status;
    EXPECT_OK(journal_reader_refresh(fold->reader, &test_error));
    while ((status = fold_next(fold, &test_error)) == SETTLE_OK)
        continue;
    EXPECT_STATUS(status, SETTLE_E_END);
}

/* The look-ups' reader is opened at the first repeat and once missed what was written after that. */
Test(fold, a_first_arrival_in_a_segment_that_came_later_is_found)
{
    struct rig rig;
    struct journal_reader *reader = NULL;
    struct fold fold;
    int data_fd = -1;
    rig_make(&rig);
    rig_open(&rig);
    const settle_event early = rig_deposit(1, RIG_USDT, 5, 1), late = rig_deposit(2, RIG_USDT, 5, 1000000);
    (void)rig_submit(&rig, early);
    cr_assert_eq(rig_submit(&rig, early).outcome, SETTLE_DUPLICATE);
    EXPECT_OK(dir_open(rig.data, false, &data_fd, &test_error));
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(fold_init(&fold, data_fd, reader, &mem_libc, &test_error));
    fold.repeat = count_repeat;
    fold_all(&fold);
    cr_assert_eq(repeats, 1);
    cr_assert_not_null(fold.lookup, "no look-up yet, so nothing can be stale");

    const uint64_t segments = fold.point.position / journal_reader_segment_bytes(reader);
    for (uint64_t ts_ms = 2000; rig.engine != NULL && ts_ms < 2400; ts_ms += 100)
        rig_deposits(&rig, ts_ms, 100);
    (void)rig_submit(&rig, late);
    cr_assert_eq(rig_submit(&rig, late).outcome, SETTLE_DUPLICATE);
    fold_all(&fold);
    cr_assert_geq(fold.point.position / journal_reader_segment_bytes(reader), segments + 2);
    cr_assert_eq(repeats, 2);
    cr_assert_eq(fold.events, 404);

    fold_deinit(&fold);
    journal_reader_close(reader);
    file_close(data_fd);
    rig_remove(&rig);
}
