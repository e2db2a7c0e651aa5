/*
 * test_validate.c — docs/events.md, rule by rule: the reasons and their order, the legs and theirs, and that the
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
struct scene {
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

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->btc = (settle_asset){BTC, 8, "BTC"};
    scene->usdt = (settle_asset){USDT, 6, "USDT"};
    scene->event.ts_ms = 1733856600000;
    scene->verdict.leg_count = 99;
}

/* A deposit or withdrawal of USDT by a user who has 1000 minor units, and 50 held. */
static void init_transfer(struct scene *scene, settle_event_type type, settle_int128 amount)
{
    scene_init(scene);
    scene->user = account_of(BUYER, USDT, 1000, 7);
    scene->user.held = 50;
    scene->external = account_of(SETTLE_USER_EXTERNAL, USDT, -1050, 9);
    scene->parties = (struct parties){.asset = &scene->usdt, .user = &scene->user, .external = &scene->external};
    scene->event.type = type;
    scene->event.u.transfer = (settle_transfer){BUYER, USDT, amount};
}

/* A trade in which the buyer has 5000 USDT and the seller 3 BTC; all parties exist. */
static void init_trade(struct scene *scene, settle_int128 quantity, settle_int128 quote_amount)
{
    scene_init(scene);
    scene->buyer_quote = account_of(BUYER, USDT, 5000000000, 1);
    scene->buyer_base = account_of(BUYER, BTC, 7, 2);
    scene->seller_base = account_of(SELLER, BTC, 300000000, 3);
    scene->seller_quote = account_of(SELLER, USDT, 11, 4);
    scene->fees_base = account_of(SETTLE_USER_FEES, BTC, 13, 5);
    scene->fees_quote = account_of(SETTLE_USER_FEES, USDT, 17, 6);
    scene->parties = (struct parties){
        .base = &scene->btc,
        .quote = &scene->usdt,
        .buyer_quote = &scene->buyer_quote,
        .buyer_base = &scene->buyer_base,
        .seller_base = &scene->seller_base,
        .seller_quote = &scene->seller_quote,
        .fees_base = &scene->fees_base,
        .fees_quote = &scene->fees_quote,
    };
    scene->event.type = SETTLE_TRADE;
    scene->event.u.trade = (settle_trade){
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
static settle_reason judge(struct scene *scene)
{
    struct scene before;
    struct verdict again;
    memcpy(&before, scene, sizeof before);
    validate(&scene->event, &scene->parties, &scene->verdict);
    memset(&again, 0xa5, sizeof again);
    validate(&scene->event, &scene->parties, &again);
    cr_assert_eq(memcmp(&before, scene, offsetof(struct scene, verdict)), 0, "the inputs changed");
    cr_assert_eq(again.reason, scene->verdict.reason);
    cr_assert_eq(again.leg_count, scene->verdict.leg_count);
    for (uint32_t i = 0; i < again.leg_count; i++) {
        cr_assert(again.legs[i].after_available == scene->verdict.legs[i].after_available);
        cr_assert_eq(again.legs[i].version, scene->verdict.legs[i].version);
    }
    cr_assert_leq(scene->verdict.leg_count, SETTLE_LEGS_MAX);
    if (scene->verdict.reason != SETTLE_REASON_NONE)
        cr_assert_eq(scene->verdict.leg_count, 0, "a rejection moves nothing");
    return scene->verdict.reason;
}

static void expect_reason(struct scene *scene, settle_reason expected)
{
    settle_reason reason = judge(scene);
    cr_assert_eq(reason, expected, "%s instead of %s", settle_reason_name(reason), settle_reason_name(expected));
}

/* Leg `index` changes `account` (which may be NULL: then `user` and `asset` tell whose it is) by `delta`. */
static void expect_leg(const struct scene *scene, uint32_t index, const struct account *account, uint64_t user,
                       uint32_t asset, settle_int128 delta)
{
    cr_assert_lt(index, scene->verdict.leg_count);
    const settle_leg *leg = &scene->verdict.legs[index];
    cr_assert_eq(leg->user, user, "leg %u", index);
    cr_assert_eq(leg->asset, asset, "leg %u", index);
    cr_assert(leg->delta_available == delta, "leg %u", index);
    cr_assert(leg->after_available == (account == NULL ? 0 : account->available) + delta, "leg %u", index);
    cr_assert(leg->delta_held == 0, "leg %u", index);
    cr_assert(leg->after_held == (account == NULL ? 0 : account->held), "leg %u", index);
    cr_assert_eq(leg->version, account == NULL ? 1 : account->version + 1, "leg %u", index);
    cr_assert_eq(leg->previous_position, account == NULL ? 0 : account->last_position, "leg %u", index);
}

/* ---- Deposits and withdrawals ------------------------------------------------------------------------------------ */

Test(validate, a_deposit_moves_from_external_to_the_user)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_DEPOSIT, 250);
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 2);
    expect_leg(&scene, 0, &scene.user, BUYER, USDT, 250);
    expect_leg(&scene, 1, &scene.external, SETTLE_USER_EXTERNAL, USDT, -250);
    cr_assert(scene.verdict.legs[0].after_available == 1250);
    cr_assert(scene.verdict.legs[0].after_held == 50, "held stays");
    cr_assert_eq(scene.verdict.legs[0].version, 8);
    cr_assert_eq(scene.verdict.legs[0].previous_position, 700);
}

Test(validate, a_first_deposit_opens_both_accounts)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_DEPOSIT, 250);
    scene.parties.user = NULL;
    scene.parties.external = NULL;
    expect_reason(&scene, SETTLE_REASON_NONE);
    expect_leg(&scene, 0, NULL, BUYER, USDT, 250);
    expect_leg(&scene, 1, NULL, SETTLE_USER_EXTERNAL, USDT, -250);
    cr_assert_eq(scene.verdict.legs[0].version, 1);
    cr_assert_eq(scene.verdict.legs[0].previous_position, 0);
}

Test(validate, a_withdrawal_moves_from_the_user_to_external)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_WITHDRAWAL, 999);
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 2);
    expect_leg(&scene, 0, &scene.user, BUYER, USDT, -999);
    expect_leg(&scene, 1, &scene.external, SETTLE_USER_EXTERNAL, USDT, 999);
}

Test(validate, a_withdrawal_takes_what_is_available_and_no_more)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_WITHDRAWAL, 1000);
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert(scene.verdict.legs[0].after_available == 0);
    scene.event.u.transfer.amount = 1001; /* 50 more are held, which does not help */
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.event.u.transfer.amount = MAX;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.event.u.transfer.amount = 1;
    scene.parties.user = NULL;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, an_undeclared_asset_comes_before_everything)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_DEPOSIT, MAX);
    scene.parties.asset = NULL;
    expect_reason(&scene, SETTLE_REASON_UNKNOWN_ASSET);
}

Test(validate, a_deposit_may_fill_a_balance_to_the_limit)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_DEPOSIT, 5);
    scene.user.available = MAX - 5;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert(scene.verdict.legs[0].after_available == MAX);
    scene.user.available = MAX - 4;
    expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
    scene.user.available = 0;
    scene.external.available = -MAX + 5;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert(scene.verdict.legs[1].after_available == -MAX);
    scene.external.available = -MAX + 4;
    expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
}

Test(validate, a_withdrawal_may_fill_external_to_the_limit)
{
    struct scene scene;
    init_transfer(&scene, SETTLE_WITHDRAWAL, 5);
    scene.external.available = MAX - 5;
    expect_reason(&scene, SETTLE_REASON_NONE);
    scene.external.available = MAX - 4;
    expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
    scene.event.u.transfer.amount = 1001;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

/* ---- Trades: legs ------------------------------------------------------------------------------------------------ */

Test(validate, a_trade_has_four_legs_in_order)
{
    struct scene scene;
    init_trade(&scene, 200000000, 3000000000);
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 4);
    expect_leg(&scene, 0, &scene.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&scene, 1, &scene.buyer_base, BUYER, BTC, 200000000);
    expect_leg(&scene, 2, &scene.seller_base, SELLER, BTC, -200000000);
    expect_leg(&scene, 3, &scene.seller_quote, SELLER, USDT, 3000000000);
}

Test(validate, fees_are_taken_from_what_is_received)
{
    struct scene scene;
    init_trade(&scene, 200000000, 3000000000);
    scene.event.u.trade.buyer_fee = 20000;
    scene.event.u.trade.seller_fee = 3000;
    scene.seller_base.held = 5;
    scene.fees_quote.held = -3;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 6);
    expect_leg(&scene, 0, &scene.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&scene, 1, &scene.buyer_base, BUYER, BTC, 199980000);
    expect_leg(&scene, 2, &scene.seller_base, SELLER, BTC, -200000000);
    expect_leg(&scene, 3, &scene.seller_quote, SELLER, USDT, 2999997000);
    expect_leg(&scene, 4, &scene.fees_base, SETTLE_USER_FEES, BTC, 20000);
    expect_leg(&scene, 5, &scene.fees_quote, SETTLE_USER_FEES, USDT, 3000);
}

Test(validate, one_fee_is_one_leg)
{
    struct scene scene;
    init_trade(&scene, 200000000, 3000000000);
    scene.event.u.trade.seller_fee = 1;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 5);
    expect_leg(&scene, 4, &scene.fees_quote, SETTLE_USER_FEES, USDT, 1);
    scene.event.u.trade.seller_fee = 0;
    scene.event.u.trade.buyer_fee = 1;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 5);
    expect_leg(&scene, 4, &scene.fees_base, SETTLE_USER_FEES, BTC, 1);
}

Test(validate, a_fee_of_all_that_is_received_leaves_no_leg)
{
    struct scene scene;
    init_trade(&scene, 200000000, 3000000000);
    scene.event.u.trade.buyer_fee = 200000000;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 4);
    expect_leg(&scene, 0, &scene.buyer_quote, BUYER, USDT, -3000000000);
    expect_leg(&scene, 1, &scene.seller_base, SELLER, BTC, -200000000);
    expect_leg(&scene, 2, &scene.seller_quote, SELLER, USDT, 3000000000);
    expect_leg(&scene, 3, &scene.fees_base, SETTLE_USER_FEES, BTC, 200000000);
    scene.event.u.trade.seller_fee = 3000000000;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 4);
    expect_leg(&scene, 2, &scene.fees_base, SETTLE_USER_FEES, BTC, 200000000);
    expect_leg(&scene, 3, &scene.fees_quote, SETTLE_USER_FEES, USDT, 3000000000);
}

Test(validate, a_trade_opens_the_accounts_it_needs)
{
    struct scene scene;
    init_trade(&scene, 200000000, 3000000000);
    scene.event.u.trade.buyer_fee = 1;
    scene.event.u.trade.seller_fee = 2;
    scene.parties.buyer_base = scene.parties.seller_quote = NULL;
    scene.parties.fees_base = scene.parties.fees_quote = NULL;
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(scene.verdict.leg_count, 6);
    expect_leg(&scene, 1, NULL, BUYER, BTC, 199999999);
    expect_leg(&scene, 3, NULL, SELLER, USDT, 2999999998);
    expect_leg(&scene, 4, NULL, SETTLE_USER_FEES, BTC, 1);
    expect_leg(&scene, 5, NULL, SETTLE_USER_FEES, USDT, 2);
}

/* ---- Trades: price and quote_amount ------------------------------------------------------------------------------ */

/* The amount that the buyer pays, or the reason as a negative number. */
static settle_int128 paid(struct scene *scene, settle_uint128 mantissa, uint32_t scale, settle_int128 quote_amount)
{
    scene->event.u.trade.price = (settle_price){mantissa, scale};
    scene->event.u.trade.quote_amount = quote_amount;
    settle_reason reason = judge(scene);
    return reason == SETTLE_REASON_NONE ? -scene->verdict.legs[0].delta_available : -(settle_int128)reason;
}

Test(validate, a_price_alone_is_multiplied_exactly)
{
    struct scene scene;
    init_trade(&scene, 150000000, 0);                                   /* 1.5 BTC */
    cr_assert(paid(&scene, 2000, 0, 0) == 3000000000);                  /* × 2000 */
    cr_assert(paid(&scene, 4, 6, 0) == 6);                              /* × 0.000004 */
    cr_assert(paid(&scene, 3, 6, 0) == -SETTLE_REASON_INEXACT_AMOUNT);  /* 4.5 */
    cr_assert(paid(&scene, 1, 18, 0) == -SETTLE_REASON_INEXACT_AMOUNT); /* 0.0000000000015 */
    cr_assert(paid(&scene, 2000000000000000001, 15, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    scene.event.u.trade.quantity = 1;
    cr_assert(paid(&scene, 100, 0, 0) == 1);
    cr_assert(paid(&scene, 99, 0, 0) == -SETTLE_REASON_INEXACT_AMOUNT, "0.99: less than one unit is not zero units");
}

Test(validate, a_quote_amount_alone_stands)
{
    struct scene scene;
    init_trade(&scene, 1, 1);
    cr_assert(paid(&scene, 0, 0, 1) == 1);
    cr_assert(paid(&scene, 0, 0, 5000000000) == 5000000000);
    cr_assert(paid(&scene, 0, 0, 5000000001) == -SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, with_both_the_quote_amount_lies_within_one_unit)
{
    struct scene scene;
    init_trade(&scene, 150000000, 0);
    /* 1.5 × 0.000004 = 6 units exactly */
    cr_assert(paid(&scene, 4, 6, 6) == 6);
    cr_assert(paid(&scene, 4, 6, 5) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&scene, 4, 6, 7) == -SETTLE_REASON_PRICE_MISMATCH);
    /* 1.5 × 0.000003 = 4.5 units */
    cr_assert(paid(&scene, 3, 6, 3) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&scene, 3, 6, 4) == 4);
    cr_assert(paid(&scene, 3, 6, 5) == 5);
    cr_assert(paid(&scene, 3, 6, 6) == -SETTLE_REASON_PRICE_MISMATCH);
    /* 1.5 × 10^-18 = 1.5 × 10^-12 units: one unit is less than one unit away, two are not */
    cr_assert(paid(&scene, 1, 18, 1) == 1);
    cr_assert(paid(&scene, 1, 18, 2) == -SETTLE_REASON_PRICE_MISMATCH);
    cr_assert(paid(&scene, 1, 18, MAX) == -SETTLE_REASON_PRICE_MISMATCH);
}

Test(validate, a_product_beyond_the_limit_is_an_overflow_with_and_without_quote_amount)
{
    struct scene scene;
    init_trade(&scene, MAX, 0);
    scene.btc.scale = scene.usdt.scale = 6;
    scene.buyer_quote.available = scene.seller_base.available = MAX;
    scene.buyer_base.available = scene.seller_quote.available = 0;
    cr_assert(paid(&scene, 1, 0, 0) == MAX);
    cr_assert(paid(&scene, 1, 0, MAX) == MAX);
    cr_assert(paid(&scene, UINT64_C(1000000000000000001), 18, 0) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    cr_assert(paid(&scene, UINT64_C(1000000000000000001), 18, MAX) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    cr_assert(paid(&scene, UINT64_C(1000000000000000001), 18, 1) == -SETTLE_REASON_AMOUNT_OVERFLOW);
    /* (2^127 - 1) / 2 + 0.5: the fraction is below the limit, and the unit above it may be paid */
    cr_assert(paid(&scene, 5, 1, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    cr_assert(paid(&scene, 5, 1, MAX / 2 + 1) == MAX / 2 + 1);
    cr_assert(paid(&scene, 5, 1, MAX / 2) == MAX / 2);
    cr_assert(paid(&scene, 5, 1, MAX / 2 + 2) == -SETTLE_REASON_PRICE_MISMATCH);
}

Test(validate, the_largest_inexact_product_may_be_rounded_up_to_the_limit)
{
    struct scene scene;
    init_trade(&scene, 1, 0);
    scene.btc.scale = scene.usdt.scale = 0;
    scene.buyer_quote.available = scene.seller_base.available = MAX;
    scene.buyer_base.available = scene.seller_quote.available = 0;
    cr_assert(MAX % 11 == 6);
    scene.event.u.trade.quantity = MAX / 11 * 10 + 5; /* × 1.1 = 2^127 - 1 - 0.5 */
    cr_assert(paid(&scene, 11, 1, 0) == -SETTLE_REASON_INEXACT_AMOUNT);
    cr_assert(paid(&scene, 11, 1, MAX) == MAX);
    cr_assert(paid(&scene, 11, 1, MAX - 1) == MAX - 1);
    cr_assert(paid(&scene, 11, 1, MAX - 2) == -SETTLE_REASON_PRICE_MISMATCH);
    scene.event.u.trade.quantity += 1; /* 2^127 - 1 + 0.6: only the fraction is beyond the limit */
    cr_assert(paid(&scene, 11, 1, MAX) == -SETTLE_REASON_AMOUNT_OVERFLOW);
}

/* ---- Trades: reasons --------------------------------------------------------------------------------------------- */

Test(validate, either_asset_of_a_trade_may_be_unknown)
{
    struct scene scene;
    init_trade(&scene, 1, 1);
    scene.parties.base = NULL;
    expect_reason(&scene, SETTLE_REASON_UNKNOWN_ASSET);
    scene.parties.quote = NULL;
    expect_reason(&scene, SETTLE_REASON_UNKNOWN_ASSET);
    scene.parties.base = &scene.btc;
    expect_reason(&scene, SETTLE_REASON_UNKNOWN_ASSET);
}

/* An event that breaks every rule, mended one rule at a time: the reasons come in the documented order. */
Test(validate, the_first_broken_rule_is_the_reason)
{
    struct scene scene;
    init_trade(&scene, MAX, MAX);
    settle_trade *trade = &scene.event.u.trade;
    trade->seller = BUYER;
    trade->quote = BTC;
    trade->price = (settle_price){MAX, 0};
    trade->buyer_fee = trade->seller_fee = MAX;
    scene.parties = (struct parties){.buyer_base = &scene.buyer_base};
    expect_reason(&scene, SETTLE_REASON_UNKNOWN_ASSET);
    scene.parties.base = scene.parties.quote = &scene.btc;
    expect_reason(&scene, SETTLE_REASON_SELF_TRADE);
    trade->seller = SELLER;
    expect_reason(&scene, SETTLE_REASON_SAME_ASSET);
    trade->quote = USDT;
    scene.parties.quote = &scene.usdt;
    expect_reason(&scene, SETTLE_REASON_AMOUNT_OVERFLOW);
    trade->quantity = 1;
    trade->price = (settle_price){101, 0}; /* 1.01 minor units */
    trade->quote_amount = 0;
    expect_reason(&scene, SETTLE_REASON_INEXACT_AMOUNT);
    trade->quote_amount = MAX;
    expect_reason(&scene, SETTLE_REASON_PRICE_MISMATCH);
    trade->quote_amount = 2;
    expect_reason(&scene, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    trade->buyer_fee = trade->seller_fee = 1;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.parties.buyer_quote = &scene.buyer_quote;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.parties.seller_base = &scene.seller_base;
    scene.parties.seller_quote = &scene.seller_quote;
    scene.seller_quote.available = MAX;
    expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
    scene.seller_quote.available = MAX - 1;
    expect_reason(&scene, SETTLE_REASON_NONE);
}

Test(validate, a_fee_may_be_all_but_not_more)
{
    struct scene scene;
    init_trade(&scene, 200, 300);
    scene.event.u.trade.buyer_fee = 200;
    scene.event.u.trade.seller_fee = 300;
    expect_reason(&scene, SETTLE_REASON_NONE);
    scene.event.u.trade.buyer_fee = 201;
    expect_reason(&scene, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    scene.event.u.trade.buyer_fee = 0;
    scene.event.u.trade.seller_fee = 301;
    expect_reason(&scene, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    scene.event.u.trade.seller_fee = MAX;
    expect_reason(&scene, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
}

Test(validate, the_sellers_fee_is_measured_by_what_the_price_comes_to)
{
    struct scene scene;
    init_trade(&scene, 100000000, 0);
    scene.event.u.trade.price = (settle_price){3, 4}; /* 300 minor units */
    scene.event.u.trade.seller_fee = 300;
    expect_reason(&scene, SETTLE_REASON_NONE);
    scene.event.u.trade.seller_fee = 301;
    expect_reason(&scene, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
}

Test(validate, both_sides_must_have_what_they_pay)
{
    struct scene scene;
    init_trade(&scene, 300000000, 5000000000);
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert(scene.verdict.legs[0].after_available == 0 && scene.verdict.legs[2].after_available == 0);
    scene.buyer_quote.available -= 1;
    scene.buyer_quote.held = 1; /* what is held is not available */
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.buyer_quote.available += 1;
    scene.seller_base.available -= 1;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.seller_quote.available = MAX; /* an overflow, too, but that is the later rule */
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
    scene.parties.seller_base = NULL;
    expect_reason(&scene, SETTLE_REASON_INSUFFICIENT_FUNDS);
}

Test(validate, every_receiver_may_be_filled_to_the_limit)
{
    struct scene scene;
    init_trade(&scene, 1000, 2000);
    scene.event.u.trade.buyer_fee = 100;
    scene.event.u.trade.seller_fee = 200;
    const struct {
        struct account *account;
        settle_int128 received;
    } receivers[] = {
        {&scene.buyer_base, 900},
        {&scene.seller_quote, 1800},
        {&scene.fees_base, 100},
        {&scene.fees_quote, 200},
    };
    for (size_t i = 0; i < 4; i++) {
        settle_int128 before = receivers[i].account->available;
        receivers[i].account->available = MAX - receivers[i].received;
        expect_reason(&scene, SETTLE_REASON_NONE);
        receivers[i].account->available += 1;
        expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
        receivers[i].account->available = MAX;
        expect_reason(&scene, SETTLE_REASON_BALANCE_OVERFLOW);
        receivers[i].account->available = before;
    }
}

Test(validate, a_receiver_of_nothing_cannot_overflow)
{
    struct scene scene;
    init_trade(&scene, 1000, 2000);
    scene.event.u.trade.buyer_fee = 1000;
    scene.buyer_base.available = MAX;
    scene.fees_quote.available = MAX;
    expect_reason(&scene, SETTLE_REASON_NONE);
}

/* ---- Conservation, and the calling convention -------------------------------------------------------------------- */

Test(validate, the_legs_of_each_asset_come_to_zero)
{
    static const settle_int128 fees[] = {0, 1, 999, 1000};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            struct scene scene;
            settle_int128 base = 0, quote = 0;
            init_trade(&scene, 1000, 1000);
            scene.event.u.trade.buyer_fee = fees[i];
            scene.event.u.trade.seller_fee = fees[j];
            expect_reason(&scene, SETTLE_REASON_NONE);
            for (uint32_t leg = 0; leg < scene.verdict.leg_count; leg++) {
                cr_assert(scene.verdict.legs[leg].delta_available != 0);
                if (scene.verdict.legs[leg].asset == BTC)
                    base += scene.verdict.legs[leg].delta_available;
                else
                    quote += scene.verdict.legs[leg].delta_available;
            }
            cr_assert(base == 0 && quote == 0, "fees %zu and %zu", i, j);
        }
}

Test(validate, the_id_the_time_and_the_source_do_not_matter)
{
    struct scene scene;
    init_trade(&scene, 1000, 2000);
    expect_reason(&scene, SETTLE_REASON_NONE);
    struct verdict first = scene.verdict;
    scene.event.ts_ms = 0;
    scene.event.event_id = (settle_text){"other", 5};
    scene.event.u.trade.trade_id = (settle_text){NULL, 0};
    scene.event.end = (settle_source_position){.source = 3, .offset_bytes = 4, .line = 5};
    expect_reason(&scene, SETTLE_REASON_NONE);
    cr_assert_eq(first.leg_count, scene.verdict.leg_count);
    for (uint32_t i = 0; i < first.leg_count; i++)
        cr_assert(first.legs[i].after_available == scene.verdict.legs[i].after_available);
}

/* A call that is fine before `change` ends the process after it. */
#define IS_A_PROGRAMMERS_ERROR(sentence, init, change)                                                                 \
    Test(validate, sentence##_is_a_programmers_error, .signal = SIGABRT)                                               \
    {                                                                                                                  \
        struct scene scene;                                                                                            \
        init;                                                                                                          \
        judge(&scene);                                                                                                 \
        change;                                                                                                        \
        validate(&scene.event, &scene.parties, &scene.verdict);                                                        \
    }
#define A_TRADE init_trade(&scene, 1000, 2000)
#define A_DEPOSIT init_transfer(&scene, SETTLE_DEPOSIT, 1)
IS_A_PROGRAMMERS_ERROR(an_amount_of_zero, A_DEPOSIT, scene.event.u.transfer.amount = 0)
IS_A_PROGRAMMERS_ERROR(a_system_account_as_user, A_DEPOSIT, scene.event.u.transfer.user = SETTLE_USER_FEES)
IS_A_PROGRAMMERS_ERROR(an_account_of_another_user, A_DEPOSIT, scene.user.user = BUYER + 1)
IS_A_PROGRAMMERS_ERROR(an_unknown_type, A_DEPOSIT, scene.event.type = (settle_event_type)4)
IS_A_PROGRAMMERS_ERROR(a_negative_fee, A_TRADE, scene.event.u.trade.seller_fee = -1)
IS_A_PROGRAMMERS_ERROR(a_quantity_of_zero, A_TRADE, scene.event.u.trade.quantity = 0)
IS_A_PROGRAMMERS_ERROR(a_trade_without_terms, A_TRADE, scene.event.u.trade.quote_amount = 0)
IS_A_PROGRAMMERS_ERROR(an_asset_of_another_id, A_TRADE, scene.parties.quote = &scene.btc)
