/* test_query_past.c — balances as they were: behind every event of random streams, and the event a moment stands for. */
#include "tests/unit/past_scene.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_past);

/* ---- Behind every event ---- */

static void expect_same(const struct ledger *ledger, const struct model *model, uint64_t user, uint32_t asset)
{
    size_t at = 0;
    for (size_t i = 0; i < model->balance_count; i++) {
        const settle_balance *expected = &model->balances[i];
        if ((user != 0 && expected->user != user) || (asset != 0 && expected->asset != asset))
            continue;
        cr_assert_lt(at, ledger->balance_count, "seq %" PRIu64, model->seq);
        const settle_balance *balance = &ledger->balances[at++];
        cr_assert(balance->user == expected->user && balance->asset == expected->asset, "seq %" PRIu64, model->seq);
        cr_assert(balance->available == expected->available && balance->held == expected->held, "seq %" PRIu64,
                  model->seq);
        cr_assert(balance->version == expected->version && balance->seq == expected->seq, "seq %" PRIu64, model->seq);
    }
    cr_assert_eq(at, ledger->balance_count, "seq %" PRIu64, model->seq);
}

static void ask(struct query *query, const struct model *model, uint64_t user, uint32_t asset)
{
    struct ledger ledger = {0};
    EXPECT_OK(query_balances_at(query, user, asset, model->seq, &ledger, &test_error));
    expect_same(&ledger, model, user, asset);
    ledger_free(&ledger);
}

static void ask_behind_every_event(enum scene_store store, uint64_t seed)
{
    struct scene scene;
    struct oracle past; /* goes through the same stream again */
    scene_make(&scene, seed, 300, store);
    struct query *query = scene_query(&scene);
    oracle_init(&past, seed);
    for (size_t n = 0; n <= scene.count; n++) {
        ask(query, &past.model, 0, 0);
        for (size_t i = n % 5; i < scene.oracle.model.balance_count; i += 5) {
            const settle_balance *account = &scene.oracle.model.balances[i];
            ask(query, &past.model, account->user, account->asset);
            ask(query, &past.model, account->user, 0);
        }
        if (n < scene.count) {
            struct stream_event event;
            settle_result result;
            oracle_next(&past, &event, &result);
        }
    }
    oracle_deinit(&past);
    query_close(query);
    scene_remove(&scene);
}

Test(query_past, balances_behind_every_event_are_the_models)
{
    ask_behind_every_event(SCENE_STORE_NEW, stream_seed(51));
}

Test(query_past, a_store_that_is_behind_does_not_matter)
{
    ask_behind_every_event(SCENE_STORE_OLD, stream_seed(52));
}

Test(query_past, nor_does_one_that_is_gone)
{
    ask_behind_every_event(SCENE_STORE_GONE, stream_seed(53));
}

Test(query_past, behind_the_last_event_it_is_now, FIXTURE)
{
    struct query *query = NULL;
    fixture_fill_engine(0);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    for (uint64_t seq = FIXTURE_EVENTS - 3; seq < FIXTURE_EVENTS + 3; seq++) {
        struct ledger ledger = {0};
        EXPECT_OK(query_balances_at(query, 0, 0, seq, &ledger, &test_error));
        cr_assert_eq(ledger.balance_count, FIXTURE_ACCOUNTS);
        ledger_free(&ledger);
    }
    struct ledger ledger = {0};
    cr_assert_eq(query_last_seq(query), FIXTURE_EVENTS);
    EXPECT_OK(query_balances_at(query, 0, 0, UINT64_MAX, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, FIXTURE_ACCOUNTS);
    ledger_free(&ledger);
    EXPECT_OK(query_balances_at(query, 0, 0, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 0);
    ledger_free(&ledger);
    query_close(query);
}

Test(query_past, an_empty_journal_has_no_past, FIXTURE)
{
    struct query *query = NULL;
    struct ledger ledger = {0};
    uint64_t seq = 7;
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_seq_at(query, UINT64_MAX, &seq, &test_error));
    cr_assert_eq(seq, 0);
    cr_assert_eq(query_last_seq(query), 0);
    EXPECT_OK(query_balances_at(query, 0, 0, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 0);
    ledger_free(&ledger);
    query_close(query);
}

/* Legs that are whole and do not follow from each other. */
Test(query_past, a_fold_that_does_not_come_out_is_corrupt, FIXTURE)
{
    struct forge forge;
    struct query *query = NULL;
    struct ledger ledger = {0};
    settle_leg legs[2];
    forge_begin(&forge, 65536);
    for (uint64_t ts = 1; ts <= 3; ts++) {
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, ts, ts, 2, 100); /* a user each */
        forge_deposit_legs(legs);
        legs[0].user = ts;
        legs[0].version = ts == 2 ? 2 : 1; /* a first change that says it is the second */
        legs[1].user = 100 + ts;
        forge_frame_begin(&forge);
        if (ts == 1)
            forge_asset(&forge, &fixture_usdt);
        forge_consumed(&forge, &event);
        forge_validated(&forge, legs, 2);
        forge_frame_end(&forge);
    }
    forge_end(&forge);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_balances_at(query, 0, 0, 1, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 2);
    ledger_free(&ledger);
    EXPECT_STATUS(query_balances_at(query, 0, 0, 2, &ledger, &test_error), SETTLE_E_CORRUPT);
    cr_assert_eq(test_error.seq, 2);
    cr_assert_eq(strncmp(test_error.file, "journal/0000", 12), 0, "%s", test_error.file);
    cr_assert_null(ledger.balances);
    query_close(query);
}

/* ---- Moments ---- */

struct persisted {
    uint64_t last_seq, time_us;
};

/* All PERSISTED records of a journal, by reading it. */
static size_t read_persisted(const char *directory, struct persisted *ret_list, size_t max)
{
    int fd = -1;
    size_t count = 0;
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    EXPECT_OK(dir_open(directory, false, &fd, &test_error));
    EXPECT_OK(journal_reader_open(fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        struct record record;
        size_t offset = 0;
        while (frame_next_record(&frame, &offset, &record)) {
            if (record.kind != RECORD_PERSISTED)
                continue;
            cr_assert_lt(count, max);
            ret_list[count++] = (struct persisted){record.u.persisted.last_seq, record.u.persisted.time_us};
        }
    }
    journal_reader_close(reader);
    file_close(fd);
    return count;
}

static void expect_seq_at(struct query *query, const struct persisted *list, size_t count, uint64_t time_us)
{
    uint64_t expected = 0, seq = UINT64_MAX;
    for (size_t i = 0; i < count && list[i].time_us <= time_us; i++)
        expected = list[i].last_seq;
    EXPECT_OK(query_seq_at(query, time_us, &seq, &test_error));
    cr_assert_eq(seq, expected, "at %" PRIu64 ": %" PRIu64 ", expected %" PRIu64, time_us, seq, expected);
}

Test(query_past, a_moment_is_the_last_event_persisted_by_then)
{
    struct scene scene;
    static struct persisted list[1000];
    scene_make(&scene, stream_seed(61), 500, SCENE_STORE_NEW);
    size_t count = read_persisted(scene.rig.data, list, 1000);
    struct tree_segments segments = tree_segments(scene.rig.data);
    cr_assert_gt(count, 100);
    cr_assert_gt(segments.count, 4); /* the search among segments has something to do */
    struct query *query = scene_query(&scene);
    for (size_t i = 0; i < count; i++)
        for (uint64_t t = list[i].time_us - 1; t <= list[i].time_us + 1; t++)
            expect_seq_at(query, list, count, t);
    expect_seq_at(query, list, count, 0);
    expect_seq_at(query, list, count, UINT64_MAX);
    query_close(query);
    tree_segments_free(&segments);
    scene_remove(&scene);
}

/* As kill -9 leaves it: the last events have no PERSISTED time, so no moment is theirs. */
Test(query_past, events_that_are_not_recorded_as_persisted_belong_to_no_moment, FIXTURE)
{
    struct forge forge;
    struct query *query = NULL;
    uint64_t seq = 0;
    forge_begin(&forge, 65536);
    for (uint64_t ts = 1; ts <= 3; ts++) {
        const settle_event event = fixture_transfer(SETTLE_WITHDRAWAL, ts, 7, 2, 100);
        const struct record_persisted persisted = {ts - 1, ts - 1, 2000000 + ts};
        forge.time_us = 2000000 + ts;
        forge_frame_begin(&forge);
        if (ts == 1)
            forge_asset(&forge, &fixture_usdt);
        else
            frame_append(&forge.buffer, record_encode_persisted(frame_at_end(&forge.buffer), &persisted));
        forge_consumed(&forge, &event);
        forge_rejected(&forge, SETTLE_REASON_INSUFFICIENT_FUNDS);
        forge_frame_end(&forge);
    }
    forge_end(&forge);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    const struct {
        uint64_t time_us, seq;
    } cases[] = {{2000001, 0}, {2000002, 1}, {2000003, 2}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_OK(query_seq_at(query, cases[i].time_us, &seq, &test_error));
        cr_assert_eq(seq, cases[i].seq, "case %zu: %" PRIu64, i, seq);
    }
    query_close(query);
}
