/*
 * Tests of <settle/settle.h>: creating, opening, closing, options, the form of events, outcomes, balances, assets,
 * flushing. Ids are in test_engine_ids.c, sources in test_engine_sources.c, completions in test_engine_async.c, what a
 * crash or damage leaves in test_engine_recovery.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(engine);

/* ---- Creating, opening, closing ---- */

Test(engine, open_creates_what_is_absent)
{
    struct rig rig;
    rig_make(&rig);
    EXPECT_OK(settle_open(rig.data, &rig.options, &rig.engine, &test_error));
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(segments.count == 1);
    tree_segments_free(&segments);
    struct stat status;
    cr_assert(stat(rig.data, &status) == 0 && (status.st_mode & 07777) == 0700);
    rig_remove(&rig);
}

Test(engine, open_without_options_takes_the_defaults)
{
    struct rig rig;
    rig_make(&rig);
    EXPECT_OK(settle_open(rig.data, NULL, &rig.engine, &test_error));
    EXPECT_OK(settle_asset_declare(rig.engine, &rig_assets[1], &test_error));
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 1)).seq == 1);
    rig_remove(&rig);
}

Test(engine, create_makes_a_journal_without_events_once)
{
    struct rig rig;
    rig_make(&rig);
    EXPECT_OK(settle_create(rig.data, &rig.options, &test_error));
    char *before = tree_listing(rig.data);
    EXPECT_STATUS(settle_create(rig.data, &rig.options, &test_error), SETTLE_E_EXISTS);
    cr_assert(test_error.text[0] != '\0');
    char *after = tree_listing(rig.data);
    cr_assert_str_eq(after, before);
    rig_open(&rig);
    EXPECT_STATUS(settle_create(rig.data, &rig.options, &test_error), SETTLE_E_BUSY);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 1)).seq == 1);
    free(before);
    free(after);
    rig_remove(&rig);
}

Test(engine, a_directory_that_cannot_be_is_an_error)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    settle *engine = (settle *)(void *)&rig; /* must stay untouched */
    rig_make(&rig);
    tempdir_join(path, rig.data, "deeper");
    EXPECT_STATUS(settle_open(path, &rig.options, &engine, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(settle_open(NULL, &rig.options, &engine, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, NULL, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_create(NULL, &rig.options, &test_error), SETTLE_E_INVALID);
    settle_options without_segments = rig.options;
    without_segments.segment_bytes = 0;
    EXPECT_STATUS(settle_create(rig.data, &without_segments, &test_error), SETTLE_E_INVALID);
    tree_write(rig.data, 0, "a file", 6);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, &engine, &test_error), SETTLE_E_ACCESS);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, &engine, NULL), SETTLE_E_ACCESS);
    cr_assert(engine == (settle *)(void *)&rig);
    rig_remove(&rig);
}

Test(engine, closing_nothing_is_fine)
{
    EXPECT_OK(settle_close(NULL, &test_error));
    EXPECT_OK(settle_close(NULL, NULL));
}

Test(engine, an_engine_without_events_opens_and_closes_again_and_again)
{
    struct rig rig;
    rig_make(&rig);
    for (int i = 0; i < 5; i++) {
        EXPECT_OK(settle_open(rig.data, &rig.options, &rig.engine, &test_error));
        rig_close(&rig);
    }
    rig_open(&rig);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 1)).seq == 1);
    rig_remove(&rig);
}

/* ---- One writer ---- */

static bool names_pid(const settle_error *error, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "pid %ld", (long)pid);
    return strstr(error->text, text) != NULL;
}

Test(engine, a_second_open_in_this_process_is_busy_and_named)
{
    struct rig rig;
    settle *second = NULL;
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, &second, &test_error), SETTLE_E_BUSY);
    cr_assert(names_pid(&test_error, getpid()), "%s", test_error.text);
    cr_assert(second == NULL);
    /* The first one is none the worse for it. */
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 1)).seq == 1);
    rig_reopen(&rig);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 5, 2)).seq == 2);
    rig_remove(&rig);
}

Test(engine, a_second_open_in_another_process_is_busy_until_the_first_dies)
{
    struct rig rig;
    int ready[2];
    rig_make(&rig);
    cr_assert(pipe(ready) == 0);
    pid_t child = child_fork();
    if (child == 0) {
        rig_open(&rig);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    char byte;
    close(ready[1]);
    cr_assert(read(ready[0], &byte, 1) == 1);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, &rig.engine, &test_error), SETTLE_E_BUSY);
    cr_assert(names_pid(&test_error, child), "%s", test_error.text);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT_OK(settle_open(rig.data, &rig.options, &rig.engine, &test_error));
    rig_remove(&rig);
    close(ready[0]);
}

/* ---- Options ---- */

static void expect_options(struct rig *rig, settle_status expected, const char *word)
{
    settle *engine = NULL;
    EXPECT_STATUS(settle_open(rig->data, &rig->options, &engine, &test_error), expected);
    cr_assert(expected == SETTLE_OK || strstr(test_error.text, word) != NULL, "%s", test_error.text);
    EXPECT_OK(settle_close(engine, &test_error));
}

#define EXPECT_OPTION(member, value, expected)                                                                         \
    do {                                                                                                               \
        struct rig rig_;                                                                                               \
        rig_make(&rig_);                                                                                               \
        rig_.options.member = (value);                                                                                 \
        expect_options(&rig_, expected, #member);                                                                      \
        rig_remove(&rig_);                                                                                             \
    } while (0)

Test(engine, options_hold_at_their_limits_and_not_beyond)
{
    EXPECT_OPTION(segment_bytes, 16384, SETTLE_OK);
    EXPECT_OPTION(segment_bytes, 16383, SETTLE_E_INVALID);
    EXPECT_OPTION(segment_bytes, UINT64_C(1) << 30, SETTLE_OK);
    EXPECT_OPTION(segment_bytes, (UINT64_C(1) << 30) + 1, SETTLE_E_INVALID);
    EXPECT_OPTION(commit_events_max, 1, SETTLE_OK);
    EXPECT_OPTION(commit_events_max, 0, SETTLE_E_INVALID);
    EXPECT_OPTION(commit_events_max, 65536, SETTLE_OK);
    EXPECT_OPTION(commit_events_max, 65537, SETTLE_E_INVALID);
    EXPECT_OPTION(commit_interval_us_max, 0, SETTLE_OK);
    EXPECT_OPTION(commit_interval_us_max, 60000001, SETTLE_E_INVALID);
    EXPECT_OPTION(checkpoint_interval_ms, 0, SETTLE_E_INVALID);
    EXPECT_OPTION(checkpoint_interval_ms, UINT32_MAX, SETTLE_OK);
    EXPECT_OPTION(checkpoint_events_max, 0, SETTLE_E_INVALID);
    EXPECT_OPTION(checkpoint_events_max, 4194304, SETTLE_OK);
    EXPECT_OPTION(checkpoint_events_max, 4194305, SETTLE_E_INVALID);
    EXPECT_OPTION(size_bytes, 0, SETTLE_E_INVALID);
    EXPECT_OPTION(size_bytes, sizeof(settle_options) + 1, SETTLE_E_INVALID);
}

Test(engine, options_have_the_documented_defaults)
{
    settle_options options;
    memset(&options, 0xff, sizeof options);
    settle_options_init(&options);
    cr_assert(options.size_bytes == sizeof options);
    cr_assert(options.segment_bytes == UINT64_C(64) << 20);
    cr_assert(options.commit_events_max == 8192 && options.commit_interval_us_max == 1000);
    cr_assert(options.checkpoint_interval_ms == 1000 && options.checkpoint_events_max == 262144);
    cr_assert(options.clock_us == NULL && options.reallocate == NULL && options.log == NULL && options.context == NULL);
}

Test(engine, options_of_an_older_and_shorter_struct_are_taken)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.size_bytes = offsetof(settle_options, clock_us);
    rig.options.clock_us = (uint64_t(*)(void *))(uintptr_t)1; /* behind its end: not looked at */
    expect_options(&rig, SETTLE_OK, "");
    rig_remove(&rig);
}

Test(engine, segment_size_is_rounded_up_and_belongs_to_the_directory)
{
    struct rig rig;
    struct stat status;
    rig_make(&rig);
    rig.options.segment_bytes = 16385;
    EXPECT_OK(settle_create(rig.data, &rig.options, &test_error));
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(stat(segments.paths[0], &status) == 0 && status.st_size == 20480);
    tree_segments_free(&segments);
    rig.options.segment_bytes = 65536; /* for new directories only */
    rig_open(&rig);
    rig_deposits(&rig, 1, 500);
    segments = tree_segments(rig.data);
    cr_assert(segments.count > 2);
    for (size_t i = 0; i < segments.count; i++)
        cr_assert(stat(segments.paths[i], &status) == 0 && status.st_size == 20480);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

/* ---- The form of events ---- */

static void expect_invalid(struct rig *rig, settle_event event, const char *what)
{
    settle_event batch[3] = {rig_deposit(1, RIG_USDT, 1, 1), rig_deposit(1, RIG_USDT, 1, 2), event};
    settle_result results[3], before[3];
    memset(results, 0x5a, sizeof results);
    memcpy(before, results, sizeof results);
    test_error = (settle_error){.status = SETTLE_OK};
    settle_status status = settle_submit(rig->engine, batch, 3, results, &test_error);
    cr_assert(status == SETTLE_E_INVALID, "%s: %d", what, (int)status);
    cr_assert(test_error.status == SETTLE_E_INVALID && test_error.offset_bytes == 2, "%s: %s", what, test_error.text);
    cr_assert(test_error.text[0] != '\0' && strchr(test_error.text, '\n') == NULL);
    cr_assert(memcmp(results, before, sizeof results) == 0, "%s", what);
    cr_assert(settle_submit(rig->engine, &event, 1, results, NULL) == SETTLE_E_INVALID, "%s", what);
}

static settle_event valid_trade(void)
{
    settle_event trade = rig_trade("T-1", 1, 2, 100, 500, 1);
    trade.u.trade.price = (settle_price){5, 2};
    return trade;
}

#define EXPECT_INVALID(base, change)                                                                                   \
    do {                                                                                                               \
        settle_event event = base;                                                                                     \
        event.change;                                                                                                  \
        expect_invalid(&rig, event, #base " " #change);                                                                \
    } while (0)

static const char text65[] = "12345678901234567890123456789012345678901234567890123456789012345";

Test(engine, a_transfer_that_breaks_the_form_is_not_taken_nor_its_batch)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), type = (settle_event_type)0);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), type = (settle_event_type)4);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), ts_ms = SETTLE_TS_MS_MAX + 1);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), u.transfer.user = 0);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), u.transfer.user = SETTLE_USER_MAX + 1);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), u.transfer.user = SETTLE_USER_EXTERNAL);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), u.transfer.user = SETTLE_USER_FEES);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), u.transfer.asset = 0);
    EXPECT_INVALID(rig_withdrawal(1, RIG_USDT, 1, 1), u.transfer.amount = 0);
    EXPECT_INVALID(rig_withdrawal(1, RIG_USDT, 1, 1), u.transfer.amount = -1);
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), event_id = ((settle_text){text65, 65}));
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), event_id = ((settle_text){"", 0}));
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), event_id = ((settle_text){"a b", 3}));
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), event_id = ((settle_text){"a\0b", 3}));
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), event_id = ((settle_text){"\xc3\xa4", 2}));
    EXPECT_INVALID(rig_deposit(1, RIG_USDT, 1, 1), end.source = 1);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1)).seq == 1, "nothing of the batches was taken");
    rig_remove(&rig);
}

Test(engine, a_trade_that_breaks_the_form_is_not_taken_nor_its_batch)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_INVALID(valid_trade(), u.trade.trade_id = ((settle_text){NULL, 0}));
    EXPECT_INVALID(valid_trade(), u.trade.trade_id = ((settle_text){text65, 57}));
    EXPECT_INVALID(valid_trade(), u.trade.trade_id = ((settle_text){"T 1", 3}));
    EXPECT_INVALID(valid_trade(), u.trade.buyer = 0);
    EXPECT_INVALID(valid_trade(), u.trade.seller = SETTLE_USER_FEES);
    EXPECT_INVALID(valid_trade(), u.trade.base = 0);
    EXPECT_INVALID(valid_trade(), u.trade.quote = 0);
    EXPECT_INVALID(valid_trade(), u.trade.quantity = 0);
    EXPECT_INVALID(valid_trade(), u.trade.quote_amount = -1);
    EXPECT_INVALID(valid_trade(), u.trade.buyer_fee = -1);
    EXPECT_INVALID(valid_trade(), u.trade.seller_fee = -1);
    EXPECT_INVALID(valid_trade(), u.trade.price.scale = 19);
    EXPECT_INVALID(valid_trade(), u.trade.price = ((settle_price){50, 3})); /* 0.050: zeros at its end */
    settle_event neither = rig_trade("T-1", 1, 2, 100, 0, 1);
    expect_invalid(&rig, neither, "neither price nor quote_amount");
    settle_event long_price = valid_trade();
    long_price.u.trade.price.mantissa = 1;
    for (int i = 0; i < 38; i++)
        long_price.u.trade.price.mantissa *= 10;
    long_price.u.trade.price.mantissa += 1;
    expect_invalid(&rig, long_price, "a price of 39 digits");
    cr_assert(rig_submit(&rig, valid_trade()).seq == 1, "nothing of the batches was taken");
    rig_remove(&rig);
}

Test(engine, an_event_at_its_limits_is_taken)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    settle_event event = rig_deposit(SETTLE_USER_MAX, RIG_USDT, SETTLE_AMOUNT_MAX, SETTLE_TS_MS_MAX);
    event.event_id = (settle_text){text65, 64};
    cr_assert(rig_submit(&rig, event).outcome == SETTLE_ACCEPTED);
    cr_assert(rig_available(&rig, SETTLE_USER_MAX, RIG_USDT) == SETTLE_AMOUNT_MAX);
    cr_assert(rig_available(&rig, SETTLE_USER_EXTERNAL, RIG_USDT) == -SETTLE_AMOUNT_MAX);
    settle_event trade = rig_trade("", 1, 2, 100, 500, 0);
    trade.u.trade.trade_id = (settle_text){text65, 56};
    cr_assert(rig_submit(&rig, trade).reason == SETTLE_REASON_INSUFFICIENT_FUNDS);
    rig_remove(&rig);
}

/* ---- Outcomes and balances ---- */

Test(engine, no_events_are_no_work)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_OK(settle_submit(rig.engine, NULL, 0, NULL, &test_error));
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1)).seq == 1);
    rig_remove(&rig);
}

Test(engine, a_batch_is_answered_event_by_event)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    settle_event batch[] = {
        rig_deposit(1, RIG_USDT, 1000, 1),         rig_deposit(2, RIG_BTC, 300, 1),
        rig_trade("T-1", 1, 2, 100, 400, 2),       rig_withdrawal(1, RIG_USDT, 601, 3),
        rig_deposit(1, RIG_USDT, 1000, 1),         rig_with_id(rig_deposit(1, 9, 1, 1), "x"),
        rig_with_id(rig_deposit(1, 9, 2, 1), "x"),
    };
    settle_result results[7];
    EXPECT_OK(settle_submit(rig.engine, batch, 7, results, &test_error));
    static const settle_result expected[] = {
        {1, SETTLE_ACCEPTED, SETTLE_REASON_NONE, 0},  {2, SETTLE_ACCEPTED, SETTLE_REASON_NONE, 0},
        {3, SETTLE_ACCEPTED, SETTLE_REASON_NONE, 0},  {4, SETTLE_REJECTED, SETTLE_REASON_INSUFFICIENT_FUNDS, 0},
        {5, SETTLE_DUPLICATE, SETTLE_REASON_NONE, 1}, {6, SETTLE_REJECTED, SETTLE_REASON_UNKNOWN_ASSET, 0},
        {7, SETTLE_CONFLICT, SETTLE_REASON_NONE, 6},
    };
    for (size_t i = 0; i < 7; i++) {
        cr_assert(results[i].seq == expected[i].seq && results[i].outcome == expected[i].outcome, "event %zu", i);
        cr_assert(results[i].reason == expected[i].reason && results[i].first_seq == expected[i].first_seq, "%zu", i);
    }
    rig_remove(&rig);
}

static void expect_balance(struct rig *rig, uint64_t user, uint32_t asset, settle_int128 available, uint64_t version,
                           uint64_t seq)
{
    settle_balance balance;
    EXPECT_OK(settle_balance_get(rig->engine, user, asset, &balance, &test_error));
    cr_assert(balance.user == user && balance.asset == asset && balance.available == available && balance.held == 0);
    cr_assert(balance.version == version, "version %d", (int)balance.version);
    cr_assert(balance.seq == seq, "seq %d", (int)balance.seq);
}

static void expect_balances_of_a_trade(struct rig *rig)
{
    expect_balance(rig, 1, RIG_USDT, 600, 2, 3);
    expect_balance(rig, 1, RIG_BTC, 99, 1, 3);
    expect_balance(rig, 2, RIG_BTC, 200, 2, 3);
    expect_balance(rig, 2, RIG_USDT, 393, 1, 3);
    expect_balance(rig, SETTLE_USER_EXTERNAL, RIG_USDT, -1000, 1, 1);
    expect_balance(rig, SETTLE_USER_EXTERNAL, RIG_BTC, -300, 1, 2);
    expect_balance(rig, SETTLE_USER_FEES, RIG_BTC, 1, 1, 3);
    expect_balance(rig, SETTLE_USER_FEES, RIG_USDT, 7, 1, 3);
}

Test(engine, balances_tell_amount_version_and_last_event_also_of_the_system_accounts)
{
    struct rig rig;
    settle_balance untouched = {.user = 77};
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 1000, 1));
    rig_submit(&rig, rig_deposit(2, RIG_BTC, 300, 1));
    settle_event trade = rig_trade("T-1", 1, 2, 100, 400, 2);
    trade.u.trade.buyer_fee = 1;
    trade.u.trade.seller_fee = 7;
    rig_submit(&rig, trade);
    rig_submit(&rig, rig_withdrawal(1, RIG_USDT, 601, 3)); /* rejected: changes nothing */
    rig_submit(&rig, trade);                               /* a duplicate: neither */
    expect_balances_of_a_trade(&rig);
    EXPECT_STATUS(settle_balance_get(rig.engine, 3, RIG_USDT, &untouched, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(settle_balance_get(rig.engine, 1, 9, &untouched, NULL), SETTLE_E_NOT_FOUND);
    cr_assert(untouched.user == 77);
    rig_reopen(&rig);
    expect_balances_of_a_trade(&rig);
    rig_remove(&rig);
}

Test(engine, a_balance_in_the_open_frame_is_answered_when_it_is_durable)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    settle_balance balance;
    for (int i = 1; i <= 20; i++) { /* each is its own commit, long before the interval is over */
        rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, (uint64_t)i));
        EXPECT_OK(settle_balance_get(rig.engine, 1, RIG_USDT, &balance, &test_error));
        cr_assert(balance.available == i);
    }
    rig_remove(&rig);
}

/* ---- Assets ---- */

Test(engine, assets_are_declared_once_for_ever)
{
    struct rig rig;
    settle_asset found = {.id = 0};
    rig_make(&rig);
    rig_open(&rig);
    for (int round = 0; round < 3; round++) {
        EXPECT_OK(settle_asset_declare(rig.engine, &(settle_asset){RIG_USDT, 6, "USDT"}, &test_error));
        EXPECT_STATUS(settle_asset_declare(rig.engine, &(settle_asset){RIG_USDT, 7, "USDT"}, &test_error),
                      SETTLE_E_CONFLICT);
        EXPECT_STATUS(settle_asset_declare(rig.engine, &(settle_asset){RIG_USDT, 6, "USDC"}, &test_error),
                      SETTLE_E_CONFLICT);
        EXPECT_STATUS(settle_asset_declare(rig.engine, &(settle_asset){3, 6, "USDT"}, &test_error), SETTLE_E_CONFLICT);
        cr_assert(strstr(test_error.text, "USDT") != NULL);
        EXPECT_OK(settle_asset_by_id(rig.engine, RIG_USDT, &found));
        cr_assert(found.id == RIG_USDT && found.scale == 6 && strcmp(found.symbol, "USDT") == 0);
        EXPECT_OK(settle_asset_by_symbol(rig.engine, (settle_text){"BTC!", 3}, &found));
        cr_assert(found.id == RIG_BTC && found.scale == 8);
        EXPECT_STATUS(settle_asset_by_id(rig.engine, 3, &found), SETTLE_E_NOT_FOUND);
        EXPECT_STATUS(settle_asset_by_symbol(rig.engine, (settle_text){"BT", 2}, &found), SETTLE_E_NOT_FOUND);
        cr_assert(found.id == RIG_BTC);
        if (round == 0)
            rig_reopen(&rig);
        else
            cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, (uint64_t)round)).seq == (uint64_t)round);
    }
    rig_remove(&rig);
}

Test(engine, an_asset_of_the_wrong_form_is_refused)
{
    static const settle_asset wrong[] = {{0, 6, "EUR"}, {3, 19, "EUR"}, {3, 6, ""},
                                         {3, 6, "eur"}, {3, 6, "E R"},  {3, 6, "E_R"}};
    static const settle_asset right[] = {{UINT32_MAX, 18, "123456789012345"}, {3, 0, "."}};
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT_STATUS(settle_asset_declare(rig.engine, &wrong[i], &test_error), SETTLE_E_INVALID);
    settle_asset endless = {3, 6, ""};
    memset(endless.symbol, 'E', sizeof endless.symbol);
    EXPECT_STATUS(settle_asset_declare(rig.engine, &endless, &test_error), SETTLE_E_INVALID);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        EXPECT_OK(settle_asset_declare(rig.engine, &right[i], &test_error));
    rig_remove(&rig);
}

Test(engine, a_declared_asset_is_durable_when_the_call_returns)
{
    struct rig rig, crashed;
    settle_asset found;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    rig_make(&crashed);
    tree_copy(rig.data, crashed.data); /* what a crash now would leave */
    cr_assert(rig_try_open(&crashed) == SETTLE_OK, "%s", crashed.error.text);
    EXPECT_OK(settle_asset_by_id(crashed.engine, RIG_USDT, &found));
    rig_remove(&crashed);
    rig_remove(&rig);
}

/* ---- Many small things ---- */

Test(engine, segments_roll_and_every_event_is_still_there)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.checkpoint_interval_ms = 3600000;
    rig_open(&rig);
    rig_deposits(&rig, 1, 3000);
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(segments.count > 30, "%zu segments", segments.count);
    tree_segments_free(&segments);
    for (int round = 0; round < 2; round++) {
        expect_balance(&rig, 1, RIG_USDT, 3000, 3000, 3000);
        rig_reopen(&rig);
    }
    rig_remove(&rig);
}

Test(engine, a_frame_an_event_and_a_checkpoint_an_event_work)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.commit_events_max = 1;
    rig.options.checkpoint_events_max = 1;
    rig_open(&rig);
    rig_deposits(&rig, 1, 150);
    for (uint64_t i = 0; i < 50; i++)
        cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 200 + i)).seq == 151 + i);
    expect_balance(&rig, 1, RIG_USDT, 200, 200, 200);
    rig_reopen(&rig);
    expect_balance(&rig, 1, RIG_USDT, 200, 200, 200);
    rig_remove(&rig);
}

Test(engine, a_checkpoint_that_is_needed_does_not_wait_for_the_commit_interval)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig.options.checkpoint_events_max = 1; /* few ids fit in memory: the store must take them while the batch goes on */
    rig_open(&rig);
    rig_deposits(&rig, 1, 100);
    expect_balance(&rig, 1, RIG_USDT, 100, 100, 100);
    rig_remove(&rig);
}

Test(engine, flush_records_everything_as_persisted)
{
    struct rig rig;
    settle_lifecycle *life = NULL;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000; /* PERSISTED would wait as long */
    rig_open(&rig);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 1, 1), "first"));
    EXPECT_OK(settle_lifecycle_get(rig.engine, (settle_text){"first", 5}, &life, &test_error));
    cr_assert(life->first.persisted_us == 0);
    settle_lifecycle_free(life);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    EXPECT_OK(settle_lifecycle_get(rig.engine, (settle_text){"first", 5}, &life, &test_error));
    cr_assert(life->first.persisted_us >= life->first.decided_us && life->first.decided_us >= life->first.consumed_us);
    settle_lifecycle_free(life);
    EXPECT_OK(settle_flush(rig.engine, NULL));
    rig_remove(&rig);
}

Test(engine, the_version_is_that_of_the_header)
{
    cr_assert_str_eq(settle_version(), SETTLE_VERSION);
}
