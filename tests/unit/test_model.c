/*
 * test_model.c — the naive model against worked examples, and then validate() with the accounts table
 * against the model, over random streams. SETTLE_TEST_SEED=N runs another series.
 */
#include "tests/lib/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/validate.h"
#include "journal/record.h"
#include "tests/lib/expect.h"
#include "tests/lib/stream.h"

SETTLE_SUITE(model);

#define TS UINT64_C(1733856600000)
#define BTC 1u
#define USDT 2u

static const settle_asset btc = {BTC, 8, "BTC"}, usdt = {USDT, 6, "USDT"};

static settle_text text_of(const char *text)
{
    return (settle_text){text, strlen(text)};
}

static settle_event transfer_of(settle_event_type type, uint64_t user, uint32_t asset, settle_int128 amount)
{
    return (settle_event){.type = type, .ts_ms = TS, .u.transfer = {user, asset, amount}};
}

static settle_event trade_of(const char *trade_id, settle_int128 quantity, settle_int128 quote_amount)
{
    settle_event event = {.type = SETTLE_TRADE, .ts_ms = TS};
    event.u.trade = (settle_trade){
        .trade_id = text_of(trade_id),
        .buyer = 1,
        .seller = 2,
        .base = BTC,
        .quote = USDT,
        .quantity = quantity,
        .quote_amount = quote_amount,
    };
    return event;
}

static settle_result submit(struct model *model, const settle_event *event)
{
    settle_result result;
    struct model_legs legs;
    model_submit(model, event, &result, &legs);
    cr_assert_eq(legs.count >= 2, result.outcome == SETTLE_ACCEPTED);
    cr_assert(model_conserves(model));
    return result;
}

/* A model with both assets, in which user 1 has 1000 USDT and user 2 has 2 BTC: seq 1 and 2. */
static void open_market(struct model *model)
{
    model_init(model);
    EXPECT_OK(model_declare_asset(model, &btc));
    EXPECT_OK(model_declare_asset(model, &usdt));
    settle_event money = transfer_of(SETTLE_DEPOSIT, 1, USDT, 1000000000);
    settle_event coins = transfer_of(SETTLE_DEPOSIT, 2, BTC, 200000000);
    cr_assert_eq(submit(model, &money).outcome, SETTLE_ACCEPTED);
    cr_assert_eq(submit(model, &coins).outcome, SETTLE_ACCEPTED);
}

static void expect_reason(struct model *model, const settle_event *event, settle_reason reason)
{
    settle_result result = submit(model, event);
    cr_assert_eq(result.reason, reason, "%s", settle_reason_name(result.reason));
    cr_assert_eq(result.outcome, reason == SETTLE_REASON_NONE ? SETTLE_ACCEPTED : SETTLE_REJECTED);
}

static void expect_balance(const struct model *model, uint64_t user, uint32_t asset, settle_int128 available,
                           uint64_t version, uint64_t seq)
{
    settle_balance balance;
    cr_assert(model_balance(model, user, asset, &balance));
    cr_assert(balance.available == available && balance.held == 0);
    cr_assert_eq(balance.version, version);
    cr_assert_eq(balance.seq, seq);
}

/* ---- The model against worked examples ------------------------------------------------------------------------------ */

Test(model, ids_are_given_or_derived)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event event = transfer_of(SETTLE_DEPOSIT, 1001, USDT, 5);
    model_event_id(&event, id);
    cr_assert_str_eq(id, "deposit_1001_2_1733856600000");
    event = transfer_of(SETTLE_WITHDRAWAL, SETTLE_USER_MAX, UINT32_MAX, 5);
    event.ts_ms = SETTLE_TS_MS_MAX;
    model_event_id(&event, id);
    cr_assert_str_eq(id, "withdrawal_9223372036854775807_4294967295_9007199254740992");
    event.event_id = text_of("a:b");
    model_event_id(&event, id);
    cr_assert_str_eq(id, "a:b");
    event = trade_of("T7", 1, 1);
    model_event_id(&event, id);
    cr_assert_str_eq(id, "trade_T7");
}

Test(model, assets_are_declared_once)
{
    struct model model;
    const settle_asset other_scale = {BTC, 7, "BTC"}, other_id = {9, 8, "BTC"}, other_symbol = {BTC, 8, "XBT"};
    model_init(&model);
    EXPECT_OK(model_declare_asset(&model, &btc));
    EXPECT_OK(model_declare_asset(&model, &btc));
    EXPECT_STATUS(model_declare_asset(&model, &other_scale), SETTLE_E_CONFLICT);
    EXPECT_STATUS(model_declare_asset(&model, &other_id), SETTLE_E_CONFLICT);
    EXPECT_STATUS(model_declare_asset(&model, &other_symbol), SETTLE_E_CONFLICT);
    EXPECT_OK(model_declare_asset(&model, &usdt));
    cr_assert_eq(model.asset_count, 2);
    cr_assert_str_eq(model_asset(&model, USDT)->symbol, "USDT");
    cr_assert_null(model_asset(&model, 9));
    model_deinit(&model);
}

Test(model, the_same_content_is_a_duplicate_and_other_content_a_conflict)
{
    struct model model;
    open_market(&model);
    settle_event event = transfer_of(SETTLE_DEPOSIT, 1, USDT, 1000000000);
    settle_result result = submit(&model, &event);
    cr_assert_eq(result.outcome, SETTLE_DUPLICATE);
    cr_assert_eq(result.seq, 3);
    cr_assert_eq(result.first_seq, 1);

    event.event_id = text_of("deposit_1_2_1733856600000"); /* how the id is given does not matter */
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_DUPLICATE);
    event.u.transfer.amount += 1;
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_CONFLICT);
    event.u.transfer.amount -= 1;
    event.u.transfer.user = 9;
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_CONFLICT);
    event.u.transfer.user = 1;
    event.type = SETTLE_WITHDRAWAL;
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_CONFLICT);
    event.type = SETTLE_DEPOSIT;
    event.ts_ms += 1;
    result = submit(&model, &event);
    cr_assert_eq(result.outcome, SETTLE_CONFLICT);
    cr_assert_eq(result.first_seq, 1);
    cr_assert_eq(result.seq, 8);
    expect_balance(&model, 1, USDT, 1000000000, 1, 1);
    cr_assert_eq(model_find_id(&model, "deposit_1_2_1733856600000"), 1);
    cr_assert_eq(model_find_id(&model, "deposit_1_2_1733856600001"), 0);
    model_deinit(&model);
}

Test(model, every_member_of_a_trade_is_content)
{
    struct model model;
    open_market(&model);
    settle_event first = trade_of("T1", 100, 50);
    cr_assert_eq(submit(&model, &first).outcome, SETTLE_ACCEPTED);
    cr_assert_eq(submit(&model, &first).outcome, SETTLE_DUPLICATE);
    settle_event others[9];
    for (size_t i = 0; i < 9; i++) {
        others[i] = first;
        others[i].event_id = text_of("trade_T1");
    }
    others[0].u.trade.trade_id = (settle_text){NULL, 0};
    others[1].u.trade.buyer = 3;
    others[2].u.trade.seller = 3;
    others[3].u.trade.base = 3;
    others[4].u.trade.quote = 3;
    others[5].u.trade.quantity = 101;
    others[6].u.trade.price =
        (settle_price){5000, 0}; /* 0.000001 × 5000 USDT are the same 0.005 … but it was not given */
    others[7].u.trade.buyer_fee = 1;
    others[8].u.trade.seller_fee = 1;
    for (size_t i = 0; i < 9; i++)
        cr_assert_eq(submit(&model, &others[i]).outcome, SETTLE_CONFLICT, "member %zu", i);
    expect_balance(&model, 1, BTC, 100, 1, 3);
    model_deinit(&model);
}

Test(model, a_price_is_compared_by_value)
{
    struct model model;
    open_market(&model);
    settle_event event = trade_of("T1", 100000000, 0);
    event.u.trade.price = (settle_price){15, 1};
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_ACCEPTED);
    event.u.trade.price = (settle_price){1500, 3};
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_DUPLICATE);
    event.u.trade.price = (settle_price){15, 2};
    cr_assert_eq(submit(&model, &event).outcome, SETTLE_CONFLICT);
    expect_balance(&model, 1, USDT, 998500000, 2, 3);
    model_deinit(&model);
}

Test(model, a_trade_moves_both_sides_and_the_fees)
{
    struct model model;
    settle_result result;
    struct model_legs legs;
    open_market(&model);
    settle_event event = trade_of("T1", 100000000, 500000000);
    event.u.trade.buyer_fee = 100000;
    event.u.trade.seller_fee = 250000;
    model_submit(&model, &event, &result, &legs);
    cr_assert_eq(result.outcome, SETTLE_ACCEPTED);
    cr_assert_eq(legs.count, 6);
    cr_assert_eq(legs.legs[0].previous_position, 1, "the seq of the buyer's deposit");
    cr_assert_eq(legs.legs[1].previous_position, 0);
    expect_balance(&model, 1, USDT, 500000000, 2, 3);
    expect_balance(&model, 1, BTC, 99900000, 1, 3);
    expect_balance(&model, 2, BTC, 100000000, 2, 3);
    expect_balance(&model, 2, USDT, 499750000, 1, 3);
    expect_balance(&model, SETTLE_USER_FEES, BTC, 100000, 1, 3);
    expect_balance(&model, SETTLE_USER_FEES, USDT, 250000, 1, 3);
    expect_balance(&model, SETTLE_USER_EXTERNAL, USDT, -1000000000, 1, 1);
    for (size_t i = 1; i < model.balance_count; i++)
        cr_assert(model.balances[i - 1].user < model.balances[i].user ||
                  model.balances[i - 1].asset < model.balances[i].asset);
    model_deinit(&model);
}

Test(model, each_reason_has_its_place)
{
    struct model model;
    open_market(&model);
    settle_event event = trade_of("R1", 1, 1);
    event.u.trade.base = event.u.trade.quote = 77;
    event.u.trade.seller = 1;
    expect_reason(&model, &event, SETTLE_REASON_UNKNOWN_ASSET);
    event.u.trade.base = event.u.trade.quote = BTC;
    event.u.trade.trade_id = text_of("R2");
    expect_reason(&model, &event, SETTLE_REASON_SELF_TRADE);
    event.u.trade.seller = 2;
    event.u.trade.trade_id = text_of("R3");
    event.u.trade.price = (settle_price){((settle_uint128)1 << 126), 0};
    event.u.trade.quantity = SETTLE_AMOUNT_MAX;
    expect_reason(&model, &event, SETTLE_REASON_SAME_ASSET);
    event.u.trade.quote = USDT;
    event.u.trade.trade_id = text_of("R4");
    expect_reason(&model, &event, SETTLE_REASON_AMOUNT_OVERFLOW);
    event = trade_of("R5", 1, 0);
    event.u.trade.price = (settle_price){1, 0};
    event.u.trade.buyer_fee = 2;
    expect_reason(&model, &event, SETTLE_REASON_INEXACT_AMOUNT);
    event.u.trade.trade_id = text_of("R6");
    event.u.trade.quote_amount = 2;
    expect_reason(&model, &event, SETTLE_REASON_PRICE_MISMATCH);
    event.u.trade.trade_id = text_of("R7");
    event.u.trade.quote_amount = 1;
    expect_reason(&model, &event, SETTLE_REASON_FEE_EXCEEDS_AMOUNT);
    event = trade_of("R8", 200000001, 1);
    expect_reason(&model, &event, SETTLE_REASON_INSUFFICIENT_FUNDS);
    event = transfer_of(SETTLE_DEPOSIT, 3, USDT, SETTLE_AMOUNT_MAX);
    expect_reason(&model, &event, SETTLE_REASON_BALANCE_OVERFLOW);
    model_deinit(&model);
}

Test(model, a_rejected_id_stays_taken)
{
    struct model model;
    open_market(&model);
    settle_event event = transfer_of(SETTLE_WITHDRAWAL, 1, USDT, 1000000001);
    expect_reason(&model, &event, SETTLE_REASON_INSUFFICIENT_FUNDS);
    settle_event more = transfer_of(SETTLE_DEPOSIT, 1, USDT, 1);
    more.ts_ms += 1;
    expect_reason(&model, &more, SETTLE_REASON_NONE);
    settle_result result = submit(&model, &event);
    cr_assert_eq(result.outcome, SETTLE_DUPLICATE);
    cr_assert_eq(result.first_seq, 3);
    event.ts_ms += 2;
    expect_reason(&model, &event, SETTLE_REASON_NONE);
    expect_balance(&model, 1, USDT, 0, 3, 6);
    model_deinit(&model);
}

Test(model, digits_multiply_as_on_paper)
{
    settle_int128 floor = -1;
    cr_assert_eq(model_price_product((settle_price){15, 1}, 3, 0, 0, &floor), PRODUCT_INEXACT); /* 4.5 */
    cr_assert(floor == 4);
    cr_assert_eq(model_price_product((settle_price){15, 1}, 3, 0, 1, &floor), PRODUCT_EXACT);
    cr_assert(floor == 45);
    cr_assert_eq(model_price_product((settle_price){1, 0}, SETTLE_AMOUNT_MAX, 3, 3, &floor), PRODUCT_EXACT);
    cr_assert(floor == SETTLE_AMOUNT_MAX);
    floor = -1;
    cr_assert_eq(model_price_product((settle_price){11, 1}, SETTLE_AMOUNT_MAX, 3, 3, &floor), PRODUCT_OVERFLOW);
    cr_assert(floor == -1);
    cr_assert_eq(model_price_product((settle_price){1, 18}, 1, 18, 0, &floor), PRODUCT_INEXACT);
    cr_assert(floor == 0);
}

/* ---- Comparing finds a difference -------------------------------------------------------------------------------- */

static struct account *add_account(struct accounts *accounts, const settle_balance *balance)
{
    EXPECT_OK(accounts_reserve(accounts, 1));
    struct account *account = accounts_upsert(accounts, balance->user, balance->asset);
    account->available = balance->available;
    account->held = balance->held;
    account->version = balance->version;
    account->last_seq = balance->seq;
    return account;
}

Test(model, comparing_balances_finds_each_difference)
{
    struct model model;
    struct accounts accounts;
    char text[MODEL_TEXT_BYTES] = "";
    open_market(&model);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    for (size_t i = 0; i < model.balance_count; i++) {
        cr_assert_not(model_equals_accounts(&model, &accounts, text));
        add_account(&accounts, &model.balances[i]);
    }
    cr_assert(model_equals_accounts(&model, &accounts, text), "%s", text);
    struct account *account = accounts_find(&accounts, 2, BTC);
    account->available++;
    cr_assert_not(model_equals_accounts(&model, &accounts, text));
    cr_assert_str_eq(text, "available of user 2, asset 1: the model has 200000000, found 200000001");
    account->available--;
    account->held++;
    cr_assert_not(model_equals_accounts(&model, &accounts, text));
    account->held--;
    account->version++;
    cr_assert_not(model_equals_accounts(&model, &accounts, text));
    account->version--;
    account->last_seq++;
    cr_assert_not(model_equals_accounts(&model, &accounts, text));
    account->last_seq--;
    cr_assert(model_equals_accounts(&model, &accounts, text));
    add_account(&accounts, &(settle_balance){.user = 55, .asset = BTC});
    cr_assert_not(model_equals_accounts(&model, &accounts, text), "one account too many");
    accounts_deinit(&accounts);
    model_deinit(&model);
}

Test(model, comparing_legs_and_results_finds_each_difference)
{
    char text[MODEL_TEXT_BYTES];
    struct model_legs expected = {.count = 1, .legs[0] = {.user = 1, .asset = 2, .version = 3, .after_available = 4}};
    settle_leg leg = expected.legs[0];
    leg.previous_position = 999; /* not compared */
    cr_assert(model_legs_equal(&expected, &leg, 1, text));
    cr_assert_not(model_legs_equal(&expected, &leg, 0, text));
#define DIFFERS(member)                                                                                                \
    leg.member++;                                                                                                      \
    cr_assert_not(model_legs_equal(&expected, &leg, 1, text), #member);                                                \
    leg.member--
    DIFFERS(user);
    DIFFERS(asset);
    DIFFERS(version);
    DIFFERS(delta_available);
    DIFFERS(after_available);
    DIFFERS(delta_held);
    DIFFERS(after_held);
#undef DIFFERS
    settle_result result = {1, SETTLE_REJECTED, SETTLE_REASON_SELF_TRADE, 0}, other = result;
    cr_assert(model_result_equal(&result, &other, text));
    other.reason = SETTLE_REASON_SAME_ASSET;
    cr_assert_not(model_result_equal(&result, &other, text));
    other = (settle_result){2, SETTLE_REJECTED, SETTLE_REASON_SELF_TRADE, 0};
    cr_assert_not(model_result_equal(&result, &other, text));
    result = (settle_result){5, SETTLE_DUPLICATE, SETTLE_REASON_NONE, 1};
    other = (settle_result){5, SETTLE_DUPLICATE, SETTLE_REASON_NONE, 2};
    cr_assert_not(model_result_equal(&result, &other, text));
    other = (settle_result){5, SETTLE_CONFLICT, SETTLE_REASON_NONE, 1};
    cr_assert_not(model_result_equal(&result, &other, text));
}

/* ---- The stream -------------------------------------------------------------------------------------------------- */

static void expect_form(const settle_event *event)
{
    cr_assert(event->ts_ms <= SETTLE_TS_MS_MAX);
    cr_assert(event->event_id.bytes <= SETTLE_EVENT_ID_BYTES_MAX);
    cr_assert_eq(event->event_id.data == NULL, event->event_id.bytes == 0);
    if (event->type != SETTLE_TRADE) {
        cr_assert(event->u.transfer.user >= 1 && event->u.transfer.user <= SETTLE_USER_MAX);
        cr_assert(event->u.transfer.amount > 0 && event->u.transfer.asset > 0);
        return;
    }
    const settle_trade *trade = &event->u.trade;
    settle_uint128 ten_to_38 = (settle_uint128)UINT64_C(10000000000000000000) * UINT64_C(10000000000000000000);
    cr_assert(trade->trade_id.data != NULL || event->event_id.data != NULL);
    cr_assert(trade->quantity > 0 && trade->quote_amount >= 0 && trade->buyer_fee >= 0 && trade->seller_fee >= 0);
    cr_assert(trade->quote_amount > 0 || trade->price.mantissa > 0);
    cr_assert(trade->price.mantissa < ten_to_38 && trade->price.scale <= SETTLE_PRICE_DECIMALS_MAX);
}

Test(model, the_same_seed_gives_the_same_stream)
{
    struct stream a, b;
    struct stream_event one, two;
    struct model empty;
    char one_id[SETTLE_EVENT_ID_BYTES_MAX + 1], two_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    model_init(&empty);
    stream_init(&a, 7);
    stream_init(&b, 7);
    for (int i = 0; i < 2000; i++) {
        stream_next(&a, &empty, &one);
        stream_next(&b, &empty, &two);
        expect_form(&one.event);
        model_event_id(&one.event, one_id);
        model_event_id(&two.event, two_id);
        cr_assert_str_eq(one_id, two_id);
        cr_assert_eq(one.event.type, two.event.type);
        cr_assert(one.event.u.transfer.amount == two.event.u.transfer.amount);
        cr_assert(one.event.event_id.data == NULL || one.event.event_id.data == one.event_id);
    }
    model_deinit(&empty);
}

/* The two ways to see an id and a content: the journal's keys, and the model's texts and copies. */
Test(model, ids_and_contents_are_those_of_the_journal)
{
    enum { COUNT = 20000 };
    struct stream_event *arrivals = malloc(COUNT * sizeof *arrivals);
    struct stream stream;
    struct model model;
    struct event_key key;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1], journal_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    const uint64_t seed = stream_seed(1984);
    model_init(&model);
    stream_init(&stream, seed);
    for (size_t i = 0; i < COUNT; i++) {
        settle_result result;
        struct model_legs legs;
        const settle_event *event = &arrivals[i].event;
        stream_next(&stream, &model, &arrivals[i]);
        cr_assert_null(event_form_fault(event), "%s", event_form_fault(event));
        event_key_of(event, &key);
        event_key_format(&key, journal_id);
        model_event_id(event, id);
        cr_assert_str_eq(journal_id, id);
        model_submit(&model, event, &result, &legs);
        if (result.first_seq == 0)
            continue;
        cr_assert_eq(event_content_equal(&arrivals[result.first_seq - 1].event, event),
                     result.outcome == SETTLE_DUPLICATE, "seed %" PRIu64 ", event %zu: %s", seed, i, id);
    }
    model_deinit(&model);
    free(arrivals);
}

/* ---- validate() and the accounts table against the model --------------------------------------------------------- */

struct tally {
    uint64_t outcomes[5];
    uint64_t reasons[10];
    uint64_t trades, legs_left_out, wide;
};

static struct parties parties_of(const struct model *model, const struct accounts *accounts, const settle_event *event)
{
    if (event->type != SETTLE_TRADE) {
        const settle_transfer *transfer = &event->u.transfer;
        return (struct parties){
            .asset = model_asset(model, transfer->asset),
            .user = accounts_find(accounts, transfer->user, transfer->asset),
            .external = accounts_find(accounts, SETTLE_USER_EXTERNAL, transfer->asset),
        };
    }
    const settle_trade *trade = &event->u.trade;
    return (struct parties){
        .base = model_asset(model, trade->base),
        .quote = model_asset(model, trade->quote),
        .buyer_quote = accounts_find(accounts, trade->buyer, trade->quote),
        .buyer_base = accounts_find(accounts, trade->buyer, trade->base),
        .seller_base = accounts_find(accounts, trade->seller, trade->base),
        .seller_quote = accounts_find(accounts, trade->seller, trade->quote),
        .fees_base = accounts_find(accounts, SETTLE_USER_FEES, trade->base),
        .fees_quote = accounts_find(accounts, SETTLE_USER_FEES, trade->quote),
    };
}

/* The seq stands in for the journal position, as in the model's legs. */
static void apply(struct accounts *accounts, const struct verdict *verdict, uint64_t seq)
{
    EXPECT_OK(accounts_reserve(accounts, verdict->leg_count));
    for (uint32_t i = 0; i < verdict->leg_count; i++) {
        const settle_leg *leg = &verdict->legs[i];
        struct account *account = accounts_upsert(accounts, leg->user, leg->asset);
        cr_assert(account->available == leg->after_available - leg->delta_available);
        cr_assert(account->held == leg->after_held - leg->delta_held);
        account->available = leg->after_available;
        account->held = leg->after_held;
        account->version = leg->version;
        account->last_seq = account->last_position = seq;
    }
}

static void count(struct tally *tally, const settle_event *event, const settle_result *result,
                  const struct model_legs *legs)
{
    tally->outcomes[result->outcome]++;
    tally->reasons[result->reason]++;
    if (result->outcome != SETTLE_ACCEPTED)
        return;
    for (size_t i = 0; i < legs->count; i++)
        tally->wide += legs->legs[i].after_available > (settle_int128)1 << 120;
    if (event->type != SETTLE_TRADE)
        return;
    size_t movements = 4;
    movements += event->u.trade.buyer_fee > 0;
    movements += event->u.trade.seller_fee > 0;
    tally->trades++;
    tally->legs_left_out += legs->count < movements;
}

static void run(uint64_t seed, uint64_t event_count, struct tally *tally)
{
    struct model model;
    struct accounts accounts;
    struct stream stream;
    struct stream_event next;
    settle_result expected;
    struct model_legs legs;
    struct verdict verdict;
    char text[MODEL_TEXT_BYTES] = "";
    model_init(&model);
    stream_init(&stream, seed);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    for (uint64_t i = 0; i < event_count; i++) {
        /* The last asset is declared on the way: before that its events are rejected for ever. */
        for (size_t a = 0; a < STREAM_ASSET_COUNT; a++)
            if (a + 1 < STREAM_ASSET_COUNT || i >= 100)
                EXPECT_OK(model_declare_asset(&model, &stream_assets[a]));
        stream_next(&stream, &model, &next);
        struct parties parties = parties_of(&model, &accounts, &next.event);
        model_submit(&model, &next.event, &expected, &legs);
        cr_assert_eq(expected.seq, i + 1);
        count(tally, &next.event, &expected, &legs);
        if (expected.outcome == SETTLE_DUPLICATE || expected.outcome == SETTLE_CONFLICT) {
            cr_assert(legs.count == 0 && expected.first_seq > 0 && expected.first_seq < expected.seq);
        } else {
            validate(&next.event, &parties, &verdict);
            cr_assert_eq(verdict.reason, expected.reason, "seed %" PRIu64 ", event %" PRIu64 ": %s, the model says %s",
                         seed, i, settle_reason_name(verdict.reason), settle_reason_name(expected.reason));
            cr_assert(model_legs_equal(&legs, verdict.legs, verdict.leg_count, text),
                      "seed %" PRIu64 ", event %" PRIu64 ": %s", seed, i, text);
            for (size_t leg = 0; leg < legs.count; leg++)
                cr_assert_eq(legs.legs[leg].previous_position, verdict.legs[leg].previous_position);
            apply(&accounts, &verdict, expected.seq);
        }
        if (i % 16 == 0 || i + 1 == event_count)
            cr_assert(model_equals_accounts(&model, &accounts, text), "seed %" PRIu64 ", event %" PRIu64 ": %s", seed,
                      i, text);
    }
    cr_assert(model_conserves(&model));
    accounts_deinit(&accounts);
    model_deinit(&model);
}

Test(model, validate_and_accounts_agree_with_it_on_every_event)
{
    struct tally tally = {.trades = 0};
    const uint64_t first_seed = stream_seed(20241210), seeds = 10, events = 20000;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++)
        run(seed, events, &tally);
    fprintf(stderr, "seeds %" PRIu64 " to %" PRIu64 ", %" PRIu64 " events each:", first_seed, first_seed + seeds - 1,
            events);
    for (int outcome = SETTLE_ACCEPTED; outcome <= SETTLE_CONFLICT; outcome++)
        fprintf(stderr, " %s %" PRIu64, settle_outcome_name((settle_outcome)outcome), tally.outcomes[outcome]);
    for (int reason = SETTLE_REASON_UNKNOWN_ASSET; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++)
        fprintf(stderr, ", %s %" PRIu64, settle_reason_name((settle_reason)reason), tally.reasons[reason]);
    fprintf(stderr, ", accepted trades %" PRIu64 ", without a receipt %" PRIu64 ", huge balances %" PRIu64 "\n",
            tally.trades, tally.legs_left_out, tally.wide);

    cr_assert_geq(seeds * events, 200000);
    for (int outcome = SETTLE_ACCEPTED; outcome <= SETTLE_CONFLICT; outcome++)
        cr_assert_gt(tally.outcomes[outcome], 1000, "%s", settle_outcome_name((settle_outcome)outcome));
    for (int reason = SETTLE_REASON_UNKNOWN_ASSET; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++)
        cr_assert_gt(tally.reasons[reason], 100, "%s", settle_reason_name((settle_reason)reason));
    cr_assert_gt(tally.trades, 10000);
    cr_assert_gt(tally.legs_left_out, 100);
    cr_assert_gt(tally.wide, 100);
}
