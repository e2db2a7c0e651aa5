/*
 * record.c — one record's bytes and back. Pure: no I/O, no allocation, no state.
 *
 * Invariants
 *   Canonical: a value has one encoding. The decoders refuse every other (a wide number that fits, a flag without
 *   its value, padding that is not zero, a natural id as text), so decode(encode(x)) is x and encode(decode(b)) is
 *   b for all b that are accepted. Checksums and chains over records are therefore checksums over their meaning.
 *   Encoders trust their caller and assert; decoders trust nothing, never read at or behind at[available], and
 *   write their result only when the whole record is right.
 */
#include "journal/record.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/record_shape.h"

static inline void put_header(uint8_t *at, size_t length, enum record_kind kind, uint32_t seq_delta,
                              uint32_t time_delta_us)
{
    assert(length % 8 == 0 && length >= RECORD_HEADER_BYTES && length <= UINT16_MAX);
    put_u16(at + RECORD_LENGTH, (uint16_t)length);
    at[RECORD_KIND] = (uint8_t)kind;
    at[RECORD_ZERO] = 0;
    put_u32(at + RECORD_CRC, 0);
    put_u32(at + RECORD_SEQ_DELTA, seq_delta);
    put_u32(at + RECORD_TIME_DELTA, time_delta_us);
}

/* ---- CONSUMED -------------------------------------------------------------------------------------------------- */

/* Whether the id that was given is the one that the members would derive. */
static bool id_is_derived(const settle_event *event)
{
    settle_text id = event->event_id;
    if (event->type == SETTLE_TRADE) {
        settle_text trade_id = event->u.trade.trade_id;
        return trade_id.bytes != 0 && id.bytes == trade_id.bytes + 6 && memcmp(id.data, "trade_", 6) == 0 &&
               memcmp(id.data + 6, trade_id.data, trade_id.bytes) == 0;
    }
    struct event_key key;
    event_key_of_text(id, &key);
    return key.is_natural && key.type == event->type && key.user == event->u.transfer.user &&
           key.asset == event->u.transfer.asset && key.ts_ms == event->ts_ms;
}

/* The id that is stored: none where it is derived. */
static inline settle_text id_stored(const settle_event *event)
{
    if (event->event_id.bytes == 0 || id_is_derived(event))
        return (settle_text){NULL, 0};
    assert(event->event_id.bytes <= SETTLE_EVENT_ID_BYTES_MAX);
    return event->event_id;
}

static inline void put_consumed_head(uint8_t *at, const settle_event *event, size_t id_bytes, uint16_t flags,
                                     uint32_t frame_back_bytes)
{
    assert(event->ts_ms <= SETTLE_TS_MS_MAX);
    at[CONSUMED_TYPE] = (uint8_t)event->type;
    at[CONSUMED_ID_LENGTH] = (uint8_t)id_bytes;
    put_u16(at + CONSUMED_FLAGS, flags);
    put_u32(at + CONSUMED_FRAME_BACK, frame_back_bytes);
    put_u64(at + CONSUMED_TS_MS, event->ts_ms);
}

static size_t encode_transfer(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, uint32_t frame_back_bytes,
                              const settle_event *event)
{
    const settle_transfer *transfer = &event->u.transfer;
    assert(transfer->amount > 0);
    settle_text id = id_stored(event);
    bool wide = needs_wide((settle_uint128)transfer->amount);
    size_t fixed = CONSUMED_AMOUNT + (wide ? 16 : 8);
    size_t length = align8(fixed + id.bytes);

    put_header(at, length, RECORD_CONSUMED, seq_delta, time_delta_us);
    put_consumed_head(at, event, id.bytes, wide ? CONSUMED_WIDE : 0, frame_back_bytes);
    put_u64(at + CONSUMED_USER, transfer->user);
    put_u32(at + CONSUMED_ASSET, transfer->asset);
    put_u32(at + CONSUMED_ZERO, 0);
    (void)put_amount(at + CONSUMED_AMOUNT, (settle_uint128)transfer->amount, wide);
    if (id.bytes != 0) {
        put_u64(at + length - 8, 0);
        memcpy(at + fixed, id.data, id.bytes);
    }
    return length;
}

static uint8_t *put_trade_amounts(uint8_t *at, const settle_trade *trade, uint16_t flags)
{
    bool wide = (flags & CONSUMED_WIDE) != 0;
    at = put_amount(at, (settle_uint128)trade->quantity, wide);
    if (flags & CONSUMED_HAS_PRICE)
        at = put_amount(at, trade->price.mantissa, wide);
    if (flags & CONSUMED_HAS_QUOTE_AMOUNT)
        at = put_amount(at, (settle_uint128)trade->quote_amount, wide);
    if (flags & CONSUMED_HAS_FEES) {
        at = put_amount(at, (settle_uint128)trade->buyer_fee, wide);
        at = put_amount(at, (settle_uint128)trade->seller_fee, wide);
    }
    return at;
}

static size_t encode_trade(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, uint32_t frame_back_bytes,
                           const settle_event *event)
{
    const settle_trade *trade = &event->u.trade;
    assert(trade->quantity > 0 && trade->quote_amount >= 0);
    assert(trade->buyer_fee >= 0 && trade->seller_fee >= 0);
    assert(trade->trade_id.bytes <= SETTLE_TRADE_ID_BYTES_MAX);
    assert(trade->price.scale <= SETTLE_PRICE_DECIMALS_MAX && (trade->price.mantissa != 0 || trade->price.scale == 0));
    settle_text id = id_stored(event);
    uint16_t flags = trade_flags(trade);
    size_t length = align8(trade_fixed_bytes(flags) + trade->trade_id.bytes + id.bytes);

    put_header(at, length, RECORD_CONSUMED, seq_delta, time_delta_us);
    put_consumed_head(at, event, id.bytes, flags, frame_back_bytes);
    put_u64(at + CONSUMED_BUYER, trade->buyer);
    put_u64(at + CONSUMED_SELLER, trade->seller);
    put_u32(at + CONSUMED_BASE, trade->base);
    put_u32(at + CONSUMED_QUOTE, trade->quote);
    put_u64(at + CONSUMED_TRADE_ID_LENGTH, trade->trade_id.bytes | (uint64_t)trade->price.scale << 8); /* and 6 zeros */
    put_u64(at + length - 8, 0);
    uint8_t *text = put_trade_amounts(at + CONSUMED_QUANTITY, trade, flags);
    if (trade->trade_id.bytes != 0)
        memcpy(text, trade->trade_id.data, trade->trade_id.bytes);
    if (id.bytes != 0)
        memcpy(text + trade->trade_id.bytes, id.data, id.bytes);
    return length;
}

size_t record_encode_consumed(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, uint32_t frame_back_bytes,
                              const settle_event *event)
{
    assert(at != NULL && event != NULL);
    if (event->type == SETTLE_TRADE)
        return encode_trade(at, seq_delta, time_delta_us, frame_back_bytes, event);
    assert(event->type == SETTLE_DEPOSIT || event->type == SETTLE_WITHDRAWAL);
    return encode_transfer(at, seq_delta, time_delta_us, frame_back_bytes, event);
}

/* The texts at `at`, `end` being the record's: what they are, and that only zeros follow, fewer than eight. */
static bool decode_texts(const uint8_t *at, const uint8_t *end, size_t trade_id_bytes, size_t id_bytes,
                         settle_text *ret_trade_id, settle_text *ret_id)
{
    size_t left = (size_t)(end - at);
    if (left != align8(trade_id_bytes + id_bytes))
        return false;
    *ret_trade_id = (settle_text){trade_id_bytes != 0 ? (const char *)at : NULL, trade_id_bytes};
    at += trade_id_bytes;
    *ret_id = (settle_text){id_bytes != 0 ? (const char *)at : NULL, id_bytes};
    at += id_bytes;
    return bytes_are_zero(at, (size_t)(end - at));
}

static const char *decode_transfer(const uint8_t *at, size_t length, uint16_t flags, settle_event *event)
{
    if (flags & ~CONSUMED_WIDE)
        return "a deposit or withdrawal with a trade's flags";
    bool wide = (flags & CONSUMED_WIDE) != 0;
    if (length < CONSUMED_AMOUNT + (wide ? 16u : 8u))
        return "record is too short for its kind";
    if (get_u32(at + CONSUMED_ZERO) != 0)
        return "padding is not zero";
    settle_uint128 amount;
    const uint8_t *text = get_amount(at + CONSUMED_AMOUNT, wide, &amount);
    if (wide && !needs_wide(amount))
        return "a narrow amount in the wide form";
    settle_transfer *transfer = &event->u.transfer;
    transfer->user = get_u64(at + CONSUMED_USER);
    transfer->asset = get_u32(at + CONSUMED_ASSET);
    transfer->amount = (settle_int128)amount;
    settle_text none;
    if (!decode_texts(text, at + length, 0, at[CONSUMED_ID_LENGTH], &none, &event->event_id))
        return "record's length or padding does not fit its texts";
    return NULL;
}

/* The amounts in the order of put_trade_amounts(); those that are not there are 0. */
static const char *decode_trade_amounts(const uint8_t *at, uint16_t flags, settle_trade *trade)
{
    bool wide = (flags & CONSUMED_WIDE) != 0;
    settle_uint128 quantity, price = 0, quote_amount = 0, buyer_fee = 0, seller_fee = 0;
    at = get_amount(at, wide, &quantity);
    if (flags & CONSUMED_HAS_PRICE)
        at = get_amount(at, wide, &price);
    if (flags & CONSUMED_HAS_QUOTE_AMOUNT)
        at = get_amount(at, wide, &quote_amount);
    if (flags & CONSUMED_HAS_FEES) {
        at = get_amount(at, wide, &buyer_fee);
        (void)get_amount(at, wide, &seller_fee);
    }
    trade->quantity = (settle_int128)quantity;
    trade->price.mantissa = price;
    trade->quote_amount = (settle_int128)quote_amount;
    trade->buyer_fee = (settle_int128)buyer_fee;
    trade->seller_fee = (settle_int128)seller_fee;
    return trade_flags(trade) == flags ? NULL : "flags do not fit the amounts";
}

static const char *decode_trade(const uint8_t *at, size_t length, uint16_t flags, settle_event *event)
{
    size_t fixed = trade_fixed_bytes(flags);
    if (length < fixed)
        return "record is too short for its kind";
    if (!bytes_are_zero(at + CONSUMED_TRADE_ZERO, 6))
        return "padding is not zero";
    settle_trade *trade = &event->u.trade;
    trade->buyer = get_u64(at + CONSUMED_BUYER);
    trade->seller = get_u64(at + CONSUMED_SELLER);
    trade->base = get_u32(at + CONSUMED_BASE);
    trade->quote = get_u32(at + CONSUMED_QUOTE);
    trade->price.scale = at[CONSUMED_PRICE_SCALE];
    if (!decode_texts(at + fixed, at + length, at[CONSUMED_TRADE_ID_LENGTH], at[CONSUMED_ID_LENGTH], &trade->trade_id,
                      &event->event_id))
        return "record's length or padding does not fit its texts";
    return decode_trade_amounts(at + CONSUMED_QUANTITY, flags, trade);
}

static const char *decode_consumed(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length < CONSUMED_AMOUNT)
        return "record is too short for its kind";
    uint16_t flags = get_u16(at + CONSUMED_FLAGS);
    if (flags & ~CONSUMED_FLAGS_KNOWN)
        return "unknown flags";
    settle_event event; /* not cleared: most of it is a trade's */
    if (at[CONSUMED_TYPE] < SETTLE_DEPOSIT || at[CONSUMED_TYPE] > SETTLE_TRADE)
        return "unknown event type";
    event.type = (settle_event_type)at[CONSUMED_TYPE];
    event.ts_ms = get_u64(at + CONSUMED_TS_MS);
    bool is_trade = event.type == SETTLE_TRADE;
    const char *fault = is_trade ? decode_trade(at, length, flags, &event) : decode_transfer(at, length, flags, &event);
    if (fault == NULL)
        fault = event_form_fault(&event);
    if (fault != NULL)
        return fault;
    if (event.event_id.bytes != 0 && id_is_derived(&event))
        return "an event id that need not be stored";

    settle_event *ret_event = &ret_record->u.consumed;
    ret_event->type = event.type;
    ret_event->ts_ms = event.ts_ms;
    ret_event->event_id = event.event_id;
    ret_event->end = (settle_source_position){0};
    if (is_trade)
        ret_event->u.trade = event.u.trade;
    else
        ret_event->u.transfer = event.u.transfer;
    ret_record->frame_back_bytes = get_u32(at + CONSUMED_FRAME_BACK);
    return NULL;
}

/* ---- VALIDATED ------------------------------------------------------------------------------------------------- */

static inline uint8_t *put_leg(uint8_t *at, const settle_leg *leg)
{
    assert(leg->version != 0);
    assert((leg->delta_available | leg->delta_held) != 0);
    uint16_t flags = leg_flags(leg);
    bool wide = (flags & LEG_WIDE) != 0;
    put_u64(at + LEG_USER, leg->user);
    put_u32(at + LEG_ASSET, leg->asset);
    put_u16(at + LEG_FLAGS, flags);
    put_u16(at + LEG_ZERO, 0);
    put_u64(at + LEG_VERSION, leg->version);
    put_u64(at + LEG_PREVIOUS, leg->previous_position);
    at += LEG_AMOUNTS;
    if (flags == 0) { /* nearly every leg */
        put_u64(at, (uint64_t)leg->delta_available);
        put_u64(at + 8, (uint64_t)leg->after_available);
        return at + 16;
    }
    at = put_signed(at, leg->delta_available, wide);
    at = put_signed(at, leg->after_available, wide);
    if (flags & LEG_HELD) {
        at = put_signed(at, leg->delta_held, wide);
        at = put_signed(at, leg->after_held, wide);
    }
    return at;
}

size_t record_encode_validated(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, const settle_leg *legs,
                               size_t leg_count)
{
    assert(at != NULL && legs != NULL);
    assert(leg_count >= 1 && leg_count <= SETTLE_LEGS_MAX);
    uint8_t *end = at + VALIDATED_LEGS;
    for (size_t i = 0; i < leg_count; i++)
        end = put_leg(end, &legs[i]);
    put_header(at, (size_t)(end - at), RECORD_VALIDATED, seq_delta, time_delta_us);
    put_u64(at + VALIDATED_LEG_COUNT, leg_count); /* and six zeros */
    return (size_t)(end - at);
}

static const char *leg_fault(const settle_leg *leg)
{
    if (leg->user == 0 || (leg->user > SETTLE_USER_MAX && leg->user < SETTLE_USER_EXTERNAL))
        return "a leg of no user";
    if (leg->asset == 0)
        return "asset id 0";
    if (leg->version == 0)
        return "a leg of version 0";
    if ((leg->delta_available | leg->delta_held) == 0)
        return "a leg that changes nothing";
    if (!change_is_sound(leg->delta_available, leg->after_available) ||
        !change_is_sound(leg->delta_held, leg->after_held))
        return "a leg's balance is out of range";
    return NULL;
}

/* Decodes the leg at `at`, of which `left` bytes may belong to it. *ret_leg is the caller's scratch. */
static const char *decode_leg(const uint8_t *at, size_t left, settle_leg *ret_leg, size_t *ret_bytes)
{
    if (left < LEG_AMOUNTS + 2 * 8)
        return "legs are longer than the record";
    uint16_t flags = get_u16(at + LEG_FLAGS);
    if (flags & ~LEG_FLAGS_KNOWN)
        return "unknown flags of a leg";
    *ret_bytes = leg_bytes(flags);
    if (left < *ret_bytes)
        return "legs are longer than the record";
    if (get_u16(at + LEG_ZERO) != 0)
        return "padding is not zero";

    bool wide = (flags & LEG_WIDE) != 0;
    settle_leg *leg = ret_leg;
    leg->user = get_u64(at + LEG_USER);
    leg->asset = get_u32(at + LEG_ASSET);
    leg->version = get_u64(at + LEG_VERSION);
    leg->previous_position = get_u64(at + LEG_PREVIOUS);
    const uint8_t *amounts = get_signed(at + LEG_AMOUNTS, wide, &leg->delta_available);
    amounts = get_signed(amounts, wide, &leg->after_available);
    leg->delta_held = leg->after_held = 0;
    if (flags & LEG_HELD) {
        amounts = get_signed(amounts, wide, &leg->delta_held);
        (void)get_signed(amounts, wide, &leg->after_held);
    }
    if (leg_flags(leg) != flags)
        return "flags do not fit the leg's amounts";
    return leg_fault(leg);
}

static const char *decode_validated(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length < VALIDATED_LEGS)
        return "record is too short for its kind";
    if (!bytes_are_zero(at + VALIDATED_ZERO, 6))
        return "padding is not zero";
    uint32_t leg_count = get_u16(at + VALIDATED_LEG_COUNT);
    if (leg_count < 1 || leg_count > SETTLE_LEGS_MAX)
        return "number of legs is not in 1 … 6";
    settle_leg legs[SETTLE_LEGS_MAX];
    size_t offset = VALIDATED_LEGS;
    for (uint32_t i = 0; i < leg_count; i++) {
        size_t bytes;
        const char *fault = decode_leg(at + offset, length - offset, &legs[i], &bytes);
        if (fault != NULL)
            return fault;
        offset += bytes;
    }
    if (offset != length)
        return "record is longer than its legs";
    ret_record->u.validated.leg_count = leg_count;
    memcpy(ret_record->u.validated.legs, legs, leg_count * sizeof(legs[0]));
    return NULL;
}

/* ---- The short kinds ------------------------------------------------------------------------------------------- */

size_t record_encode_rejected(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, settle_reason reason)
{
    assert(at != NULL);
    assert(reason > SETTLE_REASON_NONE && reason <= SETTLE_REASON_BALANCE_OVERFLOW);
    put_header(at, REJECTED_BYTES, RECORD_REJECTED, seq_delta, time_delta_us);
    put_u64(at + REJECTED_REASON, (uint64_t)reason); /* and six zeros */
    return REJECTED_BYTES;
}

static const char *decode_rejected(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length != REJECTED_BYTES)
        return "record's length does not fit its kind";
    if (!bytes_are_zero(at + REJECTED_REASON + 2, 6))
        return "padding is not zero";
    uint16_t reason = get_u16(at + REJECTED_REASON);
    if (reason <= SETTLE_REASON_NONE || reason > SETTLE_REASON_BALANCE_OVERFLOW)
        return "unknown reason";
    ret_record->u.rejected = (settle_reason)reason;
    return NULL;
}

size_t record_encode_repeat(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, settle_outcome outcome,
                            const struct record_repeat *repeat)
{
    assert(at != NULL && repeat != NULL);
    assert(outcome == SETTLE_DUPLICATE || outcome == SETTLE_CONFLICT);
    assert(repeat->first_seq != 0 && repeat->first_position != 0);
    enum record_kind kind = outcome == SETTLE_DUPLICATE ? RECORD_DUPLICATE : RECORD_CONFLICT;
    put_header(at, REPEAT_BYTES, kind, seq_delta, time_delta_us);
    put_u64(at + REPEAT_FIRST_SEQ, repeat->first_seq);
    put_u64(at + REPEAT_FIRST_POSITION, repeat->first_position);
    return REPEAT_BYTES;
}

static const char *decode_repeat(const uint8_t *at, size_t length, uint64_t seq, struct record *ret_record)
{
    if (length != REPEAT_BYTES)
        return "record's length does not fit its kind";
    struct record_repeat repeat = {get_u64(at + REPEAT_FIRST_SEQ), get_u64(at + REPEAT_FIRST_POSITION)};
    if (repeat.first_seq == 0 || repeat.first_seq >= seq)
        return "the first arrival is not before this one";
    if (repeat.first_position == 0)
        return "the first arrival has no position";
    ret_record->u.repeat = repeat;
    return NULL;
}

size_t record_encode_persisted(uint8_t *at, const struct record_persisted *persisted)
{
    assert(at != NULL && persisted != NULL);
    assert(persisted->first_seq != 0 && persisted->first_seq <= persisted->last_seq);
    put_header(at, PERSISTED_BYTES, RECORD_PERSISTED, 0, 0);
    put_u64(at + PERSISTED_FIRST_SEQ, persisted->first_seq);
    put_u64(at + PERSISTED_LAST_SEQ, persisted->last_seq);
    put_u64(at + PERSISTED_TIME_US, persisted->time_us);
    return PERSISTED_BYTES;
}

static const char *decode_persisted(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length != PERSISTED_BYTES)
        return "record's length does not fit its kind";
    if (get_u32(at + RECORD_TIME_DELTA) != 0)
        return "a note with a time of its own";
    struct record_persisted persisted = {get_u64(at + PERSISTED_FIRST_SEQ), get_u64(at + PERSISTED_LAST_SEQ),
                                         get_u64(at + PERSISTED_TIME_US)};
    if (persisted.first_seq == 0 || persisted.first_seq > persisted.last_seq)
        return "a range of no events";
    ret_record->u.persisted = persisted;
    return NULL;
}

/* Bytes of a symbol at `text`, at most `bytes_max`: how many of [A-Z0-9.] it begins with. */
static size_t symbol_span(const char *text, size_t bytes_max)
{
    size_t bytes = 0;
    while (bytes < bytes_max && ((text[bytes] >= 'A' && text[bytes] <= 'Z') ||
                                 (text[bytes] >= '0' && text[bytes] <= '9') || text[bytes] == '.'))
        bytes++;
    return bytes;
}

size_t record_encode_asset(uint8_t *at, uint32_t time_delta_us, const settle_asset *asset)
{
    assert(at != NULL && asset != NULL);
    assert(asset->id != 0 && asset->scale <= SETTLE_SCALE_MAX);
    size_t symbol_bytes = symbol_span(asset->symbol, SETTLE_SYMBOL_BYTES_MAX);
    assert(symbol_bytes >= 1 && asset->symbol[symbol_bytes] == '\0');
    put_header(at, ASSET_BYTES, RECORD_ASSET, 0, time_delta_us);
    put_u32(at + ASSET_ID, asset->id);
    at[ASSET_SCALE] = asset->scale;
    at[ASSET_SYMBOL_LENGTH] = (uint8_t)symbol_bytes;
    put_u16(at + ASSET_SYMBOL_LENGTH + 1, 0);
    memset(at + ASSET_SYMBOL, 0, ASSET_BYTES - ASSET_SYMBOL);
    memcpy(at + ASSET_SYMBOL, asset->symbol, symbol_bytes);
    return ASSET_BYTES;
}

static const char *decode_asset(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length != ASSET_BYTES)
        return "record's length does not fit its kind";
    settle_asset asset = {.id = get_u32(at + ASSET_ID), .scale = at[ASSET_SCALE]};
    size_t symbol_bytes = at[ASSET_SYMBOL_LENGTH];
    if (asset.id == 0)
        return "asset id 0";
    if (asset.scale > SETTLE_SCALE_MAX)
        return "scale is greater than 18";
    if (symbol_bytes < 1 || symbol_bytes > SETTLE_SYMBOL_BYTES_MAX)
        return "symbol is not 1–15 bytes";
    memcpy(asset.symbol, at + ASSET_SYMBOL, symbol_bytes);
    if (symbol_span(asset.symbol, symbol_bytes) != symbol_bytes)
        return "symbol is not of [A-Z0-9.]";
    if (get_u16(at + ASSET_SYMBOL_LENGTH + 1) != 0 ||
        !bytes_are_zero(at + ASSET_SYMBOL + symbol_bytes, ASSET_BYTES - ASSET_SYMBOL - symbol_bytes))
        return "padding is not zero";
    ret_record->u.asset = asset;
    return NULL;
}

size_t record_encode_source(uint8_t *at, const struct record_source *source)
{
    assert(at != NULL && source != NULL && source->name.data != NULL);
    size_t name_bytes = source->name.bytes;
    assert(name_bytes >= 1 && name_bytes <= SETTLE_SOURCE_NAME_BYTES_MAX);
    assert(memchr(source->name.data, '\0', name_bytes) == NULL);
    size_t length = align8(SOURCE_NAME + name_bytes);
    put_header(at, length, RECORD_SOURCE, 0, 0);
    put_u64(at + SOURCE_OFFSET, source->offset_bytes);
    put_u64(at + SOURCE_LINE, source->line);
    put_u64(at + SOURCE_NAME_LENGTH, name_bytes); /* and six zeros */
    put_u64(at + length - 8, 0);
    memcpy(at + SOURCE_NAME, source->name.data, name_bytes);
    return length;
}

static const char *decode_source(const uint8_t *at, size_t length, struct record *ret_record)
{
    if (length < SOURCE_NAME)
        return "record is too short for its kind";
    if (get_u32(at + RECORD_TIME_DELTA) != 0)
        return "a note with a time of its own";
    size_t name_bytes = get_u16(at + SOURCE_NAME_LENGTH);
    if (name_bytes < 1 || name_bytes > SETTLE_SOURCE_NAME_BYTES_MAX)
        return "source's name is not 1–4095 bytes";
    if (length != align8(SOURCE_NAME + name_bytes))
        return "record's length does not fit its texts";
    const char *name = (const char *)at + SOURCE_NAME;
    if (memchr(name, '\0', name_bytes) != NULL)
        return "source's name has a NUL";
    if (!bytes_are_zero(at + SOURCE_NAME_LENGTH + 2, 6) ||
        !bytes_are_zero(at + SOURCE_NAME + name_bytes, length - SOURCE_NAME - name_bytes))
        return "padding is not zero";
    ret_record->u.source = (struct record_source){
        .offset_bytes = get_u64(at + SOURCE_OFFSET), .line = get_u64(at + SOURCE_LINE), .name = {name, name_bytes}};
    return NULL;
}

/* ---- Any kind -------------------------------------------------------------------------------------------------- */

static const char *decode_payload(const uint8_t *at, size_t length, uint64_t seq, struct record *ret_record)
{
    switch (at[RECORD_KIND]) {
    case RECORD_CONSUMED: return decode_consumed(at, length, ret_record);
    case RECORD_VALIDATED: return decode_validated(at, length, ret_record);
    case RECORD_REJECTED: return decode_rejected(at, length, ret_record);
    case RECORD_DUPLICATE:
    case RECORD_CONFLICT: return decode_repeat(at, length, seq, ret_record);
    case RECORD_PERSISTED: return decode_persisted(at, length, ret_record);
    case RECORD_ASSET: return decode_asset(at, length, ret_record);
    case RECORD_SOURCE: return decode_source(at, length, ret_record);
    default: return at[RECORD_KIND] >= RECORD_SKIPPABLE ? NULL : "unknown record kind";
    }
}

const char *record_decode(const uint8_t *at, size_t available, struct record_base base, struct record *ret_record)
{
    assert(at != NULL && ret_record != NULL);
    if (available < RECORD_HEADER_BYTES)
        return "record is cut off";
    size_t length = get_u16(at + RECORD_LENGTH);
    if (length < RECORD_HEADER_BYTES || length % 8 != 0)
        return "record's length is not a multiple of 8 from 16 on";
    if (length > available)
        return "record is cut off";
    if (at[RECORD_ZERO] != 0)
        return "padding is not zero";
    uint64_t seq, time_us;
    if (__builtin_add_overflow(base.first_seq, get_u32(at + RECORD_SEQ_DELTA), &seq) ||
        __builtin_add_overflow(base.time_us, get_u32(at + RECORD_TIME_DELTA), &time_us))
        return "sequence number or time is out of range";
    bool is_event = at[RECORD_KIND] < RECORD_PERSISTED;
    if (!is_event && at[RECORD_KIND] < RECORD_SKIPPABLE && get_u32(at + RECORD_SEQ_DELTA) != 0)
        return "a note with a sequence number";
    const char *fault = decode_payload(at, length, seq, ret_record);
    if (fault != NULL)
        return fault;
    ret_record->kind = (enum record_kind)at[RECORD_KIND];
    ret_record->length_bytes = (uint32_t)length;
    ret_record->seq = is_event ? seq : 0;
    ret_record->time_us = time_us;
    if (ret_record->kind != RECORD_CONSUMED)
        ret_record->frame_back_bytes = 0;
    return NULL;
}

uint32_t record_crc(const uint8_t *at, uint64_t position)
{
    assert(at != NULL);
    uint8_t head[12];
    put_u64(head, position);
    memcpy(head + 8, at, RECORD_CRC);
    size_t length = get_u16(at + RECORD_LENGTH);
    uint32_t crc = crc32c(0, head, sizeof(head));
    /* A length that is no record's reads nothing: it came from the disk and is not checked yet. */
    return length < RECORD_HEADER_BYTES ? crc : crc32c(crc, at + RECORD_SEQ_DELTA, length - RECORD_SEQ_DELTA);
}

void record_seal(uint8_t *at, uint64_t position)
{
    assert(get_u16(at + RECORD_LENGTH) >= RECORD_HEADER_BYTES);
    put_u32(at + RECORD_CRC, record_crc(at, position));
}
