/* stream.c — see stream.h. */
#include "tools/bench/stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define RESEND_ONE_IN 200
#define RESEND_BACK_MAX 10000
#define TOO_LARGE_ONE_IN 50
#define FEES_ONE_IN 4
#define FIRST_DEPOSITS 8 /* the stream begins with deposits in both assets */

/* Not adjacent to each other: the users with the highest ranks. Prime to STREAM_USERS. */
#define USER_STEP 7919

const settle_asset stream_assets[STREAM_ASSETS] = {{STREAM_BASE, 8, "BTC"}, {STREAM_QUOTE, 6, "USDT"}};

/* What of an event's random bits decides what. */
enum draw { DRAW_KIND, DRAW_USER, DRAW_ASSET, DRAW_AMOUNT, DRAW_PRICE, DRAW_FEES, DRAW_RESEND, DRAW_GIVER, DRAW_TAKER };

const char *stream_distribution_name(enum stream_distribution distribution)
{
    return distribution == STREAM_ZIPF ? "zipf" : "uniform";
}

bool stream_init(struct stream *stream, uint64_t seed, enum stream_distribution distribution)
{
    *stream = (struct stream){.seed = random_mix(seed), .distribution = distribution};
    return distribution == STREAM_UNIFORM || zipf_init(&stream->zipf, STREAM_USERS, STREAM_ZIPF_EXPONENT);
}

void stream_deinit(struct stream *stream)
{
    zipf_deinit(&stream->zipf);
}

static uint64_t draw(const struct stream *stream, uint64_t index, enum draw what)
{
    return random_mix(stream->seed ^ (index * 16 + (uint64_t)what));
}

/* The kind of an event that is no re-send, and the user and asset that a deposit of that number has. */
static settle_event_type kind_of(const struct stream *stream, uint64_t index)
{
    uint64_t percent = random_below(draw(stream, index, DRAW_KIND), 100);
    if (percent < 50 || index < FIRST_DEPOSITS)
        return SETTLE_DEPOSIT;
    return percent < 60 ? SETTLE_WITHDRAWAL : SETTLE_TRADE;
}

static uint32_t asset_of(const struct stream *stream, uint64_t index)
{
    uint64_t bits = index < FIRST_DEPOSITS ? index : draw(stream, index, DRAW_ASSET);
    return bits % 2 == 0 ? STREAM_BASE : STREAM_QUOTE;
}

static uint64_t user_of(const struct stream *stream, uint64_t index)
{
    uint64_t bits = draw(stream, index, DRAW_USER);
    uint64_t rank =
        stream->distribution == STREAM_ZIPF ? zipf_pick(&stream->zipf, bits) : random_below(bits, STREAM_USERS);
    return 1 + rank * USER_STEP % STREAM_USERS;
}

static bool is_resend(const struct stream *stream, uint64_t index)
{
    return index >= FIRST_DEPOSITS && draw(stream, index, DRAW_RESEND) % RESEND_ONE_IN == 0;
}

/* Somebody who had a deposit of the asset before event `index`, and is not `other`. */
static uint64_t depositor(const struct stream *stream, uint64_t index, enum draw what, uint32_t asset, uint64_t other)
{
    uint64_t start = random_below(draw(stream, index, what), index), user = 0;
    for (uint64_t step = 0; step < index; step++) {
        uint64_t at = (start + index - step) % index;
        if (kind_of(stream, at) != SETTLE_DEPOSIT || is_resend(stream, at) || asset_of(stream, at) != asset)
            continue;
        user = user_of(stream, at);
        if (user != other)
            return user;
    }
    return user % STREAM_USERS + 1; /* there is nobody else yet */
}

static void make_transfer(const struct stream *stream, uint64_t index, struct stream_event *event)
{
    uint64_t bits = draw(stream, index, DRAW_AMOUNT);
    int64_t unit = event->asset == STREAM_BASE ? 100000000 : 1000000;
    if (event->type == SETTLE_DEPOSIT) { /* 1 to 100 BTC, 10 000 to 1 000 000 USDT */
        int64_t least = event->asset == STREAM_BASE ? unit : 10000 * unit;
        event->user = user_of(stream, index);
        event->amount = least + (int64_t)random_below(bits, (uint64_t)least * 99);
        return;
    }
    event->user = depositor(stream, index, DRAW_GIVER, event->asset, 0);
    event->amount = 1 + (int64_t)random_below(bits, (uint64_t)unit);
    if (draw(stream, index, DRAW_FEES) % TOO_LARGE_ONE_IN == 0)
        event->amount += INT64_C(4000000000000000000);
}

static void make_trade(const struct stream *stream, uint64_t index, struct stream_event *event)
{
    uint64_t lots = 1 + random_below(draw(stream, index, DRAW_AMOUNT), 1000); /* of 0.0001 BTC */
    event->user = depositor(stream, index, DRAW_GIVER, STREAM_QUOTE, 0);
    event->seller = depositor(stream, index, DRAW_TAKER, STREAM_BASE, event->user);
    event->asset = STREAM_BASE;
    event->price_cents = 3000000 + (int64_t)random_below(draw(stream, index, DRAW_PRICE), 2000000);
    event->amount = (int64_t)lots * 10000;
    event->quote_amount = (int64_t)lots * event->price_cents; /* 10^-4 BTC × 10^-2 USDT are 10^-6 USDT */
    if (draw(stream, index, DRAW_FEES) % FEES_ONE_IN == 0) {
        event->buyer_fee = event->amount / 1000;
        event->seller_fee = event->quote_amount / 1000;
    }
}

void stream_at(const struct stream *stream, uint64_t index, struct stream_event *ret_event)
{
    while (is_resend(stream, index)) {
        uint64_t back_max = index < RESEND_BACK_MAX ? index : RESEND_BACK_MAX;
        index -= 1 + random_below(draw(stream, index, DRAW_USER), back_max);
    }
    *ret_event = (struct stream_event){.type = kind_of(stream, index), .origin = index, .ts_ms = STREAM_TS_MS + index};
    ret_event->asset = asset_of(stream, index);
    if (ret_event->type == SETTLE_TRADE)
        make_trade(stream, index, ret_event);
    else
        make_transfer(stream, index, ret_event);
}

/* ---- In other forms ---- */

/* Its time and "T": the later trade has the greater id, as at an exchange. */
size_t stream_trade_id(const struct stream_event *event, char ret_trade_id[STREAM_TRADE_ID_BYTES])
{
    enum { DIGITS = 13 };
    uint64_t number = event->ts_ms;
    assert(event->type == SETTLE_TRADE && number < UINT64_C(10000000000000));
    for (size_t i = DIGITS; i > 0; i--, number /= 10)
        ret_trade_id[i - 1] = (char)('0' + number % 10);
    ret_trade_id[DIGITS] = 'T';
    ret_trade_id[DIGITS + 1] = '\0';
    return DIGITS + 1;
}

static settle_price price_of(int64_t cents)
{
    settle_price price = {(settle_uint128)cents, 2};
    for (; price.scale > 0 && price.mantissa % 10 == 0; price.scale--)
        price.mantissa /= 10;
    return price;
}

void stream_to_event(const struct stream_event *event, char ret_trade_id[STREAM_TRADE_ID_BYTES],
                     settle_event *ret_event)
{
    *ret_event = (settle_event){.type = event->type, .ts_ms = event->ts_ms};
    if (event->type != SETTLE_TRADE) {
        ret_event->u.transfer = (settle_transfer){event->user, event->asset, event->amount};
        return;
    }
    ret_event->u.trade = (settle_trade){
        .trade_id = {ret_trade_id, stream_trade_id(event, ret_trade_id)},
        .buyer = event->user,
        .seller = event->seller,
        .base = STREAM_BASE,
        .quote = STREAM_QUOTE,
        .quantity = event->amount,
        .price = price_of(event->price_cents),
        .buyer_fee = event->buyer_fee,
        .seller_fee = event->seller_fee,
    };
}

static size_t transfer_line(const struct stream_event *event, char ret_line[STREAM_LINE_BYTES])
{
    const settle_asset *asset = &stream_assets[event->asset - 1];
    char amount[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(event->amount, asset->scale, amount);
    int bytes =
        snprintf(ret_line, STREAM_LINE_BYTES,
                 "{\"type\":\"%s\",\"ts\":%" PRIu64 ",\"user\":%" PRIu64 ",\"asset\":\"%s\",\"amount\":\"%s\"}\n",
                 settle_type_name(event->type), event->ts_ms, event->user, asset->symbol, amount);
    assert(bytes > 0 && bytes < STREAM_LINE_BYTES);
    return (size_t)bytes;
}

size_t stream_to_line(const struct stream_event *event, char ret_line[STREAM_LINE_BYTES])
{
    char trade_id[STREAM_TRADE_ID_BYTES], quantity[SETTLE_AMOUNT_TEXT_BYTES], price[SETTLE_AMOUNT_TEXT_BYTES];
    char buyer_fee[SETTLE_AMOUNT_TEXT_BYTES], seller_fee[SETTLE_AMOUNT_TEXT_BYTES];
    if (event->type != SETTLE_TRADE)
        return transfer_line(event, ret_line);
    stream_trade_id(event, trade_id);
    settle_amount_format(event->amount, stream_assets[0].scale, quantity);
    settle_amount_format(event->price_cents, 2, price);
    int bytes =
        snprintf(ret_line, STREAM_LINE_BYTES,
                 "{\"type\":\"trade\",\"ts\":%" PRIu64 ",\"trade_id\":\"%s\",\"buyer\":%" PRIu64 ",\"seller\":%" PRIu64
                 ",\"base\":\"BTC\",\"quote\":\"USDT\",\"quantity\":\"%s\",\"price\":\"%s\"",
                 event->ts_ms, trade_id, event->user, event->seller, quantity, price);
    assert(bytes > 0 && bytes < STREAM_LINE_BYTES);
    size_t used = (size_t)bytes;
    if (event->buyer_fee > 0 || event->seller_fee > 0) {
        settle_amount_format(event->buyer_fee, stream_assets[0].scale, buyer_fee);
        settle_amount_format(event->seller_fee, stream_assets[1].scale, seller_fee);
        bytes = snprintf(ret_line + used, STREAM_LINE_BYTES - used, ",\"buyer_fee\":\"%s\",\"seller_fee\":\"%s\"",
                         buyer_fee, seller_fee);
        used += (size_t)bytes;
    }
    assert(used + 2 < STREAM_LINE_BYTES);
    ret_line[used++] = '}';
    ret_line[used++] = '\n';
    ret_line[used] = '\0';
    return used;
}

size_t stream_asset_line(const settle_asset *asset, char ret_line[STREAM_LINE_BYTES])
{
    int bytes =
        snprintf(ret_line, STREAM_LINE_BYTES, "{\"type\":\"asset\",\"asset\":\"%s\",\"id\":%" PRIu32 ",\"scale\":%u}\n",
                 asset->symbol, asset->id, (unsigned)asset->scale);
    assert(bytes > 0 && bytes < STREAM_LINE_BYTES);
    return (size_t)bytes;
}
