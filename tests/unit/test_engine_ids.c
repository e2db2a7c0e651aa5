/*
 * Tests of the event id as idempotency key: duplicates, conflicts and rejected ids, wherever the first arrival is: in
 * the batch, in the open frame, in the frame that syncs, in the ids' young or old generation, in the store, in the tail
 * of the journal behind it, before a restart, before a crash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(engine_ids);

static void expect_repeat(struct rig *rig, settle_event event, settle_outcome outcome, uint64_t first_seq)
{
    settle_result result = rig_submit(rig, event);
    cr_assert(result.outcome == outcome, "outcome %d", (int)result.outcome);
    cr_assert(result.first_seq == first_seq, "first seq %d", (int)result.first_seq);
    cr_assert(result.reason == SETTLE_REASON_NONE);
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- What an id is ---- */

Test(engine_ids, a_natural_id_given_or_derived_is_the_same_id)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 7));
    expect_repeat(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 7), "deposit_1_2_7"), SETTLE_DUPLICATE, 1);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 8), "withdrawal_1_2_9"));
    expect_repeat(&rig, rig_withdrawal(1, RIG_USDT, 5, 9), SETTLE_CONFLICT, 3);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_BTC, 5, 8), "trade_T-1"));
    expect_repeat(&rig, rig_trade("T-1", 1, 2, 1, 1, 1), SETTLE_CONFLICT, 5);
    rig_reopen(&rig);
    expect_repeat(&rig, rig_withdrawal(1, RIG_USDT, 5, 9), SETTLE_CONFLICT, 3);
    expect_repeat(&rig, rig_deposit(1, RIG_USDT, 5, 7), SETTLE_DUPLICATE, 1);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 10);
    rig_remove(&rig);
}

Test(engine_ids, event_id_format_tells_the_id)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event event = rig_withdrawal(SETTLE_USER_MAX, UINT32_MAX, 1, SETTLE_TS_MS_MAX);
    cr_assert(settle_event_id_format(&event, id) == strlen(id));
    cr_assert_str_eq(id, "withdrawal_9223372036854775807_4294967295_9007199254740992");
    event = rig_trade("T-1", 1, 2, 1, 1, 1);
    cr_assert(settle_event_id_format(&event, id) == 9);
    cr_assert_str_eq(id, "trade_T-1");
    event = rig_with_id(event, "x");
    cr_assert(settle_event_id_format(&event, id) == 1);
    cr_assert_str_eq(id, "x");
}

/* ---- Where the first arrival is ---- */

Test(engine_ids, a_repeat_in_the_same_batch_is_seen)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    settle_event batch[] = {rig_deposit(1, RIG_USDT, 5, 1), rig_deposit(1, RIG_USDT, 5, 1),
                            rig_with_id(rig_deposit(1, RIG_USDT, 6, 1), "deposit_1_2_1")};
    settle_result results[3];
    EXPECT_OK(settle_submit(rig.engine, batch, 3, results, &test_error));
    cr_assert(results[1].outcome == SETTLE_DUPLICATE && results[1].first_seq == 1);
    cr_assert(results[2].outcome == SETTLE_CONFLICT && results[2].first_seq == 1);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 5);
    rig_remove(&rig);
}

/* Repeats run right behind their first arrivals: those are in the open frame, in the one that syncs, or just behind it.
 * */
Test(engine_ids, a_repeat_right_behind_the_first_arrival_is_seen)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.commit_events_max = 8;
    rig_open(&rig);
    for (uint64_t distance = 1; distance <= 24; distance++) {
        settle_event batch[100];
        settle_result results[100];
        for (uint64_t i = 0; i < 100; i++) {
            bool is_repeat = i / distance % 2 == 1;
            batch[i] = rig_deposit(distance, RIG_USDT, 1, is_repeat ? i - distance : i);
        }
        EXPECT_OK(settle_submit(rig.engine, batch, 100, results, &test_error));
        for (uint64_t i = 0; i < 100; i++) {
            bool is_repeat = i / distance % 2 == 1;
            cr_assert(results[i].outcome == (is_repeat ? SETTLE_DUPLICATE : SETTLE_ACCEPTED), "event %d", (int)i);
            cr_assert(!is_repeat || results[i].first_seq == results[i - distance].seq);
        }
    }
    rig_remove(&rig);
}

/* Four ids a generation: the first arrival is in the young one, the old one, the store alone. */
static void repeat_over_checkpoints(uint64_t back, bool is_natural)
{
    struct rig rig;
    char ids[100][24];
    rig_make(&rig);
    rig.options.checkpoint_events_max = 1;
    rig_open(&rig);
    for (uint64_t i = 0; i < 100; i++) {
        snprintf(ids[i], sizeof ids[i], "id:%d", (int)i);
        settle_event event = rig_deposit(1, RIG_USDT, 1, i);
        settle_result result = rig_submit(&rig, is_natural ? event : rig_with_id(event, ids[i]));
        cr_assert(result.outcome == SETTLE_ACCEPTED, "event %d", (int)i);
        if (i < back)
            continue;
        event = rig_deposit(1, RIG_USDT, 1, i - back);
        expect_repeat(&rig, is_natural ? event : rig_with_id(event, ids[i - back]), SETTLE_DUPLICATE,
                      i - back < back ? i - back + 1 : 2 * (i - back) - back + 1);
    }
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 100);
    rig_remove(&rig);
}

Test(engine_ids, a_repeat_is_seen_in_memory_and_in_the_store)
{
    static const uint64_t backs[] = {1, 3, 4, 5, 8, 40};
    for (size_t i = 0; i < sizeof backs / sizeof *backs; i++) {
        repeat_over_checkpoints(backs[i], true);
        repeat_over_checkpoints(backs[i], false);
    }
}

/* The store is asked about natural ids only up to the greatest ts it holds: the bound must be exact. */
Test(engine_ids, the_newest_natural_id_in_the_store_is_found_there)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 500));
    rig_reopen(&rig);
    expect_repeat(&rig, rig_deposit(1, RIG_USDT, 1, 500), SETTLE_DUPLICATE, 1);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 501)).outcome == SETTLE_ACCEPTED);
    rig_reopen(&rig);
    expect_repeat(&rig, rig_deposit(1, RIG_USDT, 1, 501), SETTLE_DUPLICATE, 3);
    cr_assert(rig_submit(&rig, rig_withdrawal(1, RIG_USDT, 1, SETTLE_TS_MS_MAX)).outcome == SETTLE_ACCEPTED);
    rig_reopen(&rig);
    expect_repeat(&rig, rig_withdrawal(1, RIG_USDT, 1, SETTLE_TS_MS_MAX), SETTLE_DUPLICATE, 5);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 0)).outcome == SETTLE_ACCEPTED);
    rig_remove(&rig);
}

Test(engine_ids, a_repeat_after_a_crash_is_seen)
{
    struct rig rig, crashed;
    rig_make(&rig);
    rig.options.checkpoint_interval_ms = 3600000; /* the store knows nothing of it */
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 1));
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 1), "given"));
    rig_make(&crashed);
    tree_copy(rig.data, crashed.data);
    cr_assert(rig_try_open(&crashed) == SETTLE_OK, "%s", crashed.error.text);
    expect_repeat(&crashed, rig_deposit(1, RIG_USDT, 5, 1), SETTLE_DUPLICATE, 1);
    expect_repeat(&crashed, rig_with_id(rig_deposit(1, RIG_USDT, 6, 1), "given"), SETTLE_CONFLICT, 2);
    cr_assert(rig_available(&crashed, 1, RIG_USDT) == 10);
    rig_remove(&crashed);
    rig_remove(&rig);
}

Test(engine_ids, a_repeat_of_a_repeat_names_the_first_arrival)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.checkpoint_events_max = 1;
    rig_open(&rig);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 1), "x"));
    for (int round = 0; round < 4; round++) {
        expect_repeat(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 1), "x"), SETTLE_DUPLICATE, 1);
        expect_repeat(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 6, 1), "x"), SETTLE_CONFLICT, 1);
        wait_ms(round * 5); /* time for a checkpoint, or none */
        if (round == 2)
            rig_reopen(&rig);
    }
    settle_lifecycle *life = NULL;
    EXPECT_OK(settle_lifecycle_get(rig.engine, (settle_text){"x", 1}, &life, &test_error));
    cr_assert(life->repeat_count == 8 && life->first.result.seq == 1);
    for (uint64_t i = 0; i < 8; i++) {
        cr_assert(life->repeats[i].result.seq == 2 + i && life->repeats[i].result.first_seq == 1);
        cr_assert(life->repeats[i].result.outcome == (i % 2 == 0 ? SETTLE_DUPLICATE : SETTLE_CONFLICT));
    }
    settle_lifecycle_free(life);
    rig_remove(&rig);
}

/* ---- Rejected ids stay taken ---- */

Test(engine_ids, the_id_of_a_rejected_event_stays_taken)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.checkpoint_events_max = 1;
    rig_open(&rig);
    settle_result result = rig_submit(&rig, rig_withdrawal(1, RIG_USDT, 5, 1));
    cr_assert(result.outcome == SETTLE_REJECTED && result.reason == SETTLE_REASON_INSUFFICIENT_FUNDS);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 100, 1)); /* now it could be */
    for (int round = 0; round < 3; round++) {
        expect_repeat(&rig, rig_withdrawal(1, RIG_USDT, 5, 1), SETTLE_DUPLICATE, 1);
        expect_repeat(&rig, rig_with_id(rig_withdrawal(1, RIG_USDT, 4, 1), "withdrawal_1_2_1"), SETTLE_CONFLICT, 1);
        rig_reopen(&rig);
    }
    cr_assert(rig_submit(&rig, rig_withdrawal(1, RIG_USDT, 5, 2)).outcome == SETTLE_ACCEPTED);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 95);
    rig_remove(&rig);
}

/* The id is looked up before any other rule. */
Test(engine_ids, a_repeat_that_no_rule_would_accept_is_still_a_repeat)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 1), "x"));
    expect_repeat(&rig, rig_with_id(rig_deposit(1, 99, 5, 1), "x"), SETTLE_CONFLICT, 1);
    expect_repeat(&rig, rig_with_id(rig_trade("T", 3, 3, 1, 1, 1), "x"), SETTLE_CONFLICT, 1);
    expect_repeat(&rig, rig_with_id(rig_withdrawal(9, RIG_USDT, SETTLE_AMOUNT_MAX, 1), "x"), SETTLE_CONFLICT, 1);
    rig_remove(&rig);
}

/* ---- What is the same content ---- */

static void expect_content(settle_event first, settle_event second, settle_outcome outcome)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 1000000, 1));
    rig_submit(&rig, rig_deposit(2, RIG_BTC, 1000000, 1));
    settle_result result = rig_submit(&rig, rig_with_id(first, "x"));
    cr_assert(result.outcome != SETTLE_DUPLICATE);
    expect_repeat(&rig, rig_with_id(second, "x"), outcome, 3);
    rig_reopen(&rig);
    expect_repeat(&rig, rig_with_id(second, "x"), outcome, 3);
    rig_remove(&rig);
}

#define EXPECT_CHANGED(base, change)                                                                                   \
    do {                                                                                                               \
        settle_event changed = base;                                                                                   \
        changed.change;                                                                                                \
        expect_content(base, changed, SETTLE_CONFLICT);                                                                \
    } while (0)

Test(engine_ids, every_member_of_a_transfer_is_content)
{
    settle_event deposit = rig_deposit(1, RIG_USDT, 5, 7);
    EXPECT_CHANGED(deposit, ts_ms = 8);
    EXPECT_CHANGED(deposit, type = SETTLE_WITHDRAWAL);
    EXPECT_CHANGED(deposit, u.transfer.user = 2);
    EXPECT_CHANGED(deposit, u.transfer.asset = RIG_BTC);
    EXPECT_CHANGED(deposit, u.transfer.amount = 6);
}

Test(engine_ids, every_member_of_a_trade_is_content)
{
    settle_event trade = rig_trade("T-1", 1, 2, 100000000, 500, 7);
    trade.u.trade.price = (settle_price){5, 4};
    EXPECT_CHANGED(trade, ts_ms = 8);
    EXPECT_CHANGED(trade, u.trade.trade_id = ((settle_text){"T-2", 3}));
    EXPECT_CHANGED(trade, u.trade.trade_id = ((settle_text){NULL, 0}));
    EXPECT_CHANGED(trade, u.trade.buyer = 3);
    EXPECT_CHANGED(trade, u.trade.seller = 3);
    EXPECT_CHANGED(trade, u.trade.base = RIG_USDT);
    EXPECT_CHANGED(trade, u.trade.quote = RIG_BTC);
    EXPECT_CHANGED(trade, u.trade.quantity = 100000001);
    EXPECT_CHANGED(trade, u.trade.price.mantissa = 6);
    EXPECT_CHANGED(trade, u.trade.price = ((settle_price){0, 0}));
    EXPECT_CHANGED(trade, u.trade.quote_amount = 499);
    EXPECT_CHANGED(trade, u.trade.quote_amount = 0);
    EXPECT_CHANGED(trade, u.trade.buyer_fee = 1);
    EXPECT_CHANGED(trade, u.trade.seller_fee = 1);
    expect_content(trade, trade, SETTLE_DUPLICATE);
}

/* ---- The life of an id, whoever knows of its arrivals ---- */

static void expect_life(struct rig *rig, const char *id, size_t repeats, uint64_t last_seq)
{
    settle_lifecycle *life = NULL;
    EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){id, strlen(id)}, &life, &test_error));
    cr_assert_eq(life->repeat_count, repeats, "%zu repeats of %s", life->repeat_count, id);
    for (size_t i = 0; i < repeats; i++) {
        const settle_arrival *repeat = &life->repeats[i];
        cr_assert(repeat->result.first_seq == life->first.result.seq && repeat->result.seq > life->first.result.seq);
        cr_assert(i == 0 || repeat->result.seq > life->repeats[i - 1].result.seq, "in order, once each");
    }
    cr_assert_eq(repeats == 0 ? life->first.result.seq : life->repeats[repeats - 1].result.seq, last_seq);
    settle_lifecycle_free(life);
}

/* With a checkpoint after nearly every event, and with none: the same answers at every moment. */
Test(engine_ids, a_life_has_every_arrival_whether_the_store_has_it_or_not)
{
    for (uint32_t checkpoint_events = 1; checkpoint_events <= 1000; checkpoint_events += 999) {
        struct rig rig;
        rig_make(&rig);
        rig.options.checkpoint_events_max = checkpoint_events;
        rig.options.checkpoint_interval_ms = checkpoint_events == 1 ? 1 : 3600000;
        rig_open(&rig);
        rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 7));
        expect_life(&rig, "deposit_1_2_7", 0, 1);
        for (uint64_t i = 1; i <= 40; i++) {
            settle_event other = rig_with_id(rig_deposit(2, RIG_USDT, (settle_int128)i, i), "other");
            rig_submit(&rig, rig_deposit(1, RIG_USDT, i % 2 == 0 ? 5 : 6, 7)); /* duplicates and conflicts */
            rig_submit(&rig, other);
            expect_life(&rig, "deposit_1_2_7", i, 2 * i);
            expect_life(&rig, "other", i - 1, 2 * i + 1);
            if (i % 16 == 0)
                rig_reopen(&rig);
        }
        rig_remove(&rig);
    }
}
