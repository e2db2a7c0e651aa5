/* test_query_cut.c — the past to the event and to the microsecond: in the middle of a frame, and at the very time of a PERSISTED. */
#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

SETTLE_SUITE(query_cut);

static struct rig rig;
static struct query *query;

/* Twenty deposits of 1 to user 1, ten in a frame. */
static void begin(void)
{
    rig_make(&rig);
    rig_open(&rig);
    rig_deposits(&rig, 1000, 10);
    rig_deposits(&rig, 1010, 10);
    rig_close(&rig);
    EXPECT_OK(query_open(rig.data, &query, &test_error));
}

static void end(void)
{
    query_close(query);
    rig_remove(&rig);
}

Test(query_cut, balances_end_with_the_event_in_the_middle_of_a_frame, .init = begin, .fini = end)
{
    for (uint64_t seq = 1; seq <= 20; seq++) {
        struct ledger ledger = {0};
        EXPECT_OK(query_balances_at(query, 0, 0, seq, &ledger, &test_error));
        cr_assert_eq(ledger.balances[0].user, 1);
        cr_assert(ledger.balances[0].available == (settle_int128)seq, "behind %d", (int)seq);
        ledger_free(&ledger);
    }
}

Test(query_cut, an_event_is_there_at_the_very_time_that_it_was_persisted, .init = begin, .fini = end)
{
    settle_lifecycle *life = NULL;
    uint64_t at = 0, before = 0;
    EXPECT_OK(query_lifecycle(query, (settle_text){"deposit_1_2_1000", 16}, &life, &test_error));
    cr_assert_neq(life->first.persisted_us, 0);
    EXPECT_OK(query_seq_at(query, life->first.persisted_us, &at, &test_error));
    EXPECT_OK(query_seq_at(query, life->first.persisted_us - 1, &before, &test_error));
    cr_assert(at >= life->first.result.seq && before < life->first.result.seq, "%d, %d", (int)at, (int)before);
    settle_lifecycle_free(life);
}
