/* test_query_lifecycle.c — the whole life of an event, through a query and through the engine. */
#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_lifecycle);

static settle_lifecycle *find(settle_text id)
{
    struct query *query = NULL;
    settle_lifecycle *lifecycle = NULL;
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_lifecycle(query, id, &lifecycle, &test_error));
    query_close(query);
    return lifecycle; /* is good without the query */
}

static void expect_times(const settle_arrival *arrival)
{
    cr_assert_gt(arrival->consumed_us, 0);
    cr_assert_geq(arrival->decided_us, arrival->consumed_us);
    cr_assert_geq(arrival->persisted_us, arrival->decided_us);
}

Test(query_lifecycle, an_accepted_deposit_has_its_steps_and_both_legs, FIXTURE)
{
    fixture_fill_engine(0);
    settle_lifecycle *lifecycle = find(TEXT("deposit_7_2_1000"));
    cr_assert_str_eq(lifecycle->event_id, "deposit_7_2_1000");
    cr_assert_eq(lifecycle->first.result.seq, 1);
    cr_assert_eq(lifecycle->first.result.outcome, SETTLE_ACCEPTED);
    cr_assert_eq(lifecycle->first.result.reason, SETTLE_REASON_NONE);
    cr_assert_eq(lifecycle->first.type, SETTLE_DEPOSIT);
    cr_assert_eq(lifecycle->first.ts_ms, 1000);
    expect_times(&lifecycle->first);
    cr_assert_eq(lifecycle->leg_count, 2);
    cr_assert_eq(lifecycle->legs[0].user, 7);
    cr_assert(lifecycle->legs[0].after_available == 1000500000);
    cr_assert_eq(lifecycle->legs[1].user, SETTLE_USER_EXTERNAL);
    cr_assert(lifecycle->legs[1].delta_available == -1000500000);
    settle_lifecycle_free(lifecycle);
}

Test(query_lifecycle, later_arrivals_of_the_id_are_listed_in_order, FIXTURE)
{
    fixture_fill_engine(0);
    settle_lifecycle *lifecycle = find(TEXT("deposit_7_2_1000"));
    cr_assert_eq(lifecycle->repeat_count, 2);
    cr_assert_eq(lifecycle->repeats[0].result.seq, 5);
    cr_assert_eq(lifecycle->repeats[0].result.outcome, SETTLE_DUPLICATE);
    cr_assert_eq(lifecycle->repeats[0].result.first_seq, 1);
    cr_assert_eq(lifecycle->repeats[1].result.seq, 6);
    cr_assert_eq(lifecycle->repeats[1].result.outcome, SETTLE_CONFLICT);
    cr_assert_eq(lifecycle->repeats[1].result.first_seq, 1);
    expect_times(&lifecycle->repeats[0]);
    expect_times(&lifecycle->repeats[1]);
    settle_lifecycle_free(lifecycle);
}

Test(query_lifecycle, a_rejection_has_its_reason_and_no_legs, FIXTURE)
{
    fixture_fill_engine(0);
    settle_lifecycle *lifecycle = find(TEXT("withdrawal_7_2_1003"));
    cr_assert_eq(lifecycle->first.result.outcome, SETTLE_REJECTED);
    cr_assert_eq(lifecycle->first.result.reason, SETTLE_REASON_INSUFFICIENT_FUNDS);
    cr_assert_eq(lifecycle->leg_count, 0);
    cr_assert_eq(lifecycle->repeat_count, 0);
    settle_lifecycle_free(lifecycle);
}

Test(query_lifecycle, a_trade_has_six_legs_users_first, FIXTURE)
{
    fixture_fill_engine(0);
    settle_lifecycle *lifecycle = find(TEXT("trade_T1"));
    cr_assert_eq(lifecycle->leg_count, 6);
    for (size_t i = 0; i < 4; i++)
        cr_assert_leq(lifecycle->legs[i].user, SETTLE_USER_MAX);
    for (size_t i = 4; i < 6; i++)
        cr_assert_eq(lifecycle->legs[i].user, SETTLE_USER_FEES);
    settle_lifecycle_free(lifecycle);
}

Test(query_lifecycle, what_was_never_taken_is_not_found, FIXTURE)
{
    struct query *query = NULL;
    settle_lifecycle *lifecycle = NULL;
    fixture_fill_engine(0);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_STATUS(query_lifecycle(query, TEXT("deposit_7_2_1001"), &lifecycle, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_lifecycle(query, TEXT("trade_T2"), &lifecycle, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_lifecycle(query, TEXT("no such id"), &lifecycle, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_lifecycle(query, TEXT(""), &lifecycle, &test_error), SETTLE_E_NOT_FOUND);
    char long_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    memset(long_id, 'a', sizeof long_id);
    EXPECT_STATUS(query_lifecycle(query, (settle_text){long_id, sizeof long_id}, &lifecycle, &test_error),
                  SETTLE_E_NOT_FOUND);
    cr_assert_null(lifecycle);
    query_close(query);
    settle_lifecycle_free(NULL);
}

Test(query_lifecycle, without_a_store_the_journal_tells_the_same_life, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
    settle_lifecycle *lifecycle = find(TEXT("deposit_7_2_1000"));
    cr_assert_eq(lifecycle->first.result.seq, 1);
    cr_assert_eq(lifecycle->repeat_count, 2);
    cr_assert_eq(lifecycle->leg_count, 2);
    settle_lifecycle_free(lifecycle);
}

/* A journal that ends before PERSISTED was recorded, as kill -9 leaves it. */
Test(query_lifecycle, a_missing_persisted_step_has_time_0, FIXTURE)
{
    struct forge forge;
    settle_leg legs[2];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    forge_end(&forge);
    settle_lifecycle *lifecycle = find(TEXT("deposit_7_2_5"));
    cr_assert_eq(lifecycle->first.persisted_us, 0);
    cr_assert_gt(lifecycle->first.decided_us, 0);
    settle_lifecycle_free(lifecycle);
}

/* ---- Through the engine ---- */

static size_t blocks;

static void *count_blocks(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (memory == NULL && bytes > 0)
        __atomic_add_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    if (memory != NULL && bytes == 0) {
        __atomic_sub_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
        free(memory);
        return NULL;
    }
    return realloc(memory, bytes);
}

Test(query_lifecycle, a_live_engine_answers_and_the_answer_outlives_it, FIXTURE)
{
    settle_options options;
    settle *engine = NULL;
    settle_lifecycle *lifecycle = NULL;
    fixture_fill_engine(0);
    settle_options_init(&options);
    options.reallocate = count_blocks;
    EXPECT_OK(settle_open(fixture_dir, &options, &engine, &test_error));
    EXPECT_STATUS(settle_lifecycle_get(engine, TEXT("trade_T2"), &lifecycle, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_null(lifecycle);
    EXPECT_OK(settle_lifecycle_get(engine, TEXT("trade_T1"), &lifecycle, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    cr_assert_eq(lifecycle->leg_count, 6);
    cr_assert_str_eq(lifecycle->event_id, "trade_T1");
    settle_lifecycle_free(lifecycle);
    cr_assert_eq(blocks, 0); /* all of it came from the engine's allocator and went back there */
}

Test(query_lifecycle, a_live_engine_knows_what_it_just_took, FIXTURE)
{
    settle *engine = NULL;
    settle_lifecycle *lifecycle = NULL;
    settle_result result;
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 77, 7, 2, 5);
    fixture_fill_engine(0);
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
    EXPECT_OK(settle_lifecycle_get(engine, TEXT("deposit_7_2_77"), &lifecycle, &test_error));
    cr_assert_eq(lifecycle->first.result.seq, 7);
    cr_assert_eq(lifecycle->leg_count, 2);
    settle_lifecycle_free(lifecycle);
    EXPECT_OK(settle_flush(engine, &test_error));
    EXPECT_OK(settle_lifecycle_get(engine, TEXT("deposit_7_2_77"), &lifecycle, &test_error));
    expect_times(&lifecycle->first);
    settle_lifecycle_free(lifecycle);
    EXPECT_OK(settle_close(engine, &test_error));
}
