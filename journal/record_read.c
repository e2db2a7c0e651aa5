/*
 * record_read.c — a record's values out of bytes that were checked already. Pure.
 *
 * record_decode() proves with every record that its bytes are the only ones that mean what they say; that is most of
 * its time. A frame that journal_reader_next() handed out has been proved as a whole, so that whoever tells its records
 * only reads them: a deposit and its two legs in a sixth of the time. The same values come out (test_record_read.c).
 */
#include "journal/record.h"

#include <assert.h>

#include "journal/record_shape.h"

/* The texts at `at`: the trade id, then the event id. */
static inline void read_texts(const uint8_t *at, const uint8_t *record, size_t trade_id_bytes, settle_event *ret_event)
{
    const size_t id_bytes = record[CONSUMED_ID_LENGTH];
    if (ret_event->type == SETTLE_TRADE)
        ret_event->u.trade.trade_id = (settle_text){trade_id_bytes != 0 ? (const char *)at : NULL, trade_id_bytes};
    ret_event->event_id = (settle_text){id_bytes != 0 ? (const char *)at + trade_id_bytes : NULL, id_bytes};
}

static inline void read_transfer(const uint8_t *at, bool wide, settle_event *ret_event)
{
    settle_transfer *transfer = &ret_event->u.transfer;
    settle_uint128 amount;
    const uint8_t *text = get_amount(at + CONSUMED_AMOUNT, wide, &amount);
    transfer->user = get_u64(at + CONSUMED_USER);
    transfer->asset = get_u32(at + CONSUMED_ASSET);
    transfer->amount = (settle_int128)amount;
    read_texts(text, at, 0, ret_event);
}

static void read_trade(const uint8_t *at, uint16_t flags, settle_event *ret_event)
{
    const bool wide = (flags & CONSUMED_WIDE) != 0;
    settle_trade *trade = &ret_event->u.trade;
    settle_uint128 quantity, price = 0, quote_amount = 0, buyer_fee = 0, seller_fee = 0;
    const uint8_t *next = get_amount(at + CONSUMED_QUANTITY, wide, &quantity);
    if (flags & CONSUMED_HAS_PRICE)
        next = get_amount(next, wide, &price);
    if (flags & CONSUMED_HAS_QUOTE_AMOUNT)
        next = get_amount(next, wide, &quote_amount);
    if (flags & CONSUMED_HAS_FEES) {
        next = get_amount(next, wide, &buyer_fee);
        next = get_amount(next, wide, &seller_fee);
    }
    trade->buyer = get_u64(at + CONSUMED_BUYER);
    trade->seller = get_u64(at + CONSUMED_SELLER);
    trade->base = get_u32(at + CONSUMED_BASE);
    trade->quote = get_u32(at + CONSUMED_QUOTE);
    trade->quantity = (settle_int128)quantity;
    trade->price = (settle_price){price, at[CONSUMED_PRICE_SCALE]};
    trade->quote_amount = (settle_int128)quote_amount;
    trade->buyer_fee = (settle_int128)buyer_fee;
    trade->seller_fee = (settle_int128)seller_fee;
    read_texts(next, at, at[CONSUMED_TRADE_ID_LENGTH], ret_event);
}

static inline void read_consumed(const uint8_t *at, struct record *ret_record)
{
    const uint16_t flags = get_u16(at + CONSUMED_FLAGS);
    settle_event *event = &ret_record->u.consumed;
    event->type = (settle_event_type)at[CONSUMED_TYPE];
    event->ts_ms = get_u64(at + CONSUMED_TS_MS);
    event->end = (settle_source_position){0};
    if (event->type == SETTLE_TRADE)
        read_trade(at, flags, event);
    else
        read_transfer(at, (flags & CONSUMED_WIDE) != 0, event);
}

static inline const uint8_t *read_leg(const uint8_t *at, settle_leg *ret_leg)
{
    const uint16_t flags = get_u16(at + LEG_FLAGS);
    const bool wide = (flags & LEG_WIDE) != 0;
    ret_leg->user = get_u64(at + LEG_USER);
    ret_leg->asset = get_u32(at + LEG_ASSET);
    ret_leg->version = get_u64(at + LEG_VERSION);
    ret_leg->previous_position = get_u64(at + LEG_PREVIOUS);
    at = get_signed(at + LEG_AMOUNTS, wide, &ret_leg->delta_available);
    at = get_signed(at, wide, &ret_leg->after_available);
    ret_leg->delta_held = ret_leg->after_held = 0;
    if (flags & LEG_HELD) {
        at = get_signed(at, wide, &ret_leg->delta_held);
        at = get_signed(at, wide, &ret_leg->after_held);
    }
    return at;
}

static inline void read_validated(const uint8_t *at, size_t length, struct record *ret_record)
{
    struct record_validated *validated = &ret_record->u.validated;
    const uint8_t *leg = at + VALIDATED_LEGS;
    validated->leg_count = get_u16(at + VALIDATED_LEG_COUNT);
    assert(validated->leg_count >= 1 && validated->leg_count <= SETTLE_LEGS_MAX);
    for (uint32_t i = 0; i < validated->leg_count; i++)
        leg = read_leg(leg, &validated->legs[i]);
    assert(leg == at + length);
}

void record_read(const uint8_t *at, struct record_base base, struct record *ret_record)
{
    assert(at != NULL && ret_record != NULL);
    const size_t length = get_u16(at + RECORD_LENGTH);
    const uint8_t kind = at[RECORD_KIND];
    if (kind != RECORD_CONSUMED && kind != RECORD_VALIDATED) {
        const char *fault = record_decode(at, length, base, ret_record); /* short ones */
        assert(fault == NULL);
        return;
    }
    if (kind == RECORD_CONSUMED)
        read_consumed(at, ret_record);
    else
        read_validated(at, length, ret_record);
    ret_record->kind = (enum record_kind)kind;
    ret_record->length_bytes = (uint32_t)length;
    ret_record->seq = base.first_seq + get_u32(at + RECORD_SEQ_DELTA);
    ret_record->time_us = base.time_us + get_u32(at + RECORD_TIME_DELTA);
    ret_record->frame_back_bytes = kind == RECORD_CONSUMED ? get_u32(at + CONSUMED_FRAME_BACK) : 0;
}
