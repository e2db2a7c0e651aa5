/* test_query_replay.c — folding a journal: the rules again, and every recorded word held against them. */
#include <unistd.h>

#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_replay);

struct told {
    size_t count;
    char first[400];
};

static void tell(void *context, const char *text)
{
    struct told *told = context;
    if (told->count++ == 0)
        snprintf(told->first, sizeof told->first, "%s", text);
}

static struct told told;

static struct replay_result replay(uint64_t until_seq, bool check)
{
    struct replay_result result = {0};
    const struct replay_options options = {until_seq, check, tell, &told};
    told = (struct told){0};
    EXPECT_OK(query_replay(fixture_dir, &options, &result, &test_error));
    return result;
}

/* ---- What the engine wrote ---- */

Test(query_replay, the_balances_are_those_of_the_live_store, FIXTURE)
{
    struct query *query = NULL;
    struct ledger live = {0};
    fixture_fill_engine(0);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert(result.ok);
    cr_assert_not(result.is_empty);
    cr_assert_eq(result.store, STORE_EQUAL);
    cr_assert_eq(result.difference_count, 0);
    cr_assert_eq(result.counts.events, FIXTURE_EVENTS);
    cr_assert_eq(result.counts.ids, FIXTURE_IDS);
    cr_assert_eq(result.counts.accounts, FIXTURE_ACCOUNTS);
    cr_assert_eq(result.counts.segments, 1);
    cr_assert_geq(result.counts.records, 3 * FIXTURE_EVENTS);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_balances(query, 0, 0, &live, &test_error));
    cr_assert_eq(live.balance_count, result.ledger.balance_count);
    for (size_t i = 0; i < live.balance_count; i++) {
        cr_assert_eq(live.balances[i].user, result.ledger.balances[i].user);
        cr_assert_eq(live.balances[i].asset, result.ledger.balances[i].asset);
        cr_assert(live.balances[i].available == result.ledger.balances[i].available);
        cr_assert_eq(live.balances[i].version, result.ledger.balances[i].version);
        cr_assert_eq(live.balances[i].seq, result.ledger.balances[i].seq);
    }
    ledger_free(&live);
    ledger_free(&result.ledger);
    query_close(query);
}

Test(query_replay, it_stops_after_the_event_asked_for, FIXTURE)
{
    static const uint64_t accounts[FIXTURE_EVENTS + 1] = {0, 2, 4, 8, 8, 8, 8};
    fixture_fill_engine(0);
    for (uint64_t seq = 0; seq <= FIXTURE_EVENTS; seq++) {
        struct replay_result result = replay(seq, false);
        cr_assert(result.ok);
        cr_assert_eq(result.counts.events, seq);
        cr_assert_eq(result.ledger.balance_count, accounts[seq], "seq %d", (int)seq);
        cr_assert_eq(result.store, STORE_NOT_COMPARED);
        if (seq == 2)
            cr_assert(result.ledger.balances[0].available == 1000500000);
        ledger_free(&result.ledger);
    }
    struct replay_result result = replay(1000, false);
    cr_assert_eq(result.counts.events, FIXTURE_EVENTS);
    ledger_free(&result.ledger);
}

Test(query_replay, it_stops_inside_a_frame_too, FIXTURE)
{
    settle *engine = NULL;
    settle_event events[FIXTURE_EVENTS];
    settle_result results[FIXTURE_EVENTS];
    fixture_stream(events);
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_btc, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    EXPECT_OK(settle_submit(engine, events, FIXTURE_EVENTS, results, &test_error)); /* one frame */
    EXPECT_OK(settle_close(engine, &test_error));
    for (uint64_t seq = 0; seq <= FIXTURE_EVENTS; seq++) {
        struct replay_result result = replay(seq, false);
        cr_assert_eq(result.counts.events, seq);
        ledger_free(&result.ledger);
    }
}

Test(query_replay, an_empty_journal_is_fine_and_none_is_not_found, FIXTURE)
{
    struct replay_result result = {0};
    const struct replay_options options = {UINT64_MAX, true, NULL, NULL};
    EXPECT_STATUS(query_replay(fixture_dir, &options, &result, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    EXPECT_OK(query_replay(fixture_dir, &options, &result, &test_error));
    cr_assert(result.ok);
    cr_assert(result.is_empty);
    cr_assert_eq(result.counts.events, 0);
    cr_assert_eq(result.ledger.balance_count, 0);
    ledger_free(&result.ledger);
}

Test(query_replay, a_missing_store_is_no_difference, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert(result.ok);
    cr_assert_eq(result.store, STORE_ABSENT);
    ledger_free(&result.ledger);
}

static void falsify_account(struct store_copy *copy)
{
    accounts_find(&copy->accounts, 7, 2)->available += 1;
}

Test(query_replay, a_store_that_differs_is_named_account_by_account, FIXTURE)
{
    fixture_fill_engine(0);
    fixture_rewrite_store(falsify_account);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert_not(result.ok);
    cr_assert_eq(result.store, STORE_DIFFERS);
    cr_assert_eq(told.count, 1);
    cr_assert_not_null(strstr(told.first, "user 7 asset 2"), "%s", told.first);
    cr_assert_not_null(strstr(told.first, "500500001"), "%s", told.first);
    ledger_free(&result.ledger);
    result = replay(UINT64_MAX, false); /* without check the store does not count */
    cr_assert(result.ok);
    ledger_free(&result.ledger);
}

Test(query_replay, damage_is_corrupt_with_its_place_whether_asked_to_check_or_not, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct replay_result result = {0};
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, 1100, 1);
    for (int check = 0; check < 2; check++) {
        const struct replay_options options = {UINT64_MAX, check == 1, NULL, NULL};
        EXPECT_STATUS(query_replay(fixture_dir, &options, &result, &test_error), SETTLE_E_CORRUPT);
        cr_assert_eq(strncmp(test_error.file, "journal/", 8), 0, "%s", test_error.file);
        cr_assert_gt(test_error.offset_bytes, 511);
    }
}

/* ---- What somebody forged: whole bytes, wrong words ---- */

/* Folds the forged journal; whole, it must be refused with a sentence that has `words`. */
static void expect_disagreement(uint64_t seq, const char *words)
{
    struct replay_result result = {0};
    const struct replay_options plain = {UINT64_MAX, false, NULL, NULL};
    EXPECT_STATUS(query_replay(fixture_dir, &plain, &result, &test_error), SETTLE_E_CORRUPT);
    cr_assert_eq(test_error.seq, seq);
    cr_assert_not_null(strstr(test_error.text, words), "%s", test_error.text);
    result = replay(UINT64_MAX, true);
    cr_assert_not(result.ok);
    cr_assert_eq(told.count, 1);
    cr_assert_not_null(strstr(told.first, words), "%s", told.first);
    ledger_free(&result.ledger);
}

/* One deposit whose record has these legs. */
static void forge_deposit(const settle_leg *legs, size_t count)
{
    struct forge forge;
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_validated(&forge, legs, count);
    forge_frame_end(&forge);
    forge_end(&forge);
}

Test(query_replay, a_forged_journal_that_is_right_is_fine, FIXTURE)
{
    settle_leg legs[2];
    forge_deposit_legs(legs);
    forge_deposit(legs, 2);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert(result.ok, "%s", told.first);
    cr_assert_eq(result.counts.events, 1);
    ledger_free(&result.ledger);
}

Test(query_replay, legs_that_do_not_sum_to_zero_are_found, FIXTURE)
{
    settle_leg legs[2];
    forge_deposit_legs(legs);
    legs[1].delta_available = legs[1].after_available = -99;
    forge_deposit(legs, 2);
    expect_disagreement(1, "sum to zero");
}

Test(query_replay, another_amount_than_came_in_is_found, FIXTURE)
{
    settle_leg legs[2];
    forge_deposit_legs(legs);
    legs[0].delta_available = legs[0].after_available = 101;
    legs[1].delta_available = legs[1].after_available = -101;
    forge_deposit(legs, 2);
    expect_disagreement(1, "user 7 asset 2: another delta");
}

Test(query_replay, another_account_is_found, FIXTURE)
{
    settle_leg legs[2];
    forge_deposit_legs(legs);
    legs[0].user = 9;
    forge_deposit(legs, 2);
    expect_disagreement(1, "another account");
}

Test(query_replay, a_leg_too_many_is_found, FIXTURE)
{
    settle_leg legs[3];
    forge_deposit_legs(legs);
    legs[0].delta_available = legs[0].after_available = 60;
    legs[2] = (settle_leg){.user = 9, .asset = 2, .version = 1, .delta_available = 40, .after_available = 40};
    forge_deposit(legs, 3);
    expect_disagreement(1, "another number of balances");
}

/* A second deposit whose legs differ in one word from what follows from the first. */
static void forge_second(void (*falsify)(settle_leg *leg))
{
    struct forge forge;
    settle_leg legs[2];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    uint64_t first = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    event.ts_ms = 6;
    forge_consumed(&forge, &event);
    for (int i = 0; i < 2; i++) {
        legs[i].version = 2;
        legs[i].after_available *= 2;
        legs[i].previous_position = first;
    }
    if (falsify != NULL)
        falsify(&legs[0]);
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    forge_end(&forge);
}

static void falsify_after(settle_leg *leg)
{
    leg->after_available++;
}

static void falsify_version(settle_leg *leg)
{
    leg->version++;
}

static void falsify_previous(settle_leg *leg)
{
    leg->previous_position += 8;
}

static void falsify_held(settle_leg *leg)
{
    leg->after_held = 1;
}

Test(query_replay, a_second_change_that_follows_is_fine, FIXTURE)
{
    forge_second(NULL);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert(result.ok, "%s", told.first);
    cr_assert(result.ledger.balances[0].available == 200);
    cr_assert_eq(result.ledger.balances[0].version, 2);
    ledger_free(&result.ledger);
}

static void expect_second_refused(void (*falsify)(settle_leg *leg), const char *words)
{
    struct replay_result result = {0};
    const struct replay_options plain = {UINT64_MAX, false, NULL, NULL};
    forge_second(falsify);
    EXPECT_STATUS(query_replay(fixture_dir, &plain, &result, &test_error), SETTLE_E_CORRUPT);
    cr_assert_eq(test_error.seq, 2);
    cr_assert_not_null(strstr(test_error.text, words), "%s", test_error.text);
}

Test(query_replay, another_balance_after_is_found, FIXTURE)
{
    expect_second_refused(falsify_after, "another balance after");
}

Test(query_replay, another_version_is_found, FIXTURE)
{
    expect_second_refused(falsify_version, "another version");
}

Test(query_replay, another_previous_change_is_found, FIXTURE)
{
    expect_second_refused(falsify_previous, "another previous change");
}

Test(query_replay, another_held_balance_is_found, FIXTURE)
{
    expect_second_refused(falsify_held, "another balance after");
}

Test(query_replay, an_outcome_that_the_rules_do_not_give_is_found, FIXTURE)
{
    struct forge forge;
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_INSUFFICIENT_FUNDS);
    forge_frame_end(&forge);
    forge_end(&forge);
    expect_disagreement(1, "recorded as insufficient_funds, but the rules say accepted");
}

Test(query_replay, another_reason_is_found, FIXTURE)
{
    struct forge forge;
    settle_event event = fixture_transfer(SETTLE_WITHDRAWAL, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_BALANCE_OVERFLOW);
    forge_frame_end(&forge);
    forge_end(&forge);
    expect_disagreement(1, "recorded as balance_overflow, but the rules say insufficient_funds");
}

Test(query_replay, an_asset_declared_twice_with_other_values_is_found, FIXTURE)
{
    struct forge forge;
    const settle_asset other = {2, 7, "USDT"};
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 3, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_UNKNOWN_ASSET);
    forge_asset(&forge, &other);
    forge_frame_end(&forge);
    forge_end(&forge);
    struct replay_result result = {0};
    const struct replay_options plain = {UINT64_MAX, false, NULL, NULL};
    EXPECT_STATUS(query_replay(fixture_dir, &plain, &result, &test_error), SETTLE_E_CORRUPT);
}

/* ---- Repeats ---- */

/* A deposit, then the same id again with `amount`, recorded as `outcome` of first_seq at the first position + `off`. */
static void forge_again(settle_int128 amount, settle_outcome outcome, uint64_t first_seq, uint64_t off)
{
    struct forge forge;
    settle_leg legs[2];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    uint64_t first = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    forge_frame_begin(&forge);
    event.u.transfer.amount = amount;
    forge_consumed(&forge, &event);
    forge_repeat(&forge, outcome, first_seq, first + off);
    forge_frame_end(&forge);
    forge_end(&forge);
}

Test(query_replay, a_true_duplicate_and_a_true_conflict_are_fine, FIXTURE)
{
    forge_again(100, SETTLE_DUPLICATE, 1, 0);
    struct replay_result result = replay(UINT64_MAX, true);
    cr_assert(result.ok, "%s", told.first);
    cr_assert_eq(result.counts.ids, 1);
    cr_assert_eq(result.counts.events, 2);
    ledger_free(&result.ledger);
}

Test(query_replay, a_conflict_recorded_as_duplicate_is_found, FIXTURE)
{
    forge_again(101, SETTLE_DUPLICATE, 1, 0);
    expect_disagreement(2, "recorded as duplicate, but the content differs");
}

Test(query_replay, a_duplicate_recorded_as_conflict_is_found, FIXTURE)
{
    forge_again(100, SETTLE_CONFLICT, 1, 0);
    expect_disagreement(2, "recorded as conflict, but the content is the same");
}

/* The first arrival is another event than the repeat says. */
static void forge_repeat_of(uint64_t ts_ms, uint64_t first_seq, uint64_t first_off)
{
    struct forge forge;
    settle_leg legs[2];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    uint64_t first = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    event.ts_ms = ts_ms;
    forge_consumed(&forge, &event);
    forge_repeat(&forge, SETTLE_DUPLICATE, first_seq, first + first_off);
    forge_frame_end(&forge);
    forge_end(&forge);
}

Test(query_replay, a_repeat_of_an_event_with_another_id_is_found, FIXTURE)
{
    forge_repeat_of(6, 1, 0);
    expect_disagreement(2, "has another id or seq");
}

Test(query_replay, a_repeat_of_something_behind_it_is_found, FIXTURE)
{
    forge_repeat_of(5, 1, 4096);
    expect_disagreement(2, "not before it");
}

Test(query_replay, a_repeat_that_points_at_no_event_is_corrupt, FIXTURE)
{
    struct replay_result result = {0};
    const struct replay_options plain = {UINT64_MAX, false, NULL, NULL};
    forge_repeat_of(5, 1, 8);
    EXPECT_STATUS(query_replay(fixture_dir, &plain, &result, &test_error), SETTLE_E_CORRUPT);
}

/* ---- Copies ---- */

Test(query_replay, a_copy_up_to_an_event_is_a_directory_of_its_own, FIXTURE)
{
    char into[TEMPDIR_PATH_BYTES];
    struct query *query = NULL;
    struct ledger ledger = {0};
    struct verify_result verified = {0};
    fixture_fill_engine(0);
    tempdir_join(into, fixture_dir, "copy");
    EXPECT_OK(query_copy(fixture_dir, into, 2, &test_error));
    EXPECT_OK(query_open(into, &query, &test_error));
    cr_assert_null(query_store_fault(query)); /* its store was built */
    EXPECT_OK(query_balances(query, 0, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 4);
    cr_assert(ledger.balances[0].available == 1000500000);
    ledger_free(&ledger);
    query_close(query);
    EXPECT_OK(query_verify(into, NULL, &verified, &test_error));
    cr_assert(verified.ok, "%s", verified.fault.text);
    cr_assert_eq(verified.counts.events, 2);
    EXPECT_STATUS(query_copy(fixture_dir, into, 2, &test_error), SETTLE_E_EXISTS);
    EXPECT_STATUS(query_copy(fixture_dir, fixture_dir, 2, &test_error), SETTLE_E_EXISTS);
}
