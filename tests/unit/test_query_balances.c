/* test_query_balances.c — opening a query, names, balances as lists. */
#include <unistd.h>

#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_balances);

static struct query *open_query(void)
{
    struct query *query = NULL;
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    return query;
}

/* ---- Names ---- */

Test(query_balances, numbers_are_digits_without_sign_or_leading_zero, FIXTURE)
{
    uint64_t value = 77;
    cr_assert(query_u64_parse("0", &value));
    cr_assert_eq(value, 0);
    cr_assert(query_u64_parse("18446744073709551615", &value));
    cr_assert_eq(value, UINT64_MAX);
    value = 77;
    const char *wrong[] = {
        "", "-1", "+1", " 1", "1 ", "01", "00", "0x1", "1e3", "1.0", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(query_u64_parse(wrong[i], &value), "%s", wrong[i]);
    cr_assert_eq(value, 77);
}

Test(query_balances, a_user_is_a_number_from_1_or_a_system_account, FIXTURE)
{
    uint64_t user = 77;
    cr_assert(query_user_parse("1", &user));
    cr_assert_eq(user, 1);
    cr_assert(query_user_parse("9223372036854775807", &user));
    cr_assert_eq(user, SETTLE_USER_MAX);
    cr_assert(query_user_parse("external", &user));
    cr_assert_eq(user, SETTLE_USER_EXTERNAL);
    cr_assert(query_user_parse("fees", &user));
    cr_assert_eq(user, SETTLE_USER_FEES);
    user = 77;
    const char *wrong[] = {"0", "9223372036854775808", "18446744073709551615", "Fees", "", "x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(query_user_parse(wrong[i], &user), "%s", wrong[i]);
    cr_assert_eq(user, 77);
}

Test(query_balances, an_asset_is_declared_as_symbol_id_and_scale, FIXTURE)
{
    settle_asset asset = {0};
    cr_assert(query_asset_parse("USDT=2:6", &asset));
    cr_assert_eq(asset.id, 2);
    cr_assert_eq(asset.scale, 6);
    cr_assert_str_eq(asset.symbol, "USDT");
    cr_assert(query_asset_parse("A.B=4294967295:18", &asset));
    cr_assert(query_asset_parse("ABCDEFGHIJKLMNO=1:0", &asset));
    cr_assert_str_eq(asset.symbol, "ABCDEFGHIJKLMNO");
    const char *wrong[] = {"",
                           "USDT",
                           "USDT=2",
                           "USDT:6=2",
                           "=2:6",
                           "usdt=2:6",
                           "U-T=2:6",
                           "USDT=0:6",
                           "USDT=2:19",
                           "USDT=2:",
                           "USDT=:6",
                           "USDT=4294967296:6",
                           "USDT=2:6 ",
                           "USDT=2:06",
                           "USDT=2:6:1",
                           "USDT=2=3:6",
                           "ABCDEFGHIJKLMNOP=1:0",
                           "USDT=+2:6"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(query_asset_parse(wrong[i], &asset), "%s", wrong[i]);
}

Test(query_balances, a_symbol_wins_over_an_id, FIXTURE)
{
    const settle_asset odd = {7, 0, "2"};
    settle *engine = NULL;
    fixture_fill_engine(0);
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &odd, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    struct query *query = open_query();
    cr_assert_eq(query_asset_find(query, TEXT("USDT"))->id, 2);
    cr_assert_eq(query_asset_find(query, TEXT("1"))->id, 1);
    cr_assert_eq(query_asset_find(query, TEXT("2"))->id, 7);
    cr_assert_null(query_asset_find(query, TEXT("3")));
    cr_assert_null(query_asset_find(query, TEXT("usdt")));
    cr_assert_null(query_asset_find(query, TEXT("")));
    cr_assert_null(query_asset_find(query, TEXT("4294967297")));
    cr_assert_null(query_asset_find(query, TEXT("111111111111111111111111111111")));
    query_close(query);
}

/* ---- Balances ---- */

static void expect_balance(const struct ledger *ledger, size_t index, uint64_t user, uint32_t asset,
                           settle_int128 available, uint64_t version, uint64_t seq)
{
    cr_assert_lt(index, ledger->balance_count);
    const settle_balance *balance = &ledger->balances[index];
    cr_assert_eq(balance->user, user, "row %zu", index);
    cr_assert_eq(balance->asset, asset, "row %zu", index);
    cr_assert(balance->available == available, "row %zu", index);
    cr_assert(balance->held == 0, "row %zu", index);
    cr_assert_eq(balance->version, version, "row %zu", index);
    cr_assert_eq(balance->seq, seq, "row %zu", index);
}

static void expect_all_balances(const struct ledger *ledger)
{
    cr_assert_eq(ledger->balance_count, FIXTURE_ACCOUNTS);
    expect_balance(ledger, 0, 7, 1, 999000, 1, 3);
    expect_balance(ledger, 1, 7, 2, 500500000, 2, 3);
    expect_balance(ledger, 2, 8, 1, 49000000, 2, 3);
    expect_balance(ledger, 3, 8, 2, 499500000, 1, 3);
    expect_balance(ledger, 4, SETTLE_USER_EXTERNAL, 1, -50000000, 1, 2);
    expect_balance(ledger, 5, SETTLE_USER_EXTERNAL, 2, -1000500000, 1, 1);
    expect_balance(ledger, 6, SETTLE_USER_FEES, 1, 1000, 1, 3);
    expect_balance(ledger, 7, SETTLE_USER_FEES, 2, 500000, 1, 3);
}

Test(query_balances, all_are_sorted_by_user_and_asset_with_the_system_accounts_last, FIXTURE)
{
    struct ledger ledger = {0};
    fixture_fill_engine(0);
    struct query *query = open_query();
    cr_assert_null(query_store_fault(query));
    EXPECT_OK(query_balances(query, 0, 0, &ledger, &test_error));
    expect_all_balances(&ledger);
    cr_assert_eq(ledger.asset_count, 2);
    cr_assert_str_eq(ledger_asset(&ledger, 1)->symbol, "BTC");
    cr_assert_eq(ledger_asset(&ledger, 2)->scale, 6);
    ledger_free(&ledger);
    query_close(query);
}

Test(query_balances, a_user_or_one_asset_of_a_user_can_be_asked_for, FIXTURE)
{
    struct ledger ledger = {0};
    fixture_fill_engine(0);
    struct query *query = open_query();
    EXPECT_OK(query_balances(query, 8, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 2);
    ledger_free(&ledger);
    EXPECT_OK(query_balances(query, SETTLE_USER_FEES, 2, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 1);
    expect_balance(&ledger, 0, SETTLE_USER_FEES, 2, 500000, 1, 3);
    ledger_free(&ledger);
    EXPECT_OK(query_balances(query, 9, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 0);
    ledger_free(&ledger);
    query_close(query);
}

static void remove_store(void)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
}

Test(query_balances, without_a_store_the_journal_answers_the_same, FIXTURE)
{
    struct ledger ledger = {0};
    fixture_fill_engine(0);
    remove_store();
    struct query *query = open_query();
    cr_assert_not_null(query_store_fault(query));
    cr_assert_eq(query_store_fault(query)->status, SETTLE_E_NOT_FOUND);
    EXPECT_OK(query_balances(query, 0, 0, &ledger, &test_error));
    expect_all_balances(&ledger);
    ledger_free(&ledger);
    query_close(query);
}

/* Whatever byte of the store is damaged, the balances are right or the damage is told; they are never wrong. */
Test(query_balances, a_damaged_store_never_changes_an_answer, FIXTURE, .timeout = 120)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t faults = 0;
    fixture_fill_engine(0);
    fixture_path("store", "data.mdb", 0, path);
    for (long offset = 0; offset < 40960; offset += 61) {
        struct ledger ledger = {0};
        struct query *query = NULL;
        fixture_flip(path, offset, 0x20);
        EXPECT_OK(query_open(fixture_dir, &query, &test_error));
        EXPECT_OK(query_balances(query, 0, 0, &ledger, &test_error));
        faults += query_store_fault(query) != NULL;
        expect_all_balances(&ledger);
        ledger_free(&ledger);
        query_close(query);
        fixture_flip(path, offset, 0x20);
    }
    cr_assert_gt(faults, 5);
}

Test(query_balances, no_directory_and_no_journal_are_not_found, FIXTURE)
{
    struct query *query = NULL;
    char path[TEMPDIR_PATH_BYTES];
    EXPECT_STATUS(query_open(fixture_dir, &query, &test_error), SETTLE_E_NOT_FOUND);
    tempdir_join(path, fixture_dir, "absent");
    EXPECT_STATUS(query_open(path, &query, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_null(query);
    cr_assert_neq(access(path, F_OK), 0); /* a query creates nothing */
    query_close(NULL);
}

Test(query_balances, an_empty_journal_has_no_balances, FIXTURE)
{
    struct ledger ledger = {0};
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    struct query *query = open_query();
    EXPECT_OK(query_balances(query, 0, 0, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 0);
    cr_assert_eq(ledger.asset_count, 0);
    ledger_free(&ledger);
    EXPECT_OK(query_assets(query, &ledger, &test_error));
    cr_assert_eq(ledger.asset_count, 0);
    ledger_free(&ledger);
    cr_assert_eq(query_segment_bytes(query), UINT64_C(64) << 20);
    query_close(query);
}
