/*
 * record_specimens.h — records for tests: named ones of every kind and shape, whose bytes are pinned by
 * tests/golden/records.hex, and random ones. Definitions for one file of a program.
 */
#ifndef TESTS_UNIT_RECORD_SPECIMENS_H
#define TESTS_UNIT_RECORD_SPECIMENS_H

#include <stdlib.h>
#include <string.h>

#include "journal/record.h"

#define TEXT_INIT(literal)                                                                                             \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
#define TEXT(literal) ((settle_text)TEXT_INIT(literal))
#define ID_64 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvw.:-z"
#define ID_56 "abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLMNOPQRS"
_Static_assert(sizeof(ID_64) - 1 == 64 && sizeof(ID_56) - 1 == 56, "the longest texts");

#define TWO_64 ((settle_int128)1 << 64)
#define PRICE_MAX ((settle_uint128)UINT64_C(10000000000000000000) * UINT64_C(10000000000000000000) - 1)

/* The frame that all of them stand in. */
static const struct record_base specimen_base = {.first_seq = 1000, .time_us = 1733856600000000};

/* ---- Events ---- */

static const settle_event specimen_deposit = {
    .type = SETTLE_DEPOSIT, .ts_ms = 1733856600000, .u.transfer = {1001, 2, 1000500000}};
static const settle_event specimen_deposit_given_id = {.type = SETTLE_DEPOSIT,
                                                       .ts_ms = 1733856600000,
                                                       .event_id = TEXT_INIT("order:7"),
                                                       .u.transfer = {1001, 2, 1000500000}};
static const settle_event specimen_deposit_id_of_another = {
    .type = SETTLE_DEPOSIT, .ts_ms = 0, .event_id = TEXT_INIT("withdrawal_1_1_0"), .u.transfer = {1, 1, 1}};
static const settle_event specimen_withdrawal_just_narrow = {
    .type = SETTLE_WITHDRAWAL, .ts_ms = 1, .u.transfer = {1, UINT32_MAX, (settle_int128)UINT64_MAX}};
static const settle_event specimen_withdrawal_just_wide = {
    .type = SETTLE_WITHDRAWAL, .ts_ms = 1, .u.transfer = {1, UINT32_MAX, TWO_64}};
static const settle_event specimen_withdrawal_largest = {
    .type = SETTLE_WITHDRAWAL,
    .ts_ms = SETTLE_TS_MS_MAX,
    .event_id = TEXT_INIT(ID_64),
    .u.transfer = {SETTLE_USER_MAX, UINT32_MAX, SETTLE_AMOUNT_MAX}};
static const settle_event specimen_trade_price = {.type = SETTLE_TRADE,
                                                  .ts_ms = 1733856600001,
                                                  .u.trade = {.trade_id = TEXT_INIT("T-1"),
                                                              .buyer = 7,
                                                              .seller = 8,
                                                              .base = 1,
                                                              .quote = 2,
                                                              .quantity = 5,
                                                              .price = {305, 1}}};
static const settle_event specimen_trade_quote_amount = {.type = SETTLE_TRADE,
                                                         .ts_ms = 1733856600001,
                                                         .u.trade = {.trade_id = TEXT_INIT("T-1"),
                                                                     .buyer = 7,
                                                                     .seller = 8,
                                                                     .base = 1,
                                                                     .quote = 2,
                                                                     .quantity = 5,
                                                                     .quote_amount = 9}};
static const settle_event specimen_trade_one_fee = {.type = SETTLE_TRADE,
                                                    .ts_ms = 1733856600001,
                                                    .event_id = TEXT_INIT("fill.1"),
                                                    .u.trade = {.trade_id = TEXT_INIT("T-12345678"),
                                                                .buyer = 7,
                                                                .seller = 7,
                                                                .base = 1,
                                                                .quote = 1,
                                                                .quantity = 5,
                                                                .price = {1, 18},
                                                                .quote_amount = 9,
                                                                .seller_fee = 3}};
static const settle_event specimen_trade_only_event_id = {
    .type = SETTLE_TRADE,
    .ts_ms = 5,
    .event_id = TEXT_INIT("trade_without"),
    .u.trade = {.buyer = 1, .seller = 2, .base = 3, .quote = 4, .quantity = 1, .price = {TWO_64, 0}}};
static const settle_event specimen_trade_largest = {.type = SETTLE_TRADE,
                                                    .ts_ms = SETTLE_TS_MS_MAX,
                                                    .event_id = TEXT_INIT(ID_64),
                                                    .u.trade = {.trade_id = TEXT_INIT(ID_56),
                                                                .buyer = SETTLE_USER_MAX,
                                                                .seller = SETTLE_USER_MAX - 1,
                                                                .base = UINT32_MAX,
                                                                .quote = UINT32_MAX - 1,
                                                                .quantity = SETTLE_AMOUNT_MAX,
                                                                .price = {PRICE_MAX, 18},
                                                                .quote_amount = SETTLE_AMOUNT_MAX,
                                                                .buyer_fee = SETTLE_AMOUNT_MAX,
                                                                .seller_fee = SETTLE_AMOUNT_MAX}};

/* ---- Legs ---- */

static const settle_leg specimen_legs[SETTLE_LEGS_MAX] = {
    {.user = 1001, .asset = 2, .version = 1, .delta_available = 1000500000, .after_available = 1000500000},
    {.user = SETTLE_USER_EXTERNAL,
     .asset = 2,
     .version = 9,
     .previous_position = 1234567,
     .delta_available = -1000500000,
     .after_available = INT64_MIN},
    {.user = 1,
     .asset = 1,
     .version = 2,
     .previous_position = 64,
     .delta_available = -1,
     .after_available = TWO_64 / 2},
    {.user = SETTLE_USER_MAX,
     .asset = UINT32_MAX,
     .version = UINT64_MAX,
     .previous_position = UINT64_MAX,
     .delta_available = -5,
     .after_available = 10,
     .delta_held = 5,
     .after_held = 5},
    {.user = 4,
     .asset = 1,
     .version = 3,
     .previous_position = 8,
     .delta_available = 3,
     .after_available = 3,
     .after_held = 1},
    {.user = SETTLE_USER_FEES,
     .asset = 1,
     .version = 3,
     .previous_position = 8,
     .after_available = -SETTLE_AMOUNT_MAX,
     .delta_held = -SETTLE_AMOUNT_MAX,
     .after_held = -SETTLE_AMOUNT_MAX},
};

/* ---- The named records ---- */

struct specimen {
    const char *name;
    size_t length;
    uint8_t bytes[SOURCE_BYTES_MAX];
};

#define SPECIMEN_COUNT 26

/* Where specimen `number` stands, for its CRC. */
static inline uint64_t specimen_position(size_t number)
{
    return 64 + number * 4096;
}

static inline size_t specimen_encode(size_t number, uint8_t *at, const char **ret_name)
{
    static const settle_asset usdt = {2, 6, "USDT"}, longest = {
                                                         UINT32_MAX,
                                                         18,
                                                         "ABCXYZ0189.....",
                                                     };
    static const struct record_repeat repeat = {999, 8192};
    static const struct record_persisted persisted = {7, 1000, 1733856599999999};
    static const struct record_source source = {4096, 40, TEXT_INIT("in/a.ndjson")},
                                      whole = {0, 0, TEXT_INIT("eight by")};
    *ret_name = NULL;
    switch (number) {
#define CONSUMED(n, event)                                                                                             \
    case n:                                                                                                            \
        *ret_name = "consumed " #event;                                                                                \
        return record_encode_consumed(at, n, n * 3, 64 + n * 8, &specimen_##event);
#define RECORD(n, name, call)                                                                                          \
    case n: *ret_name = name; return call;
        CONSUMED(0, deposit)
        CONSUMED(1, deposit_given_id)
        CONSUMED(2, deposit_id_of_another)
        CONSUMED(3, withdrawal_just_narrow)
        CONSUMED(4, withdrawal_just_wide)
        CONSUMED(5, withdrawal_largest)
        CONSUMED(6, trade_price)
        CONSUMED(7, trade_quote_amount)
        CONSUMED(8, trade_one_fee)
        CONSUMED(9, trade_only_event_id)
        CONSUMED(10, trade_largest)
        RECORD(11, "validated 1", record_encode_validated(at, 0, 1, specimen_legs, 1))
        RECORD(12, "validated 2", record_encode_validated(at, UINT32_MAX, UINT32_MAX, specimen_legs, 2))
        RECORD(13, "validated wide", record_encode_validated(at, 3, 4, specimen_legs + 2, 1))
        RECORD(14, "validated held", record_encode_validated(at, 3, 4, specimen_legs + 3, 1))
        RECORD(15, "validated 6", record_encode_validated(at, 3, 4, specimen_legs, 6))
        RECORD(16, "rejected first", record_encode_rejected(at, 5, 6, SETTLE_REASON_UNKNOWN_ASSET))
        RECORD(17, "rejected last", record_encode_rejected(at, 5, 6, SETTLE_REASON_BALANCE_OVERFLOW))
        RECORD(18, "duplicate", record_encode_repeat(at, 5, 6, SETTLE_DUPLICATE, &repeat))
        RECORD(19, "conflict", record_encode_repeat(at, 5, 6, SETTLE_CONFLICT, &repeat))
        RECORD(20, "persisted", record_encode_persisted(at, &persisted))
        RECORD(21, "asset", record_encode_asset(at, 77, &usdt))
        RECORD(22, "asset longest", record_encode_asset(at, 0, &longest))
        RECORD(23, "source", record_encode_source(at, &source))
        RECORD(24, "source whole", record_encode_source(at, &whole))
        RECORD(25, "validated wide held", record_encode_validated(at, 0, 0, specimen_legs + 5, 1))
    default: return 0;
#undef CONSUMED
#undef RECORD
    }
}

/* Specimen `number`, sealed. */
static inline void specimen_make(size_t number, struct specimen *ret_specimen)
{
    memset(ret_specimen->bytes, 0xee, sizeof(ret_specimen->bytes));
    ret_specimen->length = specimen_encode(number, ret_specimen->bytes, &ret_specimen->name);
    record_seal(ret_specimen->bytes, specimen_position(number));
}

/* Encodes what was decoded, at the deltas that `from` has. 0: a kind that has no encoder. */
static inline size_t specimen_encode_again(const struct record *record, struct record_base base, uint8_t *at)
{
    uint32_t seq = (uint32_t)(record->seq - base.first_seq), time = (uint32_t)(record->time_us - base.time_us);
    switch (record->kind) {
    case RECORD_CONSUMED: return record_encode_consumed(at, seq, time, record->frame_back_bytes, &record->u.consumed);
    case RECORD_VALIDATED:
        return record_encode_validated(at, seq, time, record->u.validated.legs, record->u.validated.leg_count);
    case RECORD_REJECTED: return record_encode_rejected(at, seq, time, record->u.rejected);
    case RECORD_DUPLICATE: return record_encode_repeat(at, seq, time, SETTLE_DUPLICATE, &record->u.repeat);
    case RECORD_CONFLICT: return record_encode_repeat(at, seq, time, SETTLE_CONFLICT, &record->u.repeat);
    case RECORD_PERSISTED: return record_encode_persisted(at, &record->u.persisted);
    case RECORD_ASSET: return record_encode_asset(at, time, &record->u.asset);
    case RECORD_SOURCE: return record_encode_source(at, &record->u.source);
    default: return 0;
    }
}

/* ---- Random ones ---- */

struct dice {
    uint64_t state;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1], trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1];
};

/* splitmix64 of Steele, Lea and Flood. */
static inline uint64_t dice_u64(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t dice_below(struct dice *dice, uint64_t below)
{
    return dice_u64(dice) % below;
}

/* 1 … max, of every magnitude, often an end of the range or beside a power of two. */
static inline settle_int128 dice_amount(struct dice *dice, settle_int128 max)
{
    settle_uint128 value = (settle_uint128)dice_u64(dice) << 64 | dice_u64(dice);
    unsigned shift = (unsigned)dice_below(dice, 127) + 1;
    switch (dice_below(dice, 8)) {
    case 0: value = 1; break;
    case 1: value = (settle_uint128)max; break;
    case 2: value = (settle_uint128)1 << (shift - 1); break;
    case 3: value = ((settle_uint128)1 << shift) - 1; break;
    default: value >>= shift; break;
    }
    if (value > (settle_uint128)max)
        value %= (settle_uint128)max;
    return value == 0 ? 1 : (settle_int128)value;
}

static inline uint64_t dice_user(struct dice *dice)
{
    return (uint64_t)dice_amount(dice, (settle_int128)SETTLE_USER_MAX);
}

static inline uint32_t dice_asset(struct dice *dice)
{
    return (uint32_t)dice_amount(dice, UINT32_MAX);
}

static inline settle_text dice_text(struct dice *dice, char *bytes, size_t bytes_max)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    size_t count = 1 + (size_t)dice_below(dice, bytes_max);
    for (size_t i = 0; i < count; i++)
        bytes[i] = characters[dice_below(dice, sizeof(characters) - 1)];
    return (settle_text){bytes, count};
}

static inline void dice_trade(struct dice *dice, settle_event *event)
{
    settle_trade *trade = &event->u.trade;
    *trade = (settle_trade){.buyer = dice_user(dice),
                            .seller = dice_user(dice),
                            .base = dice_asset(dice),
                            .quote = dice_asset(dice),
                            .quantity = dice_amount(dice, SETTLE_AMOUNT_MAX)};
    if (event->event_id.bytes == 0 || dice_below(dice, 2) == 0)
        trade->trade_id = dice_text(dice, dice->trade_id, SETTLE_TRADE_ID_BYTES_MAX);
    unsigned given = (unsigned)dice_below(dice, 16);
    if ((given & 3) != 1)
        trade->quote_amount = dice_amount(dice, SETTLE_AMOUNT_MAX);
    if ((given & 3) != 0) {
        trade->price = (settle_price){(settle_uint128)dice_amount(dice, (settle_int128)PRICE_MAX),
                                      (uint32_t)dice_below(dice, SETTLE_PRICE_DECIMALS_MAX + 1)};
        if (trade->price.mantissa % 10 == 0)
            trade->price.scale = 0;
    }
    if ((given & 4) != 0)
        trade->buyer_fee = dice_amount(dice, SETTLE_AMOUNT_MAX);
    if ((given & 8) != 0)
        trade->seller_fee = dice_amount(dice, SETTLE_AMOUNT_MAX);
}

/* An event of the right form. Its texts live in `dice`. */
static inline settle_event dice_event(struct dice *dice)
{
    settle_event event = {.type = (settle_event_type)(1 + dice_below(dice, 3)),
                          .ts_ms = (uint64_t)dice_amount(dice, (settle_int128)SETTLE_TS_MS_MAX) - dice_below(dice, 2)};
    if (dice_below(dice, 3) == 0)
        event.event_id = dice_text(dice, dice->id, SETTLE_EVENT_ID_BYTES_MAX);
    if (event.type == SETTLE_TRADE)
        dice_trade(dice, &event);
    else
        event.u.transfer = (settle_transfer){dice_user(dice), dice_asset(dice), dice_amount(dice, SETTLE_AMOUNT_MAX)};
    return event;
}

/* A change that leads from one amount in ±(2^127 - 1) to another. */
static inline void dice_change(struct dice *dice, settle_int128 *ret_delta, settle_int128 *ret_after)
{
    settle_int128 before = dice_amount(dice, SETTLE_AMOUNT_MAX) - 1, after = dice_amount(dice, SETTLE_AMOUNT_MAX);
    if (dice_below(dice, 4) == 0) {
        before = -before / 2;
        after = after / 2;
    } else if (dice_below(dice, 4) == 0) {
        before = -before;
        after = -after;
    }
    *ret_delta = after - before;
    *ret_after = after;
}

static inline settle_leg dice_leg(struct dice *dice)
{
    settle_leg leg = {.user = dice_user(dice),
                      .asset = dice_asset(dice),
                      .version = 1 + (dice_u64(dice) >> (1 + dice_below(dice, 63))),
                      .previous_position = dice_u64(dice) >> dice_below(dice, 64)};
    if (dice_below(dice, 4) == 0)
        leg.user = dice_below(dice, 2) == 0 ? SETTLE_USER_FEES : SETTLE_USER_EXTERNAL;
    do {
        dice_change(dice, &leg.delta_available, &leg.after_available);
        if (dice_below(dice, 3) == 0)
            dice_change(dice, &leg.delta_held, &leg.after_held);
        if (dice_below(dice, 4) == 0)
            leg.delta_available = leg.after_available = 0;
    } while (leg.delta_available == 0 && leg.delta_held == 0);
    return leg;
}

#endif
