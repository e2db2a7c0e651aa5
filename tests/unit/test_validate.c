/*
 * test_validate.c — contract section 2, rule by rule: the reasons and their order, the legs and theirs, and that the
 * function is pure. Random streams against a second implementation are in test_model.c.
 */
#include "engine/validate.h"

#include <signal.h>
#include <string.h>

#include <settle/settle.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(validate);

#define BUYER 1001u
#define SELLER 1002u
#define BTC 1u
#define USDT 2u
#define MAX SETTLE_AMOUNT_MAX

/* Everything that one call reads, and what it writes. */
struct bench {
    settle_asset btc, usdt;
    struct account user, external, buyer_quote, buyer_base, seller_base, seller_quote, fees_base, fees_quote;
    struct parties parties;
    settle_event event;
    struct verdict verdict;
};

static struct account account_of(uint64_t user, uint32_t asset, settle_int128 available, uint64_t number)
{
    return (struct account){
        .user = user,
        .asset = asset,
        .available = available,
        .held = 0,
        .version = number,
        .last_seq = 10 * number,
        .last_position = 100 * number,
    };
}

static void bench_init(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->btc = (settle_asset){BTC, 8, "BTC"};
    bench->usdt = (settle_asset){USDT, 6, "USDT"};
    bench->event.ts_ms = 1733856600000;
    bench->verdict.leg_count = 99;
}

/* A deposit or withdrawal of USDT by a user who has 1000 minor units, and 50 held. */
static void init_transfer(struct bench *bench, settle_event_type type, settle_int128 amount)
{
    bench_init(bench);
    bench->user = account_of(BUYER, USDT, 1000, 7);
    bench->user.held = 50;
    bench->external = account_of(SETTLE_USER_EXTERNAL, USDT, -1050, 9);
    bench->parties = (struct parties){.asset = &bench->usdt, .user = &bench->user, .external = &bench->external};
    bench->event.type = type;
    bench->event.u.transfer = (settle_transfer){BUYER, USDT, amount};
}

/* A trade in which the buyer has 5000 USDT and the seller 3 BTC; all parties exist. */
static void init_trade(struct bench *bench, settle_int128 quantity, settle_int128 quote_amount)
{
    bench_init(bench);
    bench->buyer_quote = account_of(BUYER, USDT, 5000000000, 1);
    bench->buyer_base = account_of(BUYER, BTC, 7, 2);
    bench->seller_base = account_of(SELLER, BTC, 300000000, 3);
    bench->seller_quote = account_of(SELLER, USDT, 11, 4);
    bench->fees_base = account_of(SETTLE_USER_FEES, BTC, 13, 5);
    bench->fees_quote = account_of(SETTLE_USER_FEES, USDT, 17, 6);
    bench->parties = (struct parties){
        .base = &bench->btc,
        .quote = &bench->usdt,
        .buyer_quote = &bench->buyer_quote,
        .buyer_base = &bench->buyer_base,
        .seller_base = &bench->seller_base,
        .seller_quote = &bench->seller_quote,
        .fees_base = &bench->fees_base,
        .fees_quote = &bench->fees_quote,
    };
    bench->event.type = SETTLE_TRADE;
    bench->event.u.trade = (settle_trade){
        .trade_id = {"T1", 2},
        .buyer = BUYER,
        .seller = SELLER,
        .base = BTC,
        .quote = USDT,
        .quantity = quantity,
        .quote_amount = quote_amount,
    };
}

/* Judges, and proves on the way that nothing but the verdict was written, and that a second look says the same. */
static settle_reason judge(struct bench *bench)
{
    struct bench before;
    struct verdict again;
    memcpy(&before, bench, sizeof before);
    validate(&bench->event, &bench->parties, &bench->verdict);
    memset(&again, 0xa5, sizeof again);
    validate(&bench->event, &bench->parties, &again);
    cr_assert_eq(memcmp(&before, bench, offsetof(struct bench, verdict)), 0, "the inputs changed");
    cr_assert_eq(again.reason, bench->verdict.reason);
    cr_assert_eq(again.leg_count, bench->verdict.leg_count);
    for (uint32_t i = 0; i < again.leg_count; i++) {
        cr_assert(again.legs[i].after_available == bench->verdict.legs[i].after_available);
        cr_assert_eq(again.legs[i].version, bench->verdict.legs[i].version);
    }
    cr_assert_leq(bench->verdict.leg_count, SETTLE_LEGS_MAX);
    if (bench->verdict.reason != SETTLE_REASON_NONE)
        cr_assert_eq(bench->verdict.leg_count, 0, "a rejection moves nothing");
    return bench->verdict.reason;
}

static void expect_reason(struct bench *bench, settle_reason expected)
{
    settle_reason reason = judge(bench);
    cr_assert_eq(reason, expected, "%s instead of %s", settle_reason_name(reason), settle_reason_name(expected));
}

/* Leg `index` changes `account` (which may be NULL: then `user` and `asset` tell whose it is) by `delta`. */
static void expect_leg(const struct bench *bench, uint32_t index, const struct account *account, uint64_t user,
                       uint32_t asset, settle_int128 delta)
{
    cr_assert_lt(index, bench->verdict.leg_count);
    const settle_leg *leg = &bench->verdict.legs[index];
    cr_assert_eq(leg->user, user, "leg %u", index);
    cr_assert_eq(leg->asset, asset, "leg %u", index);
    cr_assert(leg->delta_available == delta, "leg %u", index);
    cr_assert(leg->after_available == (account == NULL ? 0 : account->available) + delta, "leg %u", index);
    cr_assert(leg->delta_held == 0, "leg %u", index);
    cr_assert(leg->after_held == (account == NULL ? 0 : account->held), "leg %u", index);
    cr_assert_eq(leg->version, account == NULL ? 1 : account->version + 1, "leg %u", index);
    cr_assert_eq(leg->previous_position, account == NULL ? 0 : account->last_position, "leg %u", index);
}

/* ---- Deposits and withdrawals -------------------------------------------------------------------------------------- */

Test(validate, a_deposit_moves_from_external_to_the_user)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 250);
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 2);
    expect_leg(&bench, 0, &bench.user, BUYER, USDT, 250);
    expect_leg(&bench, 1, &bench.external, SETTLE_USER_EXTERNAL, USDT, -250);
    cr_assert(bench.verdict.legs[0].after_available == 1250);
    cr_assert(bench.verdict.legs[0].after_held == 50, "held stays");
    cr_assert_eq(bench.verdict.legs[0].version, 8);
    cr_assert_eq(bench.verdict.legs[0].previous_position, 700);
}

Test(validate, a_first_deposit_opens_both_accounts)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 250);
    bench.parties.user = NULL;
    bench.parties.external = NULL;
    expect_reason(&bench, SETTLE_REASON_NONE);
    expect_leg(&bench, 0, NULL, BUYER, USDT, 250);
    expect_leg(&bench, 1, NULL, SETTLE_USER_EXTERNAL, USDT, -250);
    cr_assert_eq(bench.verdict.legs[0].version, 1);
    cr_assert_eq(bench.verdict.legs[0].previous_position, 0);
}

Test(validate, a_withdrawal_moves_from_the_user_to_external)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_WITHDRAWAL, 999);
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 2);
    expect_leg(&bench, 0, &bench.user, BUYER, USDT, -999);
    expect_leg(&bench, 1, &bench.external, SETTLE_USER_EXTERNAL, USDT, 999);
}

Test(validate, a_withdrawal_takes_what_is_available_and_no_more)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_WITHDRAWAL, 1000);
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert(bench.verdict.legs[0].after_available == 0);
    bench.event.u.transfer.amount = 1001; /* 50 more are held, which does not help */
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.event.u.transfer.amount = MAX;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.event.u.transfer.amount = 1;
    bench.parties.user = NULL;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, an_undeclared_asset_comes_before_everything)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, MAX);
    bench.parties.asset = NULL;
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
    bench.event.type = SETTLE_WITHDRAWAL;
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
}

Test(validate, a_deposit_may_fill_a_balance_to_the_limit)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 5);
    bench.user.available = MAX - 5;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert(bench.verdict.legs[0].after_available == MAX);
    bench.user.available = MAX - 4;
    expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
    bench.user.available = 0;
    bench.external.available = -MAX + 5;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert(bench.verdict.legs[1].after_available == -MAX);
    bench.external.available = -MAX + 4;
    expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
    bench.external.available = -MAX;
    expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
}

Test(validate, a_withdrawal_may_fill_external_to_the_limit)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_WITHDRAWAL, 5);
    bench.external.available = MAX - 5;
    expect_reason(&bench, SETTLE_REASON_NONE);
    bench.external.available = MAX - 4;
    expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
    bench.event.u.transfer.amount = 1001;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

/* ---- Trades: legs ---------------------------------------------------------------------------------------------------- */

Test(validate, a_trade_has_four_legs_in_order)
{
    struct bench bench;
    init_trade(&bench, 200000000, 3000000000);
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 4);
    expect_leg(&bench, 0, &bench.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&bench, 1, &bench.buyer_base, BUYER, BTC, 200000000);
    expect_leg(&bench, 2, &bench.seller_base, SELLER, BTC, -200000000);
    expect_leg(&bench, 3, &bench.seller_quote, SELLER, USDT, 3000000000);
}

Test(validate, fees_are_taken_from_what_is_received)
{
    struct bench bench;
    init_trade(&bench, 200000000, 3000000000);
    bench.event.u.trade.buyer_fee = 20000;
    bench.event.u.trade.seller_fee = 3000;
    bench.seller_base.held = 5;
    bench.fees_quote.held = -3;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 6);
    expect_leg(&bench, 0, &bench.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&bench, 1, &bench.buyer_base, BUYER, BTC, 199980000);
    expect_leg(&bench, 2, &bench.seller_base, SELLER, BTC, -200000000);
    expect_leg(&bench, 3, &bench.seller_quote, SELLER, USDT, 2999997000);
    expect_leg(&bench, 4, &bench.fees_base, SETTLE_USER_FEES, BTC, 20000);
    expect_leg(&bench, 5, &bench.fees_quote, SETTLE_USER_FEES, USDT, 3000);
}

Test(validate, one_fee_is_one_leg)
{
    struct bench bench;
    init_trade(&bench, 200000000, 3000000000);
    bench.event.u.trade.seller_fee = 1;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 5);
    expect_leg(&bench, 4, &bench.fees_quote, SETTLE_USER_FEES, USDT, 1);
    bench.event.u.trade.seller_fee = 0;
    bench.event.u.trade.buyer_fee = 1;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 5);
    expect_leg(&bench, 4, &bench.fees_base, SETTLE_USER_FEES, BTC, 1);
}

Test(validate, a_fee_of_all_that_is_received_leaves_no_leg)
{
    struct bench bench;
    init_trade(&bench, 200000000, 3000000000);
    bench.event.u.trade.buyer_fee = 200000000;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 4);
    expect_leg(&bench, 0, &bench.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&bench, 1, &bench.seller_base, SELLER, BTC, -200000000);
    expect_leg(&bench, 2, &bench.seller_quote, SELLER, USDT, 3000000000);
    expect_leg(&bench, 3, &bench.fees_base, SETTLE_USER_FEES, BTC, 200000000);
    bench.event.u.trade.seller_fee = 3000000000;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 4);
    expect_leg(&bench, 2, &bench.fees_base, SETTLE_USER_FEES, BTC, 200000000);
    expect_leg(&bench, 3, &bench.fees_quote, SETTLE_USER_FEES, USDT, 3000000000);
}

Test(validate, a_trade_opens_the_accounts_it_needs)
{
    struct bench bench;
    init_trade(&bench, 200000000, 3000000000);
    bench.event.u.trade.buyer_fee = 1;
    bench.event.u.trade.seller_fee = 2;
    bench.parties.buyer_base = bench.parties.seller_quote = NULL;
    bench.parties.fees_base = bench.parties.fees_quote = NULL;
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(bench.verdict.leg_count, 6);
    expect_leg(&bench, 1, NULL, BUYER, BTC, 199999999);
    expect_leg(&bench, 3, NULL, SELLER, USDT, 2999999998);
    expect_leg(&bench, 4, NULL, SETTLE_USER_FEES, BTC, 1);
    expect_leg(&bench, 5, NULL, SETTLE_USER_FEES, USDT, 2);
}

/* ---- Trades: price and quote_amount ---------------------------------------------------------------------------------- */

/* The amount that the buyer pays, or the reason as a negative number. */
static settle_int128 paid(struct bench *bench, settle_uint128 mantissa, uint32_t scale, settle_int128 quote_amount)
{
    bench->event.u.trade.price = (settle_price){mantissa, scale};
    bench->event.u.trade.quote_amount = quote_amount;
    settle_reason reason = judge(bench);
    return reason == SETTLE_REASON_NONE ? -bench->verdict.legs[0].delta_available : -(settle_int128)reason;
}

Test(validate, a_price_alone_is_multiplied_exactly)
{
    struct bench bench;
    init_trade(&bench, 150000000, 0);                                   /* 1.5 BTC */
    cr_assert(paid(&bench, 2000, 0, 0) == 3000000000);                  /* × 2000 */
    cr_assert(paid(&bench, 4, 6, 0) == 6);                              /* × 0.000004 */
    cr_assert(paid(&bench, 3, 6, 0) == -SETTLE_REASON_INEXACT_AMOUNT);  /* 4.5 */
    cr_assert(paid(&bench, 1, 18, 0) == -SETTLE_REASON_INEXACT_AMOUNT); /* 0.0000000000015 */
    cr_assert(paid(&bench, 2000000000000000001, 15, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    bench.event.u.trade.quantity = 1;
    cr_assert(paid(&bench, 100, 0, 0) == 1);
    cr_assert(paid(&bench, 99, 0, 0) == -SETTLE_REASON_INEXACT_AMOUNT, "0.99: less than one unit is not zero units");
}

Test(validate, a_quote_amount_alone_stands)
{
    struct bench bench;
    init_trade(&bench, 1, 1);
    cr_assert(paid(&bench, 0, 0, 1) == 1);
    cr_assert(paid(&bench, 0, 0, 5000000000) == 5000000000);
    cr_assert(paid(&bench, 0, 0, 5000000001) == -SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, with_both_the_quote_amount_lies_within_one_unit)
{
    struct bench bench;
    init_trade(&bench, 150000000, 0);
    /* 1.5 × 0.000004 = 6 units exactly */
    cr_assert(paid(&bench, 4, 6, 6) == 6);
    cr_assert(paid(&bench, 4, 6, 5) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&bench, 4, 6, 7) == -SETTLE_REASON_PRICE_MISMATCH);
    /* 1.5 × 0.000003 = 4.5 units */
    cr_assert(paid(&bench, 3, 6, 3) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&bench, 3, 6, 4) == 4);
    cr_assert(paid(&bench, 3, 6, 5) == 5);
    cr_assert(paid(&bench, 3, 6, 6) == -SETTLE_REASON_PRICE_MISMATCH);
    /* 1.5 × 10^-18 = 1.5 × 10^-12 units: one unit is less than one unit away, two are not */
    cr_assert(paid(&bench, 1, 18, 1) == 1);
    cr_assert(paid(&bench, 1, 18, 2) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&bench, 1, 18, MAX) == -SETTLE_REASON_PRICE_MISMATCH);
}

Test(validate, a_product_beyond_the_limit_is_an_overflow_with_and_without_quote_amount)
{
    struct bench bench;
    init_trade(&bench, MAX, 0);
    bench.btc.scale = bench.usdt.scale = 6;
    bench.buyer_quote.available = bench.seller_base.available = MAX;
    bench.buyer_base.available = bench.seller_quote.available = 0;
    cr_assert(paid(&bench, 1, 0, 0) == MAX);
    cr_assert(paid(&bench, 1, 0, MAX) == MAX);
    cr_assert(paid(&bench, UINT64_C(1000000000000000001), 18, 0) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    cr_assert(paid(&bench, UINT64_C(1000000000000000001), 18, MAX) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    cr_assert(paid(&bench, UINT64_C(1000000000000000001), 18, 1) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    /* (2^127 - 1) / 2 + 0.5: the fraction is below the limit, and the unit above it may be paid */
    cr_assert(paid(&bench, 5, 1, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    cr_assert(paid(&bench, 5, 1, MAX / 2 + 1) == MAX / 2 + 1);
    cr_assert(paid(&bench, 5, 1, MAX / 2) == MAX / 2);
    cr_assert(paid(&bench, 5, 1, MAX / 2 + 2) == -SETTLE_REASON_PRICE_MISMATCH);
}

Test(validate, the_largest_inexact_product_may_be_rounded_up_to_the_limit)
{
    struct bench bench;
    init_trade(&bench, 1, 0);
    bench.btc.scale = bench.usdt.scale = 0;
    bench.buyer_quote.available = bench.seller_base.available = MAX;
    bench.buyer_base.available = bench.seller_quote.available = 0;
    cr_assert(MAX % 11 == 6);
    bench.event.u.trade.quantity = MAX / 11 * 10 + 5; /* × 1.1 = 2^127 - 1 - 0.5 */
    cr_assert(paid(&bench, 11, 1, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    cr_assert(paid(&bench, 11, 1, MAX) == MAX);
    cr_assert(paid(&bench, 11, 1, MAX - 1) == MAX - 1);
    cr_assert(paid(&bench, 11, 1, MAX - 2) == -SETTLE_REASON_PRICE_MISMATCH);
    bench.event.u.trade.quantity += 1; /* 2^127 - 1 + 0.6: only the fraction is beyond the limit */
    cr_assert(paid(&bench, 11, 1, MAX) == -SETTLE_REASON_AMOUNT_OVERFLOW);
}

/* ---- Trades: reasons ------------------------------------------------------------------------------------------------- */

Test(validate, either_asset_of_a_trade_may_be_unknown)
{
    struct bench bench;
    init_trade(&bench, 1, 1);
    bench.parties.base = NULL;
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
    bench.parties.quote = NULL;
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
    bench.parties.base = &bench.btc;
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
}

/* An event that breaks every rule, mended one rule at a time: the reasons come in the contract's order. */
Test(validate, the_first_broken_rule_is_the_reason)
{
    struct bench bench;
    init_trade(&bench, MAX, MAX);
    settle_trade *trade = &bench.event.u.trade;
    trade->seller = BUYER;
    trade->quote = BTC;
    trade->price = (settle_price){MAX, 0};
    trade->buyer_fee = trade->seller_fee = MAX;
    bench.parties = (struct parties){.buyer_base = &bench.buyer_base};
    expect_reason(&bench, SETTLE_REASON_UNKNOWN_ASSET);
    bench.parties.base = bench.parties.quote = &bench.btc;
    expect_reason(&bench, SETTLE_REASON_SELF_TRADE);
    trade->seller = SELLER;
    expect_reason(&bench, SETTLE_REASON_SAME_ASSET);
    trade->quote = USDT;
    bench.parties.quote = &bench.usdt;
    expect_reason(&bench, SETTLE_REASON_AMOUNT_OVERFLOW);
    trade->quantity = 1;
    trade->price = (settle_price){101, 0}; /* 1.01 minor units */
    trade->quote_amount = 0;
    expect_reason(&bench, SETTLE_REASON_INEXACT_AMOUNT);
    trade->quote_amount = MAX;
    expect_reason(&bench, SETTLE_REASON_PRICE_MISMATCH);
    trade->quote_amount = 2;
    expect_reason(&bench, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    trade->buyer_fee = trade->seller_fee = 1;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.parties.buyer_quote = &bench.buyer_quote;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.parties.seller_base = &bench.seller_base;
    bench.parties.seller_quote = &bench.seller_quote;
    bench.seller_quote.available = MAX;
    expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
    bench.seller_quote.available = MAX - 1;
    expect_reason(&bench, SETTLE_REASON_NONE);
}

Test(validate, a_fee_may_be_all_but_not_more)
{
    struct bench bench;
    init_trade(&bench, 200, 300);
    bench.event.u.trade.buyer_fee = 200;
    bench.event.u.trade.seller_fee = 300;
    expect_reason(&bench, SETTLE_REASON_NONE);
    bench.event.u.trade.buyer_fee = 201;
    expect_reason(&bench, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    bench.event.u.trade.buyer_fee = 0;
    bench.event.u.trade.seller_fee = 301;
    expect_reason(&bench, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    bench.event.u.trade.seller_fee = MAX;
    expect_reason(&bench, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
}

Test(validate, the_sellers_fee_is_measured_by_what_the_price_comes_to)
{
    struct bench bench;
    init_trade(&bench, 100000000, 0);
    bench.event.u.trade.price = (settle_price){3, 4}; /* 300 minor units */
    bench.event.u.trade.seller_fee = 300;
    expect_reason(&bench, SETTLE_REASON_NONE);
    bench.event.u.trade.seller_fee = 301;
    expect_reason(&bench, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
}

Test(validate, both_sides_must_have_what_they_pay)
{
    struct bench bench;
    init_trade(&bench, 300000000, 5000000000);
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert(bench.verdict.legs[0].after_available == 0 && bench.verdict.legs[2].after_available == 0);
    bench.buyer_quote.available -= 1;
    bench.buyer_quote.held = 1; /* what is held is not available */
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.buyer_quote.available += 1;
    bench.seller_base.available -= 1;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.seller_quote.available = MAX; /* an overflow, too, but that is the later rule */
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
    bench.parties.seller_base = NULL;
    expect_reason(&bench, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, every_receiver_may_be_filled_to_the_limit)
{
    struct bench bench;
    init_trade(&bench, 1000, 2000);
    bench.event.u.trade.buyer_fee = 100;
    bench.event.u.trade.seller_fee = 200;
    const struct {
        struct account *account;
        settle_int128 received;
    } receivers[] = {
        {&bench.buyer_base, 900},
        {&bench.seller_quote, 1800},
        {&bench.fees_base, 100},
        {&bench.fees_quote, 200},
    };
    for (size_t i = 0; i < 4; i++) {
        settle_int128 before = receivers[i].account->available;
        receivers[i].account->available = MAX - receivers[i].received;
        expect_reason(&bench, SETTLE_REASON_NONE);
        receivers[i].account->available += 1;
        expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
        receivers[i].account->available = MAX;
        expect_reason(&bench, SETTLE_REASON_BALANCE_OVERFLOW);
        receivers[i].account->available = before;
    }
}

Test(validate, a_receiver_of_nothing_cannot_overflow)
{
    struct bench bench;
    init_trade(&bench, 1000, 2000);
    bench.event.u.trade.buyer_fee = 1000;
    bench.buyer_base.available = MAX;
    bench.fees_quote.available = MAX;
    expect_reason(&bench, SETTLE_REASON_NONE);
}

/* ---- Conservation, and the calling convention ------------------------------------------------------------------------ */

Test(validate, the_legs_of_each_asset_come_to_zero)
{
    static const settle_int128 fees[] = {0, 1, 999, 1000};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            struct bench bench;
            settle_int128 base = 0, quote = 0;
            init_trade(&bench, 1000, 1000);
            bench.event.u.trade.buyer_fee = fees[i];
            bench.event.u.trade.seller_fee = fees[j];
            expect_reason(&bench, SETTLE_REASON_NONE);
            for (uint32_t leg = 0; leg < bench.verdict.leg_count; leg++) {
                cr_assert(bench.verdict.legs[leg].delta_available != 0);
                if (bench.verdict.legs[leg].asset == BTC)
                    base += bench.verdict.legs[leg].delta_available;
                else
                    quote += bench.verdict.legs[leg].delta_available;
            }
            cr_assert(base == 0 && quote == 0, "fees %zu and %zu", i, j);
        }
}

Test(validate, the_id_the_time_and_the_source_do_not_matter)
{
    struct bench bench;
    init_trade(&bench, 1000, 2000);
    expect_reason(&bench, SETTLE_REASON_NONE);
    struct verdict first = bench.verdict;
    bench.event.ts_ms = 0;
    bench.event.event_id = (settle_text){"other", 5};
    bench.event.u.trade.trade_id = (settle_text){NULL, 0};
    bench.event.end = (settle_source_position){.source = 3, .offset_bytes = 4, .line = 5};
    expect_reason(&bench, SETTLE_REASON_NONE);
    cr_assert_eq(first.leg_count, bench.verdict.leg_count);
    for (uint32_t i = 0; i < first.leg_count; i++)
        cr_assert(first.legs[i].after_available == bench.verdict.legs[i].after_available);
}

Test(validate, an_amount_of_zero_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 0);
    validate(&bench.event, &bench.parties, &bench.verdict);
}

Test(validate, a_negative_fee_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_trade(&bench, 1000, 2000);
    bench.event.u.trade.seller_fee = -1;
    validate(&bench.event, &bench.parties, &bench.verdict);
}

Test(validate, a_trade_without_terms_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_trade(&bench, 1000, 0);
    validate(&bench.event, &bench.parties, &bench.verdict);
}

Test(validate, a_system_account_as_user_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 1);
    bench.event.u.transfer.user = SETTLE_USER_FEES;
    validate(&bench.event, &bench.parties, &bench.verdict);
}

Test(validate, an_account_of_another_user_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_transfer(&bench, SETTLE_DEPOSIT, 1);
    bench.user.user = BUYER + 1;
    validate(&bench.event, &bench.parties, &bench.verdict);
}

Test(validate, an_unknown_type_is_a_programmers_error, .signal = SIGABRT)
{
    struct bench bench;
    init_transfer(&bench, (settle_event_type)4, 1);
    validate(&bench.event, &bench.parties, &bench.verdict);
}
