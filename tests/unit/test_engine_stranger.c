/*
 * test_engine_stranger.c — a store whose every checksum is right and that says something else than the journal: where an id
 * arrived is not believed.
 */
#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(engine_stranger);

static settle_status submit_first(settle **ret_engine, settle_result *ret_result)
{
    settle_event events[FIXTURE_EVENTS];
    fixture_stream(events);
    EXPECT_OK(settle_open(fixture_dir, NULL, ret_engine, &test_error));
    return settle_submit(*ret_engine, &events[0], 1, ret_result, &test_error);
}

/* Each id has the position of the one beside it. */
static void swap_positions(struct store_copy *copy)
{
    uint64_t first = copy->ids[0].position;
    for (size_t i = 0; i + 1 < copy->id_count; i++)
        copy->ids[i].position = copy->ids[i + 1].position;
    copy->ids[copy->id_count - 1].position = first;
}

Test(engine_stranger, an_id_that_leads_to_another_event_stops_the_engine, FIXTURE)
{
    settle *engine = NULL;
    settle_result result;
    fixture_fill_engine(0);
    fixture_rewrite_store(swap_positions);
    EXPECT_STATUS(submit_first(&engine, &result), SETTLE_E_LATCHED);
    cr_assert_str_eq(test_error.text, "the id index points to another event");
    cr_assert_eq(result.seq, 0, "nobody sees an outcome");
    EXPECT_STATUS(settle_close(engine, NULL), SETTLE_E_LATCHED);
    /* The store is set aside, and made anew from the journal. */
    EXPECT_OK(submit_first(&engine, &result));
    cr_assert(result.outcome == SETTLE_DUPLICATE && result.first_seq == 1);
    EXPECT_OK(settle_close(engine, &test_error));
}

/* A position where the journal has no event at all. */
static void move_positions(struct store_copy *copy)
{
    for (size_t i = 0; i < copy->id_count; i++)
        copy->ids[i].position += 8;
}

Test(engine_stranger, an_id_that_leads_nowhere_stops_the_engine, FIXTURE)
{
    settle *engine = NULL;
    settle_result result;
    fixture_fill_engine(0);
    fixture_rewrite_store(move_positions);
    EXPECT_STATUS(submit_first(&engine, &result), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_close(engine, NULL), SETTLE_E_LATCHED);
}

/* ---- A point that the journal never came by ---- */

static void change_chain(struct store_copy *copy)
{
    copy->meta.point.chain ^= 1;
}

static void change_seq(struct store_copy *copy)
{
    copy->meta.point.next_seq++;
}

Test(engine_stranger, a_store_of_another_history_is_not_gone_on_with, FIXTURE)
{
    static void (*const changes[])(struct store_copy * copy) = {change_chain, change_seq};
    settle_error error;
    for (size_t i = 0; i < 2; i++) {
        settle *engine = NULL;
        if (i > 0) {
            fixture_teardown();
            fixture_setup();
        }
        fixture_fill_engine(0);
        fixture_rewrite_store(changes[i]);
        EXPECT_STATUS(settle_open(fixture_dir, NULL, &engine, &error), SETTLE_E_CORRUPT);
        cr_assert(strstr(error.text, "were acknowledged") && error.offset_bytes > 0, "%s", error.text);
        cr_assert_null(engine);
    }
}

static void forget_persisted(struct store_copy *copy)
{
    copy->meta.point.persisted_seq = POINT_PERSISTED_UNKNOWN;
}

/* What is stored has been synced. */
Test(engine_stranger, a_store_that_does_not_know_what_was_persisted_is_gone_on_with, FIXTURE)
{
    settle *engine = NULL;
    settle_result result;
    fixture_fill_engine(0);
    fixture_rewrite_store(forget_persisted);
    EXPECT_OK(submit_first(&engine, &result));
    EXPECT_OK(settle_flush(engine, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    EXPECT_OK(submit_first(&engine, &result));
    EXPECT_OK(settle_close(engine, &test_error));
}

/* ---- What verify says of such a store ---- */

static void change_balance(struct store_copy *copy)
{
    accounts_at(&copy->accounts, 0)->available++;
}

static void lose_id(struct store_copy *copy)
{
    copy->id_count--;
}

Test(engine_stranger, verify_finds_a_balance_or_an_id_that_only_the_store_has_wrong, FIXTURE)
{
    struct verify_result result;
    for (int i = 0; i < 2; i++) {
        if (i > 0) {
            fixture_teardown();
            fixture_setup();
        }
        fixture_fill_engine(0);
        fixture_rewrite_store(i == 0 ? lose_id : change_balance);
        EXPECT_OK(query_verify(fixture_dir, NULL, &result, &test_error));
        cr_assert(!result.ok && result.store == STORE_DIFFERS, "%d: %d", i, (int)result.store);
    }
}
