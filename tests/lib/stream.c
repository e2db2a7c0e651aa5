/*
 * stream.c — the random events of stream.h.
 *
 * Invariants: a function of the seed and the model's state alone; every event has the form of docs/events.md; no
 * price has more than 38 digits, 18 decimals, or zeros at its end.
 */
#include "tests/lib/stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the last two, amounts are often huge: they run into the limits, and the others keep working. */
const settle_asset stream_assets[STREAM_ASSET_COUNT] = {
    {1, 8, "BTC"}, {2, 6, "USDT"}, {3, 0, "JPY"}, {4, 2, "EUR"}, {6, 18, "ETH"}, {UINT32_MAX, 0, "WILD.0"},
};
#define FIRST_WILD_ASSET 4

static const uint64_t users[] = {1, 2, 3, 1001, ((uint64_t)1 << 53) + 1, SETTLE_USER_MAX};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

uint64_t stream_seed(uint64_t otherwise)
{
    const char *text = getenv("SETTLE_TEST_SEED");
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* SplitMix64 */
static uint64_t next_random(struct stream *stream)
{
    uint64_t value = stream->random += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t stream_random(struct stream *stream, uint64_t below)
{
    assert(below > 0);
    return next_random(stream) % below;
}

static bool chance(struct stream *stream, unsigned percent)
{
    return stream_random(stream, 100) < percent;
}

settle_int128 stream_random_amount(struct stream *stream, settle_int128 max)
{
    assert(max >= 0);
    settle_uint128 value = (settle_uint128)next_random(stream) << 64 | next_random(stream);
    value >>= 1 + stream_random(stream, 127);
    return (settle_int128)(value % ((settle_uint128)max + 1));
}

static settle_int128 at_least_one(settle_int128 value)
{
    return value < 1 ? 1 : value;
}

static settle_int128 power_of_ten(unsigned exponent)
{
    settle_int128 value = 1;
    while (exponent-- > 0)
        value *= 10;
    return value;
}

static const settle_asset *random_asset(struct stream *stream)
{
    return &stream_assets[stream_random(stream, STREAM_ASSET_COUNT)];
}

static uint64_t random_user(struct stream *stream)
{
    return users[stream_random(stream, COUNT(users))];
}

/* Some whole units and some minor ones of an asset, or anything up to the largest for a wild one. */
static settle_int128 random_amount_of(struct stream *stream, const settle_asset *asset)
{
    if (asset >= &stream_assets[FIRST_WILD_ASSET] && chance(stream, 30)) {
        if (chance(stream, 20))
            return SETTLE_AMOUNT_MAX - (settle_int128)stream_random(stream, 3);
        return at_least_one(stream_random_amount(stream, SETTLE_AMOUNT_MAX));
    }
    settle_int128 unit = power_of_ten(asset->scale);
    settle_int128 amount = (settle_int128)stream_random(stream, 1000) * unit;
    if (chance(stream, 50))
        amount += stream_random_amount(stream, unit);
    return at_least_one(amount);
}

static settle_int128 available_of(const struct model *model, uint64_t user, uint32_t asset)
{
    settle_balance balance = {.available = 0};
    model_balance(model, user, asset, &balance);
    return balance.available;
}

/* An amount that has to do with what there is: a part, all, one too much, or any. */
static settle_int128 amount_near(struct stream *stream, settle_int128 available, const settle_asset *asset)
{
    uint64_t kind = stream_random(stream, 100);
    if (available <= 0 || kind < 10)
        return random_amount_of(stream, asset);
    if (kind < 20)
        return available;
    if (kind < 25)
        return available == SETTLE_AMOUNT_MAX ? available : available + 1;
    settle_int128 part = at_least_one(stream_random_amount(stream, available));
    settle_int128 unit = power_of_ten(asset->scale);
    return kind < 65 && part > unit ? part - part % unit : part; /* whole units make products that are whole */
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

static void set_event_id(struct stream_event *event, const char *id)
{
    snprintf(event->event_id, sizeof event->event_id, "%s", id);
    event->event.event_id = (settle_text){event->event_id, strlen(event->event_id)};
}

static void set_trade_id(struct stream_event *event, uint64_t number)
{
    snprintf(event->trade_id, sizeof event->trade_id, "T-%" PRIu64, number);
    event->event.u.trade.trade_id = (settle_text){event->trade_id, strlen(event->trade_id)};
}

void stream_event_copy(struct stream_event *ret_copy, const struct stream_event *event)
{
    *ret_copy = *event;
    if (event->event.event_id.data != NULL)
        ret_copy->event.event_id.data = ret_copy->event_id;
    if (event->event.type == SETTLE_TRADE && event->event.u.trade.trade_id.data != NULL)
        ret_copy->event.u.trade.trade_id.data = ret_copy->trade_id;
}

/* Natural ids meet again now and then: the clock goes slowly and back a little. */
static uint64_t random_ts_ms(struct stream *stream)
{
    if (chance(stream, 1))
        return chance(stream, 50) ? 0 : SETTLE_TS_MS_MAX;
    return UINT64_C(1733856600000) + stream->made / 4 + stream_random(stream, 16);
}

static void make_transfer(struct stream *stream, const struct model *model, struct stream_event *event)
{
    const settle_asset *asset = random_asset(stream);
    settle_transfer *transfer = &event->event.u.transfer;
    event->event.type = chance(stream, 65) ? SETTLE_DEPOSIT : SETTLE_WITHDRAWAL;
    transfer->user = random_user(stream);
    transfer->asset = chance(stream, 2) ? STREAM_ASSET_UNDECLARED : asset->id;
    settle_int128 available = available_of(model, transfer->user, asset->id);
    transfer->amount =
        event->event.type == SETTLE_DEPOSIT ? random_amount_of(stream, asset) : amount_near(stream, available, asset);
    if (event->event.type == SETTLE_DEPOSIT && chance(stream, 2)) /* all that external can still give, or one more */
        transfer->amount = at_least_one(SETTLE_AMOUNT_MAX + available_of(model, SETTLE_USER_EXTERNAL, asset->id));
}

static settle_price random_price(struct stream *stream)
{
    settle_price price = {1 + stream_random(stream, 500), (uint32_t)stream_random(stream, 3)};
    if (chance(stream, 15)) {
        price.mantissa = (settle_uint128)at_least_one(stream_random_amount(stream, power_of_ten(38) - 1));
        price.scale = (uint32_t)stream_random(stream, SETTLE_PRICE_DECIMALS_MAX + 1);
    }
    while (price.scale > 0 && price.mantissa % 10 == 0) {
        price.mantissa /= 10;
        price.scale--;
    }
    return price;
}

/* Sets price, quote_amount or both; returns what the buyer pays, as far as that is known. */
static settle_int128 make_terms(struct stream *stream, const struct model *model, settle_trade *trade,
                                const settle_asset *base, const settle_asset *quote)
{
    settle_int128 floor = 1;
    uint64_t kind = stream_random(stream, 100);
    if (kind < 40) {
        trade->quote_amount = amount_near(stream, available_of(model, trade->buyer, quote->id), quote);
        return trade->quote_amount;
    }
    trade->price = random_price(stream);
    enum price_product product = model_price_product(trade->price, trade->quantity, base->scale, quote->scale, &floor);
    if (kind < 70)
        return at_least_one(floor);
    trade->quote_amount = floor;
    if (chance(stream, product == PRODUCT_INEXACT ? 40 : 10) && floor < SETTLE_AMOUNT_MAX)
        trade->quote_amount += 1;
    if (chance(stream, 10))
        trade->quote_amount -= 1;
    if (chance(stream, 5) && trade->quote_amount < SETTLE_AMOUNT_MAX)
        trade->quote_amount += 1;
    trade->quote_amount = at_least_one(trade->quote_amount);
    return trade->quote_amount;
}

static settle_int128 random_fee(struct stream *stream, settle_int128 amount)
{
    uint64_t kind = stream_random(stream, 100);
    if (kind < 55)
        return 0;
    if (kind < 62)
        return amount; /* nothing is received */
    if (kind < 65)
        return amount == SETTLE_AMOUNT_MAX ? amount : amount + 1;
    if (kind < 67)
        return SETTLE_AMOUNT_MAX;
    return stream_random_amount(stream, amount);
}

static void make_trade(struct stream *stream, const struct model *model, struct stream_event *event)
{
    const settle_asset *base = random_asset(stream), *quote = random_asset(stream);
    settle_trade *trade = &event->event.u.trade;
    event->event.type = SETTLE_TRADE;
    set_trade_id(event, stream->made - stream_random(stream, 3) % (stream->made + 1));
    trade->buyer = random_user(stream);
    trade->seller = random_user(stream);
    /* What happens by chance one time in six is enough one time in thirty. */
    while (trade->seller == trade->buyer && chance(stream, 80))
        trade->seller = random_user(stream);
    while (quote == base && chance(stream, 80))
        quote = random_asset(stream);
    trade->base = chance(stream, 1) ? STREAM_ASSET_UNDECLARED : base->id;
    trade->quote = chance(stream, 1) ? STREAM_ASSET_UNDECLARED : quote->id;
    trade->quantity = amount_near(stream, available_of(model, trade->seller, base->id), base);
    settle_int128 paid = make_terms(stream, model, trade, base, quote);
    trade->buyer_fee = random_fee(stream, trade->quantity);
    trade->seller_fee = random_fee(stream, paid);
}

/* One member is another one: the id stays. */
static void alter(struct stream *stream, struct stream_event *event)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    model_event_id(&event->event, id);
    set_event_id(event, id);
    settle_trade *trade = &event->event.u.trade;
    bool is_trade = event->event.type == SETTLE_TRADE;
    switch (stream_random(stream, is_trade ? 8 : 4)) {
    case 0: event->event.ts_ms = event->event.ts_ms == 0 ? 1 : event->event.ts_ms - 1; break;
    case 1:
        if (!is_trade)
            event->event.u.transfer.amount ^= event->event.u.transfer.amount > 1;
        else
            trade->quantity = at_least_one(trade->quantity ^ 1);
        break;
    case 2:
        if (!is_trade)
            event->event.type = event->event.type == SETTLE_DEPOSIT ? SETTLE_WITHDRAWAL : SETTLE_DEPOSIT;
        else
            trade->trade_id = (settle_text){NULL, 0};
        break;
    case 3:
        if (!is_trade)
            event->event.u.transfer.user = random_user(stream);
        else
            trade->buyer = random_user(stream);
        break;
    case 4: trade->buyer_fee = trade->buyer_fee == 0; break;
    case 5: trade->seller_fee = trade->seller_fee == 0; break;
    case 6: trade->quote_amount = trade->quote_amount == 0 || trade->price.mantissa == 0 ? 77 : 0; break;
    case 7:
        if (trade->price.scale < SETTLE_PRICE_DECIMALS_MAX && trade->price.mantissa % 10 != 0 && chance(stream, 50))
            trade->price.scale += 1; /* the same digits, another value */
        else
            trade->price = random_price(stream);
        break;
    default: assert(false);
    }
}

/* The same content, with its id given instead of derived. */
static void rephrase(struct stream_event *event)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    model_event_id(&event->event, id);
    set_event_id(event, id);
}

void stream_init(struct stream *stream, uint64_t seed)
{
    memset(stream, 0, sizeof *stream);
    stream->random = seed;
}

void stream_next(struct stream *stream, const struct model *model, struct stream_event *ret_event)
{
    uint64_t kind = stream_random(stream, 100);
    if (stream->made >= STREAM_RECENT && kind < 10) {
        stream_event_copy(ret_event, &stream->recent[stream_random(stream, STREAM_RECENT)]);
        if (kind < 4)
            alter(stream, ret_event);
        else if (kind < 7)
            rephrase(ret_event);
    } else {
        memset(ret_event, 0, sizeof *ret_event);
        ret_event->event.ts_ms = random_ts_ms(stream);
        if (kind < 55)
            make_transfer(stream, model, ret_event);
        else
            make_trade(stream, model, ret_event);
        if (chance(stream, 10)) {
            char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
            snprintf(id, sizeof id, "given:%" PRIu64 "._-", stream->made / 2);
            set_event_id(ret_event, id);
            if (chance(stream, 50) && ret_event->event.type == SETTLE_TRADE)
                ret_event->event.u.trade.trade_id = (settle_text){NULL, 0};
        }
    }
    stream_event_copy(&stream->recent[stream->made++ % STREAM_RECENT], ret_event);
}
