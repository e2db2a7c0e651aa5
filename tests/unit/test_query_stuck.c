/* test_query_stuck.c — durable events that are not recorded as PERSISTED. */
#include "tests/unit/past_scene.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_stuck);

struct seen {
    struct stuck_event events[16];
    size_t count, max;
};

static bool take_event(void *context, const struct stuck_event *event)
{
    struct seen *seen = context;
    seen->events[seen->count++] = *event;
    return seen->count < seen->max;
}

static struct seen ask(const char *directory, size_t max)
{
    struct query *query = NULL;
    struct seen seen = {.max = max};
    EXPECT_OK(query_open(directory, &query, &test_error));
    EXPECT_OK(query_stuck(query, take_event, &seen, &test_error));
    query_close(query);
    return seen;
}

Test(query_stuck, none_is_after_a_writer_that_closed, FIXTURE)
{
    fixture_fill_engine(0);
    cr_assert_eq(ask(fixture_dir, 16).count, 0);
}

Test(query_stuck, none_is_in_an_empty_journal, FIXTURE)
{
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    cr_assert_eq(ask(fixture_dir, 16).count, 0);
}

/* seq 1 accepted and PERSISTED; 2 accepted, 3 rejected, 4 duplicate, 5 conflict: in frames of two. */
static void forge_stuck(void)
{
    struct forge forge;
    settle_leg legs[2];
    const struct record_persisted persisted = {1, 1, 2000000};
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    uint64_t first = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    event.ts_ms = 6;
    legs[0].user = 8;
    legs[1].version = 2;
    legs[1].after_available = -200;
    legs[1].previous_position = first;
    forge.time_us = 2000000;
    forge_frame_begin(&forge);
    frame_append(&forge.buffer, record_encode_persisted(frame_at_end(&forge.buffer), &persisted));
    forge.time_us = 2000000;
    event.u.transfer.user = 8;
    uint64_t second = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    settle_event rejected = fixture_transfer(SETTLE_WITHDRAWAL, 6, 9, 2, 100);
    forge_consumed(&forge, &rejected);
    forge_rejected(&forge, SETTLE_REASON_INSUFFICIENT_FUNDS);
    forge_frame_end(&forge);
    forge.time_us = 3000000;
    forge_frame_begin(&forge);
    forge_consumed(&forge, &event);
    forge_repeat(&forge, SETTLE_DUPLICATE, 2, second);
    event.u.transfer.amount = 1;
    forge_consumed(&forge, &event);
    forge_repeat(&forge, SETTLE_CONFLICT, 2, second);
    forge_frame_end(&forge);
    forge_end(&forge);
}

static void expect_event(const struct stuck_event *event, uint64_t seq, const char *id, settle_outcome outcome,
                         uint64_t time_us)
{
    cr_assert_eq(event->seq, seq);
    cr_assert_str_eq(event->event_id, id);
    cr_assert_eq(event->outcome, outcome);
    cr_assert_eq(event->time_us, time_us);
}

static void expect_forged(const struct seen *seen)
{
    cr_assert_eq(seen->count, 4);
    expect_event(&seen->events[0], 2, "deposit_8_2_6", SETTLE_ACCEPTED, 2000000);
    expect_event(&seen->events[1], 3, "withdrawal_9_2_6", SETTLE_REJECTED, 2000000);
    expect_event(&seen->events[2], 4, "deposit_8_2_6", SETTLE_DUPLICATE, 3000000);
    expect_event(&seen->events[3], 5, "deposit_8_2_6", SETTLE_CONFLICT, 3000000);
    cr_assert_eq(seen->events[0].type, SETTLE_DEPOSIT);
    cr_assert_eq(seen->events[1].type, SETTLE_WITHDRAWAL);
}

Test(query_stuck, they_are_listed_in_order_with_their_last_step, FIXTURE)
{
    forge_stuck();
    struct seen seen = ask(fixture_dir, 16);
    expect_forged(&seen);
    cr_assert_eq(ask(fixture_dir, 2).count, 2); /* the visitor had enough */
}

/* The store's point, with what is recorded as PERSISTED before it, wherever it lies among the frames. */
Test(query_stuck, a_store_that_has_them_already_changes_nothing, FIXTURE)
{
    forge_stuck();
    for (int frames = 1; frames <= 3; frames++) {
        int fd = -1;
        char path[TEMPDIR_PATH_BYTES];
        struct journal_reader *reader = NULL;
        struct store *store = NULL;
        struct journal_point point;
        struct frame frame;
        struct accounts accounts;
        EXPECT_OK(dir_open(fixture_dir, false, &fd, &test_error));
        EXPECT_OK(journal_reader_open(fd, &mem_libc, &reader, &test_error));
        journal_reader_begin(reader, &point);
        for (int i = 0; i < frames; i++)
            EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error));
        EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
        EXPECT_OK(store_open(fd, fixture_dir, true, journal_reader_id(reader), &mem_libc, &store, &test_error));
        const struct store_batch batch = {
            .accounts = &accounts, .assets = &fixture_usdt, .asset_count = 1, .point = point};
        EXPECT_OK(store_apply(store, &batch, &test_error));
        store_close(store);
        accounts_deinit(&accounts);
        journal_reader_close(reader);
        file_close(fd);
        struct seen seen = ask(fixture_dir, 16);
        expect_forged(&seen);
        tempdir_join(path, fixture_dir, "store");
        tempdir_remove(path);
    }
}

/* The next writer records what the one before it could not. */
Test(query_stuck, the_next_writer_ends_it, FIXTURE)
{
    settle *engine = NULL;
    forge_stuck();
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    cr_assert_eq(ask(fixture_dir, 16).count, 0);
}
